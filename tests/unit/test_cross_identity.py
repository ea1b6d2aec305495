"""Pairs in another person's place: what of the target is believed."""

from pathlib import Path

import numpy as np
import pytest
import torch

from diffsfsr.modules.faces.networks import FaceNetworks
from diffsfsr.modules.warp.coarse import Face, face_mask
from diffsfsr.modules.warp.masks import grow, silhouette
from diffsfsr.modules.warp.mesh import Mesh, rasterise
from diffsfsr.modules.warp.mouth import MOUTH
from diffsfsr.training.cross_identity import RIM, cross_pictures

MODEL = Path(__file__).resolve().parents[2] / "weights" / "face_landmarker.safetensors"
SKIN, OTHER, BEHIND = (0.80, 0.62, 0.52), (0.45, 0.30, 0.24), (0.2, 0.4, 0.6)


@pytest.fixture(scope="module")
def made():
    """The pictures for a plain face in a darker one's place, with what they were made from."""
    networks = FaceNetworks.load(MODEL)
    points = (networks.vertices * torch.tensor([1.0, -1.0, 1.0]) - networks.vertices.mean(0)) * 9
    points = torch.cat([points, points[:10]]) + torch.tensor([128.0, 140.0, 0.0])
    covered = silhouette(points, networks.triangles, 256)
    plain = lambda skin: torch.where(covered[None] > 0, torch.tensor(skin)[:, None, None], torch.tensor(BEHIND)[:, None, None])  # noqa: E731
    own, there = (Face(plain(skin), points, torch.zeros(52)) for skin in (SKIN, OTHER))
    placed = Mesh.of(points, networks.triangles, 256)
    mask = face_mask(there, placed, networks.triangles, 9.0)
    rng = np.random.default_rng(0)
    return cross_pictures(own, own, there, placed, mask, networks.triangles, None, rng), there, mask, points, networks.triangles


def test_outside_the_mask_it_is_the_other_persons_picture(made):
    pictures, there, mask, _, _ = made
    for name in ("target", "warp"):
        assert torch.equal(pictures[name][:, mask == 0], there.image[:, mask == 0])
    assert pictures["doubtful"][mask == 0].max() == 0


def test_the_middle_of_the_face_is_believed_and_rim_and_mouth_are_not(made):
    pictures, _, mask, points, triangles = made
    doubtful = pictures["doubtful"]
    index, _ = rasterise(points[:468], triangles, 256)
    face = (index >= 0).float()[None, None]
    inner = grow(face, -RIM - 1)[0, 0] * (1 - grow(MOUTH.inside(index, triangles)[None, None], 1)[0, 0]) > 0
    assert inner.sum() > 3000 and doubtful[inner].max() == 0
    rim = (mask * (1 - grow(face, -RIM + 2)[0, 0])) > 0
    assert doubtful[rim].min() == 1
    assert doubtful[MOUTH.inside(index, triangles) > 0].min() == 1


def test_the_targets_colour_lies_between_the_two_faces(made):
    """Its colours go most of the way to the other face, by the same share as in the nodes."""
    pictures, _, _, points, _ = made
    x, y = points[50, :2].int().tolist()  # a cheek
    cheek = pictures["target"][:, y, x]
    assert (cheek - torch.tensor(OTHER)).abs().max() < 0.25
    assert (cheek - torch.tensor(OTHER)).abs().max() > 0.02
