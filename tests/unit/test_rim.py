"""Tone at the rim: face and surroundings meet without a step, led by skin alone; and the measure that sees the step."""

import pytest
import torch

from diffsfsr.evaluation.metrics.tone import rim_measures
from diffsfsr.modules.warp.bare import bare_skin
from diffsfsr.modules.warp.coarse import BackgroundFace, coarse_warp, face_mask, morph
from diffsfsr.modules.warp.masks import grow
from diffsfsr.modules.warp.rim import MEAN, is_skin, led_rim, match_rim
from diffsfsr.modules.warp.skin import Skin
from tests.unit.faces import HAIR, SKIN, photo, skin_picture


def lit(low, high):
    """Skin whose linear light grows from left to right."""
    return skin_picture() * torch.linspace(low, high, 256) ** (1 / 2.2)


def drawn_in(face, selfie, background, **options):
    """The selfie's picture on the face where it stands in another picture: coarse warp, mask [256, 256]."""
    place = BackgroundFace.of(photo(background, face.points), face.topology)
    mask = face_mask(place, face, 9)
    return coarse_warp(Skin(selfie, face.points), place, face, mask, **options), mask


def band(face, low, high):
    """The part of the picture from `low` to `high` pixels outside of the face, but for the chin, [256, 256] bool."""
    whole = face.covered.float()[None, None]
    return (grow(whole, high) - grow(whole, low))[0, 0] > 0


def steps(face, made):
    """Log step of light from outside to inside of the face at its left and its right side."""
    inside, outside = band(face, -10, -6), band(face, 2, 8)
    x = torch.arange(256)[None]
    sides = (x < 100).expand(256, 256), (x > 156).expand(256, 256)
    light = made.clamp_min(1e-3).log().mean(0) * 2.2
    return [float(light[inside & side].mean() - light[outside & side].mean()) for side in sides]


def test_light_from_the_other_side_leaves_no_step(face):
    selfie, background = lit(1.0, 0.4), lit(0.4, 1.0)
    before, after = (steps(face, drawn_in(face, selfie, background, rim=rim)[0]) for rim in (False, True))
    own = steps(face, background)
    assert all(abs(a - o) < 0.4 * abs(b - o) for a, b, o in zip(after, before, own, strict=True))
    assert min(abs(b - o) for b, o in zip(before, own, strict=True)) > 0.2


@pytest.mark.parametrize("colour", [HAIR, torch.tensor([0.1, 0.6, 0.2])])
def test_hair_and_beard_at_the_rim_do_not_count(face, colour):
    """Half of the face's rim is of another colour, in one of the two pictures: skin is led by skin, beard by nothing."""
    known, mask = face.covered.float(), torch.ones(256, 256)
    plain, bearded = skin_picture() * 0.9, skin_picture() * 0.9
    bearded[:, 150:] = colour[:, None, None]
    wanted, _ = match_rim(plain, known, skin_picture(), mask, 1.0)
    cheek, chin = face.points[50, :2].long().tolist(), face.points[152, :2].long().tolist()
    for face_side, around in ((bearded, skin_picture()), (plain, skin_picture().where(bearded == plain, bearded))):
        made, _ = match_rim(face_side, known, around, mask, 1.0)
        there = (slice(None), cheek[1], cheek[0])
        way = (made[there] - plain[there]) / (wanted[there] - plain[there])
        assert ((way > 0.5) & (way < 1.2)).all()
        ratio = made[:, chin[1] - 4, chin[0]] / face_side[:, chin[1] - 4, chin[0]]
        assert ratio.max() / ratio.min() < 1.02, "no colour comes from hair"


