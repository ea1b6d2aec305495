"""Skin for the coarse warp: what the photo hides comes from its mirror image, side light goes towards the background's."""

from types import SimpleNamespace

import pytest
import torch

from diffsfsr.modules.faces.networks import FaceNetworks, mirrored_points
from diffsfsr.modules.warp.coarse import BackgroundFace, coarse_warp, face_mask, unoccluded
from diffsfsr.modules.warp.hard_light import SoftFace
from diffsfsr.modules.warp.light import side_light
from diffsfsr.modules.warp.masks import grow
from diffsfsr.modules.warp.skin import Skin, fill_occlusion, put_on
from tests.unit.faces import HAIR, MODEL, SKIN, moved, photo, skin_picture

LEFT_CHEEK, RIGHT_CHEEK = 50, 280  # of the picture


def test_each_point_has_one_on_the_other_side_and_each_triangle_too(topology):
    triangles, mirror = topology.triangles, topology.mirror
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
    skin = Skin(torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(0)), face.points)
    for mesh in (face, moved(face, turned(face.points, 15))):
        (plain, known), (helped, same) = put_on(skin, mesh), put_on(skin, mesh, complete=True)
        within = grow(mesh.covered.float()[None, None], -16)[0, 0] > 0
        assert torch.equal(known, same) and torch.equal(plain[:, within], helped[:, within])


@pytest.mark.parametrize("side", [1, -1])
def test_what_a_turned_selfie_hides_comes_from_its_mirror_image(face, side):
    points = face.points
    seen = turned(points, 55 * side)
    hidden, shown = sorted((LEFT_CHEEK, RIGHT_CHEEK), key=lambda cheek: seen[cheek, 2])  # the nearer one is shown
    picture = torch.full((3, 256, 256), 0.6)
    x = int(seen[shown, 0])
    picture[:, :, x - 7 : x + 7] = 0.8  # a light stripe on the cheek of the side that is shown; the rest is darker
    made, known = put_on(Skin(picture, seen), face, complete=True)
    assert value_at(made, points, shown) == pytest.approx(0.8, abs=0.1)
    assert value_at(made, points, hidden) == pytest.approx(0.8, abs=0.1)
    plain, _ = put_on(Skin(picture, seen), face)
    assert value_at(plain, points, hidden) < 0.65
    assert known.mean() > 0.1


def test_a_selfie_in_its_own_pose_stays_as_it_is(face):
    mesh = moved(face, turned(face.points, 40))
    skin = Skin(torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(0)), mesh.points)
    assert torch.equal(put_on(skin, mesh, complete=True)[0], put_on(skin, mesh)[0])


@pytest.mark.parametrize("side", [1, -1])
def test_a_cheek_of_which_no_side_shows_more_than_a_rim_is_calm_skin(face, side):
    """Else a few pixels of ear and wall are drawn as large as a cheek."""
    rim = face.covered & ~(grow(face.covered.float()[None, None], -2)[0, 0] > 0)
    picture = torch.where(rim, torch.tensor([0.1, 0.6, 0.2])[:, None, None], skin_picture())
    mesh = moved(face, turned(face.points, 40 * side))
    made = [put_on(Skin(picture, face.points), mesh, complete=complete)[0] for complete in (False, True)]
    cheek = mesh.covered & (side * (128 - torch.arange(256)) > 64)
    green = [float((image[1] > image[0])[cheek].float().mean()) for image in made]
    assert green[0] > 0.3 and green[1] < 0.5 * green[0]


@pytest.mark.parametrize("side", [1, -1])
def test_a_cheek_whose_back_both_sides_show_has_no_notch(face, side):
    """The surroundings would run into the face there, as a blur."""
    mesh, skin = moved(face, turned(face.points, 60 * side)), Skin(skin_picture(), face.points)
    (_, notched), (made, known) = put_on(skin, mesh), put_on(skin, mesh, complete=True)
    assert notched[mesh.covered].mean() < 0.98 and known[mesh.covered].mean() > 0.995
    gained = (known > notched) & mesh.covered
    assert (made[:, gained] - SKIN[:, None]).abs().max() < 0.01
    assert not known[~mesh.covered].any()


def test_side_light_is_none_where_both_sides_are_alike_and_changes_sign_in_a_mirror(face):
    points, mirror = face.points, face.topology.mirror
    assert side_light(halves(0.5, 0.5), points, mirror).abs().max() < 1e-4
    found, other = side_light(halves(0.3, 0.6), points, mirror), side_light(halves(0.6, 0.3), points, mirror)
    assert found[LEFT_CHEEK] < -0.3 and found[RIGHT_CHEEK] > 0.3
    torch.testing.assert_close(found, -found[mirror[:468]])
    torch.testing.assert_close(found, -other, atol=0.05, rtol=0)


