"""The coarse warp and the way back: what hangs over the forehead, what the mouth shows, where the paste fades."""

import pytest
import torch

from diffsfsr.modules.types import PasteRegion
from diffsfsr.modules.warp.coarse import BackgroundFace, coarse_warp, face_mask
from diffsfsr.modules.warp.eyeball import EYES
from diffsfsr.modules.warp.light import colours, match_colour, tone
from diffsfsr.modules.warp.masks import grow
from diffsfsr.modules.warp.paste import composite
from diffsfsr.modules.warp.plain_mouth import paint_plainly
from diffsfsr.modules.warp.skin import FOREHEAD, Skin, hair_mask
from tests.unit.faces import HAIR, SKIN, moved, photo, skin_picture


def in_place(face, image, points=None):
    """A background picture with the canonical face in it, or one at other points."""
    return BackgroundFace.of(photo(image, face.points if points is None else points), face.topology)


def lowered_jaw(points):
    """Lower lip and chin go down as a whole."""
    opened = points.clone()
    below = points[:, 1] > points[14, 1] + 1e-3
    below[[95, 88, 178, 87, 14, 317, 402, 318, 324]] = True
    opened[below, 1] += 25
    return opened


def test_a_fringe_is_found_and_plain_skin_is_not(face):
    points, covered = face.points, face.covered.float()
    assert hair_mask(skin_picture(), covered, face).max() == 0
    picture = skin_picture()
    line = int(points[151, 1])  # middle of the forehead: hair above it
    picture[:, :line] = HAIR[:, None, None]
    found = hair_mask(picture, covered, face)
    inside = covered[: line - 6] > 0
    assert found[: line - 6][inside].mean() > 0.8
    assert found[int(points[1, 1]) :].max() == 0  # from the nose down nothing is hair


def test_a_fringe_in_dim_even_light_is_found(face):
    """All colours are near there."""
    picture, line = 0.5 * skin_picture(), int(face.points[151, 1])
    picture[:, :line] = 0.3 * picture[:, :line]
    found = hair_mask(picture, face.covered.float(), face)
    assert found[: line - 6][face.covered[: line - 6]].mean() > 0.8


def test_a_mask_over_most_of_a_face_says_nothing_of_its_tone(face):
    """The forehead that is seen takes the light of the skin around it, as without the mask."""
    side = torch.linspace(0.4, 1.0, 256) ** (1 / 2.2)
    picture, selfie = skin_picture() * side, Skin(skin_picture() * side.flip(0), face.points)
    low = face.covered & (torch.arange(256)[:, None] > face.points[6, 1])
    masked = torch.where(low, torch.tensor([0.6, 0.75, 0.85])[:, None, None], picture)
    places = in_place(face, picture), in_place(face, masked).behind(low.float())
    made = [coarse_warp(selfie, place, face, face_mask(place, face, 9), colour=0.6, rim=True) for place in places]
    bare, seen, untouched = (image.mean(0)[face.between(FOREHEAD) & ~low] for image in (*made, selfie.image))
    assert (seen - bare).abs().mean() < 0.2 * (untouched - bare).abs().mean()


def test_brows_and_lone_shadows_are_no_fringe_but_what_hangs_on_to_the_hair_is(face):
    points, covered, picture = face.points, face.covered.float(), skin_picture()
    line = int(points[105, 1])  # upper edge of a brow
    picture[:, line - 8 : line + 6, 90:166] = HAIR[:, None, None]
    assert hair_mask(picture, covered, face).max() == 0
    picture[:, : line - 7, 120:136] = HAIR[:, None, None]  # a strand from above
    assert hair_mask(picture, covered, face)[line - 20, 128] > 0.9


def test_the_mouth_is_painted_only_when_it_opens(face):
    points = face.points
    assert torch.equal(paint_plainly(skin_picture(), face, points), skin_picture())
    opened = lowered_jaw(points)
    painted = paint_plainly(skin_picture(), moved(face, opened), points)
    y, x = int(opened[14, 1]) - 6, int(opened[14, 0])
    assert painted[:, y, x].mean() < 0.5 * SKIN.mean()
    assert torch.equal(painted[:, 10, 10], SKIN)