def test_the_knob_at_its_ends(face):
    """0: the face is the selfie's own, the skin around goes to it inside the mask; 1: the other way round."""
    dark = skin_picture() * 0.88
    own, mask = drawn_in(face, dark, skin_picture(), colour=0.0, rim=True)
    theirs, _ = drawn_in(face, dark, skin_picture(), colour=1.0, rim=True)
    inside, near = band(face, -20, -8), band(face, 1, 3)
    assert torch.allclose(own[:, inside], dark[:, inside], atol=0.01)
    assert torch.allclose(theirs[:, inside], skin_picture()[:, inside], atol=0.03)
    assert (own[:, near] / skin_picture()[:, near]).mean() < 0.95, "led to the selfie's"
    assert torch.allclose(theirs[:, near], skin_picture()[:, near], atol=0.02)
    for made in (own, theirs):
        assert torch.equal(made[:, mask == 0], skin_picture()[:, mask == 0])


def test_a_face_does_not_pale(face):
    """However bright the rim is, and the less, the less of it is skin."""
    known, mask = face.covered.float(), torch.ones(256, 256)
    dark, inside = skin_picture() * 0.5, face.covered & ~band(face, -12, 0)
    made, _ = match_rim(dark, known, skin_picture(), mask, 1.0)
    gain = float((made[:, inside] / dark[:, inside]).log().mean() * 2.2)
    assert 0.5 * MEAN < gain < 1.1 * MEAN
    whole, _ = match_rim(0.93 * skin_picture(), known, skin_picture(), mask, 1.0)
    little = skin_picture()
    little[:, band(face, -20, 8) & (torch.arange(256)[:, None] > 80)] = torch.tensor([0.1, 0.2, 0.9])[:, None]
    part, _ = match_rim(0.93 * skin_picture(), known, little, mask, 1.0)
    way = (part[0, inside].mean() - 0.93 * SKIN[0]) / (whole[0, inside].mean() - 0.93 * SKIN[0])
    assert 0 < way < 0.8


@pytest.mark.parametrize("light", [0.4, 0.75, 1.15])
@pytest.mark.parametrize("what", ["skin", "hair", "wall", "sky"])
def test_what_is_left_of_another_skin_takes_the_colour_of_the_drawn_one(what, light):
    """Else it is a pale line at cheek, jaw and hairline. Hair does not glow, a wall keeps its colour, nor does what is far."""
    sky = torch.tensor([0.45, 0.6, 0.95])  # as bright as the skin
    colour = {"skin": SKIN, "hair": HAIR, "wall": torch.full((3,), 0.85), "sky": sky}[what]
    around, face = skin_picture(), torch.zeros(256, 256)
    face[60:200, 80:176] = 1
    around[:, 54:60] = colour[:, None, None]  # beside the face, behind a line of its skin
    around[:, 57:60] = skin_picture()[:, 57:60]
    led = led_rim(around, light * skin_picture(), face, face)
    ratio = (led / around)[:, :, 100:156].log() / torch.tensor(light).log()
    assert (ratio[:, 57:60] - 1).abs().max() < 0.15
    wanted = {"skin": 1.0, "hair": float(light < 1)}.get(what, 0.0)
    assert (ratio[:, 54:57] - wanted).abs().max() < 0.25
    assert (led - around)[:, :40].abs().max() < 1e-3


def test_a_wall_within_an_outline_that_misses_by_two_pixels_is_no_skin():
    """It was led with the face beside it, a second jaw."""
    around, face = skin_picture(), torch.zeros(256, 256)
    face[60:200, 80:176] = 1
    around[:, :, :82] = 0.45 * SKIN[:, None, None] * torch.tensor([0.9, 1.0, 1.1])[:, None, None]
    led = led_rim(around, 1.2 * skin_picture(), face, face)
    assert (led / around)[:, 100:156, :80].log().abs().max() < 0.05
    assert (led / around)[:, 100:156, 84].log().min() > 0.1


def test_a_wall_that_is_a_little_darker_and_greyer_than_the_skin_keeps_its_colour():
    """It had brown smears beside a jaw; what is as far off skin where skin goes on is skin in shadow."""
    face, wall = torch.zeros(256, 256), 0.7 * SKIN * torch.tensor([0.93, 1.0, 1.06])
    face[60:200, 80:176] = 1
    for shadow in (False, True):
        around = skin_picture()
        around[:, :, 72 if shadow else 0 : 80] = wall[:, None, None]
        led = led_rim(around, 1.25 * skin_picture(), face, face)
        changed = (led / around)[:, 100:156, 74:79].log().mean()
        assert (changed > 0.05) == shadow and (shadow or changed.abs() < 0.02)


