"""Mesh warp: a picture redrawn from one set of face points to another, triangle by triangle, in plain torch on any device.

All functions take one picture or many: `*` stands for any leading dimensions. All pictures share the topology, and a row of a
batch gets the numbers that it would get alone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import torch
import torch.nn.functional as F

from ..types import Topology

T = TypeVar("T")
POINTS = 468  # of the 478 that the triangles join; the last ten are the irises


@dataclass(frozen=True, eq=False)
class Mesh:
    """A face where it stands in a frame of S pixels, rasterised once for all that is drawn of it."""

    points: torch.Tensor  # [*, >= 468, 3] x, y in pixels, z towards the viewer
    topology: Topology
    index: torch.Tensor  # [*, S, S] the triangle at each pixel, -1 beside the face
    weight: torch.Tensor  # [*, S, S, 3] the pixel between the triangle's corners
    known: dict = field(default_factory=dict, repr=False)  # see `once`

    @classmethod
    def of(cls, points: torch.Tensor, topology: Topology, size: int) -> "Mesh":
        return cls(points, topology, *rasterise(points[..., :POINTS, :], topology.triangles, size))

    @cached_property
    def covered(self) -> torch.Tensor:
        """Where the face is [*, S, S] bool."""
        return self.index >= 0

    def once(self, make: Callable[["Mesh"], T]) -> T:
        """What `make` gives of this mesh, which is asked for again and again; kept as long as the mesh is."""
        if make not in self.known:
            self.known[make] = make(self)
        return self.known[make]

    def rows(self, pick) -> "Mesh":
        """Some of many pictures, by places or a mask."""
        return Mesh(self.points[pick], self.topology, self.index[pick], self.weight[pick])

    def corners(self, values: torch.Tensor) -> torch.Tensor:
        """Values [*, P, C] at the points -> [*, T, 3, C] at the triangles' corners."""
        return at_corners(values, self.topology.triangles)

    def at_pixels(self, values: torch.Tensor) -> torch.Tensor:
        """Values [*, T, ...] of the triangles -> [*, S, S, ...]; beside the face those of the first triangle."""
        lead, count = self.index.shape[:-2], values.shape[len(self.index.shape) - 2]
        row = torch.arange(lead.numel(), device=self.index.device).view(*lead, 1, 1)
        return values.reshape(-1, *values.shape[len(lead) + 1 :])[self.index.clamp_min(0) + row * count]

    def interpolate(self, values: torch.Tensor) -> torch.Tensor:
        """Values [*, P, C] at the points, between them over the face: [*, S, S, C], 0 beside it."""
        corners = self.corners(values).unbind(-2)  # one after the other: torch is slow to sum along short axes
        return sum(self.at_pixels(corner) * self.weight[..., k, None] for k, corner in enumerate(corners))

    def opposite(self, points: Iterable[int]) -> tuple[int, ...]:
        """The points on the other side of the face."""
        return tuple(self.topology.mirror[list(points)].tolist())

    @property
    def mirrored_places(self) -> torch.Tensor:
        """For each pixel of the face, where its like on the other side of the face is: x, y [*, S, S, 2]."""
        return self.interpolate(self.points[..., self.topology.mirror[:POINTS], :2])

    def between(self, points: tuple[int, ...]) -> torch.Tensor:
        """Pixels [*, S, S] bool whose triangle has all its corners among `points`."""
        chosen = torch.zeros(POINTS, dtype=torch.bool, device=self.index.device)
        chosen[list(points)] = True
        return chosen[self.topology.triangles.long()].all(1)[self.index.clamp_min(0)] & self.covered

    def draw(self, image: torch.Tensor, source: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A picture [*, C, H, W] whose face points are `source` [*, P, >= 2], redrawn here.

        Returns [*, C, S, S], of no meaning beside the face, and where the source shows it [*, S, S], 0 or 1: what faces away
        there, or is seen so flat that it would smear, does not count.
        """
        source = source[..., :POINTS, :2]
        known = self.covered & self.at_pixels(shown(source, self.points[..., :POINTS, :], self.topology))
        return sampled(image, self.interpolate(source)), known.to(image.dtype)


def rasterise(points: torch.Tensor, triangles: torch.Tensor, size: int, patch: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Which triangle covers each pixel, the nearest one first; of two equally near the later one.

    points [*, P, 3]: x, y in pixels, z towards the viewer. triangles [T, 3].
    Returns triangle index [*, size, size] (-1 = none) and barycentric weights [*, size, size, 3].

    Every triangle is tested on the pixels of its bounding box only, cut into patches of `patch` pixels a side; those of all
    pictures are tested together.
    """
    lead, device, count = points.shape[:-2], points.device, len(triangles)
    corners = at_corners(points, triangles).reshape(-1, 3, 3)  # pictures times triangles
    owner, x, y = _patches(corners, size, patch)
    weight = _weights(corners[owner], x, y)
    hit = (weight[0] >= -1e-4) & (weight[1] >= -1e-4) & (weight[2] >= -1e-4) & (x < size) & (y < size)
    row, column = hit.nonzero(as_tuple=True)
    owner, weight = owner[row], torch.stack([w[row, column] for w in weight], 1)
    place = (owner // count * size + y[row, column].long()) * size + x[row, column].long()
    depth, triangle = (weight * corners[owner, :, 2]).sum(1), owner % count
    pixels = lead.numel() * size * size
    best = torch.full((pixels,), -torch.inf, dtype=depth.dtype, device=device).scatter_reduce(0, place, depth, "amax")
    front = (depth >= best[place]).nonzero()[:, 0]
    place, triangle = place[front], triangle[front]
    index = torch.full((pixels,), -1, device=device).scatter_reduce(0, place, triangle, "amax")
    won = (index[place] == triangle).nonzero()[:, 0]  # its own weights must win with it
    bary = torch.zeros(pixels, 3, dtype=weight.dtype, device=device)
    bary[place[won]] = weight[front[won]]
    return index.view(*lead, size, size), bary.view(*lead, size, size, 3)


def at_corners(values: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    """Values [*, P, C] at the points -> [*, T, 3, C] at the triangles' corners."""
    return values[..., triangles.long(), :]


def _patches(corners: torch.Tensor, size: int, patch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Where to test triangles [N, 3, 3]: M patches' triangle [M], and the middles x, y [M, patch^2] of their pixels, some of
    them beyond the picture.
    """
    low, high = corners[..., :2].amin(1), corners[..., :2].amax(1)
    slack = 1e-3 * (high - low) + 1e-3  # weights a little below 0 count, so that no gaps open between triangles
    low = (low - slack - 0.5).ceil().clamp(0, size).long()
    high = (high + slack - 0.5).floor().clamp(-1, size - 1).long()
    tiles = ((high - low).clamp_min(-1) + patch) // patch  # [N, 2], 0 where no pixel's middle is inside
    count = tiles.prod(1)
    owner = torch.repeat_interleave(count)
    within = torch.arange(len(owner), device=corners.device) - (count.cumsum(0) - count)[owner]
    across = tiles[owner, 0]
    first = low[owner] + torch.stack([within % across, within // across], 1) * patch
    axis = torch.arange(patch, device=corners.device) + 0.5
    x, y = first.to(axis).unsqueeze(1).unbind(2)
    return owner, x + axis.repeat(patch), y + axis.repeat_interleave(patch)


def barycentric(corners: torch.Tensor, pixel: torch.Tensor) -> torch.Tensor:
    """corners [N, 3, >= 2], pixel [N, M, 2] -> weights [N, M, 3]; a triangle without area gets weights below 0."""
    return torch.stack(_weights(corners, *pixel.unbind(-1)), -1)


def _weights(corners: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The three weights of `barycentric`, each [N, M], at x, y [N, M]."""
    a, b, c = corners[..., :2].unbind(1)  # [N, 2]
    cross = lambda u, v: u[0] * v[1] - u[1] * v[0]  # noqa: E731
    to_b, to_c, here = (b - a).T[..., None], (c - a).T[..., None], (x - a[:, :1], y - a[:, 1:])
    area = cross(to_b, to_c)
    flat = area.abs() < 1e-6
    area = torch.where(flat, 1.0, area)
    second, third = cross(here, to_c) / area, cross(to_b, here) / area
    return tuple(torch.where(flat, -1.0, w) for w in (1 - second - third, second, third))


def sampled(image: torch.Tensor, place: torch.Tensor, mode: str = "bilinear") -> torch.Tensor:
    """Picture [*, C, H, W] read at `place` [*, h, w, 2], x and y in its pixels; beyond its border as on it: [*, C, h, w]."""
    (c, h, w), shape = image.shape[-3:], place.shape[:-1]
    grid = place.reshape(-1, *place.shape[-3:]) * torch.tensor([2 / w, 2 / h], device=image.device) - 1
    drawn = F.grid_sample(image.reshape(-1, c, h, w), grid, mode=mode, padding_mode="border", align_corners=False)
    return drawn.view(*shape[:-2], c, *shape[-2:])


def shown(source: torch.Tensor, target: torch.Tensor, topology: Topology, smear: float = 6.0) -> torch.Tensor:
    """Which triangles the source shows well enough to draw at the target: [*, T] bool.

    Small triangles (lips, lids) are always kept: closed in one picture and open in the other, they are not hidden.
    """
    before, after = areas(source, topology), areas(target, topology)
    facing = before * torch.sign(after.sum(-1, keepdim=True)) > after.abs() / smear
    return facing | (after.abs() < 24)


def areas(points: torch.Tensor, topology: Topology) -> torch.Tensor:
    """Twice the triangles' areas in the picture, below 0 for those turned over: points [*, P, >= 2] -> [*, T]."""
    a, b, c = at_corners(points[..., :2], topology.triangles).unbind(-2)
    return (b - a)[..., 0] * (c - a)[..., 1] - (b - a)[..., 1] * (c - a)[..., 0]


def at_points(values: torch.Tensor, topology: Topology) -> torch.Tensor:
    """Values [T] of the triangles -> [468], each point's the mean of the triangles around it."""
    corners, each = topology.triangles.long().flatten(), values.repeat_interleave(3)
    total = torch.zeros(POINTS, dtype=values.dtype, device=values.device).index_add(0, corners, each)
    return total / corners.bincount(minlength=POINTS).clamp_min(1)
