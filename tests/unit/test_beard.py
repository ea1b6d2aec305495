"""Beards: told from bare chins, and gone round the smooth face of another."""

from dataclasses import replace

import pytest
import torch

from diffsfsr.modules.types import FineSkin, PasteRegion
from diffsfsr.modules.warp.beard import (
    BEARDED,
    NARROW,
    SMOOTH,
    STUBBLE,
    WIDE,
    Jaw,
    along_jaw,
    bare_neck,
    beard,
    beard_of,
    hidden_jaw,
    in_the_way,
    jaw_of,
    outline_with_beard,
    plainer,
    sharper,
)
from diffsfsr.modules.warp.coarse import BackgroundFace, coarse_warp, face_mask
from diffsfsr.modules.warp.jaw import parted
from diffsfsr.modules.warp.long_beard import below_crop
from diffsfsr.modules.warp.masks import feather, grow
from diffsfsr.modules.warp.mesh import Mesh
from diffsfsr.modules.warp.paste import soft_masks
from diffsfsr.modules.warp.skin import Skin
from tests.unit.faces import HAIR, SKIN, photo, skin_picture

NECK, WHITE = 0.75 * SKIN, torch.tensor([0.8, 0.8, 0.8])


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
    made, places = {}, {"as it was": place, "shaven": place.without_beard(WIDE)}
    wide = Mesh.of(places["shaven"].outline, face.topology, 256)
    mask = torch.maximum(face_mask(place, face, 9), parted(wide, face, 9))
    for name, one in places.items():
        made[name] = coarse_warp(Skin(skin_picture(), face.points), one, face, mask, colour=0.6, rim=True)
        assert torch.equal(made[name][:, mask == 0], place.face.image[:, mask == 0])
    row = torch.arange(256)[:, None]
    beside = (grow(face.covered.float()[None, None], 4)[0, 0] > 0) & ~face.covered & (row > face.points[13, 1])
    dark = {name: float((one.mean(0) < 0.3)[beside].float().mean()) for name, one in made.items()}
    assert dark["as it was"] > 0.8 and dark["shaven"] < 0.05


@pytest.mark.parametrize(
    ("there", "here", "way"),
    [
        ((1, 0.5), (-2, 1), (WIDE, True)), ((1, 0.5), (1, 0.5), (0, False)), ((-2, 1), (-2, 1), (0, False)),
        ((-0.5, 0.9), (-2, 1), (WIDE / 2, True)), ((-0.9, 0.9), (-2, 1), (NARROW, True)),
        ((sum(STUBBLE) / 2, 0.9), (-2, 1), (NARROW / 2, True)), ((1, 0.9), (1, 0.5), (WIDE, True)),
        ((1, 0.5), (1, 0.75), (WIDE / 2, True)), ((-2, 1), (1, 0.5), (NARROW, False)),
        ((1, 0.5), (-0.7, 0.5), (WIDE / 2, True)), ((1, 0.5), (-0.84, 0.5), (WIDE, True)),
        ((-0.9, 1), (1, 1), (NARROW / 2, False)),
    ],
)  # fmt: skip
def test_a_beard_goes_only_where_the_other_has_one_and_this_one_has_none_like_it(there, here, way):
    assert in_the_way(Jaw(*there), Jaw(*here))[:2] == pytest.approx(way)


def test_a_dark_beard_has_less_light_than_a_white_one(face):
    bare, dark, white = (jaw_of(picture, face).light for picture in (skin_picture(), with_beard(face), with_beard(face, WHITE)))
    assert bare == pytest.approx(1, abs=0.05) and dark < 0.5 and white > 0.9