def test_a_fringe_of_the_drawn_face_does_not_go_on_above_it():
    """It was a dark patch on the forehead of the place."""
    around, face, drawn = skin_picture(), torch.zeros(256, 256), skin_picture()
    face[60:200, 80:176] = 1
    drawn[:, :80] = HAIR[:, None, None]
    led = led_rim(around, drawn, face, face)
    assert (led - around)[:, :60].abs().max() < 0.05


def test_nothing_known_changes_nothing():
    picture, nothing = skin_picture(), torch.zeros(256, 256)
    for made in match_rim(picture, nothing, picture, nothing, 0.5):
        assert torch.equal(made, picture)
    assert torch.equal(led_rim(picture, picture, nothing, nothing), picture)
    assert not is_skin(picture[None], nothing[None, None]).any()


def test_the_own_photo_stays(face):
    """There tone is none, and the picture is what it was before there was a knob."""
    place = BackgroundFace.of(photo(lit(1.0, 0.4), face.points), face.topology)
    how = {"background": place, "mesh": face, "mask": face_mask(place, face, 9)}
    own = Skin.of(place.face)
    usual = coarse_warp(own, complete=True, **how)
    assert torch.equal(morph(own, identity=1.0, tone=None, **how), usual)
    other = Skin(lit(0.4, 1.0), face.points)
    toned = morph(other, identity=1.0, tone=0.6, **how)
    assert torch.equal(toned, coarse_warp(other, complete=True, colour=0.6, rim=True, **how))


def test_the_measure_sees_a_step_and_its_own_background_has_none(face):
    background, covered = lit(0.5, 1.0), face.covered.float()
    pasted = torch.where(face.covered, background * 0.85, background)
    found = rim_measures(torch.stack([background, pasted]), background.expand(2, -1, -1, -1), covered.expand(2, -1, -1))
    assert found["tone_step"][0] == 1 and found["rim_gradient"][0] == 1
    assert found["tone_step"][1] > 3 and found["rim_gradient"][1] > 1.5
    high = torch.where(torch.arange(256)[:, None] < 100, pasted, background)
    found = rim_measures(high[None], background[None], covered[None])
    assert found["step_forehead"] > 3 and found["step_jaw"] == 1, "the border is on the forehead alone"
    hair = HAIR[:, None, None].expand(3, 256, 256).where(~face.covered, skin_picture())
    assert rim_measures(hair[None], hair[None], covered[None])["tone_step"].isnan().all(), "nothing but hair around"


def test_bare_skin_hangs_together_with_the_face(face):
    """A neck below the chin, and no wall, no hand elsewhere and no beard."""
    picture = torch.full((3, 256, 256), 0.45)
    picture[:, 200:250, 100:156] = SKIN[:, None, None]  # the neck
    picture[:, 5:25, 5:25] = SKIN[:, None, None]  # somebody's hand
    lower = torch.arange(256)[:, None] > face.points[2, 1]
    picture = torch.where(face.covered, torch.where(lower, HAIR[:, None, None], SKIN[:, None, None]), picture)
    found = bare_skin(picture, face)
    neck = torch.zeros(256, 256, dtype=torch.bool)
    neck[205:240, 104:152] = True
    assert (found[face.covered] == 1).all() and found[neck & ~face.covered].mean() > 0.9
    assert not found[5:25, 5:25].any() and found[:150, :30].sum() == 0


def test_a_face_fades_softly_into_anothers_forehead(face):
    """More rows are between one tone and the other than where it is drawn into its own photo."""
    top = int(face.points[10, 1])

    def between(rim):
        made, _ = drawn_in(face, skin_picture() * 0.4, skin_picture(), colour=0.0, rim=rim)
        light = made[:, top - 24 : top + 20, 128].mean(0)
        return int(((light > 1.05 * light.min()) & (light < 0.95 * light.max())).sum())

    assert between(True) > 1.5 * between(False)
