"""The background's picture is led to the outline of the new face, and stays where nothing is repainted."""

import pytest
import torch

from diffsfsr.modules.warp.masks import grow
from diffsfsr.modules.warp.outline import BROW, TIP, surroundings_place, warp_surroundings, with_brows
from tests.unit.faces import moved

OVAL = [
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
]  # fmt: skip


def scaled(face, share):
    """The face that many times as wide."""
    points = face.points.clone()
    points[:, 0] = 128 + share * (points[:, 0] - 128)
    return moved(face, points)


def places(share, face):
    """A picture whose values say where they were (x and y in shares of its side), led to a face of another width."""
    return pulled(face.points, face, scaled(face, share))


def pulled(old, face, new=None):
    """`places` of a face at the points `old` that is led to `new`, which is the plain face if there is none."""
    new = face if new is None else new
    mask = grow((face.covered | new.covered).float()[None, None], 9)[0, 0]
    x = ((torch.arange(256) + 0.5) / 256).expand(256, 256)
    picture = torch.stack([x, x.T, torch.zeros_like(x)])
    made = warp_surroundings(picture, (~face.covered).float(), surroundings_place(old, new, mask), mask)
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


def test_an_outline_that_goes_to_and_fro_has_no_teeth_beside_it(face):
    """Points at the ends of a face that is turned lie before and behind its outline: what is beside it follows their mean."""
    points = face.points.clone()
    points[OVAL, 1] += torch.tensor([5.0, -5.0]).repeat(len(OVAL) // 2)
    picture, _, made, _ = pulled(points, face)
    beside = (grow(face.covered.float()[None, None], 4)[0, 0] > 0) & ~face.covered
    assert ((made.image - picture)[1].diff(dim=0).abs()[beside[1:]] * 256).max() < 1.2


def test_at_the_border_of_the_crop_nothing_has_moved(face):
    """A chin may come so near to it that the mask goes beyond."""
    new = scaled(face, 0.8)
    mask = torch.ones(256, 256)
    picture = torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(0))
    made = warp_surroundings(picture, (~face.covered).float(), surroundings_place(face.points, new, mask), mask)
    assert torch.equal(made.image[:, [0, -1]], picture[:, [0, -1]])
    assert torch.equal(made.image[:, :, [0, -1]], picture[:, :, [0, -1]])


def turned(face, degrees: float):
    """The points of the face with the head turned about its vertical axis."""
    angle = torch.deg2rad(torch.tensor(degrees))
    points = face.points - face.points[:468].mean(0)
    x = points[:, 0] * angle.cos() + points[:, 2] * angle.sin()
    z = points[:, 2] * angle.cos() - points[:, 0] * angle.sin()
    return torch.stack([x, points[:, 1], z], 1) + face.points[:468].mean(0)


@pytest.mark.parametrize(("degrees", "which"), [(0, None), (35, 1), (-35, 0)])
def test_the_brow_at_the_outline_of_a_turned_head_goes_with_its_face(face, degrees, which):
    """The hairs that stand out there are beyond the mesh; so the outline is farther out, of that side alone."""
    old = turned(face, degrees)
    shift = (with_brows(old, face, 5.0) - old)[:, 0]
    sides = [BROW, face.opposite(BROW)]
    out = [sign * shift[side[BROW.index(TIP)]] for sign, side in zip((-1, 1), sides, strict=True)]
    assert [round(float(x), 1) for x in out] == [5.0 if k == which else 0.0 for k in (0, 1)]
    rest = [k for k in range(478) if k not in sum(sides, ())]
    assert not shift[rest].any()