@pytest.mark.parametrize("colour", [HAIR, WHITE])
def test_where_a_beard_hung_is_the_neck_in_the_shadow_of_the_chin_and_cloth_stays(face, colour):
    """The cloth begins where the hair ends, and is as broad as the neck's half."""
    chin, cloth = face.points[152, 1].long(), torch.tensor([0.9, 0.1, 0.1])[:, None, None]
    row, column = torch.arange(256)[:, None], torch.arange(256)
    around = torch.where((row > chin + 6) & (column < 100), cloth, with_beard(face, colour))
    found, still = beard_of(around, face, WIDE), torch.stack(torch.meshgrid(*2 * [torch.arange(256) + 0.5], indexing="xy"), -1)
    made = bare_neck(around, found, still, face, torch.ones(256, 256))
    hung = (slice(None), slice(chin + 1, chin + 4), slice(110, 146))
    ratio = made[hung].mean(2) / NECK[:, None]
    assert 0.35 < ratio.min() and ratio.max() < 1.05 and ratio.std(0).max() < 0.03
    assert 2 * made[hung].std(2).max() < around[hung].std(2).min()
    changed = (made - around).abs()
    assert changed[:, chin + 8 :, :100].mean() < 1e-3 and changed[:, chin + 14 :].max() < 0.01 and not changed[:, :100].any()


def test_of_a_beard_that_hangs_to_the_crops_end_no_stub_is_left_there(face):
    low = Mesh.of(face.points + torch.tensor([0, 252 - float(face.points[152, 1]), 0]), face.topology, 256)
    picture, chin = with_beard(low), int(low.points[152, 0])
    hair = beard_of(picture, low, WIDE).hair
    assert hair[250:, chin].min() > 0.95
    fine = FineSkin(photo(picture, low.points), picture, low.points, low.points, picture, low.topology, 1.0, hair=hair)
    told = (torch.zeros(1, 256, 256, 3), torch.eye(2, 3)[None], torch.ones(1, 256, 256), None, 8.0, 256)
    plain, bare = (soft_masks(PasteRegion(*told, fine=(one,)))[0, 0] for one in (replace(fine, hair=None), fine))
    assert plain[253, chin] < 0.5 and bare[253, chin] > 0.95 and bare[255, chin] == 0
    assert torch.equal(bare[hair == 0], plain[hair == 0])


@pytest.mark.parametrize(("pixels", "hair", "hides"), [(WIDE, True, 1.0), (NARROW, True, 0.0), (WIDE, False, 0.0)])
def test_a_grey_beard_does_not_make_a_smooth_chin_grey(face, pixels, hair, hides):
    """It is as like skin as shaded skin is; stubble shows skin, and room for another beard is no hair."""
    grey = with_beard(face, SKIN * torch.tensor([0.72, 0.85, 0.95]))
    place = BackgroundFace.of(photo(grey, face.points), face.topology).without_beard(pixels, hair)
    found = hidden_jaw(face, face.points, place.beard)
    chin, nose = int(face.points[152, 1]) - 6, int(face.points[2, 1]) - 6
    assert float(found[chin]) == pytest.approx(hides, abs=0.02) and float(found[nose]) == 0
    made = coarse_warp(Skin(skin_picture(), face.points), place, face, face_mask(place, face, 9), colour=0.0, rim=True)
    hue = (made[0] / made[2]).log()[chin, int(face.points[152, 0])] - (SKIN[0] / SKIN[2]).log()
    assert (abs(float(hue)) < 0.02) == (hides > 0)


def test_the_outline_with_a_beard_is_wider_below_less_so_at_the_chin_and_the_same_above_the_eyes(face):
    outer = outline_with_beard(face.points, 8.0, 3.0)
    assert float(outer[152, 1] - face.points[152, 1]) == pytest.approx(3, abs=0.1)
    for jaw in (172, 397):
        assert 5 < float((outer - face.points)[jaw, :2].norm()) < 11
    above = [10, 9, 21, 251]
    assert torch.equal(outer[above], face.points[above])


def test_a_face_ends_sharply_where_a_beard_was_along_the_jaw_alone(face):
    whole, nose = face.covered.float()[None, None], int(face.points[2, 1])
    soft = feather(whole, 8.0)
    outlines = (outline_with_beard(face.points, pixels, NARROW) for pixels in (WIDE, NARROW))
    made, stubble = (sharper(soft, whole, face, face.points, outline) for outline in outlines)
    faded = lambda mask: int(((mask > 0.05) & (mask < 0.95))[0, 0, nose:, 128].sum())  # noqa: E731
    assert faded(made) < 6 < faded(soft) and torch.equal(made[..., :nose, :], soft[..., :nose, :])
    assert (stubble - soft).abs().max() < 1e-4


