"""Beards: told from bare chins, and gone round the smooth face of another."""

from dataclasses import replace

import pytest
import torch

from diffsfsr.modules.warp.beard import (
    BEARDED,
    NARROW,
    SMOOTH,
    STUBBLE,
    WIDE,
    along_jaw,
    beard,
    below_chin,
    in_the_way,
    outline_with_beard,
    plainer,
    under_chin,
)
from diffsfsr.modules.warp.coarse import BackgroundFace, coarse_warp, face_mask
from diffsfsr.modules.warp.jaw import parted
from diffsfsr.modules.warp.masks import grow
from diffsfsr.modules.warp.mesh import Mesh
from diffsfsr.modules.warp.skin import Skin
from tests.unit.faces import HAIR, SKIN, photo, skin_picture

NECK = 0.75 * SKIN


def with_beard(face, colour=HAIR, rough=0.08):
    """A face whose jaw and upper lip have hair that reaches 6 pixels beyond its outline, above a plain neck."""
    noise = rough * torch.randn(1, 256, 256, generator=torch.Generator().manual_seed(0))
    row, picture = torch.arange(256)[:, None], skin_picture()
    picture = torch.where(row > face.points[152, 1], NECK[:, None, None], picture)
    hair = (grow(face.covered.float()[None, None], 6)[0, 0] > 0) & (row > face.points[2, 1])
    return torch.where(hair, colour[:, None, None] + noise, picture).clamp(0, 1)


@pytest.mark.parametrize("skin", [1.0, 0.6, 0.3])
def test_a_beard_is_told_from_a_bare_chin_on_any_skin(face, skin):
    plain, grey = skin * skin_picture(), torch.tensor([0.45, 0.44, 0.43])
    light = torch.linspace(0.4, 1, 256) ** (1 / 2.2)
    for bare in (plain, plain * light, plain * light[:, None].flip(0)):
        assert beard(bare, face) < SMOOTH[1]
    for colour in (HAIR, skin * grey):
        assert beard(with_beard(face, colour) * (plain / skin_picture()), face) > BEARDED[1]


def test_round_a_smooth_face_no_beard_is_left(face):
    place = BackgroundFace.of(photo(with_beard(face), face.points), face.topology)
    outer = outline_with_beard(face.points, WIDE)
    wide = Mesh.of(outer, face.topology, 256)
    mask = torch.maximum(face_mask(place, face, 9), parted(wide, face, 9))
    made, places = {}, {"as it was": place, "shaven": replace(place, outer=outer)}
    for name, one in places.items():
        made[name] = coarse_warp(Skin(skin_picture(), face.points), one, face, mask, colour=0.6, rim=True)
        assert torch.equal(made[name][:, mask == 0], place.face.image[:, mask == 0])
    row = torch.arange(256)[:, None]
    beside = (grow(face.covered.float()[None, None], 4)[0, 0] > 0) & ~face.covered & (row > face.points[13, 1])
    dark = {name: float((one.mean(0) < 0.35)[beside].float().mean()) for name, one in made.items()}
    assert dark["as it was"] > 0.8 and dark["shaven"] < 0.05


@pytest.mark.parametrize(
    ("there", "here", "wide"),
    [
        (1, -2, WIDE), (1, 1, 0), (-2, -2, 0), (-2, 1, 0), (-0.5, -2, WIDE / 2),
        (-0.9, -2, NARROW), (sum(STUBBLE) / 2, -2, NARROW / 2),
    ],  # fmt: skip
)
def test_a_beard_goes_only_where_the_other_has_one_and_this_one_has_none(there, here, wide):
    assert in_the_way(there, here) == pytest.approx(wide)


def test_below_the_chin_is_its_own_skin_in_shadow(face):
    chin, around = face.points[152, 1].long(), with_beard(face)
    below = below_chin(face, face.points, outline_with_beard(face.points, WIDE))
    made = under_chin(around, skin_picture(), face.covered.float(), face, below, torch.ones(256, 256))
    below = (slice(None), slice(chin + 3, chin + 6), slice(120, 136))
    ratio = (made[below] / SKIN[:, None, None]).mean(1)
    assert around[below].mean() < 0.3 and 0.6 < ratio.min() and ratio.max() < 0.95 and made[below].std(1).max() < 0.05
    assert torch.equal(made[:, :, :40], around[:, :, :40])


def test_the_outline_with_a_beard_is_that_much_wider_below_and_the_same_above_the_eyes(face):
    outer = outline_with_beard(face.points, 8.0)
    assert float(outer[152, 1] - face.points[152, 1]) == pytest.approx(8, abs=0.1)
    for jaw in (172, 397):
        assert 5 < float((outer - face.points)[jaw, :2].norm()) < 11
    above = [10, 9, 21, 251]
    assert torch.equal(outer[above], face.points[above])


@pytest.mark.parametrize("pixels", [NARROW, WIDE])
def test_a_line_of_stubble_along_the_jaw_goes_and_the_edge_of_a_collar_stays(face, pixels):
    row, column = torch.arange(256)[:, None], torch.arange(256)
    near = (grow(face.covered.float()[None, None], 4)[0, 0] > 0) & ~face.covered
    low = near & (row > face.points[61, 1]) & (row < face.points[152, 1] - 6)
    line, collar = low & (column > 128), low & (column < 90)
    picture = torch.where(line, HAIR[:, None, None], skin_picture())
    picture = torch.where(grow(collar.float()[None, None], 9)[0, 0] > 0, torch.tensor([0.1, 0.2, 0.5])[:, None, None], picture)
    plain = plainer(picture)
    where = along_jaw(face, face.points, outline_with_beard(face.points, pixels), plain)
    made = torch.lerp(picture, plain, where)
    assert (picture[:, line].mean() < 0.3) and (made - SKIN[:, None, None]).abs()[:, line].mean() < 0.03
    assert (made - picture).abs()[:, collar].mean() < 0.02
    assert not along_jaw(face, face.points, face.points, plain).any() and where[: int(face.points[2, 1])].max() == 0


def test_stubble_alone_leaves_what_is_below_the_chin(face):
    both = (below_chin(face, face.points, outline_with_beard(face.points, pixels)) for pixels in (NARROW, WIDE))
    assert [round(float(one.max()), 3) for one in both] == [0, 1]
