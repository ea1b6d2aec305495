"""Eyes under moved lids: the ball turns as far as the drawn irises say, stays round, and is covered, not squeezed."""

import pytest
import torch

from diffsfsr.modules.encoders.sliders import coefficients, contradictions
from diffsfsr.modules.labels import BLENDSHAPES, prototype
from diffsfsr.modules.warp.eyeball import EYES, lids_met
from diffsfsr.modules.warp.eyes import paint_eyes
from diffsfsr.modules.warp.mesh import Mesh
from diffsfsr.training.movement import (
    BALL,
    TURN,
    WORDS,
    carried,
    gaze_directions,
    learn_movement,
    more_directions,
    strip,
    with_extras,
)
from tests.unit.faces import SKIN, canonical_face, moved, skin_picture

WHITE, DARK, RADIUS = torch.tensor([0.8, 0.78, 0.76]), 0.1, 6.0


@pytest.fixture(scope="module")
def face() -> Mesh:
    """Open eyes, each with an iris of 6 pixels in the middle of its lids."""
    plain = canonical_face()
    points = plain.points.clone()
    for eye, iris in EYES:
        centre = points[list(eye.upper + eye.lower), :2].mean(0)
        points[iris : iris + 5, :2] = centre + RADIUS * torch.tensor([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1.0]])
    return moved(plain, points)


@pytest.fixture(scope="module")
def picture(face) -> torch.Tensor:
    """White eyes with dark irises in plain skin."""
    image, y, x = skin_picture(), *torch.meshgrid(torch.arange(256) + 0.5, torch.arange(256) + 0.5, indexing="ij")
    for eye, iris in EYES:
        middle = face.points[iris, :2]
        iris_there = torch.hypot(x - middle[0], y - middle[1]) < RADIUS
        ball = torch.where(iris_there, torch.full((3, 1, 1), DARK), WHITE[:, None, None])
        image = torch.where(eye.inside(face) > 0, ball, image)
    return image


def drawn(picture, face, points):
    mesh = moved(face, points)
    image, covered = mesh.draw(picture, face.points)
    return paint_eyes(image, covered, mesh, picture, face.points), mesh


def dark(image, mesh, eye) -> torch.Tensor:
    """The iris's pixels [N, 2], x and y."""
    return ((image.mean(0) < 0.35) & (eye.inside(mesh) > 0)).nonzero().flip(1).float() + 0.5


def shifted(points, iris, x, y):
    points = points.clone()
    points[iris : iris + 5, :2] += torch.tensor([x, y])
    return points


def wide_open(points):
    points = lids(points, upper=-9.0)
    for eye, _ in EYES:
        points[list(eye.lower), 1] += 4.0
    return points


def lids(points, upper=0.0, share=None):
    """Upper lids moved by pixels, or to a share of their height above the lower ones."""
    points = points.clone()
    for eye, _ in EYES:
        top, low = list(eye.upper), list(eye.lower)
        points[top, 1] = points[top, 1] + upper if share is None else torch.lerp(points[low, 1], points[top, 1], share)
    return points


def test_nothing_changes_when_nothing_moves(face, picture):
    image, covered = face.draw(picture, face.points)
    painted, known = paint_eyes(image, covered, face, picture, face.points)
    assert torch.equal(painted, image) and torch.equal(known, covered)


def test_the_gaze_of_one_eye_moves_that_iris_as_far_and_no_other(face, picture):
    (still, _), _ = drawn(picture, face, face.points)
    (image, _), mesh = drawn(picture, face, shifted(face.points, EYES[0][1], 4.0, 0.0))
    way = []
    for eye, iris in EYES:  # in the rows that no lashes hide
        middle = lambda x: (d := dark(x, mesh, eye))[(d[:, 1] - face.points[iris, 1]).abs() < 2, 0].mean()  # noqa: B023, E731
        way.append(float(middle(image) - middle(still)))
    assert way == [pytest.approx(4.0, abs=0.8), 0.0]