@pytest.mark.parametrize("pixels", [NARROW, WIDE])
def test_a_line_of_stubble_along_the_jaw_goes_and_the_edge_of_a_collar_stays(face, pixels):
    row, column = torch.arange(256)[:, None], torch.arange(256)
    near = (grow(face.covered.float()[None, None], 4)[0, 0] > 0) & ~face.covered
    low = near & (row > face.points[61, 1]) & (row < face.points[152, 1] - 6)
    line, collar = low & (column > 128), low & (column < 90)
    picture = torch.where(line, HAIR[:, None, None], skin_picture())
    picture = torch.where(grow(collar.float()[None, None], 9)[0, 0] > 0, torch.tensor([0.1, 0.2, 0.5])[:, None, None], picture)
    plain = plainer(picture)
    where = along_jaw(face, face.points, outline_with_beard(face.points, pixels, NARROW), plain)
    made = torch.lerp(picture, plain, where)
    assert (picture[:, line].mean() < 0.3) and (made - SKIN[:, None, None]).abs()[:, line].mean() < 0.03
    assert (made - picture).abs()[:, collar].mean() < 0.02
    assert not along_jaw(face, face.points, face.points, plain).any() and where[: int(face.points[2, 1])].max() == 0


def test_stubble_alone_leaves_what_is_below_the_chin(face):
    assert [bool(beard_of(with_beard(face), face, pixels).hair.any()) for pixels in (NARROW, WIDE)] == [False, True]


BLACK = torch.tensor([0.1, 0.08, 0.07])


@pytest.mark.parametrize("colour", [HAIR, BLACK])
@pytest.mark.parametrize(("under", "stays"), [("hair", True), (NECK, False), (SKIN, False), ("nothing", False)])
def test_a_beard_that_goes_on_below_the_crop_stays_under_the_chin(face, colour, under, stays):
    """Else a band of it would stand on the neck. Where the picture ends there is no band."""
    low = Mesh.of(face.points + torch.tensor([0, 250 - float(face.points[152, 1]), 0]), face.topology, 256)
    beneath = colour if under == "hair" else NECK if under == "nothing" else under
    noise = 0.02 * torch.randn(1, 200, 256, generator=torch.Generator().manual_seed(1))
    picture = torch.cat([with_beard(low, colour, 0.02), (beneath[:, None, None] + noise).clamp(0, 1)], 1)
    picture = picture[:, : 258 if under == "nothing" else None].permute(1, 2, 0)
    below = below_crop(picture, torch.eye(2, 3), 256)
    assert (below is None) == (under == "nothing")
    found = beard_of(picture[:256].permute(2, 0, 1), low, WIDE, below)
    assert found.stays == stays and not (stays and found.hair.any())


@pytest.mark.parametrize(("scale", "size"), [(1.0, 256), (3.0, 256), (1.5, 512)])
def test_what_is_below_a_crop_is_seen_at_its_scale(scale, size):
    """A row's brightness is its place in the picture, in pixels of the crop."""
    rows = (torch.arange(900) + 0.5)[:, None, None] / (900 * scale * 256 / size)
    picture = rows.expand(900, 800, 3).contiguous()
    matrix = torch.tensor([[1 / scale, 0.0, -5.0], [0.0, 1 / scale, -7.0]])
    seen = below_crop(picture, matrix, size)
    wanted = (torch.arange(seen.shape[1]) + size + 0.5 + 7) / (900 * 256 / size)
    assert seen.shape == (3, 8 * size // 256, size)
    torch.testing.assert_close(seen[0, :, size // 2], wanted, atol=2e-3, rtol=0)
    assert below_crop(picture[: int((size + 4 + 7) * scale)], matrix, size) is None


def test_only_a_full_beard_may_be_too_long(face):
    bare = Jaw(-4.0, 1.0)
    assert [in_the_way(Jaw(logit, 0.3), bare).full for logit in (1.0, 6.0)] == [False, True]
