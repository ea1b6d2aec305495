"""One person redrawn: another expression, another turn of the head, other light. All on the wide (352 px) frame.

The face moves by the linear face model, the same that serves the guide at run time; the picture around it follows with a
displacement that fades with distance, so that chin, ears and hair move along and the background stays.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from kornia.filters import gaussian_blur2d
from kornia.geometry.conversions import axis_angle_to_rotation_matrix
from scipy.ndimage import distance_transform_edt

from ...modules.conditioning.guide import paint_mouth
from ...modules.faces.mask import fill
from ...modules.faces.shape import FaceShape, Fit, place
from ...modules.faces.warp import rasterise


def turned(fit: Fit, yaw: float, pitch: float) -> Fit:
    """The same fit with the head turned by degrees (added to its own pose)."""
    axis = torch.tensor([[math.radians(pitch), math.radians(yaw), 0.0]])
    return Fit(**{**vars(fit), "rotation": axis_angle_to_rotation_matrix(axis).to(fit.rotation) @ fit.rotation})


def moved_points(
    shape: FaceShape, fit: Fit, points: torch.Tensor, geometry: torch.Tensor, yaw=0.0, pitch=0.0
) -> torch.Tensor:
    """Points [478, 3] after the change to `geometry` [K]; the old ones when nothing changes. z towards the viewer."""
    before = place(shape, fit, fit, shape.own_geometry(fit))[0]
    after = place(shape, fit, turned(fit, yaw, pitch), geometry[None])[0]
    start = points * torch.tensor([1.0, 1.0, 0.0]) + before * torch.tensor([0.0, 0.0, 1.0])
    return start + (after - before)


def redraw_person(
    image: torch.Tensor, before: torch.Tensor, after: torch.Tensor, triangles: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The whole picture [3, S, S] moved with the face from points `before` to `after` [478, 3].

    Returns the picture and the triangle index [S, S] of the new face.
    """
    size = image.shape[-1]
    index, weight = rasterise(after[:468], triangles, size)
    covered = (index >= 0).float()[None, None]
    source = (before[:468, :2][triangles.long()][index.clamp_min(0)] * weight[..., None]).sum(-2)
    axis = torch.arange(size) + 0.5
    here = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    shift = ((source - here) * covered[0, 0, :, :, None]).permute(2, 0, 1)[None]
    spread = fill(shift, covered)
    distance = torch.from_numpy(distance_transform_edt(covered[0, 0].numpy() == 0)).float()
    width = (after[:468, 0].amax() - after[:468, 0].amin()).item()
    fade = torch.exp(-(((distance - 1).clamp_min(0) / (0.22 * width)) ** 2))
    spread = gaussian_blur2d(spread * fade, (9, 9), (2.0, 2.0))
    shift = torch.where(covered > 0, shift, spread)[0].permute(1, 2, 0)
    grid = (here + shift) * (2 / size) - 1
    moved = F.grid_sample(image[None], grid[None], mode="bicubic", padding_mode="border", align_corners=False)[0]
    return paint_mouth(moved.clamp(0, 1), index, before, after, triangles), index


def relit(image: torch.Tensor, points: torch.Tensor, triangles: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Light from a new side, by the normals of the face mesh, continued smoothly around it; and a new colour of light."""
    index, weight = rasterise(points[:468], triangles, image.shape[-1])
    corners = points[:468][triangles.long()] * torch.tensor([1.0, -1.0, 1.0])
    flat = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    vertex = torch.zeros(468, 3).index_add(0, triangles.long().flatten(), flat.repeat_interleave(3, 0))
    vertex = F.normalize(vertex, dim=1)
    normal = (vertex[triangles.long()][index.clamp_min(0)] * weight[..., None]).sum(-2)
    angle, height = rng.uniform(-1.3, 1.3), rng.uniform(-0.5, 0.7)
    light = F.normalize(torch.tensor([math.sin(angle), height, math.cos(angle)]), dim=0)
    shade = (normal.float() @ light.float())[None, None] * (index >= 0)
    shade = fill(shade, (index >= 0).float()[None, None])
    shade = gaussian_blur2d(shade, (13, 13), (3.0, 3.0))[0]
    strength = rng.uniform(0.0, 0.7)
    tint = torch.from_numpy(rng.uniform(-0.12, 0.12, (3, 1, 1))).float()
    gain = (1 + strength * (shade - shade.mean())) * rng.uniform(0.75, 1.25) * (1 + tint)
    return (image.clamp_min(1e-4) ** 2.2 * gain.clamp(0.2, 3)).clamp(0, 1) ** (1 / 2.2)
