"""Finds faces and measures them: 478 points and 52 blendshapes, as MediaPipe's face landmarker does for stills.

Stages: letterbox to 128 -> detector -> weighted non-maximum suppression -> square of 1.5 boxes, turned until the eyes
are level -> mesh at 256 -> blendshapes from the points in picture coordinates. Sources: MediaPipe's
face_detector_graph.cc, face_landmarks_detector_graph.cc, face_blendshapes_graph.cc. Ours: the search windows for
tight, small and turned faces, and the second look at doubtful ones.

Coordinates are continuous pixels: the picture's corner is (0, 0), the first pixel's centre (.5, .5).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from .detector import OVERLAP, SMALL, Windows, detect, overlap, search_windows
from .picture import MAX_STEP, Picture, window_matrix

MESH_SIZE = 256
MIN_PRESENCE, SURE_PRESENCE = 0.5, 0.9
LOOKS, DOUBTFUL_PRESENCE = 3, 0.05  # a mesh with this presence is tried again from where it lies
# A detection below this score, or tilted more, is compared with the same place turned by quarters; the gain that
# counts. Of 560 upright portraits one is taken for a turned one; of 12 turned by quarters none is missed.
DOUBTFUL_SCORE, TILT, TURN_GAIN = 0.85, math.radians(30), 0.03
TURN_WINDOW = 2.5  # side of the window for that comparison over the side of the box
# A doubtful face is measured again as a mirror shows it. Distance of the two meshes, in shares of the face, by which it counts
# a third as much: of 48 real ones in bad light, covered, turned or of 40 to 90 pixels all but one differ by .003 to .021; of
# 111 false finds in pictures of things the median differs by .09.
UNLIKE = 0.05
CLEAR, FALSE = 0.6, 0.35  # certainty from which on a face is clear, and below which it is none
CROP_SCALE = 1.5  # side of the mesh square over the longer side of the box
# In the aligned frame of side 1 (eyes at (.375, .4727) and (.625, .4727), mouth at (.5, .75)): centre and side of the
# square the detector's box leads to; medians over 175 aligned synthetic portraits.
ALIGNED_CENTRE, ALIGNED_SIDE = (0.5, 0.62), 0.96

# fmt: off
BLENDSHAPE_POINTS = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153,
    154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251,
    263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318,
    321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
)
# fmt: on


@dataclass
class DetectedFace:
    """One face of a picture.

    box          (x0, y0, x1, y1) of the detector, pixels; may leave the picture
    score        the detector's, 0..1
    points       [478,3] float32: x, y in pixels, z in the same unit, towards the viewer (the network has it away)
    presence     the mesh network's, 0..1
    blendshapes  [52] float32 in 0..1, in the order of `labels.BLENDSHAPES`
    certainty    0..1, that it is a face at all: the score, and for a doubtful one what a second look says
    """

    box: tuple
    score: float
    points: torch.Tensor
    presence: float
    blendshapes: torch.Tensor
    certainty: float = 1.0

    @property
    def clear(self):
        """Whether it is surely a face."""
        return self.certainty >= CLEAR

    @property
    def size(self):
        """Longer side of the points' extent, pixels (steadier than the box, which grows for faces far away)."""
        outline = self.points[:468, :2]
        return float((outline.amax(0) - outline.amin(0)).max())

    @property
    def centre(self):
        """Middle of the box, pixels."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


@torch.no_grad()
def find_faces(networks, image, max_faces=16):
    """Every face of a picture: the clear ones, then the doubtful ones, each largest first.

    networks: FaceNetworks; image: [H,W,3] float 0..1 RGB, any size and device -> list of Face on the CPU; [] when none.
    The search stops at the first round that shows a clear face large enough for its windows (see `search_windows`).
    """
    height, width = image.shape[:2]
    if min(height, width) < 8 or max_faces < 1:  # no face can be made out
        return []
    picture = Picture(image, networks.triangles.device)
    seen, real = [], []
    for windows in search_windows(height, width):
        if windows.only_if_none and real:
            continue
        found = detect(networks, picture, windows)
        found = found[np.argsort(-found[:, 0], kind="stable")]
        looked = [_looked_at(networks, picture, face) for face in _measure(networks, picture, found[: 2 * max_faces])]
        seen = _merge(seen + looked)
        real = [face for face in seen if face.certainty >= FALSE]
        if any(face.clear and face.size >= SMALL * windows.side for face in real):
            break
    return sorted(real, key=lambda face: (not face.clear, -face.size))[:max_faces]


def landmarks_in_crop(networks, crops):
    """The same measures for pictures that are aligned face crops already, without detection; differentiable.

    crops: [B,3,S,S] float 0..1 RGB in our aligned frame (for S = 256: eyes at (96, 121) and (160, 121), mouth at
    (128, 192)) -> points [B,478,3] in pixels of the crop, z towards the viewer, presence [B], blendshapes [B,52], both in 0..1.
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
    smooth = side > MAX_STEP * MESH_SIZE
    square = F.interpolate(square.float(), MESH_SIZE, mode="bilinear", align_corners=False, antialias=smooth)
    points, presence = networks.mesh(square)
    points = points * (points.new_tensor([1, 1, -1]) * side / MESH_SIZE) + points.new_tensor([left, top, 0])
    return points, torch.sigmoid(presence), networks.blendshapes(points[:, BLENDSHAPE_POINTS, :2])