def test_a_dropped_jaw_that_rises_to_a_smile_shows_painted_teeth_not_its_tongue(face):
    points = face.points
    dropped, smiling = lowered_jaw(points), points.clone()
    smiling[[95, 88, 178, 87, 14, 317, 402, 318, 324], 1] += 8
    smiling[[78, 308], 1] -= 6
    made = paint_plainly(skin_picture(), moved(face, smiling), dropped)
    x, y = int(smiling[13, 0]) + 2, int(smiling[13, 1]) + 3
    assert made[:, y, x].max() - made[:, y, x].min() < 0.12 and made[:, y, x].mean() > 0.6
    half_way = lowered_jaw(points)
    half_way[:, 1] -= 0.2 * (dropped - points)[:, 1]
    assert torch.equal(paint_plainly(skin_picture(), moved(face, half_way), dropped), skin_picture())


def test_colour_goes_to_the_other_face(face):
    dark, covered = skin_picture() * 0.5, face.covered.float()
    theirs = tone(colours(dark, face.covered))
    moved = match_colour(skin_picture(), covered, theirs, 1.0)
    assert torch.equal(moved[:, ~face.covered], skin_picture()[:, ~face.covered])
    assert torch.allclose(moved[:, face.covered].mean(1), dark[:, 0, 0], atol=0.03)
    assert torch.equal(match_colour(skin_picture(), covered, theirs, 0.0), skin_picture())


def test_only_what_is_dark_gets_louder(face):
    """A face in soft light in the place of one in hard light: brows may get more contrast, gleams and colours not."""
    way = lambda x: (lab := colours(x, face.covered)) - lab.mean(1, keepdim=True)  # noqa: E731
    ramp = torch.linspace(-0.1, 0.1, 256) * torch.tensor([1.0, 0.2, -1.0])[:, None, None]
    faint, loud = (skin_picture() + share * ramp for share in (0.3, 1.0))
    before, after = way(faint), way(match_colour(faint, face.covered.float(), tone(colours(loud, face.covered)), 1.0))
    dark = before[0] < before[0].quantile(0.2)
    bright = before[0] > before[0].quantile(0.8)
    grown = lambda where: (after[0, where].mean() / before[0, where].mean()).item()  # noqa: E731
    assert (after[1:].std(1) < 1.05 * before[1:].std(1)).all()
    assert 1.1 * grown(bright) < grown(dark) < 1.7


def test_a_face_that_hardly_shows_keeps_its_colours():
    covered, theirs = torch.zeros(256, 256), tone(colours(skin_picture(), torch.ones(256, 256, dtype=torch.bool)))
    assert torch.equal(match_colour(skin_picture(), covered, theirs, 1.0), skin_picture())
    covered[0, :15] = 1
    assert torch.equal(match_colour(skin_picture(), covered, theirs, 1.0), skin_picture())
    assert tone(colours(skin_picture(), covered > 0)) is None


def test_the_warp_leaves_everything_outside_the_mask(face):
    image = torch.rand(3, 256, 256)
    background = in_place(face, image)
    mask = face_mask(background, face, 6)
    made = coarse_warp(Skin(skin_picture(), face.points), background, face, mask)
    assert torch.equal(made[:, mask == 0], image[:, mask == 0])
    assert not torch.allclose(made[:, mask == 1], image[:, mask == 1], atol=0.2)


def test_an_opened_mouth_shows_its_inside_in_the_warp(face):
    """Closed lips have no picture of it: it has to be the painted one, not skin that was filled in."""
    opened = lowered_jaw(face.points)
    background, mesh = in_place(face, skin_picture(), opened), moved(face, opened)
    made = coarse_warp(Skin(skin_picture(), face.points), background, mesh, face_mask(background, mesh, 6))
    middle = made[:, int(opened[14, 1]) - 8, int(opened[14, 0])]
    assert middle.mean() < 0.6 * SKIN.mean()


