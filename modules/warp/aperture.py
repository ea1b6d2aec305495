"""Mouth and eyes as openings between two lids: where they are in a drawn face, how far open, how bright it is there."""

from typing import NamedTuple

import torch

from ..affine import FRAME
from .masks import blurred
from .mesh import Mesh


class Aperture(NamedTuple):
    """Mesh points along the edges of the upper and lower lid or lip, and the corners where both meet."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    corners: tuple[int, int]

    def inside(self, mesh: Mesh) -> torch.Tensor:
        """What lies between the lids of a drawn face [*, S, S], 0 or 1."""
        return mesh.between(self.upper + self.lower + self.corners).float()

    def gap(self, points: torch.Tensor) -> torch.Tensor:
        """Mean height in pixels: points [*, P, >= 2] -> [*]."""
        return (points[..., list(self.lower), 1] - points[..., list(self.upper), 1]).clamp_min(0).mean(-1)

    def width(self, points: torch.Tensor) -> torch.Tensor:
        """From corner to corner in pixels, 1 at the least: points [*, P, >= 2] -> [*]."""
        x = points[..., list(self.corners), 0]
        return (x[..., 1] - x[..., 0]).abs().clamp_min(1.0)

    def met(self, points: torch.Tensor, rest: torch.Tensor) -> torch.Tensor:
        """Points [*, P, >= 2] whose edges meet half way where they would cross, further than those of the face at rest do."""
        down, upper, lower = self._down(points), list(self.upper), list(self.lower)
        now, least = (((p[..., lower, :2] - p[..., upper, :2]) * down).sum(-1, keepdim=True) for p in (points, rest))
        half = (now - least.clamp_max(0)).clamp_max(0) / 2 * down
        points = points.clone()
        points[..., upper, :2] += half
        points[..., lower, :2] -= half
        return points

    def crossed(self, points: torch.Tensor) -> bool:
        """Whether edges of points [*, P, >= 2] cross anywhere."""
        apart = points[..., list(self.lower), :2] - points[..., list(self.upper), :2]
        return bool(((apart * self._down(points)).sum(-1) < 0).any())

    def _down(self, points: torch.Tensor) -> torch.Tensor:
        """Across the line between the corners, towards the chin: [*, 1, 2]; faces stand upright in the crop."""
        corners = points[..., list(self.corners), :2]
        x, y = torch.nn.functional.normalize(corners[..., 1, :] - corners[..., 0, :], dim=-1).unbind(-1)
        return (torch.stack([-y, x], -1) * torch.sign(x)[..., None])[..., None, :]

    def edges(self, points: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Heights of the upper and lower edge at the places x [S]: two of [*, S]."""
        return tuple(curve(points[..., list(self.corners + lid), :2], x) for lid in (self.upper, self.lower))

    def cover(self, points: torch.Tensor, size: int, over: float, grown: float = 0.0) -> torch.Tensor:
        """How far each pixel of a drawing [S, S] lies between the edges, 0..1: they are `over` pixels soft, without steps, and
        moved outwards by `grown`; points [P, >= 2] of a face.
        """
        x = torch.arange(size, device=points.device, dtype=points.dtype) + 0.5
        ramp = lambda far: ((far + grown) / over + 0.5).clamp(0, 1)  # noqa: E731
        left, right = points[list(self.corners), 0].aminmax()
        share = ramp(x - left) * ramp(right - x)
        for sign, edge in zip((1, -1), self.edges(points, x), strict=True):
            steep = (1 + torch.gradient(edge)[0] ** 2).sqrt()  # how much longer the way down is than that across
            share = share + ramp(sign * (x[:, None] - edge) / steep) - 1
        return share.clamp_min(0)

    def soft(self, mesh: Mesh) -> torch.Tensor:
        """`inside` with an edge of about a pixel of the 256 px crop: [*, 1, S, S]."""
        inside = self.inside(mesh)
        return blurred(inside.view(-1, 1, *inside.shape[-2:]), 0.9 * inside.shape[-1] / FRAME).view_as(inside).unsqueeze(-3)


def pixel_middles(image: torch.Tensor) -> torch.Tensor:
    """Of the rows, or the columns, of square pictures [*, S, S]: [S]."""
    return torch.arange(image.shape[-1], device=image.device, dtype=image.dtype) + 0.5


def lit(image: torch.Tensor, mesh: Mesh, step: int = 1) -> torch.Tensor:
    """How bright the light on a face is, whatever its skin: the 90 % quantile of its grey values, [*, 1, 1, 1].

    step: only every so many rows and columns are read.
    """
    part = (..., slice(None, None, step), slice(None, None, step))
    grey = torch.where(mesh.covered[part], image[part].mean(-3), torch.nan)
    return grey.flatten(-2).nanquantile(0.9, -1)[..., None, None, None]


def tint(rgb: tuple[float, float, float], image: torch.Tensor) -> torch.Tensor:
    """A colour as a picture of one pixel [3, 1, 1], of the kind of `image`."""
    return image.new_tensor(rgb)[:, None, None]


def curve(points: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Height of the line through points [*, N, 2] at each of the places x [S]: [*, S]; level beyond its ends."""
    points = points.gather(-2, points[..., 0].argsort(-1)[..., None].expand(points.shape))
    x = x.expand(*points.shape[:-2], -1)
    right = torch.searchsorted(points[..., 0].contiguous(), x.contiguous()).clamp(1, points.shape[-2] - 1)
    at = lambda k: points.gather(-2, k[..., None].expand(*k.shape, 2)).unbind(-1)  # noqa: E731
    (x0, y0), (x1, y1) = at(right - 1), at(right)
    return torch.lerp(y0, y1, ((x - x0) / (x1 - x0).clamp_min(1e-6)).clamp(0, 1))