def test_a_wide_eye_has_a_round_iris_and_white_above_it(face, picture):
    (image, _), mesh = drawn(picture, face, wide_open(face.points))
    for eye, iris in EYES:
        size = dark(image, mesh, eye).amax(0) - dark(image, mesh, eye).amin(0) + 1
        assert 0.8 < size[1] / size[0] < 1.25
        x, y = mesh.points[iris, :2].tolist()
        above = image[:, int(y - RADIUS - 2.5), int(x)]
        assert above.min() > 0.4 and above.max() - above.min() < 0.5 * (SKIN[0] - SKIN[2]), "white, not skin"


def test_a_lowered_lid_covers_the_iris_and_does_not_squeeze_it(face, picture):
    (image, _), mesh = drawn(picture, face, lids(face.points, share=0.6))
    for eye, iris in EYES:
        found = dark(image, mesh, eye)
        low = min(float(face.points[iris, 1]) + RADIUS, float(face.points[list(eye.lower[2:5]), 1].mean()))
        assert found[:, 1].max() > low - 2.5, "its lower edge stays where it was"
        assert (found[:, 0].max() - found[:, 0].min() + 1) > 1.5 * RADIUS, "it is as wide as before"


@pytest.mark.parametrize("size", [0.05, 0.3])
def test_shut_eyes_of_a_photo_open_as_plain_ones(face, size):
    before = lids(face.points, share=size)
    image = skin_picture()
    painted, known = paint_eyes(image, torch.zeros(256, 256), face, image, before)
    for _, iris in EYES:
        x, y = face.points[iris, :2].long().tolist()
        assert painted[:, y, x].mean() < 0.4 * SKIN.mean() or size > 0.1
        assert known[y, x] > 0.9
    assert torch.equal(painted[:, known == 0], image[:, known == 0])


def test_a_wink_shuts_one_eye(face, picture):
    points = face.points.clone()
    eye = EYES[0][0]
    points[list(eye.upper), 1] = points[list(eye.lower), 1] + 3.0
    points = lids_met(points)
    assert torch.equal(points[list(eye.upper), 1], points[list(eye.lower), 1]), "lids meet and do not cross"
    (image, _), mesh = drawn(picture, face, points)
    still, _ = face.draw(picture, face.points)
    right = slice(None), slice(None), slice(128, None)
    assert torch.equal(image[right], mesh.draw(picture, face.points)[0][right])
    assert len(dark(image, mesh, EYES[1][0])) == len(dark(still, face, EYES[1][0]))


def test_many_pictures_are_drawn_as_each_alone(face, picture):
    rows = [lids(face.points, upper=-5.0), shifted(face.points, EYES[1][1], 3.0, 2.0), face.points]
    alone = [drawn(picture, face, points)[0] for points in rows]
    meshes = Mesh.of(torch.stack(rows), face.topology, 256)
    pictures, before = picture.expand(3, -1, -1, -1), face.points.expand(3, -1, -1)
    image, covered = meshes.draw(pictures, before)
    together = paint_eyes(image, covered, meshes, pictures, before)
    for k, (one, known) in enumerate(alone):
        assert torch.allclose(together[0][k], one, atol=1e-5) and torch.allclose(together[1][k], known, atol=1e-5)


@pytest.mark.parametrize("tone", [0.25, 1.0])
def test_a_larger_picture_shows_the_same_eyes(face, picture, tone):
    big = torch.nn.functional.interpolate(tone * picture[None], scale_factor=2, mode="nearest")[0]
    points = lids(face.points, upper=-5.0)
    (small, _), mesh = drawn(tone * picture, face, points)
    wide = Mesh.of(points * 2, face.topology, 512)
    image, covered = wide.draw(big, face.points * 2)
    large, _ = paint_eyes(image, covered, wide, big, face.points * 2)
    for eye, _ in EYES:
        inside = eye.inside(mesh) > 0
        half = torch.nn.functional.avg_pool2d(large[None], 2)[0]
        assert (half - small)[:, inside].abs().mean() < 0.06


