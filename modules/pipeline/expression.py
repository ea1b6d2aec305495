"""What Expression From Image does: a picture of a face to the expression it shows."""

import logging

import torch

from ..encoders.expression import scaled
from ..errors import at, check_number
from ..host.progress import steps
from ..images import broadcast, checked_image
from ..labels import BLENDSHAPES, MAX_INTENSITY, nearest_words
from ..types import Expression, Face
from .encoders import Encoders
from .face import find_face

log = logging.getLogger(__name__)


@at("Expression From Image")
@torch.inference_mode()
def expressions_of(
    encoders: Encoders, images: torch.Tensor, neutral: torch.Tensor | None, rule: str, index: int, intensity: float
) -> tuple[Expression, torch.Tensor, str]:
    """Pictures [E, H, W, 3] -> Expression with E codes, the aligned crops [E, S, S, 3], and what was read, for people.

    neutral: the same person with a neutral face, one picture or E; without it the neutral face is estimated from the picture.
    """
    check_number("intensity", intensity, MAX_INTENSITY, 1)
    with at("image"):
        images = checked_image(images)
    if neutral is not None:
        with at("neutral"):
            neutral = checked_image(neutral)
        broadcast(len(neutral), len(images), "neutral pictures")
    codes, crops, lines = [], [], []
    for i, image in enumerate(steps(images)):
        with at(f"image {i}"):
            calm = None
            if neutral is not None:
                with at("neutral"):
                    calm = find_face(encoders, neutral[i % len(neutral)], rule, index)[0]
            face, _ = find_face(encoders, image, rule, index)
        code = scaled(code_of_face(encoders, face, calm), intensity)
        codes.append(code)
        crops.append(face.image.permute(1, 2, 0))
        lines.append(in_words(code[:52]))
    names = tuple(f"picture {i}" for i in range(len(codes)))
    return Expression(torch.stack(codes), names, encoders.id), torch.stack(crops), "\n".join(lines)


def expression_of_picture(encoders: Encoders, image: torch.Tensor, rule: str, index: int) -> torch.Tensor:
    """Picture [H, W, 3] 0..1 -> the expression code [52 + K] of its chosen face."""
    return code_of_face(encoders, find_face(encoders, image, rule, index)[0])


def code_of_face(encoders: Encoders, face: Face, neutral: Face | None = None) -> torch.Tensor:
    """An aligned face -> code [52 + K]. `neutral`: the same person's neutral face, which takes out the identity exactly."""
    shape = encoders.shape
    if neutral is None:
        geometry = shape.own_geometry(face.fit)
    else:
        geometry = shape.geometry_between(neutral.fit, face.fit)
    regressor = encoders.stack.ready().reader
    geometry, device = geometry.float(), encoders.stack.device
    coefficients = regressor(face.code[None].float().to(device), geometry.to(device)).cpu()
    return torch.cat([coefficients, geometry], 1)[0]


def in_words(code: torch.Tensor, count: int = 6) -> str:
    """"smile .8, jaw open .3 ...; nearest words: amusement (joy), ..." of coefficients [52]."""
    strongest = [k for k in code.argsort(descending=True).tolist()[:count] if code[k] >= 0.1]
    shown = ", ".join(f"{BLENDSHAPES[k]} {code[k]:.2f}" for k in strongest) or "a calm face"
    near = ", ".join(f"{word} {gap:.2f}" for word, gap in nearest_words(code.numpy(), 3))
    return f"{shown}; nearest words (distance): {near}"
