"""What a photo does not show of a face: parts beyond the picture's border. The other side of the face stands for what of it the
picture shows there; what neither shows is taken from the background's own face, see `gives_way`.
"""

import torch

from .. import affine
from ..affine import FRAME
from ..types import Topology
from .light import relit
from .masks import blurred, fill, grow
from .mesh import POINTS, Mesh
from .skin import Skin, put_on

LEAST = 0.005  # of the face beyond the border, from which on it counts as cut
EDGE = 2.0  # pixels of the 256 px crop at the picture's border that are not trusted
NEAR, SOFT = 12.0, 3.0  # the same: how far beside the face the picture is continued, and over what both sides fade
WIDE = 4.0  # the same: over how far a drawn face gives way to the background's own
PARTS = {  # points that say where a part of a face is; sides as in the picture
    "forehead": (10, 151, 9, 67, 297, 69, 299),
    "chin": (152, 199, 200, 175, 148, 377, 176, 400),
    "left side": (234, 127, 93, 132, 58, 50, 205),
    "right side": (454, 356, 323, 361, 288, 280, 425),
}


def inside(matrix: torch.Tensor, size: int, picture: tuple[int, int]) -> torch.Tensor:
    """What of a crop lies in its picture [H, W], by the matrix [2, 3] that leads there: [S, S] bool."""
    middles = torch.arange(size) + 0.5
    grid = torch.stack(torch.meshgrid(middles, middles, indexing="xy"), -1).view(1, -1, 2)
    x, y = affine.apply(affine.invert(matrix[None]), grid.to(matrix))[0].unbind(-1)
    return ((x >= 0) & (y >= 0) & (x <= picture[1]) & (y <= picture[0])).view(size, size)


def completed(
    image: torch.Tensor, points: torch.Tensor, within: torch.Tensor, topology: Topology
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """A crop [3, S, S] of a face at points [478, 3] that the picture's border cuts, continued from the other side of the face
    and beyond that smoothly; and what of it is known [S, S] bool. As it came, and None, if the picture has the whole face.

    within [S, S] bool: what of the crop lies in the picture.
    """
    if seen(points, within).all():
        return image, None
    mesh, pixel = Mesh.of(points, topology, len(within)), len(within) / FRAME
    if not (mesh.covered & ~within).sum() > LEAST * mesh.covered.sum():
        return image, None
    own = 1 - grow((~within).float()[None, None], EDGE * pixel)[0, 0]
    other = Skin(image, points, shown=own).mirrored(topology)
    instead, known = put_on(other, mesh)
    instead = relit(instead, image, own * known, mesh.covered)
    mirrored = known * (1 - own)
    both = torch.where(mirrored > 0, instead, image) * torch.maximum(own, mirrored)
    smooth = fill(both[None], torch.maximum(own, mirrored)[None, None])[0]
    share = blurred(grow((1 - own)[None, None], SOFT * pixel), SOFT * pixel)[0, 0]  # of the other side, at the border
    near = blurred(grow(mesh.covered.float()[None, None], NEAR * pixel), NEAR / 3 * pixel)[0, 0] * (1 - own)
    made = torch.where(own > 0, torch.lerp(image, instead, share * known), torch.lerp(image, smooth, near))
    return made, torch.maximum(own, mirrored) > 0.99


def missing(points: torch.Tensor, within: torch.Tensor) -> list[str]:
    """The parts of a face at points [478, 3] of the crop that lie beyond the picture, see `inside`."""
    found = seen(points, within).float()
    return [name for name, part in PARTS.items() if not found[list(part)].mean() > 0.5]


def seen(points: torch.Tensor, within: torch.Tensor) -> torch.Tensor:
    """Which points of a face [478, 3] of the crop lie in the picture: [468] bool. Those beyond the crop count as its border."""
    x, y = points[:POINTS, :2].long().clamp(0, len(within) - 1).unbind(-1)
    return within[y, x]


def gives_way(skin: Skin, mesh: Mesh) -> torch.Tensor:
    """How far the background's own face takes the place [S, S] 0..1 of what lies beyond the border of the skin's photo."""
    if skin.shown is None:
        return torch.zeros_like(mesh.weight[..., 0])
    shown, pixel = mesh.draw(skin.shown[None].float(), skin.points)[0], len(mesh.index) / FRAME
    unseen = ((shown[0] < 0.99) & mesh.covered).float()[None, None]
    return blurred(grow(unseen, WIDE * pixel), WIDE / 2 * pixel)[0, 0] * mesh.covered
