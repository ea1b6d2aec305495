"""People for the identity network: the portraits themselves, and new people made from two or three of them.

A new person takes place and size of every part of the face, and its look, from different people: a mixture over the whole
face, part by part (the eyes of one, the nose of another), or a whole inner face in another head; then the bones are changed
along the identity modes of the face model. Views are the same person with another expression, pose and light.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from kornia.filters import gaussian_blur2d

from ...modules.conditioning.guide import paint_mouth
from ...modules.faces.align import apply, to_frame
from ...modules.faces.mask import fill
from ...modules.faces.shape import FaceShape, Fit
from .codes import random_code
from .raster import rasterise
from .vary import moved_points

# Middles of the parts that are mixed apart from each other: brows, eyes, nose, mouth, cheeks, chin (points of the mesh)
PARTS = ((105, 334), (159, 386), (4, 6), (13, 14), (50, 280), (152, 175))
BONES = 0.55  # spread of the random identity modes, in units of the face model's own spread
TOWARDS = torch.tensor([1.0, 1.0, -1.0])  # landmarks have z away from the viewer, drawing wants it towards them


@dataclass
class Face:
    """A person in the canonical frame: picture [3, S, S] 0..1, points [478, 3] in its pixels (z away), and their fit."""

    image: torch.Tensor
    points: torch.Tensor
    fit: Fit


def spread(index: torch.Tensor, weight: torch.Tensor, triangles: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Values [468, C] at the points, interpolated over the drawn face: [S, S, C], 0 outside it."""
    inside = (values[triangles][index.clamp_min(0)] * weight[..., None]).sum(-2)
    return inside * (index >= 0)[..., None]


def carried(image: torch.Tensor, shift: torch.Tensor, mode: str = "bilinear") -> torch.Tensor:
    """Picture [3, S, S] read at every pixel plus shift [S, S, 2]."""
    size = image.shape[-1]
    axis = torch.arange(size) + 0.5
    here = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    grid = ((here + shift) * (2 / size) - 1)[None]
    return F.grid_sample(image[None], grid, mode, "border", align_corners=False)[0].clamp(0, 1)


def moved(image: torch.Tensor, before: torch.Tensor, after: torch.Tensor, triangles: torch.Tensor):
    """The picture [3, S, S] moved with its face from `before` to `after` [478, 3] (z towards the viewer).

    Around the face the movement fades to none at an ellipse about the head. Returns the picture, index and weights.
    """
    size = image.shape[-1]
    index, weight = rasterise(after[:468], triangles, size)
    covered = (index >= 0).float()[None, None]
    shift = spread(index, weight, triangles, (before - after)[:468, :2]).permute(2, 0, 1)[None]
    low, high = after[:468, :2].amin(0), after[:468, :2].amax(0)
    axis = torch.arange(size) + 0.5
    here = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    far = (((here - (low + high) / 2) / ((high - low) * 0.85)) ** 2).sum(-1) > 1
    around = fill(shift, (covered[0, 0].bool() | far).float()[None, None])
    shift = torch.where(covered > 0, shift, gaussian_blur2d(around, (5, 5), (1.5, 1.5)))[0].permute(1, 2, 0)
    return paint_mouth(carried(image, shift, "bicubic"), index, before, after, triangles), index, weight


