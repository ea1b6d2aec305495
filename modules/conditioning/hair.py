"""Hair that hangs over the forehead: the selfie's fringe is not the background person's hair."""

import torch

from ..faces.align import FRAME
from ..faces.mask import blurred, connected, grow
from ..faces.warp import between
from .colour import apart, colours

# points from the brows' upper edge to the top of the mesh, where a fringe may hang
FOREHEAD = (
    10, 338, 297, 332, 284, 251, 109, 67, 103, 54, 21, 151, 337, 299, 333, 298, 301, 108, 69, 104, 68, 71,
    9, 336, 296, 334, 293, 300, 107, 66, 105, 63, 70,
)  # fmt: skip
# CIELAB distance from the face's skin above which the forehead may be hair; and is, if it begins as ROOT
FRINGE, ROOT = 16.0, 30.0
HAIRLINE = 5.0  # pixels of the 256 px crop from the mesh's border within which hair begins


def fringe(image: torch.Tensor, covered: torch.Tensor, index: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    """Where hair hangs over the forehead [S, S] 0..1: the selfie's fringe is not the background person's hair.

    Hair is what differs in colour from the middle of the rest of the face, which is mostly skin, and hangs on to the border of
    the mesh: brows and shadows on the forehead are the person's.
    """
    forehead = between(FOREHEAD, index, triangles) & (covered > 0)
    rest = (covered > 0) & ~forehead
    if not forehead.any() or rest.sum() < 64:
        return torch.zeros_like(covered)
    pixel = image.shape[-1] / FRAME
    smooth = blurred(image[None].clamp(0, 1), 1.5 * pixel)[0]
    middle = colours(smooth, rest).median(1, keepdim=True).values
    distance = torch.zeros_like(covered)
    distance[forehead] = apart(colours(smooth, forehead), middle)
    distance = distance[None, None]
    hair = grow((distance > FRINGE).float(), -pixel)  # single pixels are wrinkles or light
    root = (distance > ROOT) * grow((index < 0).float()[None, None], HAIRLINE * pixel)
    hair = grow(connected(hair, root), 4 * pixel)  # the edge of hair is hair
    return blurred(hair, 2.0 * pixel)[0, 0] * forehead
