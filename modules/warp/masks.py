"""Masks in the canonical frame: grown, connected, blurred, feathered; and filling of what a mask leaves open."""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F


def plane(where: torch.Tensor) -> torch.Tensor:
    """Where something is [S, S], 0 or 1 or bool, as a mask [1, 1, S, S]."""
    return where.float()[None, None]


def grow(mask: torch.Tensor, pixels: float) -> torch.Tensor:
    """Mask [B, 1, H, W], 0..1, grown by a number of pixels (rounded to whole ones); negative shrinks."""
    radius = int(round(abs(pixels)))
    if radius == 0:
        return mask
    if pixels < 0:
        return 1 - grow(1 - mask, -pixels)
    square = int(round(radius * 0.6))
    cross = radius - square
    mask = widened(mask, square)  # a disc is nearly a square grown, then a cross grown
    return torch.maximum(_reached(mask, cross, -2), _reached(mask, cross, -1))


def widened(mask: torch.Tensor, radius: int) -> torch.Tensor:
    """Mask [B, 1, H, W], 0..1, grown by whole pixels to all sides and corners."""
    return _reached(_reached(mask, radius, -2), radius, -1)


def _reached(mask: torch.Tensor, radius: int, axis: int) -> torch.Tensor:
    """The largest value (of 0 and more) within `radius` along the axis -2 or -1.

    Windows are doubled until they are wide enough; `max_pool2d` would look at every value of each.
    """
    length, window = mask.shape[axis], 2 * radius + 1
    largest, seen = F.pad(mask, (radius, radius) if axis == -1 else (0, 0, radius, radius)), 1
    while 2 * seen <= window:
        count = largest.shape[axis] - seen
        largest, seen = torch.maximum(largest.narrow(axis, 0, count), largest.narrow(axis, seen, count)), 2 * seen
    return torch.maximum(largest.narrow(axis, 0, length), largest.narrow(axis, window - seen, length))


def connected(mask: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """The parts of a mask [1, 1, S, S], 0 or 1, that touch `start`, gaps of a pixel allowed."""
    if not (mask * start).any():
        return torch.zeros_like(mask)
    rows, columns = (mask[0, 0].any(axis).nonzero() for axis in (1, 0))
    part = (..., slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    inside, found = mask[part], (mask * start)[part]
    while (more := widened(found, 2) * inside).sum() > found.sum():
        found = more
    whole = torch.zeros_like(mask)
    whole[part] = found
    return whole


def parts(mask: torch.Tensor, least: float):
    """The connected parts [1, 1, S, S] of a mask [1, 1, S, S], 0 or 1, that have at least so many pixels."""
    while mask.sum() >= max(least, 1):
        start = torch.zeros_like(mask)
        start.view(-1)[mask.flatten().argmax()] = 1
        part = connected(mask, start)
        mask = mask * (1 - part)
        if part.sum() >= least:
            yield part


def blurred(image: torch.Tensor, pixels: float) -> torch.Tensor:
    """Pictures [B, C, H, W] smoothed by a Gaussian of that many pixels, cut off at two of its widths."""
    return _smoothed(image, pixels, round(2 * pixels), "reflect")


def _smoothed(image: torch.Tensor, pixels: float, reach: int, border: str) -> torch.Tensor:
    """The same, cut off at `reach` whole pixels; border: how the picture goes on, in `F.pad`'s words.

    Sums of shifted pictures, those of one distance together: half the time or less of a convolution on a CPU, at every size.
    """
    middle, *others = _taps(pixels, reach)
    for axis in (-1, -2):
        count = image.shape[axis]
        wide = F.pad(image, (reach, reach, 0, 0) if axis == -1 else (0, 0, reach, reach), border)
        image = wide.narrow(axis, reach, count) * middle
        for far, tap in enumerate(others, 1):
            image.add_(wide.narrow(axis, reach - far, count) + wide.narrow(axis, reach + far, count), alpha=tap)
    return image


@lru_cache(256)
def _taps(pixels: float, reach: int) -> tuple[float, ...]:
    """Weights of a Gaussian from its middle to one side; of both sides together they are 1."""
    side = [math.exp(-0.5 * (far / pixels) ** 2) for far in range(reach + 1)]
    return tuple(tap / (2 * sum(side) - 1) for tap in side)


def feather(mask: torch.Tensor, pixels: float) -> torch.Tensor:
    """Softens the border of a mask [B, 1, H, W] over about `pixels` inwards; outside the mask it stays exactly 0.

    A mask too narrow for that is softened by what it has room for, so that its middle is always opaque.
    """
    if pixels < 0.5:
        return mask
    if not grow(mask, -2 * pixels).flatten(1).any(1).all():
        return torch.cat([feather(m[None], pixels) for m in mask]) if len(mask) > 1 else feather(mask, 0.75 * pixels)
    sigma = pixels / 2
    return _smoothed(grow(mask, -pixels), sigma, int(round(1.5 * pixels)), "replicate") * (mask > 0)


def fill(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Values [B, C, H, W] known where weight [B, 1, H, W] is above 0, continued smoothly everywhere (push-pull pyramid)."""
    if max(values.shape[-2:]) <= 1:
        return values / weight.clamp_min(1e-6)
    size = values.shape[-2:]
    total, share = F.avg_pool2d(values * weight, 2, ceil_mode=True), F.avg_pool2d(weight, 2, ceil_mode=True)
    coarse = fill(total / share.clamp_min(1e-6), (share * 4).clamp(0, 1))
    smooth = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    return values * weight + smooth * (1 - weight)
