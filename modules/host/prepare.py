"""What the encoder and background nodes do, on the host's memory management: photos to identity, picture to conditioning."""

import logging

import comfy.model_management
import torch
import torch.nn.functional as F

from ..conditioning.background import (
    Place,
    blanked,
    check_face_size,
    cut,
    latent_mask,
    own_mask,
)
from ..conditioning.guide import Crop, draft, face_mask, placed_points
from ..encoders.identity import INPUT, pooled
from ..encoders.wires import Expression, Identity
from ..errors import DiffSFSRError
from ..faces.landmarker import find_faces, landmarks_in_crop
from ..faces.select import RULES, choose_face
from ..images import broadcast, checked_image, checked_mask
from .encoders import Encoders, face_networks
from .model import check_bundle

WITHOUT_FACE = ("error", "skip this image", "treat as an aligned crop")
log = logging.getLogger(__name__)


def measured(crop: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Points [478, 3] and expression code [52] of an aligned crop [3, S, S]; the unused first value is 0."""
    networks = face_networks().ready()
    points, _, code = landmarks_in_crop(networks, crop[None].to(networks.triangles.device))
    code = code[0].cpu().clone()
    code[0] = 0
    return points[0].cpu(), code


def face_crop(image: torch.Tensor, rule: str, index: int, size: int, where: str) -> tuple[Crop, torch.Tensor]:
    """The chosen face of a picture [H, W, 3] in the canonical frame, and the matrix [2, 3] that leads there."""
    faces = find_faces(face_networks().ready(), image)
    face = choose_face(faces, rule, index, tuple(image.shape[:2]), where)
    if len(faces) > 1:
        log.info("%s: %d faces, the %s one is used", where, len(faces), rule)
    check_face_size(face.points, where)
    crop, _, matrix = cut(image, face.points, size)
    return Crop(crop, *measured(crop)), matrix


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
    size, crops = encoders.config.resolution, []
    for i, image in enumerate(images):
        comfy.model_management.throw_exception_if_processing_interrupted()
        try:
            crops.append(face_crop(image, rule, index, size, f"{where}, image {i}")[0])
        except DiffSFSRError as error:
            if without == "error":
                raise
            log.warning("%s (%s)", error, without)
            if without == "treat as an aligned crop":
                square = F.interpolate(
                    image.permute(2, 0, 1)[None], size=(size, size), mode="bilinear", antialias=True
                )[0]
                crops.append(Crop(square, *measured(square)))
    if not crops:
        raise DiffSFSRError("None of the pictures shows a usable face", where, "Connect a clear photo of the person")
    selfies = F.interpolate(torch.stack([c.image for c in crops]), size=INPUT, mode="area")
    vectors = encoders.stack.ready().identity(selfies.to(encoders.stack.device)).cpu()
    vector = pooled(vectors)
    best = crops[int((vectors @ vector).argmax())]  # the photo most like all of them is drawn from
    identity = Identity(vector, selfies, best.image, best.points, best.code, encoders.id)
    return identity, torch.stack([c.image for c in crops]).permute(0, 2, 3, 1)


@torch.inference_mode()
def condition(
    encoders: Encoders,
    vae,
    image: torch.Tensor,
    mask,
    identity: Identity,
    expression: Expression,
    rule: str,
    index: int,
    grow: float,
    feather: float,
    guide: bool = True,
):
    """Everything that the Background Condition node gives: positive, negative, LATENT, Place, drafts [n, S, S, 3]."""
    where = "Background Condition"
    for wire in (identity, expression):
        check_bundle(wire.bundle, encoders.id, where)
    original, image = image, checked_image(image, f"{where}, image")
    if original.shape[-1] == 1:
        original = original.expand(-1, -1, -1, 3)  # a painted face has colour
    mask = checked_mask(mask, len(image), *image.shape[1:3], f"{where}, mask")
    total = max(len(image), len(expression.codes))
    broadcast(len(image), total, "background pictures", where)
    broadcast(len(expression.codes), total, "expressions", where)
    drafts, masks, matrices, crops, blanks = [], [], [], [], []
    selfie = Crop(identity.image, identity.points, identity.code)
    size, shape = encoders.config.resolution, encoders.shape
    triangles = face_networks().ready().triangles.cpu()
    for i in range(total):
        comfy.model_management.throw_exception_if_processing_interrupted()
        if i < len(image):
            crop, matrix = face_crop(image[i], rule, index, size, f"{where}, image {i}")
            crops.append(crop.image)
        placed = placed_points(shape, selfie, crop, expression.codes[i % len(expression.codes)])
        if mask is None:
            area = face_mask(crop, placed, triangles, grow * size / 256)
        else:
            area = own_mask(mask[i % len(mask)], matrix, size)
            if not area.any():
                what = "The mask does not touch the chosen face"
                raise DiffSFSRError(what, f"{where}, mask, image {i}", "Paint over the face, or choose another face")
        blanks.append(blanked(crop.image, area))
        masks.append(area)
        matrices.append(matrix)
        drafts.append(draft(selfie, crop, placed, area, triangles))
    masks, drafts = torch.stack(masks), torch.stack(drafts)
    # one by one: the host would split a batch by the memory that happens to be free, and rounding follows the batch size
    encode = lambda pictures: torch.cat([vae.encode(p.permute(1, 2, 0)[None]).float().cpu() for p in pictures])  # noqa: E731
    background = encode(blanks)
    if background.shape[1] != encoders.config.unet.latent_channels:
        what = f"The VAE has {background.shape[1]} latent channels, the model {encoders.config.unet.latent_channels}"
        raise DiffSFSRError(what, f"{where}, vae", "Connect VAE of the same DiffSFSR UNet Loader")
    guided = encode(drafts) if guide else torch.zeros_like(background)
    positive, negative = conditioning(encoders, identity, expression, total, background, latent_mask(masks), guided)
    # no noise_mask: the background is explicit conditioning, and re-noising it at each step would leave the ODE
    samples = encode(crops)
    latent = {"samples": samples.expand(total, -1, -1, -1) if len(samples) == 1 else samples}
    place = Place(original, torch.stack(matrices), masks, mask, float(feather) * size / 256, size)
    return positive, negative, latent, place, drafts.permute(0, 2, 3, 1)


def conditioning(encoders: Encoders, identity: Identity, expression: Expression, total: int, background, mask, guide):
    """CONDITIONING pair. The tokens travel as extras; the host's text slot holds one zero token of our width."""
    stack, device = encoders.stack.ready(), encoders.stack.device
    tokens = stack.tokens
    who = tokens.identity_tokens(
        identity.vector[None].expand(len(identity.selfies), -1).to(device), identity.selfies.to(device)
    ).mean(0, keepdim=True)
    feels = tokens.expression_tokens(expression.codes.to(device))
    nothing = tokens.null(total)
    concat = torch.cat([background, mask, guide], 1)
    blank = torch.zeros(1, 1, encoders.config.tokens.width)

    def told(pair):
        extras = {"bundle": encoders.id, "concat": concat, "strength": {"identity": 1.0, "expression": 1.0}}
        for name, value in zip(("identity", "expression"), pair, strict=True):
            extras[name] = value.expand(total, -1, -1).cpu()
        return [[blank, {"diffsfsr": extras}]]

    return told((who, feels)), told(nothing)
