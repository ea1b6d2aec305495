"""The shape of a head above its face, by which a wall, a sky or sand of the skin's colour beside it is told from a forehead."""

import torch

from ..affine import FRAME
from .front import Colours, likelier
from .masks import connected, grow, plane
from .mesh import Mesh

EARS, CROWN = (127, 356), (9, 10)  # points at the ears' upper ends, and from between the brows upwards
HIGH, DEEP = 1.45, 1.25  # of half an ellipsoid over the ears, in halves of the way between them
SURELY, AT_MOST = 1.0, 1.2  # times that: within is head, beyond is none; ten bald heads end from 1.0 to 1.15
FEW, ROUNDS = 0.003, 2  # share of a face that must be bare beyond, and how often that leads on inwards
EDGE = 1.0  # pixels of the 256 px crop that belong to what is beside the head


def height_on_head(mesh: Mesh) -> torch.Tensor:
    """How far each pixel is from the middle between a face's ears [S, S]: 1 on the outline of a head over them, inf below."""
    one, other = mesh.points[list(EARS)]
    foot, top = mesh.points[list(CROWN), :2]
    up, half = (top - foot) / (top - foot).norm().clamp_min(1e-6), (other - one) / 2
    wide, deep = half[0] * up[1] - half[1] * up[0], half[2]  # a turned head is as wide as it is deep
    axis, middle = torch.arange(len(mesh.index), device=up.device) + 0.5, (one + other)[:2] / 2
    x, y = axis[None] - middle[0], axis[:, None] - middle[1]
    high, aside = x * up[0] + y * up[1], x * up[1] - y * up[0]
    width, height = (wide.square() + (DEEP * deep).square()).clamp_min(1), (HIGH * half).square().sum().clamp_min(1)
    return torch.where(high < 0, torch.inf, (aside.square() / width + high.square() / height).sqrt())


def beyond_head(bare: torch.Tensor, seen: Colours, mesh: Mesh) -> torch.Tensor:
    """What is bare above a face [1, 1, S, S], 0 or 1, by its colour, and beside the head: nothing, unless some of it is beyond
    every head that such a face may have; then that, and what is more like the things beside the head than like its skin.
    """
    far = height_on_head(mesh)
    above = bare[0, 0] * ~mesh.covered > 0
    beyond = above & (far > AT_MOST)
    if beyond.sum() < FEW * mesh.covered.sum():
        return torch.zeros_like(bare)
    doubtful = above & (far > SURELY)
    beside = (far > SURELY) & far.isfinite() & ~mesh.covered & ~(doubtful & ~beyond)
    skin, found = (mesh.covered & ~seen.feature) | (above & ~doubtful), beside
    for _ in range(ROUNDS):
        like = doubtful & (likelier(seen.logs, found, skin) > 0)
        found = connected(plane(like | beside), plane(beside))[0, 0] > 0
    return grow(plane(found), EDGE * len(far) / FRAME) * ~mesh.covered
