"""The blind sheet: every pair once, both sides in use, and a key that says which is which."""

import csv

import pytest
from PIL import Image

GREY = {"draft": 60, "head": 200}  # so that a page tells what stands where


@pytest.fixture
def pictures(comfy, tmp_path):
    """Plain pictures as `evaluate` names them, of sixteen pairs."""
    from diffsfsr.evaluation.metrics.protocol import LABELS

    pairs = [(f"a{k}", f"b{k}") for k in range(16)]
    for selfie, background in pairs:
        for k, (word, _) in enumerate(LABELS):
            for kind, grey in GREY.items():
                Image.new("L", (32, 32), grey).convert("RGB").save(tmp_path / f"{selfie}_{background}_{k}_{word}_{kind}.jpg")
    return pairs, tmp_path


def test_the_key_is_that_of_the_pages(pictures, tmp_path):
    from diffsfsr.evaluation.studies import blind

    pairs, folder = pictures
    blind.write(pairs, folder, tmp_path / "out", seed=0)
    rows = list(csv.DictReader((tmp_path / "out" / "key.csv").open()))
    assert [int(row["number"]) for row in rows] == list(range(1, 61))
    assert len({(row["selfie"], row["word"]) for row in rows}) == 60
    assert 15 < sum(row["result"] == "left" for row in rows) < 45
    assert {row["open"] for row in rows} == {"True", "False"}
    side, tile = blind.SIDE, blind.SIDE + 20
    for place, row in enumerate(rows[: blind.PAGE]):
        with Image.open(tmp_path / "out" / "blind_1.png") as page:
            x, y = place % 2 * 2 * side, place // 2 * tile
            left, right = (page.getpixel((x + at + side // 2, y + side // 2))[0] for at in (0, side))
        assert (left > right) == (row["result"] == "left")


def test_another_seed_is_another_order(comfy):
    from diffsfsr.evaluation.studies.blind import order

    assert order(60, 0) == order(60, 0) != order(60, 1)
