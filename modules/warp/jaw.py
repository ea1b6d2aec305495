"""Where the outline of a drawn face parts from that of the face whose place it takes, below the brows: there more is repainted.

What is pasted fades into the picture over the border of the mask. So close to it the picture's own jaw shines through beside a
narrower one, and the picture's collar through a wider one.
"""

import torch

from ..affine import FRAME
from .masks import grow
from .mesh import Mesh

ROOM = 8.0  # pixels of the 256 px crop that the mask grows further there: what the usual feather takes
PARTED = 0.5, 3.0, 6.0, 9.0  # the same: half of the gap between both, by which it grows, too: else what is beside is smeared
WIDER = 3.0  # times half of the gap, by which it grows for that
BROWS = 9  # a face point between the brows; above it is hair


def parted(old: Mesh, new: Mesh, pixels: float) -> torch.Tensor:
    """What is repainted [S, S], 0 or 1, where the outlines of two faces part: `pixels` beyond both, and the room for that."""
    pixel = len(old.index) / FRAME
    row = torch.arange(len(old.index), device=old.index.device)[:, None]
    apart = (old.covered ^ new.covered) & (row > old.points[BROWS, 1])
    apart, found = apart.float()[None, None], torch.zeros_like(old.index, dtype=torch.float32)
    for half in PARTED:
        found = torch.maximum(found, grow(grow(apart, -half * pixel), pixels + (WIDER * half + ROOM) * pixel)[0, 0])
    return found
