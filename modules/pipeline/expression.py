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
from .face import aligned, find_face
from .faceless import NEUTRAL, Faceless, passes_on
from .film import Found, find_all
from .landmarks import faces_of

log = logging.getLogger(__name__)


@at("Expression From Image")
@torch.inference_mode()
def expressions_of(
    encoders: Encoders,
    images: torch.Tensor,
    neutral: torch.Tensor | None,
    rule: str,
    index: int,
    intensity: float,
    without: str = "error",
    landmarks: dict | None = None,
) -> tuple[Expression, torch.Tensor, str]:
    """Pictures [E, H, W, 3] -> Expression with E codes, the aligned crops [E, S, S, 3], and what was read, for people.

    neutral: the same person with a neutral face, one picture or E; without it the neutral face is estimated from the picture.
    without: what to do with a picture that has no face; NEUTRAL gives its middle and a neutral expression. landmarks:
    FACE_LANDMARKS of the host, in place of our own search.
    """
    check_number("intensity", intensity, MAX_INTENSITY, 1)
    with at("image"):
        images = checked_image(images)
    if neutral is not None:
        with at("neutral"):
            neutral = checked_image(neutral)
        broadcast(len(neutral), len(images), "neutral pictures")
    given = faces_of(landmarks, len(images), tuple(images.shape[1:3]))
    instead = "a neutral face is taken for it" if passes_on(without, NEUTRAL) else ""
    found = find_all(encoders, images, rule, index, instead, given)
    read = []
    for i, image in enumerate(steps(images)):
        with at(f"image {i}"):
            calm = None
            if neutral is not None and found[i] is not None:
                with at("neutral"):
                    calm = find_face(encoders, neutral[i % len(neutral)], rule, index)[0]
            read.append(_read(encoders, image, found[i], calm, intensity))
    codes, crops, lines = zip(*read, strict=True)
    names = tuple(f"picture {i}" for i in range(len(codes)))
    return Expression(torch.stack(codes), names, encoders.id), torch.stack(crops), "\n".join(lines)


def _read(
    encoders: Encoders, image: torch.Tensor, found: Found | None, calm: Face | None, intensity: float
) -> tuple[torch.Tensor, torch.Tensor, str]:
    """Of one picture [H, W, 3]: code [52 + K], crop [S, S, 3], and the line for people."""
    if found is None:
        code = torch.zeros(len(BLENDSHAPES) + len(encoders.shape.basis))
        crop = Faceless.of(image, encoders.size).image
        return code, crop.permute(1, 2, 0), "no face: neutral"
    face, _ = aligned(encoders, image, found.face)
    code = scaled(code_of_face(encoders, face, calm), intensity)
    return code, face.image.permute(1, 2, 0), in_words(code[:52])


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
