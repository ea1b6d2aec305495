"""FACE_LANDMARKS of the host's own node (MediaPipe Face Landmarker, newer than 0.3.75): faces that somebody else has found.

A dictionary: "frames", for each picture a list of faces; "image_size", (height, width). A face has "landmarks_xy" [478, 2]
in pixels, (0, 0) in the middle of the first one, in the order of our own mesh; "landmarks_3d" [478, 3] in pixels of the
network's square, z away from the viewer; and more. Which face is meant and where it is comes from there; all measures are
our own, of the crop.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ..errors import DiffSFSRError, at
from ..faces.landmarker import DetectedFace
from ..labels import BLENDSHAPES

EYES = 33, 263  # their outer corners
POINTS, MOST = 478, 1e5  # points of a face; pixels that a coordinate may have
REMEDY = "Connect face_landmarks of MediaPipe Face Landmarker, with the same pictures in it"


@at("face landmarks")
def faces_of(landmarks: Any, count: int, size: tuple[int, int]) -> list[list[DetectedFace]] | None:
    """The faces of `count` pictures of a size (H, W), the largest first; None where nothing is connected."""
    if landmarks is None:
        return None
    frames = landmarks.get("frames") if isinstance(landmarks, Mapping) else None
    if not isinstance(frames, list | tuple) or not all(isinstance(faces, list | tuple) for faces in frames):
        raise DiffSFSRError("These are no face landmarks: there are no 'frames' in them", REMEDY)
    if len(frames) != count:
        raise DiffSFSRError(f"They are of {len(frames)} pictures, and there are {count}", REMEDY)
    theirs = landmarks.get("image_size", size)
    if list(theirs if isinstance(theirs, list | tuple) else ()) != list(size):
        what = f"They are of a picture of the size (height, width) {theirs}, this has {size[0]}, {size[1]}"
        raise DiffSFSRError(what, REMEDY)
    found = []
    for i, faces in enumerate(frames):
        with at(f"image {i}"):
            found.append(sorted((face_of(told, size) for told in faces), key=lambda face: -face.size))
    return found


def face_of(told: Any, size: tuple[int, int]) -> DetectedFace:
    """One face of theirs in a picture of a size (H, W) as one of ours."""
    plane = _array(told, "landmarks_xy", 2)
    if plane is None:
        raise DiffSFSRError(f"A face has no landmarks_xy of {POINTS} finite pairs", REMEDY)
    low, high = plane.min(0), plane.max(0)
    if (high < 0).any() or (low > size[::-1]).any():
        raise DiffSFSRError("A face lies outside the picture", REMEDY)
    if np.linalg.norm(plane[EYES[0]] - plane[EYES[1]]) <= 0.05 * (high - low).max():
        raise DiffSFSRError("A face has both eyes in one place", REMEDY)
    points = torch.from_numpy(np.column_stack([plane + 0.5, _depth(told, plane)])).float()
    # what else they measured is not looked at: our own measures are of our own crop
    return DetectedFace((*low.tolist(), *high.tolist()), 1.0, points, 1.0, torch.zeros(len(BLENDSHAPES)))


def _depth(told: Mapping, plane: np.ndarray) -> np.ndarray:
    """z [478] of a face in the pixels of its `plane` [478, 2], towards the viewer; flat where they do not tell it."""
    solid = _array(told, "landmarks_3d", 3)
    if solid is None:
        return np.zeros(POINTS, np.float32)
    return -solid[:, 2] * np.ptp(plane, 0).max() / max(float(np.ptp(solid[:, :2], 0).max()), 1e-6)


def _array(told: Any, name: str, width: int) -> np.ndarray | None:
    """Finite numbers [478, width] of that name; None where there are none."""
    try:
        values = np.asarray(told[name], dtype=np.float32)
    except (TypeError, ValueError, KeyError, IndexError):
        return None
    return values if values.shape == (POINTS, width) and (np.abs(values) < MOST).all() else None
