"""Where faces are looked for, what of overlapping finds is kept, and which face is meant: no network takes part."""

import numpy as np
import pytest
import torch

from diffsfsr.modules.errors import DiffSFSRError, at
from diffsfsr.modules.faces import selection
from diffsfsr.modules.faces.detector import search_windows, weighted_suppression
from diffsfsr.modules.faces.landmarker import DetectedFace


def test_search_covers_the_picture():
    for height, width in ((512, 512), (300, 1400), (2000, 500)):
        for windows in search_windows(height, width):
            half = windows.side / 2
            assert min(w[0] for w in windows) - half <= 0.01 and max(w[0] for w in windows) + half >= width - 0.01
            assert min(w[1] for w in windows) - half <= 0.01 and max(w[1] for w in windows) + half >= height - 0.01
            columns = sorted({w[0] for w in windows})
            assert all(b - a <= windows.side for a, b in zip(columns, columns[1:], strict=False))


def test_weighted_suppression_averages_what_overlaps():
    rows = np.zeros((3, 17))
    rows[:, 0] = 0.9, 0.6, 0.8
    rows[:, 1:5] = [[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]]
    kept = weighted_suppression(rows)
    assert kept[:, 0].tolist() == [0.9, 0.8]
    np.testing.assert_allclose(kept[0, 1:5], [0.4, 0, 10.4, 10])


def box_face(x0, y0, x1, y1):
    points = torch.tensor([x0, y0, 0.0]) + torch.rand(478, 3) * (x1 - x0)
    points[0, :2], points[1, :2] = torch.tensor([x0, y0]), torch.tensor([x1, y1])
    return DetectedFace((x0, y0, x1, y1), 0.9, points, 1.0, torch.zeros(52))


def test_choice_by_rule():
    faces = [box_face(0, 0, 50, 50), box_face(45, 45, 60, 60)]
    assert selection.choose_face(faces, "largest") is faces[0]
    assert selection.choose_face(faces, "most central", size=(100, 100)) is faces[1]
    assert selection.choose_face(faces, "index", 1) is faces[1]


@pytest.mark.parametrize("rule", ["largest", "most central"])
def test_clear_faces_come_before_large_and_central_ones(rule):
    doubtful, clear = box_face(20, 20, 80, 80), box_face(0, 0, 30, 30)
    doubtful.certainty = 0.5
    assert selection.choose_face([doubtful, clear], rule, size=(100, 100)) is clear
    assert selection.choose_face([doubtful], rule, size=(100, 100)) is doubtful


def test_choice_that_fails_tells_what_is_there():
    faces = [box_face(0, 0, 50, 50), box_face(45, 45, 60, 60)]
    for index in (2, -1):
        with pytest.raises(DiffSFSRError) as error, at("Identity Encoder", "image 3"):
            selection.choose_face(faces, "index", index)
        message = str(error.value)
        assert message.startswith("Identity Encoder, image 3: ") and "50 px (score 0.90)" in message and "0 to 1" in message
    with pytest.raises(DiffSFSRError, match="No face was found in the picture of 640 x 480 pixels"):
        selection.choose_face([], size=(480, 640))
    with pytest.raises(DiffSFSRError, match="largest, most central, index"):
        selection.choose_face(faces, "nearest")
