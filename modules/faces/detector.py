"""Where faces are: MediaPipe's short-range face detector over one or more windows of a picture."""

import math

import numpy as np
import torch

from .picture import window_matrix

DETECTOR_SIZE = 128
MIN_SCORE = 0.5
TOGETHER = 16  # windows that the network is given at once
OVERLAP = 0.3  # intersection over union above which two boxes show one face


def _anchors():
    """[896,2] cell centres in 0..1: 16x16 cells with 2 anchors each, then 8x8 with 6."""
    cells = [((x + 0.5) / n, (y + 0.5) / n) for n, per in ((16, 2), (8, 6)) for y in range(n) for x in range(n)
             for _ in range(per)]  # fmt: skip
    return np.array(cells)


ANCHORS = _anchors()


def detect(networks, picture, windows):
    """One detector pass per window -> rows [n,17] in pixels: score, box (x0, y0, x1, y1), six points (x, y)."""
    parts = (windows[i : i + TOGETHER] for i in range(0, len(windows), TOGETHER))
    rows = np.concatenate([_detect(networks, picture, part) for part in parts])
    return _distinct(rows) if len(windows) > 1 else rows


def _detect(networks, picture, windows):
    """The same for as many windows as fit into memory, a face for each window that shows it."""
    pixels = torch.stack([_letterbox(picture, *window) for window in windows])
    regressors, logits = networks.detector(pixels * 2 - 1)
    scores = torch.sigmoid(logits.clamp(-100, 100)).cpu().double().numpy()
    values = regressors.cpu().double().numpy() / DETECTOR_SIZE
    rows = []
    for window, score, value in zip(windows, scores, values, strict=True):
        keep = score >= MIN_SCORE
        found = weighted_suppression(_decode(window, score[keep], value[keep], ANCHORS[keep]))
        rows.append(found[np.argsort(-found[:, 0] * _whole(window, found, picture))])
    return np.concatenate(rows)


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
        near = overlap(rows[0, 1:5], rows[:, 1:5]) > OVERLAP
        near[0] = True
        mean = np.average(rows[near], axis=0, weights=rows[near, 0])
        mean[0] = rows[0, 0]
        kept.append(mean)
        rows = rows[~near]
    return np.array(kept).reshape(-1, 17)


def overlap(box, boxes):
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
        if not kept or not (overlap(row[1:5], np.array(kept)[:, 1:5]) > OVERLAP).any():
            kept.append(row)
    return np.array(kept).reshape(-1, 17)


# The detector is made for faces that fill a good part of its 128 pixels. A face below this share of its window makes us
# look closer, because others of its size may have been missed.
SMALL = 0.25
LEAST = 0.15  # share of its window from which on nearly every face is found
LEAST_FACE = 40.0  # pixels; below this nothing of the person could be told
MOST = 400  # about how many windows a round has in the largest pictures
BETWEEN = 1.5  # sides of a window to the distance of two: a face of a third of it is whole in one


def finest(height, width):
    """Side in pixels of the smallest windows of a search; larger for very large pictures, so that its time is bounded."""
    return max(LEAST_FACE / LEAST, BETWEEN * math.sqrt(height * width / MOST))


def smallest(height, width):
    """Size in pixels of the smallest faces that a search looks for: 40 up to 12 megapixels, 55 at 24."""
    return LEAST * finest(height, width)


class Windows(tuple):
    """Windows (cx, cy, side, angle) of one round; `side` is theirs, `only_if_none` marks rounds of last resort."""

    def __new__(cls, items, only_if_none=False):
        self = super().__new__(cls, items)
        self.side, self.only_if_none = self[0][2], only_if_none
        return self


def search_windows(height, width):
    """Rounds of windows over a picture of height x width pixels:

    1. the whole picture;
    2. the picture with half its side around it, for tight crops and huge faces;
    3. 2 x 2 and 3 x 3 overlapping tiles, 4 x 4 from 640 pixels on and 6 x 6 from 1024, for small and distant faces;
    4. the same with ever smaller tiles down to `finest`, for small faces in large pictures;
    5. the whole picture turned by quarters, for photos that lie on their side.
    """
    longer, middle = max(height, width), (width / 2, height / 2)
    yield Windows([(*middle, longer, 0.0)])
    yield Windows([(*middle, longer * 2.0, 0.0)], only_if_none=True)
    for count, share, least in ((2, 0.65, 0), (3, 0.45, 0), (4, 0.34, 640), (6, 0.23, 1024)):
        if longer >= least:
            yield Windows(_tiles(height, width, count, longer * share))
    side, least = longer * 0.23, finest(height, width)
    while side > 1.2 * least:
        side = max(side / 2, least)
        yield Windows([(x, y, side, 0.0) for y in _axis(height, side) for x in _axis(width, side)])
    yield Windows([(*middle, longer, k * math.pi / 2) for k in (1, 3, 2)], only_if_none=True)


def _tiles(height, width, count, side):
    """Tiles of one side, spread evenly; an axis shorter than a tile gets one centred tile."""
    xs, ys = ([size / 2] if size <= side else _spread(size, side, count) for size in (width, height))
    return [(x, y, side, 0.0) for y in ys for x in xs]


def _axis(size, side):
    """Tile centres along an axis, `side / BETWEEN` apart or less."""
    return [size / 2] if size <= side else _spread(size, side, 1 + math.ceil((size - side) * BETWEEN / side))


def _spread(size, side, count):
    """`count` tile centres from edge to edge."""
    return [side / 2 + (size - side) * i / (count - 1) for i in range(count)]
