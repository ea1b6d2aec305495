"""How far words move a face, and the light that comes with it: real faces' on any skin, less where a photo has it already."""

from dataclasses import replace

import pytest
import torch

from diffsfsr.modules import labels
from diffsfsr.modules.bundle import fill_module
from diffsfsr.modules.encoders.expression import encode_label, encode_lines, from_sliders, scaled, split
from diffsfsr.modules.errors import DiffSFSRError
from diffsfsr.modules.faces.morphable import OPTIONAL, FaceShape
from diffsfsr.modules.labels import BLENDSHAPES, prototype
from diffsfsr.modules.types import Fit, Strength
from diffsfsr.modules.warp.coarse import points_of
from diffsfsr.modules.warp.eyes import EYES
from diffsfsr.modules.warp.light import GAMMA, LUMINANCE, gained
from diffsfsr.modules.warp.mesh import Mesh
from diffsfsr.modules.warp.mouth import MOUTH
from diffsfsr.modules.warp.wrinkles import expressed, folded, own_light, shade_of, shade_on
from diffsfsr.training.movement import WORDS, distance, learn_movement, strip, typical, with_extras
from tests.unit.faces import mean_fit, photo, skin_picture

# mean displacement of five real people's faces, in units of the face model, as `python -m training movement` measured it
REAL = {
    "Happy": 0.426, "Sad": 0.078, "Angry": 0.098, "Surprised": 0.372, "Disgusted": 0.218, "Scared": 0.195, "Shocked": 0.445,
    "Smug": 0.164, "Flirty": 0.236, "Confused": 0.108,
}  # fmt: skip


UPPER_LID = 159


def geometry(shape: FaceShape, word: str, intensity: float = 1.0) -> torch.Tensor:
    return split(encode_label(shape, "me", word, intensity, 0).codes)[1][0].to(shape.mean)


def code(**values: float) -> torch.Tensor:
    found = torch.zeros(len(BLENDSHAPES))
    for name, value in values.items():
        found[BLENDSHAPES.index(name)] = value
    return found


# --- movement -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", REAL)
def test_a_word_moves_a_face_as_far_as_real_people(shape, label):
    moved = distance(shape.moved(geometry(shape, WORDS[label])[None])[0])
    assert 0.8 < moved / REAL[label] < 1.25


def test_a_caricature_goes_further_and_a_trace_is_still_seen(shape):
    size = {i: distance(shape.moved(geometry(shape, "anger", i)[None])[0]) for i in (0.3, 1.0, 1.5)}
    assert size[0.3] > 0.02 and size[1.5] > 1.3 * size[1.0] > 3 * size[0.3]


@pytest.mark.parametrize("word", ["rage", "amazement", "cheerfulness", "terror"])
def test_above_1_the_face_goes_on_where_the_coefficients_stop(shape, word):
    """Words whose coefficients are at 1 hardly grew."""
    one, more = (encode_label(shape, "me", word, i, 0).codes for i in (1.0, 1.5))
    assert torch.allclose(split(more)[1], 1.5 * split(one)[1], atol=1e-3 + 0.02 * float(split(one)[1].abs().max()))
    assert split(more)[0].max() == 1 and torch.equal(split(more)[0], (1.5 * split(one)[0]).clamp(max=1))


def test_words_typed_strongly_and_pictures_grow_by_the_same_rule(shape):
    one, more = (encode_label(shape, "me", "rage", i, 2).codes for i in (1.0, 1.5))
    typed = encode_lines(shape, "me", "rage", 1.5, 2)[2].codes
    assert torch.equal(typed, more) and torch.allclose(scaled(one, 1.5), more, atol=1e-3)
    assert torch.allclose(encode_lines(shape, "me", "rage 1.5", 1.0, 2)[2].codes, more, atol=1e-6)


def test_lids_that_are_closed_close_no_further(shape):
    shut = [shape.movement_of_code(code(eyeBlinkLeft=i, eyeBlinkRight=i)[None].to(shape.mean)) for i in (1.0, 1.5)]
    down = [float(moved[0, UPPER_LID, 1]) for moved in shut]
    assert down[1] == pytest.approx(down[0], rel=0.02) and down[0] < -0.5


def test_the_rig_calibration_stops_at_1(shape):
    state = {name: value for name, value in shape.state_dict().items() if name not in OPTIONAL}
    old = FaceShape.like(state)
    old.load_state_dict(state)
    strong = torch.from_numpy(labels.asked("rage", 1.5))[None]
    assert torch.equal(old.geometry_of_code(strong), old.geometry_of_code(strong.clamp(max=1)))


@pytest.mark.parametrize("opening", [MOUTH, EYES[0][0], EYES[1][0]])
def test_edges_that_would_cross_meet_and_others_stay(shape, opening):
    open_ = shape.frame(256)
    assert torch.equal(opening.met(open_, open_), open_)
    crossed = open_.clone()
    crossed[list(opening.upper), 1] += 40
    met = opening.met(crossed, open_)
    assert torch.allclose(met[list(opening.upper), 1], met[list(opening.lower), 1], atol=1.5), "corners are not level"
    rest = [k for k in range(478) if k not in opening.upper + opening.lower]
    assert torch.equal(met[rest], crossed[rest])
    wide = open_.clone()
    wide[list(opening.upper), 1] -= 5
    assert torch.equal(opening.met(wide, open_), wide)
    assert torch.equal(opening.met(crossed, crossed), crossed), "no further than at rest"


