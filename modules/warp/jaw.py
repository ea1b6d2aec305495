"""Where the outline of a drawn face parts from that of the face whose place it takes, below the brows: there more is repainted.

What is pasted fades into the picture over the border of the mask. So close to it the picture's own jaw shines through beside a
narrower one, and the picture's collar through a wider one.
"""

import torch

from ..affine import FRAME
from .masks import grow
from .mesh import Mesh

ROOM = 8.0  # pixels of the 256 px crop that the mask grows further there: what the usual feather takes
PARTED = 0.5  # the same: half of the gap between both outlines, below which they are one
BROWS = 9  # a face point between the brows; above it is hair


def parted(old: Mesh, new: Mesh, pixels: float) -> torch.Tensor:
    """What is repainted [S, S], 0 or 1, where the outlines of two faces part, `pixels` wide and the room beside that."""
    pixel = len(old.index) / FRAME
    row = torch.arange(len(old.index), device=old.index.device)[:, None]
    apart = (old.covered ^ new.covered) & (row > old.points[BROWS, 1])
    gap = grow(apart.float()[None, None], -PARTED * pixel)
    return grow(gap, pixels + (PARTED + ROOM) * pixel)[0, 0]