def test_a_face_is_led_as_far_as_asked_to_the_light_of_its_background(face):
    points = face.points

    def ratio(selfie, background, **options):
        skin = unoccluded(photo(selfie, points), face.topology)
        place = BackgroundFace.of(photo(background, points), face.topology)
        made = coarse_warp(skin, place, face, face_mask(place, face, 9.0), colour=1e-6, **options)
        return value_at(made, points, LEFT_CHEEK) / value_at(made, points, RIGHT_CHEEK)

    # the colours are not matched here: their spread would hide what the light does
    even, lit = halves(0.5, 0.5), halves(0.4, 0.6)
    assert ratio(even, even, complete=True) == pytest.approx(1, abs=1e-3)
    assert ratio(lit, even) == pytest.approx(0.4 / 0.6, abs=0.02)
    assert ratio(lit, even, complete=True) == pytest.approx(0.4 / 0.6, abs=0.02)
    for light in (0.5, 1.0):
        assert ratio(lit, even, complete=True, light=light) == pytest.approx((0.4 / 0.6) ** (1 - light), abs=0.03)
        assert ratio(even, lit, complete=True, light=light) == pytest.approx((0.4 / 0.6) ** light, abs=0.03)


def covered_by(picture, points, left, right, top, bottom):
    """Hair in a box, sides in pixels from the middle of the face, heights of face points."""
    made = picture.clone()
    made[:, int(points[top, 1]) : int(points[bottom, 1]), 128 + left : 128 + right] = HAIR[:, None, None]
    return made


def test_hair_over_one_eye_gives_way_to_the_other_side(face):
    points = face.points
    eye = points[159, :2].long()
    seen = covered_by(skin_picture(), points, -80, -10, 10, 50)
    assert seen[:, eye[1], eye[0]].equal(HAIR)
    made = fill_occlusion(seen, face)
    torch.testing.assert_close(made[:, eye[1], eye[0]], SKIN, atol=0.02, rtol=0)
    assert torch.equal(made[:, ~face.covered], seen[:, ~face.covered])


@pytest.mark.parametrize(
    ("left", "right", "top", "bottom"),
    [(-80, 80, 10, 66), (-80, 80, 0, 152), (-40, -20, 50, 205), (-60, -57, 10, 50)],
    ids=["fringe on both sides", "beard", "patch on a cheek", "strand"],
)
def test_what_is_on_both_sides_or_hangs_from_nowhere_stays(face, left, right, top, bottom):
    seen = covered_by(skin_picture(), face.points, left, right, top, bottom)
    assert torch.equal(fill_occlusion(seen, face), seen)


@pytest.fixture
def half_hidden(face):
    """A photo with hair over one eye, and the pixel of this eye."""
    points = face.points
    return photo(covered_by(skin_picture(), points, -80, -10, 10, 50), points), points[159, :2].long().tolist()


def test_without_its_hair_a_face_shows_both_eyes(face, half_hidden):
    hidden, (x, y) = half_hidden

    def at_eye(skin, image):
        place = BackgroundFace.of(photo(image, face.points), face.topology)
        return coarse_warp(skin, place, face, face_mask(place, face, 9.0), complete=True)[:, y, x].mean()

    assert at_eye(Skin.of(hidden), hidden.image) < 0.3
    assert at_eye(unoccluded(hidden, face.topology), skin_picture()) > 0.5


def test_in_its_own_picture_a_face_keeps_its_hair_and_elsewhere_it_loses_it(comfy, face, half_hidden, monkeypatch):
    from diffsfsr.modules.pipeline import draft, place
    from diffsfsr.modules.pipeline.memo import Memo

    monkeypatch.setattr(place, "topology", lambda: face.topology)
    monkeypatch.setattr(draft, "soft_face", lambda encoders, person: SoftFace(person.face.image))  # one colour is no hair
    hidden, (x, y) = half_hidden
    encoders, person = SimpleNamespace(memo=Memo()), place.Person(hidden, "who")

    def skin_in(image):
        background = BackgroundFace.of(photo(image, face.points), face.topology)
        return draft.skin_of(encoders, person, place.Place(background, torch.eye(2, 3), "where"))

    own, elsewhere = draft.skin_of(encoders, person, place.own_place(encoders, person)), skin_in(skin_picture())
    assert own.image is hidden.image and skin_in(hidden.image.clone()).image is hidden.image
    saved = hidden.image + 0.01 * torch.randn(3, 256, 256, generator=torch.Generator().manual_seed(0))
    assert skin_in(saved.clamp(0, 1)).image is hidden.image, "a file of the same photo with a little noise"
    torch.testing.assert_close(elsewhere.image[:, y, x], SKIN, atol=0.02, rtol=0)
    assert skin_in(skin_picture() * 0.9).image is elsewhere.image, "found once for every picture"
