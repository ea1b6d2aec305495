"""Finds faces and measures them: 478 points and 52 blendshapes, as MediaPipe's face landmarker does for still pictures.

Stages: letterbox to 128 -> detector -> weighted non-maximum suppression -> square of 1.5 boxes, turned until the eyes are
level -> mesh at 256 -> blendshapes from the points in picture coordinates. Sources: MediaPipe's face_detector_graph.cc,
face_landmarks_detector_graph.cc and face_blendshapes_graph.cc. Ours: the search windows for tight, small and turned faces.

Coordinates are continuous pixels: the picture's corner is (0, 0), the first pixel's centre (.5, .5).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from .picture import Picture, window_matrix
from .windows import SMALL, search_windows

DETECTOR_SIZE, MESH_SIZE = 128, 256
MIN_SCORE, MIN_PRESENCE = 0.5, 0.5
LOOKS, DOUBTFUL_PRESENCE = 3, 0.05  # a mesh with this presence is tried again from where it lies
OVERLAP = 0.3  # intersection over union above which two boxes show one face
CROP_SCALE = 1.5  # side of the mesh square over the longer side of the box
# In the aligned frame of side 1 (eyes at (.375, .4727) and (.625, .4727), mouth at (.5, .75)): centre and side of the
# square the detector's box leads to; medians over 175 aligned synthetic portraits.
ALIGNED_CENTRE, ALIGNED_SIDE = (0.5, 0.62), 0.96

# fmt: off
BLENDSHAPE_POINTS = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80, 81,
    82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153, 154, 155,
    157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267,
    269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323,
    324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387, 388,
    389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
)
BLENDSHAPE_NAMES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight",
)
# fmt: on


@dataclass
class Face:
    """One face of a picture.

    box          (x0, y0, x1, y1) of the detector, pixels; may leave the picture
    score        the detector's, 0..1
    points       [478,3] float32: x, y in pixels, z in the same unit (smaller is nearer)
    presence     the mesh network's, 0..1
    blendshapes  [52] float32 in 0..1, in the order of BLENDSHAPE_NAMES
    """

    box: tuple
    score: float
    points: torch.Tensor
    presence: float
    blendshapes: torch.Tensor

    @property
    def size(self):
        """Longer side of the box, pixels."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])

    @property
    def centre(self):
        """Middle of the box, pixels."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


@torch.no_grad()
def find_faces(networks, image, max_faces=16):
    """Every face of a picture, largest first.

    networks: FaceNetworks; image: [H,W,3] float 0..1 RGB, any size and device -> list of Face on the CPU; [] when none.
    The search stops at the first round that shows a face large enough for its windows (see `search_windows`).
    """
    height, width = image.shape[:2]
    if min(height, width) < 8 or max_faces < 1:  # no face can be made out
        return []
    picture = Picture(image, networks.device)
    faces = []
    for windows in search_windows(height, width):
        if windows.only_if_none and faces:
            continue
        found = _detect(networks, picture, windows)
        faces = _merge(faces + _measure(networks, picture, found[: 2 * max_faces]))
        if faces and max(face.size for face in faces) >= SMALL * windows.side:
            break
    return sorted(faces, key=lambda face: -face.size)[:max_faces]


def landmarks_in_crop(networks, crops):
    """The same measures for pictures that are aligned face crops already, without detection; differentiable.

    crops: [B,3,S,S] float 0..1 RGB in our aligned frame (for S = 256: eyes at (96, 121) and (160, 121), mouth at
    (128, 192)) -> points [B,478,3] in pixels of the crop, presence [B] in 0..1, blendshapes [B,52] in 0..1.
    """
    size = crops.shape[-1]
    side = max(1, round(ALIGNED_SIDE * size))
    left, top = (round(c * size - side / 2) for c in ALIGNED_CENTRE)
    outside = [max(0, -left), max(0, left + side - size), max(0, -top), max(0, top + side - size)]
    if any(outside):
        crops = F.pad(crops, outside, mode="replicate")
    x0, y0 = left + outside[0], top + outside[2]
    square = crops[:, :, y0 : y0 + side, x0 : x0 + side]
    # Enlarged or reduced as `Picture.sample` does it, but with plain slicing: much cheaper than a sampling grid.
    square = F.interpolate(square.float(), MESH_SIZE, mode="bilinear", align_corners=False, antialias=side > 3 * MESH_SIZE)
    points, presence = networks.mesh(square)
    points = points * (side / MESH_SIZE) + points.new_tensor([left, top, 0])
    return points, torch.sigmoid(presence), networks.blendshapes(points[:, BLENDSHAPE_POINTS, :2])


def _anchors():
    """[896,2] cell centres in 0..1: 16x16 cells with 2 anchors each, then 8x8 with 6."""
    cells = [((x + 0.5) / n, (y + 0.5) / n) for n, per in ((16, 2), (8, 6)) for y in range(n) for x in range(n)
             for _ in range(per)]  # fmt: skip
    return np.array(cells)


ANCHORS = _anchors()


def _detect(networks, picture, windows):
    """One detector pass per window -> rows [n,17], best first: score, box (x0, y0, x1, y1), six points (x, y); pixels."""
    pixels = torch.stack([_letterbox(picture, *window) for window in windows])
    regressors, logits = networks.detector(pixels * 2 - 1)
    scores = torch.sigmoid(logits.clamp(-100, 100)).cpu().double().numpy()
    values = regressors.cpu().double().numpy() / DETECTOR_SIZE
    rows = [np.zeros((0, 17))]
    for window, score, value in zip(windows, scores, values, strict=True):
        keep = score >= MIN_SCORE
        found = weighted_suppression(_decode(window, score[keep], value[keep], ANCHORS[keep]))
        rows.append(found[np.argsort(-found[:, 0] * _whole(window, found, picture))])
    rows = np.concatenate(rows)
    return _distinct(rows) if len(windows) > 1 else rows


def _letterbox(picture, cx, cy, side, angle):
    """A window as MediaPipe's detector gets it -> [3,128,128]: read at the corner of each cell, not at its centre.

    The boxes carry that shift; repeating it makes the mesh squares, and so the blendshapes, those of the original.
    """
    shift = 0.5 - side / DETECTOR_SIZE / 2
    return picture.sample(cx + shift, cy + shift, side, angle, DETECTOR_SIZE, black=True)


def _decode(window, score, value, anchors):
    """Network values [n,16] of one window -> rows [n,17] in picture pixels."""
    cx, cy, side, angle = window
    matrix = window_matrix(cx, cy, side, angle, 1)
    centre = (value[:, :2] + anchors) @ matrix[:, :2].T + matrix[:, 2]
    extent = value[:, 2:4] @ np.abs(matrix[:, :2]).T  # windows are turned by quarters only
    points = (value[:, 4:].reshape(-1, 6, 2) + anchors[:, None]) @ matrix[:, :2].T + matrix[:, 2]
    return np.column_stack([score, centre - extent / 2, centre + extent / 2, points.reshape(-1, 12)])


def weighted_suppression(rows):
    """Boxes that overlap the best one become one row, averaged by score; the score stays the best one's.

    rows: [n,17] as in `_detect` -> [m,17], best first (MediaPipe's NonMaxSuppressionCalculator, WEIGHTED).
    """
    rows, kept = rows[np.argsort(-rows[:, 0], kind="stable")], []
    while len(rows):
        near = _overlap(rows[0, 1:5], rows[:, 1:5]) > OVERLAP
        near[0] = True
        mean = np.average(rows[near], axis=0, weights=rows[near, 0])
        mean[0] = rows[0, 0]
        kept.append(mean)
        rows = rows[~near]
    return np.array(kept).reshape(-1, 17)


def _overlap(box, boxes):
    """Intersection over union of box [4] with boxes [n,4] -> [n]."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    area = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return common / np.maximum(area - common, 1e-9)


def _whole(window, rows, picture):
    """[n] 1, or .5 for boxes cut by an edge of the window inside the picture: another window may hold them whole."""
    cx, cy, side, _ = window
    low = np.array([cx, cy]) - side / 2
    high = low + side
    low[low <= 0], high[high >= [picture.width, picture.height]] = -np.inf, np.inf
    cut = (rows[:, 1:3] < low).any(1) | (rows[:, 3:5] > high).any(1)
    return np.where(cut, 0.5, 1.0)


def _distinct(rows):
    """The rows of several windows without repeats: plain suppression, first come first kept."""
    kept = []
    for row in rows:
        if not kept or not (_overlap(row[1:5], np.array(kept)[:, 1:5]) > OVERLAP).any():
            kept.append(row)
    return np.array(kept).reshape(-1, 17)


def _measure(networks, picture, rows):
    """Mesh and blendshapes of detections [n,17] -> list of Face; those the mesh network does not see are dropped.

    Good squares are measured once, as in the original: a second pass on the mesh's own extent moves the points away from
    it (.27 to .50 % of the face width). Doubtful ones get that second look, which saves turned heads.
    """
    faces, windows, rows = [], [_window_of_box(row) for row in rows], list(rows)
    for _ in range(LOOKS):
        if not rows:
            break
        points, presence, blendshapes = _mesh(networks, picture, windows)
        doubtful = []
        for row, window_points, seen, shapes in zip(rows, points, presence.tolist(), blendshapes, strict=True):
            if seen >= MIN_PRESENCE:
                faces.append(Face(tuple(map(float, row[1:5])), float(row[0]), window_points.float(), seen, shapes))
            elif seen >= DOUBTFUL_PRESENCE:
                doubtful.append((row, _window_of_points(window_points.numpy())))
        rows, windows = [row for row, _ in doubtful], [window for _, window in doubtful]
    return sorted(faces, key=lambda face: -face.score)


def _mesh(networks, picture, windows):
    """Windows -> points [n,478,3] float64 in picture pixels, presence [n] 0..1, blendshapes [n,52]; all on the CPU."""
    squares = torch.stack([picture.sample(*window, MESH_SIZE) for window in windows])
    local, presence = networks.mesh(squares)
    local = local.cpu().double()
    matrices = torch.from_numpy(np.stack([window_matrix(*window, MESH_SIZE) for window in windows]))
    plane = local[..., :2] @ matrices[:, :, :2].mT + matrices[:, None, :, 2]
    depth = local[..., 2:] * torch.tensor([window[2] / MESH_SIZE for window in windows])[:, None, None]
    # Shift and scale mean nothing to the blendshape network: relative points keep float32 exact in huge pictures.
    relative = (plane - plane.mean(1, keepdim=True))[:, BLENDSHAPE_POINTS].float()
    blendshapes = networks.blendshapes(relative.to(networks.device)).cpu()
    return torch.cat([plane, depth], -1), torch.sigmoid(presence).cpu(), blendshapes


def _window_of_box(row):
    """The mesh square of a detection [17]: 1.5 boxes around its middle, the line between the eyes level."""
    x0, y0, x1, y1, right_x, right_y, left_x, left_y = row[1:9]
    angle = math.atan2(left_y - right_y, left_x - right_x)
    return (x0 + x1) / 2, (y0 + y1) / 2, CROP_SCALE * max(x1 - x0, y1 - y0), angle


def _window_of_points(points):
    """The mesh square of points [478,3]: 1.5 times their extent, the line between the outer eye corners level."""
    angle = math.atan2(*(points[263, :2] - points[33, :2])[::-1])
    turn = window_matrix(0, 0, 1, angle, 1)[:, :2]
    level = points[:468, :2] @ turn
    low, high = level.min(0), level.max(0)
    return (*(turn @ ((low + high) / 2)), CROP_SCALE * (high - low).max(), angle)


def _merge(faces):
    """One Face per person: of those whose meshes cover each other, the first one found stays."""
    kept, boxes = [], []
    for face in faces:
        box = torch.cat([face.points[:468, :2].amin(0), face.points[:468, :2].amax(0)]).numpy()
        if not boxes or not (_overlap(box, np.array(boxes)) > OVERLAP).any():
            kept.append(face)
            boxes.append(box)
    return kept