def _measure(networks, picture, rows):
    """Mesh and blendshapes of detections [n,17] -> list of Face; those the mesh network does not see are dropped.

    Good squares are measured once, as in the original: a second pass on the mesh's own extent moves the points away
    from it (.27 to .50 % of the face width). Doubtful ones get that second look, which saves turned heads.
    """
    faces, windows = {}, {i: _window_of_box(row) for i, row in enumerate(rows)}
    for _ in range(LOOKS):
        if not windows:
            break
        measured = zip(windows, *_mesh(networks, picture, list(windows.values())), strict=True)
        windows = {}
        for i, points, presence, blendshapes in measured:
            if presence >= MIN_PRESENCE:
                score, *box = map(float, rows[i, :5])
                faces[i] = DetectedFace(tuple(box), score, points.float(), float(presence), blendshapes)
            elif presence >= DOUBTFUL_PRESENCE:
                windows[i] = _window_of_points(points.numpy())
    return [faces[i] for i in sorted(faces)]


def _looked_at(networks, picture, face):
    """The face with its certainty, or a better measure of it if it lies on its side or upside down."""
    (right, left), doubtful = face.points[[33, 263], :2], face.score < DOUBTFUL_SCORE
    tilt = math.atan2(float(left[1] - right[1]), float(left[0] - right[0]))
    best = face.score
    if doubtful or abs(tilt) > TILT:
        face, best = _upright(networks, picture, face)
    if doubtful or face.presence < SURE_PRESENCE:
        best *= _like_its_mirror(networks, picture, face)
    face.certainty = float(best)
    return face


def _upright(networks, picture, face):
    """The face turned as the detector scores it best, and that score.

    The detector often sees a turned face all the same, but guesses its eyes wrongly; its score tells the right turn.
    """
    box, near = np.array(face.box), []
    for quarter in range(4):
        window = Windows([(*face.centre, TURN_WINDOW * face.size, quarter * math.pi / 2)])
        near += [(row[0], quarter, row) for row in detect(networks, picture, window)
                 if overlap(box, row[None, 1:5])[0] > OVERLAP]  # fmt: skip
    best, quarter, row = max(near, key=lambda item: item[0], default=(0, 0, None))
    score = max([face.score, *(item[0] for item in near if item[1] == 0)])
    better = _measure(networks, picture, row[None]) if quarter and best > score + TURN_GAIN else []
    return (better[0], best) if better else (face, score)


def _like_its_mirror(networks, picture, face):
    """0..1: how far the mesh network says the same of a face and of its mirror image. What is no face is seen as another face,
    or as none, by each."""
    square = picture.sample(*_window_of_points(face.points.double().numpy()), MESH_SIZE)
    points, presence = networks.mesh(torch.stack([square, square.flip(-1)]))
    one, other = points[..., :2]
    other = other[networks.mirror] * other.new_tensor([-1, 1]) + other.new_tensor([MESH_SIZE, 0])
    apart = (one - other)[:468].norm(dim=1).median() / (MESH_SIZE / CROP_SCALE)
    return float(torch.sigmoid(presence).min() * torch.exp(-((apart / UNLIKE) ** 2)))


def _mesh(networks, picture, windows):
    """Windows -> points [n,478,3] float64 in picture pixels, presence [n] 0..1, blendshapes [n,52]; all on the CPU."""
    squares = torch.stack([picture.sample(*window, MESH_SIZE) for window in windows])
    local, presence = networks.mesh(squares)
    local = local.cpu().double()
    matrices = torch.from_numpy(np.stack([window_matrix(*window, MESH_SIZE) for window in windows]))
    plane = local[..., :2] @ matrices[:, :, :2].mT + matrices[:, None, :, 2]
    depth = -local[..., 2:] * torch.tensor([window[2] / MESH_SIZE for window in windows])[:, None, None]
    # Shift and scale mean nothing to the blendshape network: relative points keep float32 exact in huge pictures.
    relative = (plane - plane.mean(1, keepdim=True))[:, BLENDSHAPE_POINTS].float()
    blendshapes = networks.blendshapes(relative.to(networks.triangles.device)).cpu()
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
    """One Face per person: of those whose meshes cover each other, the one with the best score stays.

    A face scores best in the window that shows it whole and large, and there its box is most exact.
    """
    kept, boxes = [], []
    for face in sorted(faces, key=lambda face: -face.score):
        box = torch.cat([face.points[:468, :2].amin(0), face.points[:468, :2].amax(0)]).numpy()
        if not boxes or not (overlap(box, np.array(boxes)) > OVERLAP).any():
            kept.append(face)
            boxes.append(box)
    return kept
