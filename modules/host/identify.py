"""What the Identity Encoder does: photos of one person to an Identity."""

import logging

import comfy.model_management
import torch
import torch.nn.functional as F

from ..conditioning.guide import Crop
from ..encoders.identity import INPUT, pooled
from ..encoders.wires import Identity
from ..errors import DiffSFSRError
from ..faces.select import RULES
from ..images import checked_image
from .crops import face_crop, measured
from .encoders import Encoders, face_networks

WITHOUT_FACE = ("error", "skip this image", "treat as an aligned crop")
log = logging.getLogger(__name__)


@torch.inference_mode()
def encode_identity(
    encoders: Encoders, images: torch.Tensor, rule: str, index: int, without: str
) -> tuple[Identity, torch.Tensor]:
    """Photos [B, H, W, 3] of one person -> Identity and the aligned crops [P, 256, 256, 3]."""
    where = "Identity Encoder"
    images = checked_image(images, f"{where}, image")
    if without not in WITHOUT_FACE:
        remedy = f"Choose one of: {', '.join(WITHOUT_FACE)}"
        raise DiffSFSRError(f"'{without}' is no way to treat a picture without a face", where, remedy)
    if rule not in RULES:
        remedy = f"Choose one of: {', '.join(RULES)}"
        raise DiffSFSRError(f"'{rule}' is no rule for choosing a face", f"{where}, image 0", remedy)
    face_networks()  # a missing face model is no picture without a face: it must not be skipped
    size = encoders.config.resolution
    crops = [_crop(image, rule, index, size, without, f"{where}, image {i}") for i, image in enumerate(images)]
    crops = [c for c in crops if c is not None]
    if not crops:
        raise DiffSFSRError("None of the pictures shows a usable face", where, "Connect a clear photo of the person")
    selfies = F.interpolate(torch.stack([c.image for c in crops]), size=INPUT, mode="area")
    vectors = encoders.stack.ready().identity(selfies.to(encoders.stack.device)).cpu()
    vector = pooled(vectors)
    best = crops[int((vectors @ vector).argmax())]  # the photo most like all of them is drawn from
    identity = Identity(vector, selfies, best.image, best.points, best.code, encoders.id)
    return identity, torch.stack([c.image for c in crops]).permute(0, 2, 3, 1)


def _crop(image: torch.Tensor, rule: str, index: int, size: int, without: str, where: str) -> Crop | None:
    """The face of one photo; without one what `without` says: the error, None, or the whole picture as the crop."""
    comfy.model_management.throw_exception_if_processing_interrupted()
    try:
        return face_crop(image, rule, index, size, where)[0]
    except DiffSFSRError as error:
        if without == "error":
            raise
        log.warning("%s (%s)", error, without)
    if without == "skip this image":
        return None
    square = F.interpolate(image.permute(2, 0, 1)[None], size=(size, size), mode="bilinear", antialias=True)[0]
    return Crop(square, *measured(square))
