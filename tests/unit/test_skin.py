"""Skin for the draft: the hidden half comes from the mirror image, side light goes towards that of the place."""

import pytest
import torch

from diffsfsr.modules.conditioning.guide import Crop, draft, face_mask
from diffsfsr.modules.conditioning.skin import Skin, put_on
from diffsfsr.modules.faces.light import side_light
from diffsfsr.modules.faces.warp import Mesh
from tests.unit.test_guide import canonical_face

LEFT_CHEEK, RIGHT_CHEEK = 50, 280  # of the picture


@pytest.fixture(scope="module")
def face():
    """Canonical points [478, 3] in a 256 px crop, triangles, the point on the other side of each."""
    points, triangles = canonical_face()
    other = points * torch.tensor([-1.0, 1.0, 1.0]) + torch.tensor([256.0, 0.0, 0.0])
    return points, triangles, torch.cdist(other, points).argmin(1)


def turned(points, degrees):
    angle = torch.deg2rad(torch.tensor(float(degrees)))
    middle = torch.tensor([128.0, 140.0, 0.0])
    x, y, z = (points - middle).unbind(1)
    return torch.stack([x * angle.cos() + z * angle.sin(), y, z * angle.cos() - x * angle.sin()], 1) + middle


def halves(left, right):
    """A picture of two grey halves."""
    picture = torch.full((3, 256, 256), float(right))
    picture[:, :, :128] = left
    return picture


def value_at(picture, points, which):
    x, y = points[which, :2].long().tolist()
    return picture[:, y, x].mean().item()


def test_a_face_seen_from_the_front_needs_no_mirror(face):
    points, triangles, mirror = face
    skin = Skin(torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(0)), points)
    for where in (points, turned(points, 15)):
        placed = Mesh.of(where, triangles, 256)
        plain, helped = put_on(skin, placed, triangles), put_on(skin, placed, triangles, mirror)
        assert all(torch.equal(a, b) for a, b in zip(plain, helped, strict=True))


@pytest.mark.parametrize("side", [1, -1])
def test_what_a_turned_selfie_hides_comes_from_its_mirror_image(face, side):
    points, triangles, mirror = face
    seen = turned(points, 55 * side)
    hidden, shown = sorted((LEFT_CHEEK, RIGHT_CHEEK), key=lambda cheek: seen[cheek, 2])  # the nearer one is shown
    picture = torch.full((3, 256, 256), 0.2)
    x = int(seen[shown, 0])
    picture[:, :, x - 14 : x + 14] = 0.8  # a light cheek on the side that is shown; the rest is dark
    placed = Mesh.of(points, triangles, 256)
    made, known = put_on(Skin(picture, seen), placed, triangles, mirror)
    assert value_at(made, points, shown) == pytest.approx(0.8, abs=0.05)
    assert value_at(made, points, hidden) == pytest.approx(0.8, abs=0.05)
    plain, _ = put_on(Skin(picture, seen), placed, triangles)
    assert value_at(plain, points, hidden) < 0.5
    assert known.mean() > 0.1


def test_a_selfie_in_its_own_pose_stays_as_it_is(face):
    points, triangles, mirror = face
    seen = turned(points, 40)
    skin = Skin(torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(0)), seen)
    placed = Mesh.of(seen, triangles, 256)
    assert torch.equal(put_on(skin, placed, triangles, mirror)[0], put_on(skin, placed, triangles)[0])


def test_side_light_is_none_where_both_sides_are_alike_and_changes_sign_in_a_mirror(face):
    points, _, mirror = face
    assert side_light(halves(0.5, 0.5), points, mirror).abs().max() < 1e-4
    found, other = side_light(halves(0.3, 0.6), points, mirror), side_light(halves(0.6, 0.3), points, mirror)
    assert found[LEFT_CHEEK] < -0.3 and found[RIGHT_CHEEK] > 0.3
    torch.testing.assert_close(found, -found[mirror[:468]])
    torch.testing.assert_close(found, -other, atol=0.05, rtol=0)


def test_a_draft_is_led_as_far_as_asked_to_the_light_of_its_place(face):
    points, triangles, mirror = face
    code, placed = torch.zeros(52), Mesh.of(points, triangles, 256)
    area = face_mask(Crop(halves(1, 1), points, code), placed, triangles, 9.0)

    def ratio(selfie, place, **options):
        crops = (Crop(picture, points, code) for picture in (selfie, place))
        made = draft(*crops, placed, area, triangles, **options)
        return value_at(made, points, LEFT_CHEEK) / value_at(made, points, RIGHT_CHEEK)

    # the colours are not matched here: their spread would hide what the light does
    even, lit = halves(0.5, 0.5), halves(0.4, 0.6)
    assert ratio(even, even, mirror=mirror, colour=1e-6) == pytest.approx(1, abs=1e-3)
    assert ratio(lit, even, colour=1e-6) == pytest.approx(0.4 / 0.6, abs=0.02)
    assert ratio(lit, even, mirror=mirror, colour=1e-6) == pytest.approx(0.4 / 0.6, abs=0.02)
    for light in (0.5, 1.0):
        led = {"mirror": mirror, "colour": 1e-6, "light": light}
        assert ratio(lit, even, **led) == pytest.approx((0.4 / 0.6) ** (1 - light), abs=0.03)
        assert ratio(even, lit, **led) == pytest.approx((0.4 / 0.6) ** light, abs=0.03)
