"""The strip above a face's mesh, up to where a high forehead may end."""

from typing import NamedTuple

import torch

from .mesh import Mesh, rasterise

UPPER = 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389  # the mesh's upper border, from temple to temple
FOOT, TOP = 9, 10  # the middle of the forehead, from between the brows to that border
HEIGHT = 1.8  # of the strip, over the way between those
SIDE = 0.5  # what the strip goes out to the sides, over how far the border is from the middle of the forehead
_ONE, _COUNT = torch.arange(len(UPPER) - 1), len(UPPER)
_LOW, _HIGH = (_ONE, _ONE + 1, _ONE + _COUNT), (_ONE + 1, _ONE + 1 + _COUNT, _ONE + _COUNT)
BETWEEN = torch.cat([torch.stack(corners, 1) for corners in (_LOW, _HIGH)])  # triangles of border and upper end


def border(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of a face at points [478, >= 2] the mesh's upper border [13, 2], the upper end of the strip [13, 2], and how far the
    border lies above the brows [13, 2], along the middle of the forehead.
    """
    foot, middle = points[list(UPPER), :2], points[FOOT, :2]
    up = points[TOP, :2] - middle
    up = up / up.norm().clamp_min(1e-6)
    rise = ((foot - middle) @ up).clamp_min(0)[:, None] * up
    return foot, foot + HEIGHT * rise + SIDE * (foot - middle - rise), rise


class Strip(NamedTuple):
    """The strip above a face in a frame of S pixels, as `mesh.rasterise` gives it."""

    index: torch.Tensor  # [S, S]
    weight: torch.Tensor  # [S, S, 3]

    @classmethod
    def of(cls, mesh: Mesh) -> "Strip":
        return mesh.once(cls._made)

    @classmethod
    def _made(cls, mesh: Mesh) -> "Strip":
        corners = torch.cat(border(mesh.points)[:2])
        return cls(*rasterise(torch.cat([corners, torch.zeros_like(corners[:, :1])], 1), BETWEEN, len(mesh.index)))

    @property
    def covered(self) -> torch.Tensor:
        """Where it is [S, S] bool; the face is before it."""
        return self.index >= 0

    def interpolate(self, foot: torch.Tensor, end: torch.Tensor) -> torch.Tensor:
        """Values [13, C] at the mesh's upper border and at the upper end, between them over the strip: [S, S, C]."""
        corners = torch.cat([foot, end])[BETWEEN][self.index.clamp_min(0)]
        return sum(corners[..., k, :] * self.weight[..., k, None] for k in range(3))