@pytest.mark.parametrize("tone", [1.0, 0.45])
def test_a_smile_bares_teeth_that_have_no_colour_of_the_skin_and_a_dropped_jaw_hides_them(face, tone):
    dropped = lowered_jaw(face.points)
    smiling = dropped.clone()
    smiling[[78, 308], 1] -= 10
    background, shown = in_place(face, skin_picture() * tone), []
    for opened in (smiling, dropped):
        mesh = moved(face, opened)
        made = coarse_warp(Skin(skin_picture(), face.points), background, mesh, face_mask(background, mesh, 6))
        shown.append(made[:, int(opened[13, 1]) + 3, int(opened[13, 0]) + 2])  # beside the gap of the middle teeth
    teeth, hidden = shown
    assert teeth.mean() > background.face.image.mean() and teeth.mean() > 0.5
    assert teeth.max() - teeth.min() < 0.12
    assert hidden.mean() < 0.6 * teeth.mean()


def narrowed(points, share):
    """Both eyes' lids brought to their middle line, to this share of their gap."""
    made = points.clone()
    for eye, iris in EYES:
        for lid in (eye.upper, eye.lower):
            middle = 0.5 * (points[list(eye.upper), 1] + points[list(eye.lower), 1])
            made[list(lid), 1] = middle + share * (points[list(lid), 1] - middle)
        centre = made[list(eye.corners), :2].mean(0)
        made[iris : iris + 5, :2] = centre + 6.0 * torch.tensor([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1.0]])
    return made


def test_shut_eyes_open_in_the_warp(face):
    """Nothing of them is known: they have to be the painted ones, not skin that was filled in."""
    wide = narrowed(face.points, 1.0)
    background, mesh = in_place(face, skin_picture() * 0.9, wide), moved(face, wide)
    made = coarse_warp(Skin(skin_picture(), narrowed(face.points, 0.01)), background, mesh, mesh.covered.float())
    for _, iris in EYES:
        x, y = wide[iris, :2].long().tolist()
        assert made[:, y, x].mean() < 0.22


def test_beside_the_face_and_on_the_forehead_the_backgrounds_picture_stays(face):
    """The selfie has hair to the brows; the background person's own forehead and surroundings are sharp and known."""
    selfie, line = skin_picture(), int(face.points[151, 1]) + 4
    selfie[:, :line] = HAIR[:, None, None]
    texture = (SKIN[:, None, None] + 0.04 * torch.randn(3, 256, 256, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    background = in_place(face, texture)
    mask = face_mask(background, face, 14)
    made = coarse_warp(Skin(selfie, face.points), background, face, mask)
    beside = (mask == 1) & (grow(face.covered.float()[None, None], 8)[0, 0] == 0)
    assert torch.allclose(made[:, beside], texture[:, beside], atol=0.02)
    forehead = torch.zeros_like(beside)
    forehead[line - 22 : line - 16, 110:146] = True
    assert torch.allclose(made[:, forehead], texture[:, forehead], atol=0.05)


def region(feather):
    matrix = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    return PasteRegion(torch.zeros(1, 256, 256, 3), matrix, torch.ones(1, 256, 256), None, feather, 256)


def test_the_paste_fades_at_the_crops_edge():
    soft = composite(torch.zeros(1, 256, 256, 3), region(8.0))[1][0]
    assert soft[128, 128] == pytest.approx(1)
    assert soft[0].max() < 0.05 and soft[:, -1].max() < 0.05
    assert (soft[:, 128].diff().abs() < 0.25).all()  # no step on the way
    assert soft[247, 128] > 0.95  # a dropped chin comes so near, and nothing of the one that was there is to shine through


def test_the_paste_is_the_crop_in_the_middle_and_the_background_where_the_mask_is_empty():
    made, soft = (x[0] for x in composite(torch.full((1, 256, 256, 3), 0.7), region(8.0)))
    assert torch.allclose(made[128, 128], torch.tensor(0.7))
    assert torch.equal(made[soft == 0], torch.zeros_like(made[soft == 0]))