def test_no_lid_or_lip_crosses_in_any_word_at_any_intensity(shape):
    fit = Fit(*(torch.zeros(1, n) for n in (len(shape.identity), 52)), torch.eye(3)[None], torch.tensor([10.0]),
              torch.tensor([[128.0, -128.0]]), torch.zeros(1, 478, 2), torch.zeros(1, len(shape.basis)))  # fmt: skip
    for word in ("ecstasy", "relief", "defeat", "distress", "insult", "rage"):
        points = points_of(shape, fit, fit, geometry(shape, word, 1.5), Strength())
        for opening in (MOUTH, EYES[0][0], EYES[1][0]):
            gap = points[list(opening.lower), 1] - points[list(opening.upper), 1]
            assert gap.min() > -0.3, f"{word}: pixels by which the edges cross"


@pytest.mark.parametrize("name", ["mouthPucker", "mouthLowerDownLeft", "noseSneerLeft", "eyeBlinkLeft", "jawOpen"])
def test_a_slider_still_does_what_its_name_says(shape, name):
    """What was learnt of whole words does not turn a single coefficient into something else."""
    alone = shape.movement_of_code(code(**{name: 1.0})[None].to(shape.mean))[0]
    rig = shape.expression[BLENDSHAPES.index(name)]
    assert float((alone * rig).sum() / (alone.norm() * rig.norm())) > 0.8


def test_corrections_come_back_to_what_made_the_movements(shape, topology):
    plain = strip(shape)
    codes = {label: torch.from_numpy(prototype(word)).to(plain.mean) for label, word in WORDS.items()}
    moved = {("somebody", label): torch.einsum("e,epc->pc", c, 0.6 * plain.expression) for label, c in codes.items()}
    wider = with_extras(plain, learn_movement(moved, plain, topology.mirror))
    for label, c in codes.items():
        wanted = typical(moved, label, topology.mirror)
        assert distance(wider.movement_of_code(c[None])[0] - wanted) < 0.1 * distance(wanted)


def test_a_code_of_nothing_moves_nothing(shape):
    assert not shape.movement_of_code(torch.zeros(2, 52)).any()


def test_a_bundle_of_old_has_the_rig_calibration_and_no_light(shape):
    state = {name: value for name, value in shape.state_dict().items() if name not in OPTIONAL}
    old = FaceShape.like(state)
    old.load_state_dict(state)
    asked = torch.from_numpy(prototype("anger"))[None]
    assert torch.allclose(old.geometry_of_code(asked), old.geometry_of_rig(old.drive(asked)))
    assert old.light(old.geometry_of_code(asked)[0]) is None and len(old.basis) == 40


@pytest.mark.parametrize("lost", ["anchors", "corrections", "movement", "light_axes"])
def test_half_of_what_belongs_together_is_refused(shape, lost):
    state = {name: value for name, value in shape.state_dict().items() if name != lost}
    with pytest.raises(DiffSFSRError, match=f"does not fit its configuration.*{lost}"):
        fill_module(FaceShape.like(state), state, "shape")


# --- light --------------------------------------------------------------------------------------------------------


def test_the_light_grows_with_the_intensity_and_a_calm_face_has_none(shape):
    size = [float(shape.light(geometry(shape, "anger", i)).norm()) for i in (0.0, 0.5, 1.0, 1.5)]
    assert size[0] == 0 and size == sorted(size) and size[3] > 1.2 * size[2]


def under(light: torch.Tensor, shape: FaceShape, points: tuple[int, ...]) -> float:
    """The strongest light within 8 pixels of face points in the frontal frame."""
    spots = shape.frame(len(light))[list(points), :2].round().long().tolist()
    return max(float(light[y - 8 : y + 9, x - 8 : x + 9].abs().max()) for x, y in spots)


BETWEEN_BROWS, FOREHEAD, MOUTH_CORNER = (9, 55, 285), (9, 107, 336, 66, 296), (206,)


@pytest.mark.parametrize(("slider", "most"), [("jaw", 0.01), ("smile", 0.03), ("teeth", 0.03), ("frown", 0.2)])
def test_a_mouth_that_moves_alone_draws_no_lines_on_the_forehead(shape, slider, most):
    made = split(from_sliders(shape, "me", {slider: 1.0}, 0.0, "", None).codes)[1][0].to(shape.mean)
    assert under(shape.light(made), shape, BETWEEN_BROWS + FOREHEAD) < most
    assert under(shape.light(geometry(shape, "anger")), shape, BETWEEN_BROWS) > 0.2, "lowered brows do"


def test_brows_that_move_alone_draw_no_folds_beside_the_mouth(shape):
    made = split(from_sliders(shape, "me", {"brows": -1.0}, 0.0, "", None).codes)[1][0].to(shape.mean)
    assert under(shape.light(made), shape, MOUTH_CORNER) < 0.08
    assert under(shape.light(geometry(shape, "happiness")), shape, MOUTH_CORNER) > 0.1, "a smile does"


