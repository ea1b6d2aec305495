"""Skin for the draft: what the photo hides comes from its mirror image, side light goes towards that of the place."""

import pytest
import torch

from diffsfsr.modules.faces.networks import FaceNetworks, mirrored_points
from diffsfsr.modules.warp.coarse import Face, coarse_warp, face_mask
from diffsfsr.modules.warp.light import side_light
from diffsfsr.modules.warp.mesh import Mesh
from diffsfsr.modules.warp.skin import Skin, fill_occlusion, put_on
from tests.unit.test_guide import HAIR, MODEL, SKIN, canonical_face, skin_picture

LEFT_CHEEK, RIGHT_CHEEK = 50, 280  # of the picture


@pytest.fixture(scope="module")
def face():
    """Canonical points [478, 3] in a 256 px crop, triangles, the point on the other side of each."""
    points, triangles = canonical_face()
    return points, triangles, FaceNetworks.load(MODEL).mirror


def test_each_point_has_one_on_the_other_side_and_each_triangle_too(face):
    _, triangles, mirror = face
    assert torch.equal(mirror[mirror], torch.arange(478))
    known = {tuple(sorted(triangle)) for triangle in triangles.tolist()}
    assert all(tuple(sorted(triangle)) in known for triangle in mirror[triangles].tolist())
    assert [int(mirror[k]) for k in (33, 70, 234, 468)] == [263, 300, 454, 473]
    assert torch.equal(mirrored_points(FaceNetworks.load(MODEL).vertices), mirror)


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
    area = face_mask(Face(halves(1, 1), points, code), placed, triangles, 9.0)

    def ratio(selfie, place, **options):
        crops = (Face(picture, points, code) for picture in (selfie, place))
        made = coarse_warp(*crops, placed, area, triangles, **options)
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


def covered_by(picture, points, left, right, top, bottom):
    """Hair in a box, sides in pixels from the middle of the face, heights of face points."""
    made = picture.clone()
    made[:, int(points[top, 1]) : int(points[bottom, 1]), 128 + left : 128 + right] = HAIR[:, None, None]
    return made


def test_hair_over_one_eye_gives_way_to_the_other_side(face):
    points, triangles, mirror = face
    mesh = Mesh.of(points, triangles, 256)
    eye = points[159, :2].long()
    seen = covered_by(skin_picture(), points, -80, -10, 10, 50)
    assert seen[:, eye[1], eye[0]].equal(HAIR)
    made = fill_occlusion(seen, mesh, triangles, mirror)
    torch.testing.assert_close(made[:, eye[1], eye[0]], SKIN, atol=0.02, rtol=0)
    beside = mesh.index < 0
    assert torch.equal(made[:, beside], seen[:, beside])


@pytest.mark.parametrize(
    ("left", "right", "top", "bottom"),
    [(-80, 80, 10, 66), (-80, 80, 0, 152), (-40, -20, 50, 205), (-60, -57, 10, 50)],
    ids=["fringe on both sides", "beard", "patch on a cheek", "strand"],
)
def test_what_is_on_both_sides_or_hangs_from_nowhere_stays(face, left, right, top, bottom):
    points, triangles, mirror = face
    seen = covered_by(skin_picture(), points, left, right, top, bottom)
    assert torch.equal(fill_occlusion(seen, Mesh.of(points, triangles, 256), triangles, mirror), seen)


def test_in_its_own_place_a_face_keeps_its_hair(face):
    points, triangles, mirror = face
    code, placed = torch.zeros(52), Mesh.of(points, triangles, 256)
    seen, eye = covered_by(skin_picture(), points, -80, -10, 10, 50), points[159, :2].long()
    area = face_mask(Face(seen, points, code), placed, triangles, 9.0)

    def at_eye(place):
        crops = (Face(picture, points, code) for picture in (seen, place))
        return coarse_warp(*crops, placed, area, triangles, mirror=mirror)[:, eye[1], eye[0]].mean()

    assert at_eye(seen) < 0.3 < 0.5 < at_eye(skin_picture())
