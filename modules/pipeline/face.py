"""From a picture to an aligned face crop with its measures, on the host's memory management."""

import logging

import torch

from ..faces.landmarker import find_faces, landmarks_in_crop
from ..faces.selection import choose_face
from ..warp.coarse import Face
from ..warp.paste import check_face_size, cut
from .encoders import face_networks

log = logging.getLogger(__name__)
CLEAR = 0.9  # presence of a face that is worth a word: below that it is often a fold of cloth


def measured(crop: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Points [478, 3] and expression code [52] of an aligned crop [3, S, S]; the unused first value is 0."""
    networks = face_networks().ready()
    points, _, code = landmarks_in_crop(networks, crop[None].to(networks.triangles.device))
    code = code[0].cpu().clone()
    code[0] = 0
    return points[0].cpu(), code


def face_crop(image: torch.Tensor, rule: str, index: int, size: int, where: str) -> tuple[Face, torch.Tensor]:
    """The chosen face of a picture [H, W, 3] in the canonical frame, and the matrix [2, 3] that leads there."""
    faces = find_faces(face_networks().ready(), image)
    face = choose_face(faces, rule, index, tuple(image.shape[:2]), where)
    clear = sum(face.presence > CLEAR for face in faces)
    if clear > 1:
        told = logging.INFO if rule == "index" else logging.WARNING  # who gave a number has looked
        log.log(told, "%s: %d faces, the %s one is used", where, clear, rule)
    check_face_size(face.points, where)
    crop, _, matrix = cut(image, face.points, size)
    return Face(crop, *measured(crop)), matrix
