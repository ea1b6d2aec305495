"""Measures finished pictures alone: the face found again, its identity, expression and pose."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...modules import affine
from ...modules.faces.landmarker import DetectedFace, find_faces
from ...modules.faces.morphable import FaceShape
from ...modules.faces.pose import angles
from ...modules.pipeline.encoders import face_networks
from ...modules.warp.paste import PasteRegion
from ...training.teachers import Teachers


@dataclass(frozen=True)
class Seen:
    """What was measured on n pictures; rows of pictures without a face are 0 and `found` is False."""

    found: np.ndarray  # [n] bool
    vector: np.ndarray  # [n, 1024] faceres, unit length
    code: np.ndarray  # [n, 52] 0..1
    pose: np.ndarray  # [n, 3] yaw, pitch, roll in degrees

    def as_dict(self) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(np.asarray(value)) for name, value in vars(self).items()}

    @classmethod
    def of_dict(cls, stored: dict[str, torch.Tensor]) -> "Seen":
        return cls(**{name: value.numpy() for name, value in stored.items()})


class Observer:
    """The judge of identity is faceres (vladmandic's human models): it taught the bundle's compact network by
    distillation, but was never a loss on pictures; the picture losses used other nets."""

    def __init__(self, data: Path, shape: FaceShape):
        self.teachers, self.shape = Teachers(data / "teachers"), shape

    @torch.inference_mode()
    def look(self, pictures, near: tuple[float, float, float] | None = None) -> Seen:
        """Pictures [n, H, W, C] 0..1. `near`: x, y and radius in pixels of where the face must be; else the largest."""
        rows = [self._one(picture[..., :3].float(), near) for picture in pictures]
        stacked = [np.stack(column) for column in zip(*rows, strict=True)]
        return Seen(*stacked)

    def _one(self, picture: torch.Tensor, near):
        faces = find_faces(face_networks().ready(), picture)
        if near is not None:
            faces = [f for f in faces if distance(f, near) < near[2]]
            faces.sort(key=lambda f: distance(f, near))
        if not faces:
            return np.array(False), np.zeros(1024, np.float32), np.zeros(52, np.float32), np.zeros(3, np.float32)
        face, code = faces[0], faces[0].blendshapes.clone()
        code[0] = 0  # the unused first value
        vector = self.teachers.faceres(picture.permute(2, 0, 1)[None], face.points[None, :, :2])[0]
        rotation = self.shape.fit(face.points[None], code[None]).rotation[0]
        return np.array(True), vector.numpy(), code.numpy(), angles(rotation).numpy().astype(np.float32)


def distance(face: DetectedFace, near: tuple[float, float, float]) -> float:
    middle = (face.points[:468, :2].amin(0) + face.points[:468, :2].amax(0)) / 2
    return math.dist(middle.tolist(), near[:2])


def whereabouts(place: PasteRegion) -> tuple[float, float, float]:
    """Middle (x, y) of the repainted face in the background's pixels, and the radius within which it counts as that face."""
    inverse = affine.invert(place.to_frame[:1])
    middle = affine.apply(inverse, torch.tensor([[[place.size / 2, place.size * 0.6]]]))[0, 0]
    radius = 0.3 * place.size * torch.linalg.det(inverse[0, :, :2]).abs().sqrt()
    return float(middle[0]), float(middle[1]), float(radius)


def box_around(place: PasteRegion, share: float = 0.8) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the head with some surroundings, for people to look at: `share` crops each way."""
    x, y, radius = whereabouts(place)
    reach = radius / 0.3 * share
    height, width = place.background.shape[1:3]
    return max(0, int(x - reach)), max(0, int(y - reach)), min(width, int(x + reach)), min(height, int(y + reach))