def test_a_face_at_rest_has_moved_nowhere_and_a_trace_of_anger_at_the_brows(shape):
    made = geometry(shape, "anger", 0.3)
    x, y = shape.frame(64)[55, :2].long().tolist()
    assert not shape.share_moved(0 * made, 64).any() and shape.share_moved(made, 64)[y, x] > 0.5


@pytest.mark.parametrize(("word", "point"), [("anger", 55), ("anger", 285), ("disgust", 206), ("shock", 18)])
def test_folds_are_where_they_belong(shape, word, point):
    """Frown lines at the inner brows, the folds beside the nose, the shadow below a dropped lip."""
    x, y = shape.frame(256)[point, :2].long().tolist()
    assert shape.light(geometry(shape, word))[y - 3 : y + 4, x - 3 : x + 4].mean() < -0.05


def test_the_light_is_alike_on_both_sides(shape):
    light = shape.light(geometry(shape, "disgust"))
    assert (light - light.flip(-1)).norm() < 0.35 * light.norm()


@pytest.mark.parametrize("skin", [0.15, 0.4, 0.8])
def test_it_is_a_gain_of_linear_light_on_any_skin(skin):
    picture, shade = torch.full((3, 8, 8), skin), torch.full((8, 8), -0.3)
    linear = gained(picture, shade.exp()) ** 2.2 / picture**2.2
    assert torch.allclose(linear, torch.full_like(linear, 0.7408), atol=1e-3)


def test_it_goes_with_the_head(shape, topology):
    light, frame = shape.light(geometry(shape, "anger")), shape.frame(256)
    half = frame * 0.5 + torch.tensor([100.0, 90.0, 0.0])
    here, there = (shade_on(light[None], frame, Mesh.of(points, topology, 256))[0] for points in (frame, half))
    assert here.abs().sum() > 0 and not there[:90].any() and not there[:, :100].any()
    assert float(there.min()) == pytest.approx(float(here.min()), abs=0.1)


def test_a_smile_that_goes_takes_its_folds_with_it(shape, topology):
    frame = shape.frame(256)
    mesh = Mesh.of(frame, topology, 256)
    smile = {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8}
    calm, smiling = (
        replace(photo(skin_picture(), frame), code=code(**done), fit=mean_fit(shape, **done)) for done in ({}, smile)
    )
    shaded = lambda face, word, i: shade_of(shape, own_light(shape, face), mesh, geometry(shape, word, i), 1.0)  # noqa: E731
    shade = lambda *asked: shaded(*asked).light  # noqa: E731
    smile, away = shade(calm, "happiness", 1.0), shade(smiling, "happiness", 0.0)
    assert float((smile * away).sum()) < -0.2 * float(smile.norm() * away.norm()), "what is taken away is a smile's"
    assert shade(smiling, "happiness", 1.0).norm() < smile.norm(), "a photo that smiles gets less of it"
    assert not shade(calm, "happiness", 0.0).any()
    fold = skin_picture()
    y, x = divmod(int(shade(calm, "happiness", 1.0).argmin()), 256)
    fold[:, y - 12 : y + 13, x - 1 : x + 2] *= 0.7
    kept, gone = (shaded(smiling, "happiness", i).on(fold)[:, y, x].mean() for i in (1.0, 0.0))
    assert gone > 1.1 * kept, "the photo's own fold goes"
    assert shaded(calm, "happiness", 0.0).gone is None


def test_calm_measures_are_no_expression():
    assert not expressed(code(browDownLeft=0.2, eyeSquintLeft=0.4, mouthSmileLeft=0.1)).any()
    assert expressed(code(mouthSmileLeft=0.7)).sum() == pytest.approx(0.7)


# --- the table ----------------------------------------------------------------------------------------------------


def test_the_words_of_the_labels_are_among_the_135_and_none_twice():
    assert set(WORDS.values()) <= set(labels.WORDS) and len(set(WORDS.values())) == len(WORDS) == 10


@pytest.mark.parametrize("light", [1.0, 0.4])
def test_folds_are_redder_and_as_dark_as_asked(light):
    """A fold that is as grey as a shadow on paper looks dirty; what is brighter keeps its hue, and calm skin all."""
    skin = light * torch.tensor([0.80, 0.62, 0.52])[:, None, None].expand(3, 1, 3)
    gain = torch.tensor([[0.6, 1.0, 1.2]])
    made = gained(skin, folded(skin, gain)) ** GAMMA / skin**GAMMA
    assert made[0, 0, 0] > made[1, 0, 0] > made[2, 0, 0] and (made[0] - made[2])[0, 0] > 0.02 * light
    assert (made[:, 0, 1:] - gain[0, 1:]).abs().max() < 1e-3
    weight = torch.tensor(LUMINANCE) * skin[:, 0, 0] ** GAMMA
    assert ((weight * made[:, 0, 0]).sum() / weight.sum() - 0.6).abs() < 0.02
