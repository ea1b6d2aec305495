"""The compound expression code: 52 coefficients and a block of landmark geometry, in one continuous vector.

Layout, in this order (width `52 + K`, K from the bundle's face model):

- `[0:52]`, 0..1: coefficients of the morphable rig in the order of `labels.BLENDSHAPES`; position 0 (`_neutral`) is 0.
- `[52:52 + K]`, about centimetres: where the 478 face points go, relative to the person's own neutral face and without the
  head's pose, as coordinates in the orthonormal basis `FaceShape.geometry`.

The zero vector is the neutral face. The two blocks say the same thing twice where a code is made from coefficients; where it is
measured on a picture the geometry keeps what the coefficients cannot say. Both are linear, so codes can be scaled and mixed.
"""


import logging

import torch

from ..errors import DiffSFSRError, at, check_count, check_number, here
from ..faces.morphable import FaceShape
from ..images import broadcast
from ..labels import (
    BLENDSHAPES,
    Reading,
    asked,
    checked_intensity,
    checked_variation,
    coefficients,
    parse_choice,
    read_lines,
)
from ..types import Expression, check_bundle
from . import sliders

COEFFICIENTS = len(BLENDSHAPES)
log = logging.getLogger(__name__)


def compound(shape: FaceShape, coefficients: torch.Tensor) -> torch.Tensor:
    """Coefficients asked for [E, 52] 0..1.5 -> whole codes [E, 52 + K] float32: the geometry is what the face model makes of
    them; in the code itself they stop at 1."""
    return torch.cat([coefficients.float().clamp(max=1), shape.geometry_of_code(coefficients).float()], 1)


def scaled(codes: torch.Tensor, intensity: float) -> torch.Tensor:
    """Whole codes [..., 52 + K] of pictures at an intensity 0..1.5: as for words, coefficients stop at 1, geometry goes on."""
    codes = codes * intensity
    codes[..., :COEFFICIENTS].clamp_(0, 1)
    return codes


def split(codes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Whole codes [E, 52 + K] -> coefficients [E, 52] and geometry [E, K]."""
    return codes[:, :COEFFICIENTS], codes[:, COEFFICIENTS:]


def encode_label(shape: FaceShape, bundle: str, choice: str, intensity: float, variation: int) -> Expression:
    """One of the 135 words (or its menu entry), intensity 0..1.5, variation 0.. -> Expression with one code [1, 52 + K]."""
    word = parse_choice(choice)
    code = torch.from_numpy(asked(word, intensity, variation))
    return Expression(compound(shape, code[None]), (f"{word} {intensity:g}",), bundle)


def encode_reading(shape: FaceShape, bundle: str, reading: Reading, intensity: float, variation: int) -> Expression:
    """What a text means, intensity 0..1.5, variation 0.. -> Expression with one code [1, 52 + K]."""
    code = torch.from_numpy(coefficients(reading, checked_intensity(intensity), checked_variation(variation)))
    return Expression(compound(shape, code[None]), (reading.name(intensity),), bundle)


@at("Expression Sliders")
def from_sliders(
    shape: FaceShape, bundle: str, positions: dict[str, float], asymmetry: float, text: str, base: Expression | None
) -> Expression:
    """Sliders by name and single coefficients as text -> one code [1, 52 + K], or `base` with them added [E, 52 + K]."""
    moved = sliders.coefficients(positions, asymmetry)
    for position, value in sliders.named(text).items():
        moved[position] = value
    sliders.warn_of_contradictions(moved[None] if base is None else (split(base.codes)[0] + moved).clamp(0, 1))
    if base is None:
        return Expression(compound(shape, moved[None]), ("sliders",), bundle)
    with at("expression"):
        check_bundle(base.bundle, bundle)
    whole = (split(base.codes)[0] + moved).clamp(0, 1)
    # the base's own geometry may be measured and hold more than its coefficients: only the change is added to it
    change = shape.geometry_of_code(whole) - shape.geometry_of_code(split(base.codes)[0])
    codes = torch.cat([whole, split(base.codes)[1] + change.float()], 1)
    return Expression(codes, tuple(f"{name} + sliders" for name in base.names), bundle)


# --- mixed, and the way from one to the other ------------------------------------------------------

CURVES = ("even", "slow at both ends")
MAX_STEPS = 256


@at("Expression Mix")
def mix(first: Expression, second: Expression, t: float, steps: int = 1, curve: str = CURVES[0]) -> Expression:
    """steps 1: the mix at t (0: first, 1: second). steps n > 1: n codes on the way from the first to the mix at t.

    Each may hold one code or a batch; travelling needs one of each. Returns [n or E, 52 + K].
    """
    check_bundle(second.bundle, first.bundle)
    check_number("t", t, 1.0, 1)
    check_count("steps", steps, MAX_STEPS, 1)
    if curve not in CURVES:
        raise DiffSFSRError(f"'{curve}' is no curve", f"Choose one of: {', '.join(CURVES)}", "curve")
    count = max(len(first.codes), len(second.codes))
    if steps > 1 and count > 1:
        what = f"Travelling needs one expression at each end, these are {len(first.codes)} and {len(second.codes)}"
        raise DiffSFSRError(what, "Set steps to 1, or connect single expressions", "steps")
    for side in (first, second):
        broadcast(len(side.codes), count, "expressions")
    if steps == 1:
        shares = torch.full((count, 1), float(t))
    else:
        shares = torch.linspace(0, 1, steps)[:, None]
        shares = (shares if curve == CURVES[0] else shares * shares * (3 - 2 * shares)) * t
    codes = torch.lerp(first.codes.expand(count, -1), second.codes.expand(count, -1), shares)
    if steps == 1:  # on a way from one to the other everything may be passed through
        sliders.warn_of_contradictions(codes)
    names = tuple(f"{_name(first, k)} > {_name(second, k)} {s:.2f}" for k, s in enumerate(shares[:, 0].tolist()))
    return Expression(codes, names, first.bundle)


def _name(expression: Expression, number: int) -> str:
    return expression.names[number] if number < len(expression.names) else expression.names[0]


# --- many from one text ----------------------------------------------------------------------------


@at("Expression Words")
def encode_lines(
    shape: FaceShape, bundle: str, text: str, intensity: float, variation: int
) -> tuple[list[Expression], list[str], Expression]:
    """A text with one expression a line -> each as an Expression [1, 52 + K], their names, and all in one [E, 52 + K].

    intensity 0..1.5 and variation 0.. hold for all of them. What was read into a line is said in the log.
    """
    amount, number = checked_intensity(intensity), checked_variation(variation)
    with at("text"):
        found = read_lines(text)
    for line, reading in found:
        tell(reading, f"line {line}")
    readings = [reading for _, reading in found]
    names = [reading.name(amount) for reading in readings]
    codes = torch.stack([torch.from_numpy(coefficients(reading, amount, number)) for reading in readings])
    codes = compound(shape, codes)
    each = [Expression(code[None], (name,), bundle) for code, name in zip(codes, names, strict=True)]
    return each, names, Expression(codes, tuple(names), bundle)


def tell(reading: Reading, *where: str) -> None:
    """Says in the log what was read into a text: a warning where a word only comes near one of the list."""
    if reading.near:
        near = ", ".join(f"'{word}'" for word in reading.near)
        log.warning("%s: %s; %s only comes near a word of the list", here(*where), reading.told(), near)
    elif not reading.plain:
        log.info("%s: %s", here(*where), reading.told())
