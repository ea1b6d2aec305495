"""The inside of mouths: teeth where skull and jaw have them, the photo's own where it shows them, and lips that close."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from diffsfsr.modules.bundle import fill_module
from diffsfsr.modules.encoders.expression import encode_label, split
from diffsfsr.modules.errors import DiffSFSRError
from diffsfsr.modules.faces.morphable import LOWER_EDGE, TEETH, UPPER_EDGE, FaceShape, retarget
from diffsfsr.modules.labels import index
from diffsfsr.modules.types import Fit
from diffsfsr.modules.warp.mesh import Mesh
from diffsfsr.modules.warp.mouth import MOUTH, Interior, paint_mouth, parted
from diffsfsr.modules.warp.teeth import of_person
from tests.unit.faces import mean_fit, skin_picture

BRIGHT, DARK = 0.45, 0.3


@pytest.fixture
def shape(shape) -> FaceShape:
    """In double precision, as the nodes have it."""
    return deepcopy(shape).double()


@pytest.fixture
def fit(shape) -> Fit:
    return mean_fit(shape)


def geometry(shape: FaceShape, word: str, intensity: float = 1.0) -> torch.Tensor:
    return split(encode_label(shape, "me", word, intensity, 0).codes)[1][0]


def placed(shape: FaceShape, fit: Fit, asked: torch.Tensor) -> torch.Tensor:
    return retarget(shape, fit, fit, asked[None])[0]


def drawn(shape, topology, fit, asked, photo=None, photo_asked=None):
    """Skin with the mouth of a face doing geometry [K], from a photo of the same face doing another, and the mesh."""
    rest = placed(shape, fit, torch.zeros_like(asked))
    before = rest if photo_asked is None else placed(shape, fit, photo_asked)
    mesh = Mesh.of(placed(shape, fit, asked), topology, 256)
    photo = skin_picture() if photo is None else photo
    return paint_mouth(skin_picture(), mesh, photo, before, Interior.of(shape, rest, rest, asked)), mesh


def column(picture: torch.Tensor, mesh: Mesh, x: float = 2.0) -> torch.Tensor:
    """Grey values between the lips, `x` pixels beside their middle, from the upper to the lower one."""
    top, bottom, middle = mesh.points[13, 1], mesh.points[14, 1], mesh.points[13, 0]
    return picture.mean(0)[int(top) + 1 : int(bottom), int(middle + x)]


def test_a_smile_shows_upper_teeth_and_leaves_the_rest_alone(shape, topology, fit):
    picture, mesh = drawn(shape, topology, fit, geometry(shape, "happiness"))
    assert column(picture, mesh).max() > BRIGHT
    outside = ~MOUTH.inside(mesh).bool()
    outside[int(mesh.points[0, 1]) - 4 : int(mesh.points[17, 1]) + 4] = False
    assert torch.equal(picture[:, outside], skin_picture()[:, outside])


def test_a_dropped_jaw_shows_depth_and_a_tongue_that_is_lighter(shape, topology, fit):
    picture, mesh = drawn(shape, topology, fit, geometry(shape, "amazement"))
    seen = column(picture, mesh)
    assert len(seen) > 8 and seen.min() < DARK
    lower = picture[:, int(mesh.points[14, 1]) - 3, int(mesh.points[14, 0])]
    assert lower[0] > 1.3 * lower[2]  # red, no black hole


def test_nothing_is_painted_where_nothing_opens(shape, topology, fit):
    still = torch.zeros(len(shape.basis))
    assert torch.equal(drawn(shape, topology, fit, still)[0], skin_picture())


def test_a_photos_own_teeth_are_used_and_stay_where_the_skull_has_them(shape, topology, fit):
    smile, wide = geometry(shape, "happiness"), geometry(shape, "amazement")
    before = placed(shape, fit, smile)
    photo = skin_picture()
    green = torch.tensor([0.2, 0.9, 0.2])[:, None]
    photo[:, MOUTH.inside(Mesh.of(before, topology, 256)) > 0] = green  # no model has such teeth
    for asked in (geometry(shape, "happiness", 0.6), wide):
        picture, mesh = drawn(shape, topology, fit, asked, photo, smile)
        inside = MOUTH.inside(mesh) > 0
        own = inside & (picture[1] > picture[0] + 0.2)
        assert own.sum() > 10
        rows = own.nonzero()[:, 0]
        assert abs(int(rows.min()) - int(mesh.points[13, 1])) < 4  # upper teeth, below the upper lip
    assert not own[int(mesh.points[14, 1]) - 3 :].any()  # and not at the lower one of a dropped jaw


def test_lips_that_the_photo_shows_there_are_not_taken_for_teeth(shape, topology, fit):
    before = placed(shape, fit, geometry(shape, "happiness", 0.6))
    photo = skin_picture()
    photo[:, MOUTH.inside(Mesh.of(before, topology, 256)) > 0] = torch.tensor([0.75, 0.42, 0.40])[:, None]
    picture, mesh = drawn(shape, topology, fit, geometry(shape, "happiness"), photo, geometry(shape, "happiness", 0.6))
    plain, _ = drawn(shape, topology, fit, geometry(shape, "happiness"))
    assert (column(picture, mesh, 5.0) - column(plain, mesh, 5.0)).abs().max() < 0.02


def test_teeth_are_darker_below_the_lip_and_at_their_edge_and_the_corners(shape, topology, fit):
    picture, mesh = drawn(shape, topology, fit, geometry(shape, "happiness"))
    seen = column(picture, mesh, 5.0)
    brightest = int(seen.argmax())
    assert 2 <= brightest < len(seen) - 2
    assert seen[0] < 0.9 * seen.max() and column(picture, mesh, 20.0).max() < 0.9 * seen.max()


def test_each_person_has_teeth_of_their_own_wherever_the_face_stands(shape, fit):
    rest = placed(shape, fit, torch.zeros(len(shape.basis)))
    wider = rest * torch.tensor([1.05, 1.0, 1.0]).double()
    maps = shape.mouth_maps.float(), shape.mouth_box.float()
    own, elsewhere, other = (of_person(*maps, points) for points in (rest, 3 * rest + 7, wider))
    assert torch.allclose(own, elsewhere, atol=1e-3)
    teeth = own[:, 0] > 0.5
    assert 0.005 < ((other[:, 0] > 0.5) != teeth).sum() / teeth.sum() < 0.15


def test_the_edge_of_an_opening_has_no_steps(shape, topology, fit):
    """Each row or column crosses it in more than one step of brightness."""
    points = placed(shape, fit, geometry(shape, "happiness"))
    cover, inside = MOUTH.cover(points, 256, 1.8), MOUTH.inside(Mesh.of(points, topology, 256))
    assert abs(cover.sum() / inside.sum() - 1) < 0.05
    assert cover.diff(dim=0).abs().max() < 0.75


def test_a_dropped_jaw_has_no_teeth_of_its_own_where_a_smile_shows_them(shape, topology, fit):
    """What the photo shows there is the depth of its mouth."""
    wide, smile = geometry(shape, "amazement"), geometry(shape, "happiness")
    photo = skin_picture()
    photo[:, MOUTH.inside(Mesh.of(placed(shape, fit, wide), topology, 256)) > 0] = 0.1
    deep, mesh = drawn(shape, topology, fit, smile, photo, wide)
    plain, _ = drawn(shape, topology, fit, smile)
    assert (column(deep, mesh) - column(plain, mesh)).abs().max() < 0.05


def test_lips_that_were_apart_meet_without_teeth_and_with_a_line(shape, topology, fit):
    smile, calm = geometry(shape, "happiness"), torch.zeros(len(shape.basis))
    photo = skin_picture()
    photo[:, MOUTH.inside(Mesh.of(placed(shape, fit, smile), topology, 256)) > 0] = 1.0
    picture, mesh = drawn(shape, topology, fit, calm, photo, smile)
    assert picture.max() <= skin_picture().max()
    y, x = int(mesh.points[13, 1]), int(mesh.points[13, 0])
    assert picture[:, y - 1 : y + 2, x].mean(0).min() < 0.85 * skin_picture()[:, 0, 0].mean()


def test_highlights_of_lips_that_an_opened_mouth_stretches_are_fainter(shape, topology, fit):
    asked, calm = geometry(shape, "amazement"), torch.zeros(len(shape.basis))
    rest, mesh = placed(shape, fit, calm), Mesh.of(placed(shape, fit, asked), topology, 256)
    shiny, y, x = 0.6 * skin_picture(), int(mesh.points[15, 1] - 0.5), int(mesh.points[15, 0])
    shiny[:, y - 1 : y + 2, x - 6 : x + 7] = 0.9
    opened = paint_mouth(shiny, mesh, skin_picture(), rest, Interior.of(shape, rest, rest, asked))
    assert opened[:, y, x].mean() < 0.9 * shiny[:, y, x].mean()
    assert torch.equal(opened[:, :100], shiny[:, :100])
    still = Mesh.of(rest, topology, 256)
    assert torch.equal(paint_mouth(shiny, still, skin_picture(), rest, Interior.of(shape, rest, rest, calm)), shiny)


def test_edges_of_lips_are_taken_from_inside_the_lips_only_where_a_mouth_moves(shape, fit):
    calm = placed(shape, fit, torch.zeros(len(shape.basis)))
    opened = placed(shape, fit, geometry(shape, "amazement"))
    assert torch.equal(parted(calm, calm), calm)
    pulled = parted(calm, opened)
    assert (pulled[list(UPPER_EDGE), 1] <= calm[list(UPPER_EDGE), 1]).all()  # up, into the upper lip
    assert (pulled[list(LOWER_EDGE), 1] >= calm[list(LOWER_EDGE), 1]).all()
    assert pulled[13, 1] < calm[13, 1] - 0.2 and pulled[14, 1] > calm[14, 1] + 0.2


def test_a_turned_head_turns_its_teeth(shape, topology, fit):
    angle = torch.tensor(0.4).double()
    turn = torch.eye(3).double()
    turn[0, 0], turn[0, 2], turn[2, 0], turn[2, 2] = angle.cos(), angle.sin(), -angle.sin(), angle.cos()
    rest = placed(shape, replace(fit, rotation=turn[None]), torch.zeros(len(shape.basis)))
    inside = Interior.of(shape, rest, rest, geometry(shape, "happiness"))
    teeth = torch.tensor([[0.0, -3.6, float(inside.arch[0, 0])]])
    pixel = (teeth @ inside.camera[:, :3].T + inside.camera[:, 3])[0]
    assert torch.allclose(inside.place(0, pixel)[:2], teeth[0, :2] - inside.moved[0, :2], atol=0.02)
    frontal = Interior.of(shape, *(2 * [placed(shape, fit, torch.zeros(len(shape.basis)))]), geometry(shape, "happiness"))
    aside = (teeth @ frontal.camera[:, :3].T + frontal.camera[:, 3])[0]
    assert (pixel[0] - rest[13, 0]) * angle.sign() < -1 + (aside[0] - 128)  # teeth lie deeper than lips, and are seen aside


def test_the_jaw_takes_its_teeth_along(shape, fit):
    rest = placed(shape, fit, torch.zeros(len(shape.basis)))
    moved = {word: Interior.of(shape, rest, rest, geometry(shape, word)).moved for word in ("anger", "amazement")}
    assert moved["amazement"][1, 1] < -0.5 and moved["anger"][1, 1] > -0.2
    assert not moved["amazement"][0].any()


def test_a_bundle_without_teeth_loads_and_has_no_interior_and_one_with_half_is_refused(shape):
    state = {name: value for name, value in shape.state_dict().items() if not name.startswith("mouth_")}
    plain = FaceShape.like(state)
    fill_module(plain, state, "shape")
    assert Interior.of(plain.double(), plain.mean, plain.mean, torch.zeros(len(plain.basis))) is None
    half = {**state, TEETH[0]: shape.mouth_maps}
    with pytest.raises(DiffSFSRError, match="mouth_box"):
        fill_module(FaceShape.like(half), half, "shape")


# --- the neutral face -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["jawOpen", "mouthSmileLeft", "browDownLeft"])
def test_a_neutral_face_has_closed_lips_and_less_of_what_the_photo_does(shape, fit, name):
    done = torch.zeros(1, 52, dtype=torch.float64)
    done[0, index(name)] = 0.7
    moved = replace(fit, expression=done)
    calm, is_, was = (x[0, :468] for x in (shape.neutral(fit), shape.neutral(moved), shape.upright(moved)))
    assert (is_ - calm).norm(dim=1).mean() < 0.7 * (was - calm).norm(dim=1).mean()
    gap = (is_[list(UPPER_EDGE), 1] - is_[list(LOWER_EDGE), 1]).clamp_min(0)
    assert gap.max() < 1e-6


def test_a_calm_face_stays_as_it_is(shape, fit):
    """All that the model does not explain belongs to the person."""
    own = torch.zeros(1, 478, 2, dtype=torch.float64)
    own[0, 33] = torch.tensor([0.0, 3.0])
    found = shape.neutral(replace(fit, residual=own))[0, 33] - shape.neutral(fit)[0, 33]
    assert torch.allclose(found[:2], torch.tensor([0.0, 3.0 / 9]).double(), atol=0.01)
