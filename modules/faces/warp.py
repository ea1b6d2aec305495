"""Mesh warp: a picture redrawn from one set of face points to another, triangle by triangle, in plain torch."""

import torch
import torch.nn.functional as F


def rasterise(
    points: torch.Tensor, triangles: torch.Tensor, size: int, patch: int = 8
) -> tuple[torch.Tensor, torch.Tensor]:
    """Which triangle covers each pixel, the nearest one first.

    points [P, 3]: x, y in pixels, z towards the viewer. triangles [T, 3].
    Returns triangle index [size, size] (-1 = none) and barycentric weights [size, size, 3].

    Every triangle is tested on the pixels of its bounding box only, cut into patches of `patch` pixels a side.
    """
    corners = points[triangles.long()]  # [T, 3, 3]
    low = corners[..., :2].amin(1).floor().clamp(0, size - 1).long()
    high = corners[..., :2].amax(1).ceil().clamp(0, size - 1).long()
    tiles = (high - low) // patch + 1  # [T, 2]
    count = tiles.prod(1)
    owner = torch.repeat_interleave(torch.arange(len(triangles), device=points.device), count)
    first = torch.repeat_interleave(count.cumsum(0) - count, count)
    within = torch.arange(len(owner), device=points.device) - first
    tile = torch.stack([within % tiles[owner, 0], within // tiles[owner, 0]], 1)
    axis = torch.arange(patch, device=points.device)
    offset = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).view(1, -1, 2)
    pixel = low[owner, None] + tile[:, None] * patch + offset  # [N, patch^2, 2]
    weight = barycentric(corners[owner], pixel + 0.5)
    hit = (weight >= -1e-4).all(-1) & (pixel < size).all(-1)
    depth = (weight * corners[owner][:, None, :, 2]).sum(-1)[hit]
    place = (pixel[..., 1] * size + pixel[..., 0])[hit]
    best = torch.full((size * size,), -torch.inf, device=points.device).scatter_reduce(0, place, depth, "amax")
    front = depth >= best[place]
    index = torch.full((size * size,), -1, dtype=torch.long, device=points.device)
    bary = torch.zeros(size * size, 3, device=points.device)
    triangle = owner[:, None].expand(-1, patch * patch)[hit][front]
    index[place[front]] = triangle
    # of two triangles that share an edge pixel one wins; its own weights must win with it
    same = index[place[front]] == triangle
    bary[place[front][same]] = weight[hit][front][same]
    return index.view(size, size), bary.view(size, size, 3)


def barycentric(corners: torch.Tensor, pixel: torch.Tensor) -> torch.Tensor:
    """corners [N, 3, >= 2], pixel [N, M, 2] -> weights [N, M, 3]; a triangle without area gets weights below 0."""
    a, b, c = (corners[:, i, None, :2] for i in range(3))
    cross = lambda u, v: u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]  # noqa: E731
    area = cross(b - a, c - a)
    flat = area.abs() < 1e-6
    area = torch.where(flat, torch.ones_like(area), area)
    second, third = cross(pixel - a, c - a) / area, cross(b - a, pixel - a) / area
    weight = torch.stack([1 - second - third, second, third], -1)
    return torch.where(flat[..., None], -torch.ones_like(weight), weight)


def redraw(
    image: torch.Tensor, source: torch.Tensor, target: torch.Tensor, triangles: torch.Tensor, size: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """image [3, H, W] with its points `source` [P, 2] redrawn at `target` [P, 3].

    Returns the picture [3, size, size], the covered part [size, size] 0 or 1, and the triangle index [size, size].
    What the source does not show (it faces away there, or is seen so flat that it would smear) counts as not covered.
    """
    index, weight = rasterise(target, triangles, size)
    covered = (index >= 0) & shown(source, target, triangles)[index.clamp_min(0)]
    corners = source[triangles.long()][index.clamp_min(0)]  # [size, size, 3, 2]
    place = (corners[..., :2] * weight[..., None]).sum(-2)
    h, w = image.shape[-2:]
    grid = place * torch.tensor([2 / w, 2 / h], device=image.device) - 1
    drawn = F.grid_sample(image[None], grid[None], mode="bilinear", padding_mode="border", align_corners=False)[0]
    return drawn * covered, covered.to(image.dtype), index


def shown(source: torch.Tensor, target: torch.Tensor, triangles: torch.Tensor, smear: float = 6.0) -> torch.Tensor:
    """Which triangles the source shows well enough to draw at the target: [T] bool.

    Small triangles (lips, lids) are always kept: closed in one picture and open in the other, they are not hidden.
    """

    def area(points: torch.Tensor) -> torch.Tensor:
        a, b, c = (points[triangles.long()[:, i], :2] for i in range(3))
        return (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]

    before, after = area(source), area(target)
    facing = before * torch.sign(after.sum()) > after.abs() / smear
    return facing | (after.abs() < 24)