# --- gaze in the face model ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learnt(shape, topology):
    """The face model with movement as it is learnt now, from people whose expressions are the rig's."""
    plain = strip(shape)
    codes = {label: torch.from_numpy(prototype(word)).to(plain.mean) for label, word in WORDS.items()}
    shown = {("somebody", label): torch.einsum("e,epc->pc", c, 0.5 * plain.expression) for label, c in codes.items()}
    extras = learn_movement(shown, plain, topology.mirror)
    extras["geometry_more"] = more_directions(shown.values(), with_extras(plain, extras), 40)
    return with_extras(plain, extras)


def gaze(shape, code) -> torch.Tensor:
    """How the irises move between the corners of their eyes, drawn by a code's geometry: [2, 2], the right eye first."""
    way = shape.moved(shape.geometry_of_code(code[None]))[0]
    return torch.stack([(way[iris : iris + 5].mean(0) - way[list(eye.corners)].mean(0))[:2] for eye, iris in EYES])


@pytest.mark.parametrize(("name", "eye", "x", "y"), [
    ("eyeLookOutLeft", 1, 1, 0), ("eyeLookInLeft", 1, -1, 0), ("eyeLookOutRight", 0, -1, 0), ("eyeLookInRight", 0, 1, 0),
    ("eyeLookUpLeft", 1, 0, 1), ("eyeLookDownRight", 0, 0, -1),
])  # fmt: skip
def test_a_gaze_coefficient_turns_that_eye_and_no_other(learnt, name, eye, x, y):
    code = torch.zeros(len(BLENDSHAPES))
    code[BLENDSHAPES.index(name)] = 1.0
    far = BALL * torch.sin(torch.deg2rad(torch.tensor(TURN)))
    found = gaze(learnt, code).float()
    assert torch.allclose(found[eye], far * torch.tensor([x, y]), atol=0.08)
    assert found[1 - eye].norm() < 0.08


@pytest.mark.parametrize("name", ["eyeBlink", "eyeSquint", "eyeWide"])
def test_lids_move_no_iris(learnt, name):
    code = torch.tensor([float(b.startswith(name)) for b in BLENDSHAPES])
    assert gaze(learnt, code).abs().max() < 0.08


def test_words_look_where_they_should(learnt):
    look = {word: gaze(learnt, torch.from_numpy(prototype(word))) for word in ("shame", "longing", "terror")}
    assert (look["shame"][:, 1] < -0.35).all() and look["shame"][:, 0].abs().max() < 0.1
    assert (look["longing"][:, 0] < -0.1).all() and (look["longing"][:, 1] > 0.1).all()
    assert look["terror"].abs().max() < 0.1


def test_the_geometry_holds_any_gaze_exactly(learnt):
    basis = learnt.basis.flatten(1)
    assert torch.allclose(basis @ basis.T, torch.eye(len(basis)).to(basis), atol=2e-3), "as far as a bundle's numbers go"
    way = torch.zeros(478, 3).to(learnt.mean)
    for (_, iris), step in zip(EYES, ([0.3, -0.2, 0.0], [-0.4, 0.1, 0.0]), strict=True):
        way[iris : iris + 5] = torch.tensor(step).to(way)
    assert torch.allclose(learnt.moved(learnt.geometry_of(way[None]))[0], way, atol=2e-3)
    assert len(gaze_directions(strip(learnt))) == 4


def test_corrections_move_no_iris(learnt):
    assert torch.allclose(carried(learnt.corrections), learnt.corrections)


# --- sliders ------------------------------------------------------------------------------------------------------


def test_a_slider_turns_one_eye_and_is_added_to_the_gaze_of_both():
    crossed = coefficients({"left gaze sideways": -0.5, "right gaze sideways": 0.5})
    assert {BLENDSHAPES[k] for k in crossed.nonzero()[:, 0]} == {"eyeLookInLeft", "eyeLookInRight"}
    both = coefficients({"gaze up": 0.4, "left gaze up": 0.3})
    assert both[BLENDSHAPES.index("eyeLookUpLeft")] == pytest.approx(0.7)
    assert both[BLENDSHAPES.index("eyeLookUpRight")] == pytest.approx(0.4)


def test_one_eye_asked_to_both_sides_is_a_contradiction():
    code = coefficients({"gaze sideways": 1.0, "left gaze sideways": -0.6})
    assert contradictions(code[None]) == [("eyeLookInLeft", "eyeLookOutLeft")]
