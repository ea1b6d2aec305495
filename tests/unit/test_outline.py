"""The background's picture is led to the outline of the new face, and stays where nothing is repainted."""

import pytest
import torch

from diffsfsr.modules.warp.masks import grow
from diffsfsr.modules.warp.outline import warp_surroundings
from tests.unit.faces import moved


def scaled(face, share):
    """The face that many times as wide."""
    points = face.points.clone()
    points[:, 0] = 128 + share * (points[:, 0] - 128)
    return moved(face, points)


def places(share, face):
    """A picture whose values say where they were (x and y in shares of its side), led to a face of another width."""
    new = scaled(face, share)
    mask = grow((face.covered | new.covered).float()[None, None], 9)[0, 0]
    x = ((torch.arange(256) + 0.5) / 256).expand(256, 256)
    picture = torch.stack([x, x.T, torch.zeros_like(x)])
    made = warp_surroundings(picture, (~face.covered).float(), face.points, new, mask)
    return picture, mask, made, new.points


def test_a_face_of_the_same_outline_moves_nothing(face):
    picture, mask, made, _ = places(1.0, face)
    torch.testing.assert_close(made.image, picture, atol=1e-4, rtol=0)
    assert made.keep_mask[mask == 0].min() == 1


@pytest.mark.parametrize("share", [0.75, 1.0, 1.25])
def test_outside_the_mask_every_bit_stays(face, share):
    picture, mask, made, _ = places(share, face)
    assert torch.equal(made.image[:, mask == 0], picture[:, mask == 0])


@pytest.mark.parametrize("share", [0.85, 1.15])
def test_beside_the_new_outline_is_what_was_beside_the_old_one(face, share):
    _, _, made, new = places(share, face)
    for cheek, way in ((234, -1), (454, 1)):  # the mesh's ends at the ears
        y, x = int(new[cheek, 1]), int(new[cheek, 0])
        beside = made.image[0, y, x + 3 * way] * 256
        assert 1 < way * (beside - face.points[cheek, 0]) < 9
        assert made.keep_mask[y, x + 5 * way] > 0.9 and made.keep_mask[y, x - 4 * way] < 0.1


@pytest.mark.parametrize("share", [0.85, 1.15])
def test_hardly_anything_is_folded(face, share):
    """Along each row places follow each other as they did, but for a pixel where the face begins."""
    _, mask, made, _ = places(share, face)
    steps = (made.image[0].diff(dim=1) * 256)[mask[:, 1:] > 0]
    assert steps.min() > -1 and (steps < 0).float().mean() < 0.03
