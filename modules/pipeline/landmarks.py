"""FACE_LANDMARKS of the host's own node (MediaPipe Face Landmarker, newer than 0.3.75): faces that somebody else has found.

A dictionary: "frames", for each picture a list of faces; "image_size", (height, width). A face has "landmarks_xy" [478, 2]
in pixels, (0, 0) in the middle of the first one, in the order of our own mesh; "landmarks_3d" [478, 3] in pixels of the
network's square, z away from the viewer; "score" and, as a logit, "presence". Which face is meant and where it is comes from
there; all measures are our own, of the crop.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ..errors import DiffSFSRError, at
from ..faces.landmarker import DetectedFace
from ..labels import BLENDSHAPES

POINTS = 478
REMEDY = "Connect face_landmarks of MediaPipe Face Landmarker, with the same pictures in it"


@at("face landmarks")
def faces_of(landmarks: Any, count: int, size: tuple[int, int]) -> list[list[DetectedFace]] | None:
    """The faces of `count` pictures of a size (H, W), the largest first; None where nothing is connected."""
    if landmarks is None:
        return None
    frames = landmarks.get("frames") if isinstance(landmarks, Mapping) else None
    if not isinstance(frames, list | tuple):
        raise DiffSFSRError("These are no face landmarks: there are no 'frames' in them", REMEDY)
    if len(frames) != count:
        raise DiffSFSRError(f"They are of {len(frames)} pictures, and there are {count}", REMEDY)
    theirs = tuple(landmarks.get("image_size", size))
    if theirs != tuple(size):
        what = f"They are of a picture of {theirs[-1]} x {theirs[0]} pixels, this has {size[1]} x {size[0]}"
        raise DiffSFSRError(what, REMEDY)
    return [sorted(map(face_of, faces), key=lambda face: -face.size) for faces in frames]


def face_of(told: Any) -> DetectedFace:
    """One face of theirs as one of ours."""
    plane = np.asarray(told.get("landmarks_xy", ()) if isinstance(told, Mapping) else (), dtype=np.float32)
    if plane.shape != (POINTS, 2) or not np.isfinite(plane).all():
        raise DiffSFSRError(f"A face has points of the shape {list(plane.shape)}, not {POINTS} finite pairs", REMEDY)
    points = torch.from_numpy(np.column_stack([plane + 0.5, _depth(told, plane)])).float()
    known = told.get("blendshapes") or {}
    box = tuple(torch.cat([points[:, :2].amin(0), points[:, :2].amax(0)]).tolist())
    presence = 1 / (1 + math.exp(-min(max(float(told.get("presence", 0.0)), -50.0), 50.0)))
    blendshapes = torch.tensor([float(known.get(name, 0.0)) for name in BLENDSHAPES])
    return DetectedFace(box, float(told.get("score", 1.0)), points, presence, blendshapes)


def _depth(told: Mapping, plane: np.ndarray) -> np.ndarray:
    """z [478] of a face in the pixels of its `plane` [478, 2], towards the viewer; flat where they do not tell it."""
    solid = np.asarray(told.get("landmarks_3d", ()), dtype=np.float32)
    if solid.shape != (POINTS, 3) or not np.isfinite(solid).all():
        return np.zeros(POINTS, np.float32)
    return -solid[:, 2] * np.ptp(plane, 0).max() / max(float(np.ptp(solid[:, :2], 0).max()), 1e-6)
