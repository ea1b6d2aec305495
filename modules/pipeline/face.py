"""From a picture to an aligned face with its measures, on the host's memory management."""

import logging
import math
from dataclasses import replace

import torch

from .. import affine
from ..errors import DiffSFSRError, here
from ..faces.detector import LEAST_FACE
from ..faces.landmarker import DetectedFace, find_faces, landmarks_in_crop
from ..faces.selection import RULES, choose_face
from ..types import Face
from ..warp.paste import cut
from ..warp.unseen import completed, inside
from .encoders import Encoders, face_networks

log = logging.getLogger(__name__)
TILTED = 60.0  # degrees, from which on a face is measured again where it stands upright


def check_choice(rule: str) -> None:
    """Also what would be asked in vain of every single picture: an unreadable face model is no picture without a face."""
    if rule not in RULES:
        remedy = f"Choose one of: {', '.join(RULES)}"
        raise DiffSFSRError(f"'{rule}' is no rule for choosing a face", remedy, "image 0")
    face_networks()


def find_face(
    encoders: Encoders, image: torch.Tensor, rule: str, index: int, given: list[DetectedFace] | None = None
) -> tuple[Face, torch.Tensor]:
    """The chosen face of a picture [H, W, 3] in the canonical frame, and the matrix [2, 3] that leads there."""
    return aligned(encoders, image, chosen(image, rule, index, given))


def chosen(image: torch.Tensor, rule: str, index: int, given: list[DetectedFace] | None = None) -> DetectedFace:
    """The chosen face of a picture [H, W, 3], in its pixels; given: its faces, where they were found elsewhere."""
    faces = find_faces(face_networks().ready(), image) if given is None else given
    found = choose_face(faces, rule, index, tuple(image.shape[:2]))
    warn_of_others(faces, found, rule)
    check_size(found.points)
    return found


def warn_of_others(faces: list[DetectedFace], found: DetectedFace, rule: str) -> None:
    """Says that a face is chosen of several, or may be none."""
    clear = sum(face.clear for face in faces)
    if not found.clear:
        log.warning("%s: this may be no face (certainty %.2f); a clearer or larger one helps", here(), found.certainty)
    if clear > 1:
        level = logging.INFO if rule == "index" else logging.WARNING  # who gave a number has looked
        log.log(level, "%s: %d faces, the %s one is used", here(), clear, rule)


def aligned(encoders: Encoders, image: torch.Tensor, found: DetectedFace) -> tuple[Face, torch.Tensor]:
    """A face of a picture [H, W, 3] in the canonical frame, and the matrix [2, 3] that leads there."""
    crop, matrix = cut(image, found.points, encoders.size)
    face = face_of(encoders, crop)
    if tilt(found.points) > TILTED:  # measured upright it is found in the same place whatever its tilt was
        crop, matrix = cut(image, affine.apply(affine.invert(matrix[None]), face.points[None])[0], encoders.size)
        face = face_of(encoders, crop)
    within = inside(matrix, encoders.size, tuple(image.shape[:2]))
    whole, shown = completed(face.image, face.points, within, face_networks().ready().topology.to("cpu"))
    return replace(face, image=whole, shown=shown), matrix


def tilt(points: torch.Tensor) -> float:
    """Degrees that the line between the eyes of a face, points [478, 3], is off the level."""
    x, y = (points[263, :2] - points[33, :2]).tolist()
    return math.degrees(abs(math.atan2(y, x)))


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
    if extent.max() < LEAST_FACE:
        what = f"The face is only {int(extent.max())} pixels large"
        remedy = f"Give a picture where it has at least {LEAST_FACE:.0f} pixels, or enlarge it first"
        raise DiffSFSRError(what, remedy)
