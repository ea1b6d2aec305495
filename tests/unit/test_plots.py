"""Curves of the documentation: a picture, or an error that says what is missing."""

import pytest
from PIL import Image

from evaluation.media.plots import lines


def colours(path) -> int:
    with Image.open(path) as picture:
        return len(set(picture.convert("RGB").resize((200, 125)).get_flattened_data()))


def test_a_picture_of_two_curves(tmp_path):
    x = [1, 2, 4]
    lines(tmp_path / "new" / "one.png", {"a": (x, [3.0, 2.0, 1.0])}, "x", "y")
    lines(tmp_path / "two.png", {"a": (x, [3.0, 2.0, 1.0]), "b": (x, [1.0, 2.0, 4.0], [0.5, 1.0, 3.0], [2.0, 3.0, 5.0])},
          "x", "y", "both", logx=True, logy=True)  # fmt: skip
    assert colours(tmp_path / "two.png") > colours(tmp_path / "new" / "one.png") > 2


def test_nothing_to_draw_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="nothing to draw in .*none.png"):
        lines(tmp_path / "none.png", {}, "x", "y")
    with pytest.raises(ValueError):
        lines(tmp_path / "uneven.png", {"a": ([1, 2], [1.0])}, "x", "y")
