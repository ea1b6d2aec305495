"""Strengths that act through the guide: whose face is drafted, and how far it moves.

Tokens cannot undo what the guide shows (`docs/results.md` has the figures), so a strength has to change the draft itself. Both
people are drawn onto the same points before they are mixed: a morph, not one face shining through another.
"""

import torch

from ..faces.shape import FaceShape, Fit, place
from ..faces.warp import Mesh
from .guide import Crop, draft


def placed_between(
    shape: FaceShape, who: Fit, there: Fit, geometry: torch.Tensor, identity: float, expression: float
) -> torch.Tensor:
    """Face points [478, 3] in the background's pose, doing `expression` times the asked geometry [K].

    `identity`: 0 the shape of the background's own face, 1 the selfie's, above 1 a caricature of it.
    """
    asked = expression * geometry[None]
    theirs = place(shape, who, there, asked)[0]
    if identity == 1:
        return theirs
    own = place(shape, there, there, asked)[0]
    return own + identity * (theirs - own)


def morph(
    selfie: Crop,
    background: Crop,
    placed: Mesh,
    mask: torch.Tensor,
    triangles: torch.Tensor,
    identity: float,
    mirror: torch.Tensor | None = None,
    light: float = 0.0,
) -> torch.Tensor:
    """The guide [3, S, S]: the selfie's skin at strengths of 1 and more, below that mixed with that of the background's face.

    `placed`: where the face points stand; `mask` [S, S]: what is repainted; `mirror` [478], `light` 0..1: see `draft`.
    """
    picture = draft(selfie, background, placed, mask, triangles, mirror=mirror, light=light) if identity > 0 else 0.0
    if identity >= 1:
        return picture
    own = draft(background, background, placed, mask, triangles, colour=0.0)
    return own + identity * (picture - own)
