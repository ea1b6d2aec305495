"""The compound expression code: 52 coefficients and a block of landmark geometry, in one continuous vector.

Layout, in this order (width `52 + K`, K from the bundle's face model):

- `[0:52]`, 0..1: coefficients of the morphable rig in the order of `labels.BLENDSHAPES`; position 0 (`_neutral`) is 0.
- `[52:52 + K]`, about centimetres: where the 478 face points go, relative to the person's own neutral face and without the
  head's pose, as coordinates in the orthonormal basis `FaceShape.geometry`.

The zero vector is the neutral face. The two blocks say the same thing twice where a code is made from coefficients; where it is
measured on a picture the geometry keeps what the coefficients cannot say. Both are linear, so codes can be scaled and mixed.
"""

import torch

from ..faces.shape import FaceShape
from ..labels import BLENDSHAPES, parse_choice, prototype
from . import opposites
from .sliders import coefficients, named
from .wires import Expression, check_bundle

COEFFICIENTS = len(BLENDSHAPES)


def compound(shape: FaceShape, coefficients: torch.Tensor) -> torch.Tensor:
    """Coefficients [E, 52] 0..1 -> whole codes [E, 52 + K] float32: the geometry is what the face model makes of them."""
    return torch.cat([coefficients.float(), shape.geometry_of_code(coefficients).float()], 1)


def split(codes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Whole codes [E, 52 + K] -> coefficients [E, 52] and geometry [E, K]."""
    return codes[:, :COEFFICIENTS], codes[:, COEFFICIENTS:]


def encode_label(shape: FaceShape, bundle: str, choice: str, intensity: float, variation: int) -> Expression:
    """One of the 135 words (or its menu entry), intensity 0..1.5, variation 0.. -> Expression with one code [1, 52 + K]."""
    word = parse_choice(choice)
    code = torch.from_numpy(prototype(word, intensity, variation))
    return Expression(compound(shape, code[None]), (f"{word} {intensity:g}",), bundle)


def from_sliders(
    shape: FaceShape, bundle: str, positions: dict[str, float], asymmetry: float, text: str, base: Expression | None
) -> Expression:
    """Sliders by name and single coefficients as text -> one code [1, 52 + K], or `base` with them added [E, 52 + K]."""
    moved = coefficients(positions, asymmetry)
    for position, value in named(text).items():
        moved[position] = value
    opposites.warn(moved[None] if base is None else (split(base.codes)[0] + moved).clamp(0, 1), "Expression Sliders")
    if base is None:
        return Expression(compound(shape, moved[None]), ("sliders",), bundle)
    check_bundle(base.bundle, bundle, "Expression Sliders, expression")
    whole = (split(base.codes)[0] + moved).clamp(0, 1)
    # the base's own geometry may be measured and hold more than its coefficients: only the change is added to it
    change = shape.geometry_of_code(whole) - shape.geometry_of_code(split(base.codes)[0])
    codes = torch.cat([whole, split(base.codes)[1] + change.float()], 1)
    return Expression(codes, tuple(f"{name} + sliders" for name in base.names), bundle)

