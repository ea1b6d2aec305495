"""What Expression From Image does: a picture of a face to the expression it shows."""

import logging
from dataclasses import replace

import torch

from ..host.progress import steps
from ..images import broadcast, checked_image
from ..labels import BLENDSHAPES, nearest_words
from ..types import Expression
from ..warp.coarse import Face
from ..warp.neutral import fit_neutral
from .encoders import Encoders, face_networks
from .face import face_crop

WHERE = "Expression From Image"
log = logging.getLogger(__name__)


@torch.inference_mode()
def expressions_of(
    encoders: Encoders, images: torch.Tensor, neutral: torch.Tensor | None, rule: str, index: int, intensity: float
) -> tuple[Expression, torch.Tensor, str]:
    """Pictures [E, H, W, 3] -> Expression with E codes, the aligned crops [E, S, S, 3], and what was read, for people.

    neutral: the same person with a calm face, one picture or E; without it the calm face is guessed from the picture itself.
    """
    images = checked_image(images, f"{WHERE}, image")
    if neutral is not None:
        neutral = checked_image(neutral, f"{WHERE}, neutral")
        broadcast(len(neutral), len(images), "neutral pictures", WHERE)
    codes, crops, lines = [], [], []
    for i, image in enumerate(steps(images)):
        where = f"{WHERE}, image {i}"
        calm = None if neutral is None else _crop(encoders, neutral[i % len(neutral)], rule, index, f"{where}, neutral")
        crop = _crop(encoders, image, rule, index, where)
        code = code_of_crop(encoders, crop, calm) * intensity
        code[:52].clamp_(0, 1)
        codes.append(code)
        crops.append(crop.image.permute(1, 2, 0))
        lines.append(in_words(code[:52]))
    names = tuple(f"picture {i}" for i in range(len(codes)))
    return Expression(torch.stack(codes), names, encoders.id), torch.stack(crops), "\n".join(lines)


def expression_of_picture(encoders: Encoders, image: torch.Tensor, rule: str, index: int, where: str) -> torch.Tensor:
    """Picture [H, W, 3] 0..1 -> the expression code [52 + K] of its chosen face."""
    return code_of_crop(encoders, _crop(encoders, image, rule, index, where))


def code_of_crop(encoders: Encoders, crop: Face, calm: Face | None = None) -> torch.Tensor:
    """An aligned face -> code [52 + K]. `calm`: the same person at rest, which takes out who it is exactly."""
    shape, fit = encoders.shape, crop.fit(encoders.shape)
    if calm is None:
        rest = fit_neutral(shape, face_networks().ready(), crop, fit)
        geometry = shape.own_geometry(replace(fit, rest=rest[None]))
    else:
        geometry = shape.geometry_between(calm.fit(shape), fit)
    geometry, reader = geometry.float(), encoders.stack.ready().reader
    device = encoders.stack.device
    read = reader(crop.code[None].float().to(device), geometry.to(device)).cpu()
    return torch.cat([read, geometry], 1)[0]


def _crop(encoders: Encoders, image: torch.Tensor, rule: str, index: int, where: str) -> Face:
    return face_crop(image, rule, index, encoders.config.resolution, where)[0]


def in_words(code: torch.Tensor, count: int = 6) -> str:
    """"smile .8, jaw open .3 ...; nearest words: amusement (joy), ..." of coefficients [52]."""
    strongest = [k for k in code.argsort(descending=True).tolist()[:count] if code[k] >= 0.1]
    shown = ", ".join(f"{BLENDSHAPES[k]} {code[k]:.2f}" for k in strongest) or "a calm face"
    near = ", ".join(f"{word} {gap:.2f}" for word, gap in nearest_words(code.numpy(), 3))
    return f"{shown}; nearest words (distance): {near}"
