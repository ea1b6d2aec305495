"""`modules/faces/warp.py`'s rasteriser compiled for one core: data making draws tens of thousands of faces."""

import numba
import numpy as np
import torch


def rasterise(points: torch.Tensor, triangles: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """points [P, 3]: x, y in pixels, z towards the viewer -> triangle index [size, size] (-1: none), weights [.., 3]."""
    index, weight = _rasterise(points.numpy().astype(np.float32), triangles.numpy().astype(np.int64), size)
    return torch.from_numpy(index), torch.from_numpy(weight)


@numba.njit(cache=True)
def _rasterise(points, triangles, size):  # pragma: no cover  (compiled)
    index, depth = np.full((size, size), -1, np.int64), np.full((size, size), -1e30, np.float32)
    weight = np.zeros((size, size, 3), np.float32)
    for t in range(len(triangles)):
        a, b, c = points[triangles[t, 0]], points[triangles[t, 1]], points[triangles[t, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(area) < 1e-6:
            continue
        left, right = max(0, int(min(a[0], b[0], c[0]))), min(size - 1, int(max(a[0], b[0], c[0])) + 1)
        top, bottom = max(0, int(min(a[1], b[1], c[1]))), min(size - 1, int(max(a[1], b[1], c[1])) + 1)
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                px, py = x + 0.5 - a[0], y + 0.5 - a[1]
                second = (px * (c[1] - a[1]) - py * (c[0] - a[0])) / area
                third = ((b[0] - a[0]) * py - (b[1] - a[1]) * px) / area
                first = 1 - second - third
                if first < -1e-4 or second < -1e-4 or third < -1e-4:
                    continue
                z = first * a[2] + second * b[2] + third * c[2]
                if z >= depth[y, x]:
                    depth[y, x], index[y, x] = z, t
                    weight[y, x, 0], weight[y, x, 1], weight[y, x, 2] = first, second, third
    return index, weight