def field(points: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """How much of the second person each face point takes: [P] 0..1, one value for all, or smoothly another for each part."""
    if rng.random() < 0.3:
        return torch.full((len(points),), float(rng.uniform(0.1, 0.9)))
    middles = torch.stack([points[list(pair), :2] for pair in PARTS])  # [parts, 2 sides, 2]
    distance = (points[:, None, None, :2] - middles).norm(dim=-1).amin(2)  # [P, parts]
    width = points[:468, 0].amax() - points[:468, 0].amin()
    near = torch.softmax(-((distance / (0.15 * width)) ** 2), 1)
    return near @ torch.from_numpy(rng.beta(0.6, 0.6, len(PARTS))).float()


def bones(shape: FaceShape, fit: Fit, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A random change of the identity modes: coefficients [1, M] and how the points move in the picture [478, 3]."""
    change = torch.from_numpy(rng.normal(0, BONES, (1, len(shape.identity)))).to(shape.mean)
    steps = torch.einsum("bm,mpc->pc", change, shape.identity) @ fit.rotation[0].T * fit.scale[0]
    return change, (steps * steps.new_tensor([1.0, -1.0, -1.0])).float()


def mixed_shape(first: Face, others: list[Face], shape: FaceShape, rng) -> tuple[torch.Tensor, Fit]:
    """Points [478, 3] of somebody between all, in the canonical frame again, and about their fit."""
    points, fit = first.points, replace(first.fit)
    for other in others:
        part = field(first.points, rng)
        points = points + part[:, None] * (other.points - points)
        fit.expression = fit.expression + part.mean() * (other.fit.expression - fit.expression)
        fit.identity = fit.identity + part.mean() * (other.fit.identity - fit.identity)
    if rng.random() < 0.8:
        change, step = bones(shape, fit, rng)
        points, fit = points + step, replace(fit, identity=fit.identity + change)
    frame = to_frame(points[None], first.image.shape[-1])  # the change has moved the eyes: back to where eyes belong
    return apply(frame, points[None])[0], replace(fit, scale=fit.scale * torch.linalg.det(frame[:, :, :2]).abs().sqrt())


def new_person(first: Face, others: list[Face], shape: FaceShape, triangles: torch.Tensor, rng) -> Face:
    """Somebody between `first`, who gives the head, and the others, whose faces are mixed in one after the other."""
    points, fit = mixed_shape(first, others, shape, rng)
    image, index, weight = moved(first.image, first.points * TOWARDS, points * TOWARDS, triangles)
    covered = (index >= 0).float()
    soft = ((gaussian_blur2d(covered[None, None], (13, 13), (4.0, 4.0)) - 0.5) * 2).clamp(0, 1)[0, 0]
    for other in others:
        swap = rng.random() < 0.25  # a whole inner face in another head
        look = torch.full((478,), float(rng.uniform(0.8, 1))) if swap else field(points, rng)
        values = torch.cat([(other.points - points)[:468, :2], look[:468, None]], 1)
        drawn = spread(index, weight, triangles, values)
        theirs = carried(other.image, drawn[..., :2])
        theirs = tinted(theirs, image, covered > 0, rng.uniform(0.2, 1))
        share = soft * drawn[..., 2]
        image = image * (1 - share) + theirs * share
    return Face(complexion(image, rng), points, fit)


def tinted(image: torch.Tensor, like: torch.Tensor, where: torch.Tensor, strength: float) -> torch.Tensor:
    """Colours of `image` moved towards those of `like`, by mean and spread of each channel `where` [S, S] both show skin."""
    a, b = image[:, where], like[:, where]
    gain = (b.std(1) / a.std(1).clamp_min(1e-3)).clamp(0.6, 1.6)[:, None, None]
    matched = (image - a.mean(1)[:, None, None]) * gain + b.mean(1)[:, None, None]
    return (image + strength * (matched - image)).clamp(0, 1)


def complexion(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Another skin and hair tone, part of who somebody is: gamma and a gain for each colour."""
    gamma = float(np.exp(rng.normal(0, 0.15)))
    gain = torch.from_numpy(rng.normal(1, 0.05, (3, 1, 1))).float()
    return (image.clamp(1e-4, 1) ** gamma * gain).clamp(0, 1)


def view(face: Face, size: int, shape: FaceShape, triangles: torch.Tensor, rng) -> tuple[torch.Tensor, torch.Tensor]:
    """The same person with another expression, pose and light, aligned anew as the nodes do it.

    Returns the picture [3, size, size] and the points [478, 3] in it, z towards the viewer.
    """
    code = torch.from_numpy(random_code(rng, rng.random() < 0.5))[None]
    before = face.points * TOWARDS
    geometry = shape.geometry_of_code(code)[0]
    after = moved_points(shape, face.fit, before, geometry, rng.normal(0, 11), rng.normal(0, 5))
    factor = size / face.image.shape[-1]
    after = apply(to_frame(after[None], size), after[None])[0].float()
    small = F.interpolate(face.image[None], size=size, mode="area")[0] if factor != 1 else face.image
    drawn, index, weight = moved(small, before * factor, after, triangles)
    return (relit(drawn, after, index, weight, triangles, rng) if rng.random() < 0.8 else drawn), after


def relit(image, points, index, weight, triangles, rng: np.random.Generator) -> torch.Tensor:
    """Light from one or two sides by the normals of the drawn face, continued smoothly around it; and its colours."""
    corners = points[:468][triangles] * torch.tensor([1.0, -1.0, 1.0])
    flat = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    vertex = torch.zeros(468, 3).index_add(0, triangles.flatten(), flat.repeat_interleave(3, 0))
    normal = spread(index, weight, triangles, F.normalize(vertex, dim=1)).permute(2, 0, 1)
    covered = (index >= 0).float()[None, None]
    normal = gaussian_blur2d(fill(normal[None], covered), (9, 9), (2.5, 2.5))[0]
    gain = torch.ones_like(image)
    for _ in range(int(rng.integers(1, 3))):
        angle, height = rng.uniform(-1.5, 1.5), rng.uniform(-0.6, 0.9)
        light = F.normalize(torch.tensor([np.sin(angle), height, np.cos(angle)]), dim=0).float()
        shade = torch.einsum("c,chw->hw", light, normal)
        shade = shade.clamp_min(0) if rng.random() < 0.5 else shade  # hard light leaves the far side in the dark
        tint = 1 + torch.from_numpy(rng.normal(0, 0.1, (3, 1, 1))).float()
        gain = gain + rng.uniform(0, 0.9) * (shade - shade.mean()) * tint
    gain = gain.clamp_min(0.12) * rng.uniform(0.6, 1.3) * (1 + torch.from_numpy(rng.normal(0, 0.06, (3, 1, 1))).float())
    return (image.clamp_min(1e-4) ** 2.2 * gain).clamp(0, 1) ** (1 / 2.2)
