"""From a picture to an aligned face with its measures, on the host's memory management."""

import logging

import torch

from ..errors import DiffSFSRError, here
from ..faces.landmarker import find_faces, landmarks_in_crop
from ..faces.selection import choose_face
from ..types import Face
from ..warp.paste import cut
from .encoders import Encoders, face_networks

log = logging.getLogger(__name__)
CLEAR = 0.9  # presence of a face that is worth a word: below that it is often a fold of cloth
MIN_FACE = 40.0  # pixels; below this nothing of the person could be told


def find_face(encoders: Encoders, image: torch.Tensor, rule: str, index: int) -> tuple[Face, torch.Tensor]:
    """The chosen face of a picture [H, W, 3] in the canonical frame, and the matrix [2, 3] that leads there."""
    crop, matrix = cut(image, chosen_points(image, rule, index), encoders.size)
    return face_of(encoders, crop), matrix


def chosen_points(image: torch.Tensor, rule: str, index: int) -> torch.Tensor:
    """Points [478, 3] of the chosen face of a picture [H, W, 3], in its pixels."""
    faces = find_faces(face_networks().ready(), image)
    found = choose_face(faces, rule, index, tuple(image.shape[:2]))
    clear = sum(face.presence > CLEAR for face in faces)
    if clear > 1:
        level = logging.INFO if rule == "index" else logging.WARNING  # who gave a number has looked
        log.log(level, "%s: %d faces, the %s one is used", here(), clear, rule)
    check_size(found.points)
    return found.points


def face_of(encoders: Encoders, crop: torch.Tensor) -> Face:
    """A picture [3, S, S] that is an aligned face already."""
    return encoders.shape.face(crop, *measured(crop))


def measured(crop: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Points [478, 3] and coefficients [52] of an aligned crop [3, S, S]; the unused first value is 0."""
    networks = face_networks().ready()
    points, _, code = landmarks_in_crop(networks, crop[None].to(networks.triangles.device))
    code = code[0].cpu().clone()
    code[0] = 0
    return points[0].cpu(), code


def check_size(points: torch.Tensor) -> None:
    """Face points [478, 3] in pixels of the picture."""
    extent = points[:468, :2].amax(0) - points[:468, :2].amin(0)
    if extent.max() < MIN_FACE:
        what = f"The face is only {int(extent.max())} pixels large"
        remedy = f"Give a picture where it has at least {MIN_FACE:.0f} pixels, or enlarge it first"
        raise DiffSFSRError(what, remedy)
