"""People for the identity network: the portraits themselves, and new people made from two or three of them.

A new person takes place and size of every part of the face, and its look, from different people: a mixture over the whole
face, part by part (the eyes of one, the nose of another), or a whole inner face in another head; then the bones are changed
along the identity modes of the face model. Views are the same person with another expression, pose and light.
"""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from ...modules.affine import apply, to_frame
from ...modules.faces.morphable import FaceShape
from ...modules.types import Face, Fit, Topology
from .codes import random_code
from .light import Light, relit
from .reenact import moved_points, redraw_person
from .swap import blended

# Middles of the parts that are mixed apart from each other: brows, eyes, nose, mouth, cheeks, chin (points of the mesh)
PARTS = ((105, 334), (159, 386), (4, 6), (13, 14), (50, 280), (152, 175))
BONES = 0.55  # spread of the random identity modes, in units of the face model's own spread


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
    return change, (steps * steps.new_tensor([1.0, -1.0, 1.0])).float()


def mixed_shape(first: Face, others: list[Face], shape: FaceShape, rng) -> tuple[torch.Tensor, Fit]:
    """Points [478, 3] of somebody between all, in the canonical frame again, and about their fit."""
    points, fit = first.points, first.fit
    for other in others:
        part = field(first.points, rng)
        points = points + part[:, None] * (other.points - points)
        expression = fit.expression + part.mean() * (other.fit.expression - fit.expression)
        fit = replace(fit, expression=expression, identity=fit.identity + part.mean() * (other.fit.identity - fit.identity))
    if rng.random() < 0.8:
        change, step = bones(shape, fit, rng)
        points, fit = points + step, replace(fit, identity=fit.identity + change)
    frame = to_frame(points[None], first.image.shape[-1])  # the change has moved the eyes: back to where eyes belong
    return apply(frame, points[None])[0], replace(fit, scale=fit.scale * torch.linalg.det(frame[:, :, :2]).abs().sqrt())


def new_person(first: Face, others: list[Face], shape: FaceShape, topology: Topology, rng) -> Face:
    """Somebody between `first`, who gives the head, and the others, whose faces are mixed in one after the other."""
    points, fit = mixed_shape(first, others, shape, rng)
    image, mesh = redraw_person(first.image, first.points, points, topology, fade="ellipse")
    for other in others:
        swap = rng.random() < 0.25  # a whole inner face in another head
        look = torch.full((478,), float(rng.uniform(0.8, 1))) if swap else field(points, rng)
        image = blended(image, mesh, other.image, other.points, look[:468], rng.uniform(0.2, 1))
    return Face(complexion(image, rng), points, fit.expression[0].float(), fit)


def complexion(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Another skin and hair tone, part of who somebody is: gamma and a gain for each colour."""
    gamma = float(np.exp(rng.normal(0, 0.15)))
    gain = torch.from_numpy(rng.normal(1, 0.05, (3, 1, 1))).float()
    return (image.clamp(1e-4, 1) ** gamma * gain).clamp(0, 1)


def view(face: Face, size: int, shape: FaceShape, topology: Topology, rng) -> tuple[torch.Tensor, torch.Tensor]:
    """The same person with another expression, pose and light, aligned anew as the nodes do it.

    Returns the picture [3, size, size] and the points [478, 3] in it, z towards the viewer.
    """
    code = torch.from_numpy(random_code(rng, rng.random() < 0.5))[None]
    geometry = shape.geometry_of_code(code)[0]
    after = moved_points(shape, face.fit, face.points, geometry, rng.normal(0, 11), rng.normal(0, 5))
    factor = size / face.image.shape[-1]
    after = apply(to_frame(after[None], size), after[None])[0].float()
    small = F.interpolate(face.image[None], size=size, mode="area")[0] if factor != 1 else face.image
    picture, mesh = redraw_person(small, face.points * factor, after, topology, fade="ellipse")
    if rng.random() < 0.8:
        picture = relit(picture, mesh, Light.any(rng))
    return picture, after
