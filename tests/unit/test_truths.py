"""Pairs of true expressions: who is left out, what the target is, and what a mirror shows."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from diffsfsr.modules.faces.landmarker import find_faces
from diffsfsr.modules.faces.networks import FaceNetworks
from diffsfsr.training.movement import NEUTRAL
from diffsfsr.training.samples import FIRST
from diffsfsr.training.truths import HELD_OUT, TruthMaker, read_pictures
from tests.unit.faces import MODEL


@pytest.fixture(scope="module")
def shown(shape, tmp_path_factory):
    """A folder as `expressions/` is: a woman in two tones, and the same for somebody who is held out; and how it is read."""
    from skimage.data import astronaut

    folder, networks, picture = tmp_path_factory.mktemp("expressions"), FaceNetworks.load(MODEL), astronaut()
    points = find_faces(networks, torch.from_numpy(picture).float() / 255)[0].points[:468, :2]
    box, rows = [*points.amin(0).tolist(), *points.amax(0).tolist()], []
    for person in ("P001", HELD_OUT[0]):
        for label, tone in ((NEUTRAL, 1.0), ("Happy", 0.8)):
            file = f"{person}_{label}.png"
            Image.fromarray((picture * tone).astype(np.uint8)).save(folder / file)
            rows.append({"person": person, "label": label, "file": file, "cell": [0, 0, 512, 512], "face": box, "hand": False})
    (folder / "expressions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return read_pictures(folder, shape, networks), networks


def test_people_for_the_comparison_are_left_out(shown):
    assert {(one.person, one.label) for one in shown[0]} == {("P001", NEUTRAL), ("P001", "Happy")}


def test_each_picture_is_the_target_of_the_other_and_nothing_of_it_is_drawn(shown, shape):
    faces, networks = shown
    maker = TruthMaker(faces, networks, shape)
    plain, mirrored = maker.pairs(False, 0.0, 0), maker.pairs(True, 0.0, 0)
    assert len(plain) == len(mirrored) == 2
    assert maker.pairs(False, 0.0, 0)[0]["worn"].equal(plain[0]["worn"])
    for (_, aim), row, other in zip(maker.couples(), plain, mirrored, strict=True):
        picture = (aim.face.image * 255).round().byte()
        assert row["target"].equal(picture) and other["target"].equal(picture.flip(-1))
        assert row["painted"].max() == 0 and row["person"] >= FIRST and not row["synthetic"]
        outside = row["mask"] == 0
        for guide in ("warp", "worn"):
            assert (row[guide].int() - picture.int()).abs()[:, outside].max() <= 1
            assert (row[guide].int() - picture.int()).abs()[:, ~outside].float().mean() > 1
        assert (row["warp"].int() - row["worn"].int()).abs().float().mean() > 0.1
