"""What the Identity Encoder does: photos of one person to an Identity."""

import logging

import torch
import torch.nn.functional as F

from ..encoders.identity import INPUT, Pooled, pool
from ..errors import DiffSFSRError
from ..faces.selection import RULES
from ..host.progress import steps
from ..images import checked_image
from ..types import Identity
from ..warp.coarse import Face
from ..warp.neutral import fit_neutral
from .encoders import Encoders, face_networks
from .face import face_crop, measured

WITHOUT_FACE = ("error", "skip this image", "treat as an aligned crop")
log = logging.getLogger(__name__)


@torch.inference_mode()
def encode_identity(
    encoders: Encoders, images: torch.Tensor, rule: str, index: int, without: str
) -> tuple[Identity, torch.Tensor]:
    """Photos [B, H, W, 3] of one person -> Identity and the aligned crops [P, 256, 256, 3]; a stranger's is not among them."""
    where = "Identity Encoder"
    images = checked_image(images, f"{where}, image")
    if without not in WITHOUT_FACE:
        remedy = f"Choose one of: {', '.join(WITHOUT_FACE)}"
        raise DiffSFSRError(f"'{without}' is no way to treat a picture without a face", where, remedy)
    if rule not in RULES:
        remedy = f"Choose one of: {', '.join(RULES)}"
        raise DiffSFSRError(f"'{rule}' is no rule for choosing a face", f"{where}, image 0", remedy)
    face_networks()  # a damaged face model is no picture without a face: it must not be skipped
    size = encoders.config.resolution
    found = [_crop(image, rule, index, size, without, f"{where}, image {i}") for i, image in enumerate(steps(images))]
    numbers = [i for i, photo in enumerate(found) if photo is not None]
    if not numbers:
        raise DiffSFSRError("None of the pictures shows a usable face", where, "Connect a clear photo of the person")
    crops = [found[i] for i in numbers]
    pictures = torch.stack([c.image for c in crops])
    selfies = F.interpolate(pictures, size=INPUT, mode="area")
    vectors = encoders.recognise(selfies, pictures, torch.stack([c.points for c in crops]))
    who = pool(vectors, encoders.config.identity)
    _tell(who, numbers, where)
    best = crops[max(who.kept, key=lambda k: float(vectors[k] @ who.vector))]  # most like all of them: drawn from
    rest = fit_neutral(encoders.shape, face_networks().ready(), best, best.fit(encoders.shape))
    identity = Identity(who.vector, selfies[who.kept], best.image, best.points, best.code, rest, encoders.id)
    return identity, pictures[who.kept].permute(0, 2, 3, 1)


def _tell(who: Pooled, numbers: list[int], where: str) -> None:
    """Says which photos were left out, and when the photos do not agree. `numbers`: the place of each in the batch."""
    for k in who.strangers:
        log.warning("%s, image %d: this photo looks like another person, left out", where, numbers[k])
    if who.torn:
        names = ", ".join(str(n) for n in numbers)
        log.warning("%s, images %s: they look like different people and none is in the majority; all are kept", where, names)


def _crop(image: torch.Tensor, rule: str, index: int, size: int, without: str, where: str) -> Face | None:
    """The face of one photo; without one what `without` says: the error, None, or the whole picture as the crop."""
    try:
        return face_crop(image, rule, index, size, where)[0]
    except DiffSFSRError as error:
        if without == "error":
            raise
        log.warning("%s (%s)", error, without)
    if without == "skip this image":
        return None
    square = F.interpolate(image.permute(2, 0, 1)[None], size=(size, size), mode="bilinear", antialias=True)[0]
    return Face(square, *measured(square))
