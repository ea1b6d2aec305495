"""The background's picture led to the outline of the new face: else a narrow face stands in the blur that a wide one leaves."""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from ..affine import FRAME
from .aperture import pixel_middles
from .masks import blurred, fill, grow
from .mesh import POINTS, Mesh, sampled

GRID = 128  # pixels a side at which distances are measured
BROW = 46, 53, 70, 63, 156, 124  # points about the outer end of the right half's brow
EARS = 234, 454  # points of both sides, the right one first
TIP, TURNED = 70, (0.02, 0.005)  # its tip; how near the outline that is, in shares of the face's width, where heads are turned
LEVEL = 0.08  # of that width, above and below the tip: where the outline is beside it
TUFT = 5.0  # pixels of the 256 px crop that a brow's hairs stand out there
RIM = 3.0  # pixels of the 256 px crop: the border of the face whose way goes on beside it, and over how far that is averaged


class Surroundings(NamedTuple):
    """The background's picture [3, S, S] in its new shape, and where it needs no repainting [S, S] 0..1."""

    image: torch.Tensor
    keep_mask: torch.Tensor


def warp_surroundings(image: torch.Tensor, keep_mask: torch.Tensor, place: torch.Tensor, mask: torch.Tensor) -> Surroundings:
    """image [3, S, S], moved so that the outline of its face lies on that of another; place: `surroundings_place`."""
    moved = sampled(torch.cat([image, keep_mask[None]]), place.to(image))
    return Surroundings(torch.where(mask > 0, moved[:3], image), moved[3])


def surroundings_place(old: torch.Tensor, mesh: Mesh, mask: torch.Tensor, another: bool = False) -> torch.Tensor:
    """Where each pixel of the surroundings comes from [S, S, 2], x and y, of a face at the points old [478, >= 2].

    Inside the new face each point comes from its like on the old one, at the border of `mask` [S, S] and of the crop nothing
    has moved, and between them the way fades from the one to the other: hair, neck and ears are pushed or pulled along.
    another: whether the old face is somebody else's, whose brows go.
    """
    mask, pixel = F.pad(mask[1:-1, 1:-1], (1, 1, 1, 1)), len(mask) / FRAME
    if another:
        old = with_brows(old, mesh, TUFT * pixel)
    face, outside = (mesh.covered * mask)[None, None], (1 - mask)[None, None]
    way = mesh.interpolate((old[:468, :2] - mesh.points[:468, :2]).to(mask)).movedim(-1, 0)[None]
    share = fading(face, outside)
    inner = grow(face, -RIM * pixel)
    rim = face - inner
    near = blurred(torch.cat([way * rim, rim], 1), RIM * pixel)
    along = near[:, :2] / near[:, 2:].clamp_min(1e-4)
    way = torch.where(inner > 0, way, fill(along * rim, rim) * torch.where(face > 0, 1.0, share)) * mask
    middles = pixel_middles(mask)
    return torch.stack(torch.meshgrid(middles, middles, indexing="xy"), -1) + way[0].movedim(0, -1)


def with_brows(points: torch.Tensor, mesh: Mesh, reach: float) -> torch.Tensor:
    """Face points [478, >= 2] so many pixels farther out where a brow stands out beyond the outline of a turned head: it goes
    with the face that goes.
    """
    moved, face = points.clone(), points[:POINTS, :2]
    across = F.normalize(face[EARS[1]] - face[EARS[0]], dim=0)
    x, y = face @ across, face @ torch.stack([-across[1], across[0]])
    width = (x.max() - x.min()).clamp_min(1e-3)
    for sign, brow in ((-1, BROW), (1, mesh.opposite(BROW))):
        tip = brow[BROW.index(TIP)]
        outline = (sign * x[(y - y[tip]).abs() <= LEVEL * width]).max()
        share = ((TURNED[0] - (outline - sign * x[tip]) / width) / (TURNED[0] - TURNED[1])).clamp(0, 1)
        moved[list(brow), :2] += sign * share * reach * across
    return moved


def fading(face: torch.Tensor, outside: torch.Tensor) -> torch.Tensor:
    """1 on a face [1, 1, S, S], 0 `outside` of the mask, both 0 or 1, and evenly between them by the distances to both: what is
    pulled along is stretched everywhere alike.
    """
    size = outside.shape[-2:]
    near, far = (distance(F.adaptive_max_pool2d(x, GRID)[0, 0]) for x in (face, outside))
    share = (far / (near + far).clamp_min(1e-3)).view(1, 1, GRID, GRID)
    share = F.interpolate(share, size, mode="bilinear", align_corners=False)
    return share * (1 + share * (3 - 2 * share)) / 2


def distance(area: torch.Tensor) -> torch.Tensor:
    """From each cell of a square grid to the nearest of an area [G, G], 0 or 1: [G, G]; far where there is none.

    Along the columns, then along the rows (Felzenszwalb and Huttenlocher 2012): all pairs of cells take seven times as long.
    """
    axis = torch.arange(len(area), device=area.device, dtype=area.dtype)
    apart = (axis[:, None] - axis).square()
    none = torch.where(area > 0, 0.0, float(2 * len(area)) ** 2)
    below = (apart[:, :, None] + none).amin(1)
    return (apart[:, :, None] + below.T).amin(1).T.sqrt().clamp(max=len(area))
