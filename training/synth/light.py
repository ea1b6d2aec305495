"""Light on a drawn face: new light from a side, and the light that a picture already has.

Pictures [*, 3, S, S] 0..1 with gamma 2.2, points [*, 478, 3] in their pixels, z towards the viewer. Gains act on linear light.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from kornia.filters import gaussian_blur2d

from ...modules.types import Topology
from ...modules.warp.light import gained, luminance_at
from ...modules.warp.masks import fill
from ...modules.warp.mesh import POINTS, Mesh, at_corners
from .reenact import flat

RIDGE = 0.02  # of the number of points
BOUNDS = 0.6, 1.6  # of a change of light: what is darker or brighter than that was no shadow


@dataclass
class Light:
    """Up to two lamps and the exposure, drawn for one picture or stacked for B."""

    direction: torch.Tensor  # [B, 2, 3] unit vectors towards the lamps: x right, y up, z to the viewer
    colour: torch.Tensor  # [B, 2, 3] their strength in red, green, blue; 0 for a lamp that is off
    hard: torch.Tensor  # [B, 2] bool: the far side is dark; else it is as much darker as the near side is brighter
    exposure: torch.Tensor  # [B, 3] gain of the whole picture

    @classmethod
    def of(cls, lamps: list[tuple], exposure: np.ndarray) -> "Light":
        """lamps: (angle to the side, height, colour [3], hard), angle in radians."""
        lamps = [*lamps, *[(0.0, 0.0, np.zeros(3), False)] * (2 - len(lamps))]
        way = np.array([(np.sin(angle), height, np.cos(angle)) for angle, height, _, _ in lamps])
        way = way / np.linalg.norm(way, axis=1, keepdims=True)
        values = way, np.stack([lamp[2] for lamp in lamps]), np.array([lamp[3] for lamp in lamps]), exposure
        return cls(*(torch.from_numpy(v)[None] if v.dtype == bool else torch.from_numpy(v)[None].float() for v in values))

    @classmethod
    def none(cls) -> "Light":
        """Changes nothing."""
        return cls.of([], np.ones(3))

    @classmethod
    def soft(cls, rng: np.random.Generator) -> "Light":
        """One soft lamp, for selfies."""
        angle, height, strength = rng.uniform(-1.3, 1.3), rng.uniform(-0.5, 0.7), rng.uniform(0.0, 0.7)
        tint = 1 + rng.uniform(-0.12, 0.12, 3)
        return cls.of([(angle, height, np.full(3, strength), False)], rng.uniform(0.75, 1.25) * tint)

    @classmethod
    def any(cls, rng: np.random.Generator) -> "Light":
        """One or two lamps of any kind, for what an identity network must not mind."""
        lamps = []
        for _ in range(int(rng.integers(1, 3))):
            angle, height, hard = rng.uniform(-1.5, 1.5), rng.uniform(-0.6, 0.9), rng.random() < 0.5
            tint = 1 + rng.normal(0, 0.1, 3)
            lamps.append((angle, height, rng.uniform(0, 0.9) * tint, hard))
        return cls.of(lamps, rng.uniform(0.6, 1.3) * (1 + rng.normal(0, 0.06, 3)))

    @classmethod
    def stack(cls, lights: list["Light"]) -> "Light":
        return cls(*(torch.cat([getattr(light, f.name) for light in lights]) for f in fields(cls)))


def normals(points: torch.Tensor, topology: Topology) -> torch.Tensor:
    """Unit normals [*, 468, 3] of the face mesh at its points: x right, y up, z to the viewer."""
    corners = at_corners(points[..., :POINTS, :] * points.new_tensor([1.0, -1.0, 1.0]), topology.triangles)
    a, b, c = corners.unbind(-2)
    cross = torch.linalg.cross(b - a, c - a)  # as long as twice the triangle's area: large ones count more
    corner = topology.triangles.long().flatten()
    total = torch.zeros_like(points[..., :POINTS, :]).index_add(-2, corner, cross.repeat_interleave(3, -2))
    return F.normalize(total, dim=-1)


def relit(image: torch.Tensor, mesh: Mesh, light: Light) -> torch.Tensor:
    """The picture in another light, by the normals of the drawn face, continued smoothly around it."""
    device, lead = image.device, image.shape[:-3]
    seen = mesh.interpolate(normals(mesh.points, mesh.topology))
    seen = fill(flat(seen, 3).permute(0, 3, 1, 2), flat(mesh.covered, 2)[:, None].to(seen.dtype))
    seen = gaussian_blur2d(seen, (13, 13), (3.0, 3.0))
    shade = torch.einsum("blc,bchw->blhw", light.direction.to(device), seen)
    shade = torch.where(light.hard.to(device)[..., None, None], shade.clamp_min(0), shade)
    shade = shade - shade.mean((2, 3), keepdim=True)
    gain = 1 + torch.einsum("blc,blhw->bchw", light.colour.to(device), shade)
    gain = gain.clamp(0.12, 3) * light.exposure.to(device)[..., None, None]
    return gained(image, gain.view(*lead, *gain.shape[1:]))


def light_of(image: torch.Tensor, points: torch.Tensor, topology: Topology) -> torch.Tensor:
    """The light that a face is seen in: [*, 4], so that luminance is about l0 + l1..3 . normal, in units of its mean.

    Least squares over the points that face the viewer, on the first four spherical harmonics (Ramamoorthi and Hanrahan 2001),
    with a ridge on the last three: beards, lips and brows are no shadows.
    """
    basis = _basis(normals(points, topology))
    weight = basis[..., 3:].clamp_min(0)
    seen = luminance_at(image, points[..., :POINTS, :])[..., None]
    seen = seen / ((weight * seen).sum(-2, keepdim=True) / weight.sum(-2, keepdim=True)).clamp_min(1e-3)
    ridge = torch.diag(image.new_tensor([0.0, 1.0, 1.0, 1.0])) * RIDGE * weight.sum(-2, keepdim=True)
    wanted = seen - 1  # the ridge pulls to even light
    found = torch.linalg.solve((weight * basis).mT @ basis + ridge, (weight * basis).mT @ wanted)[..., 0]
    return found + image.new_tensor([1.0, 0.0, 0.0, 0.0])


def change_of_light(
    light: torch.Tensor, normal: torch.Tensor, other_light: torch.Tensor, other_normal: torch.Tensor
) -> torch.Tensor:
    """Gain [*, 468, 1] of skin seen in `light` [*, 4] with `normal` [*, 468, 3], to look as in the other light and turn."""
    shade = lambda l, n: (_basis(n) @ l[..., None]).clamp_min(0.2)  # noqa: E731, E741
    return (shade(other_light, other_normal) / shade(light, normal)).clamp(*BOUNDS)


def _basis(normal: torch.Tensor) -> torch.Tensor:
    return torch.cat([torch.ones_like(normal[..., :1]), normal], -1)
