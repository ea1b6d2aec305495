"""Single strands of hair over a selfie's forehead, thin lines that hang from the border of the face; and skin instead."""

import torch
import torch.nn.functional as F

from ..affine import FRAME
from .front import BROW
from .light import luma
from .masks import blurred, connected, fill, grow
from .mesh import Mesh

# pixels of the 256 px crop: half of the widest strand, how near to the border of the face it begins, its edge, that of brows
WIDTH, ROOT, EDGE, BROWS = 4.0, 6.0, 1.0, 2.0
DARK = 0.02  # luma that is added, so that black has a logarithm
DEEP, FAINT = 0.35, 0.2  # log luma from what is to both sides: of a strand where it begins, and as far as it goes on


def without_strands(image: torch.Tensor, mesh: Mesh, bare: torch.Tensor | None = None) -> torch.Tensor:
    """A face's picture [3, S, S] without single strands over its forehead; mesh: the face where it stands; bare [S, S], 0 or 1:
    skin above the mesh, too.

    Only sideways is a strand thinner than skin, so wrinkles, which lie, are none; nor frown lines and moles, which do not begin
    at the border of the face.
    """
    pixel, other = image.shape[-1] / FRAME, mesh.opposite(BROW)
    brows = torch.stack([mesh.between(points) for points in (BROW, other)]).any(0).float()[None, None]
    row, face = torch.arange(len(mesh.covered), device=image.device)[:, None], mesh.covered
    face = face if bare is None else face | (bare > 0)
    forehead = (face & (row < mesh.points[[*BROW, *other], 1].max())) * (1 - grow(brows, BROWS * pixel))
    light, reach = torch.log(luma(image[None]) + DARK), round(WIDTH * pixel)
    near, strands = grow((~face).float()[None, None], ROOT * pixel), torch.zeros_like(light)
    if not forehead.any():
        return image
    lighter = torch.minimum(closed(-light, reach) + light, light - light[forehead > 0].median())  # than skin, too
    for depth in (closed(light, reach) - light, lighter):
        depth = depth * forehead
        strands = torch.maximum(strands, connected((depth > FAINT).to(image.dtype), (depth > DEEP) * near))
    if not strands.any():
        return image
    strands = grow(strands, EDGE * pixel) * face
    known = (1 - strands) * face
    skin = fill(image[None] * known, known)[0]
    return torch.lerp(image, skin, blurred(strands, 0.5 * pixel)[0, 0] * face)


def closed(values: torch.Tensor, reach: int) -> torch.Tensor:
    """Values [1, 1, S, S] without what is lower than both sides so many pixels away."""
    return -beside(-beside(values, reach), reach)


def beside(values: torch.Tensor, reach: int) -> torch.Tensor:
    """The largest of values [1, 1, S, S] so many pixels to both sides."""
    return F.max_pool2d(values, (1, 2 * reach + 1), 1, (0, reach))
