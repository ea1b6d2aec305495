"""Square windows of a picture, at any place, size and turn, read without touching every pixel."""

import math

import numpy as np
import torch
import torch.nn.functional as F

BASE_SIDE = 1024  # pictures of twice this size or more also get a reduced copy, which is enough for large windows
# Source pixels per sample above which the source is reduced first, and to which. MediaPipe never reduces: its networks
# learned from plain bilinear reading, and up to here so do we (a smoothed source doubles the blendshape difference).
MAX_STEP, NEW_STEP = 3.0, 2.0


def window_matrix(cx, cy, side, angle, size):
    """2x3 numpy matrix from the window's own pixels (0..size) to picture pixels; radians, clockwise on screen."""
    c, s = math.cos(angle) * side / size, math.sin(angle) * side / size
    return np.array([[c, -s, cx - (c - s) * size / 2], [s, c, cy - (s + c) * size / 2]])


class Picture:
    """image: [H,W,3] float 0..1 RGB on any device; the samples are float32 on `device`."""

    def __init__(self, image, device):
        self.image, self.device = image[..., :3], device
        self.height, self.width = image.shape[:2]
        self.factor = max(1, max(self.height, self.width) // BASE_SIDE)
        self._base = None

    @property
    def base(self):
        """[3,h,w]: the picture reduced by a whole factor (area mean; the last rows and columns may count less)."""
        if self._base is None:
            self._base = _reduce_area(self.image, self.factor).permute(2, 0, 1)
        return self._base

    def sample(self, cx, cy, side, angle, size, black=False):
        """The window (centre cx, cy, side in pixels, angle) -> [3,size,size]; outside the picture the edge goes on, or
        is black, and then nothing is smoothed beyond the picture's reduced copy."""
        matrix = window_matrix(cx, cy, side, angle, size)
        reach = side / 2 * (abs(math.cos(angle)) + abs(math.sin(angle)))  # to the corners, along each axis
        source, scale = (self.image.permute(2, 0, 1), 1.0)
        if self.factor > 1 and side / size >= self.factor:
            source, scale = self.base, 1.0 / self.factor
        source, offset = _cut(source, np.array([cx, cy]) * scale, reach * scale + 2)
        source = source[None].to(self.device, torch.float32)
        matrix = matrix * scale
        matrix[:, 2] -= offset
        if not black:
            source, matrix = _reduce_to_step(source, matrix, side * scale / size)
        return _grid_sample(source, matrix, size, black)[0]


def _cut(source, centre, reach):
    """The part of source [3,H,W] a window can touch, at least one pixel, and its corner (x, y)."""
    height, width = source.shape[1:]
    low = np.clip(np.floor(centre - reach), 0, [width - 1, height - 1]).astype(int)
    high = np.clip(np.ceil(centre + reach), low + 1, [width, height]).astype(int)
    return source[:, low[1] : high[1], low[0] : high[0]], low


def _reduce_to_step(source, matrix, step):
    """Shrinks source [1,3,h,w] where samples would lie far apart; the matrix follows."""
    if step <= MAX_STEP:
        return source, matrix
    height, width = source.shape[2:]
    new = max(1, round(height / step * NEW_STEP)), max(1, round(width / step * NEW_STEP))
    source = F.interpolate(source, new, mode="bilinear", align_corners=False, antialias=True)
    return source, matrix * np.array([[new[1] / width], [new[0] / height]])


def _grid_sample(source, matrix, size, black):
    """source [1,3,h,w] read at matrix @ (u, v, 1) for every pixel centre (u, v) -> [1,3,size,size]."""
    height, width = source.shape[2:]
    axis = torch.arange(size, device=source.device, dtype=torch.float32) + 0.5
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    x, y = (matrix[i, 0] * u + matrix[i, 1] * v + matrix[i, 2] for i in range(2))
    grid = torch.stack([2 * x / width - 1, 2 * y / height - 1], -1)[None]
    out = F.grid_sample(source, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return out * ((x >= 0) & (y >= 0) & (x <= width) & (y <= height)) if black else out


def _reduce_area(image, factor):
    """[H,W,3] -> [H/factor,W/factor,3] float32: means over factor x factor pixels, strip by strip to save memory."""
    if factor == 1:
        return image.float()
    height, width = image.shape[0] // factor * factor, image.shape[1] // factor * factor
    strips = []
    for top in range(0, height, 64 * factor):
        strip = image[top : min(top + 64 * factor, height), :width].float()
        strip = strip.reshape(-1, factor, width // factor, factor, 3).mean(1)
        strips.append(strip.mean(2))
    return torch.cat(strips)
