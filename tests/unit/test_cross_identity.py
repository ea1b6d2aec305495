"""Pairs in another person's place: what of the target is believed."""

import pytest
import torch

from diffsfsr.modules.warp.coarse import BackgroundFace, face_mask
from diffsfsr.modules.warp.masks import grow
from diffsfsr.modules.warp.mouth import MOUTH
from diffsfsr.training.cross_identity import RIM, cross_pictures
from diffsfsr.training.drafts import drawn

SKIN, OTHER, BEHIND = (0.80, 0.62, 0.52), (0.45, 0.30, 0.24), (0.2, 0.4, 0.6)


@pytest.fixture(scope="module")
def made(face, shape):
    """The pictures for a plain face in a darker one's place, that one, and the mask."""
    plain = lambda skin: torch.where(face.covered, torch.tensor(skin)[:, None, None], torch.tensor(BEHIND)[:, None, None])  # noqa: E731
    own, there = (shape.face(plain(skin), face.points, torch.zeros(52)) for skin in (SKIN, OTHER))
    background = BackgroundFace.of(there, face.topology)
    mask = face_mask(background, face, 9.0)
    still = torch.zeros(len(shape.basis))
    pictures = cross_pictures(shape, own, background, face, mask, still)
    return {**pictures, "warp": drawn(shape, own, background, face, mask, still, colour=0.7)}, there, mask


def test_outside_the_mask_it_is_the_other_persons_picture(made):
    pictures, there, mask = made
    for name in ("target", "warp"):
        assert torch.equal(pictures[name][:, mask == 0], there.image[:, mask == 0])
    assert pictures["doubtful"][mask == 0].max() == 0


def test_the_middle_of_the_face_is_believed_and_rim_and_mouth_are_not(made, face):
    pictures, _, mask = made
    doubtful, mouth, covered = pictures["doubtful"], MOUTH.inside(face), face.covered.float()[None, None]
    inner = grow(covered, -RIM - 1)[0, 0] * (1 - grow(mouth[None, None], 1)[0, 0]) > 0
    assert inner.sum() > 3000 and doubtful[inner].max() == 0
    rim = (mask * (1 - grow(covered, -RIM + 2)[0, 0])) > 0
    assert doubtful[rim].min() == 1
    assert doubtful[mouth > 0].min() == 1


def test_the_targets_colour_lies_between_the_two_faces(made, face):
    """Its colours go most of the way to the other face, by the same share as in the nodes."""
    pictures, _, _ = made
    x, y = face.points[50, :2].int().tolist()  # a cheek
    cheek = pictures["target"][:, y, x]
    assert (cheek - torch.tensor(OTHER)).abs().max() < 0.25
    assert (cheek - torch.tensor(OTHER)).abs().max() > 0.02
