"""The draft and the way back: what hangs over the forehead, what the mouth shows, where the paste fades."""

from pathlib import Path

import pytest
import torch

from diffsfsr.modules.faces.networks import FaceNetworks
from diffsfsr.modules.warp.coarse import Face, coarse_warp, face_mask
from diffsfsr.modules.warp.eyes import EYES, paint_eyes
from diffsfsr.modules.warp.light import colours, match_colour, tone
from diffsfsr.modules.warp.masks import grow
from diffsfsr.modules.warp.mesh import Mesh, rasterise
from diffsfsr.modules.warp.mouth import paint_mouth
from diffsfsr.modules.warp.paste import PasteRegion, composite
from diffsfsr.modules.warp.skin import hair_mask

MODEL = Path(__file__).resolve().parents[2] / "weights" / "face_landmarker.safetensors"
SKIN, HAIR = torch.tensor([0.80, 0.62, 0.52]), torch.tensor([0.25, 0.15, 0.08])


def canonical_face():
    """Canonical points [478, 3] in a 256 px crop, triangles."""
    networks = FaceNetworks.load(MODEL)
    vertices = networks.vertices * torch.tensor([1.0, -1.0, 1.0])
    points = (vertices - vertices.mean(0)) * 9 + torch.tensor([128.0, 140.0, 0.0])
    return torch.cat([points, points[:10]]), networks.triangles


@pytest.fixture(scope="module")
def face():
    """Points, triangles, the covering triangle of each pixel."""
    points, triangles = canonical_face()
    index, _ = rasterise(points[:468], triangles, 256)
    return points, triangles, index


def skin_picture():
    return SKIN[:, None, None].expand(3, 256, 256).clone()


def lowered_jaw(points):
    """Lower lip and chin go down as a whole."""
    opened = points.clone()
    below = points[:, 1] > points[14, 1] + 1e-3
    below[[95, 88, 178, 87, 14, 317, 402, 318, 324]] = True
    opened[below, 1] += 25
    return opened


def test_a_fringe_is_found_and_plain_skin_is_not(face):
    points, triangles, index = face
    covered = (index >= 0).float()
    assert hair_mask(skin_picture(), covered, index, triangles).max() == 0
    picture = skin_picture()
    line = int(points[151, 1])  # middle of the forehead: hair above it
    picture[:, :line] = HAIR[:, None, None]
    found = hair_mask(picture, covered, index, triangles)
    inside = covered[: line - 6] > 0
    assert found[: line - 6][inside].mean() > 0.8
    assert found[int(points[1, 1]) :].max() == 0  # from the nose down nothing is hair


def test_brows_and_lone_shadows_are_no_fringe_but_what_hangs_on_to_the_hair_is(face):
    points, triangles, index = face
    covered, picture = (index >= 0).float(), skin_picture()
    line = int(points[105, 1])  # upper edge of a brow
    picture[:, line - 8 : line + 6, 90:166] = HAIR[:, None, None]
    assert hair_mask(picture, covered, index, triangles).max() == 0
    picture[:, : line - 7, 120:136] = HAIR[:, None, None]  # a strand from above
    assert hair_mask(picture, covered, index, triangles)[line - 20, 128] > 0.9


def test_the_mouth_is_painted_only_when_it_opens(face):
    points, triangles, index = face
    assert torch.equal(paint_mouth(skin_picture(), index, points, points, triangles), skin_picture())
    opened = lowered_jaw(points)
    wide, _ = rasterise(opened[:468], triangles, 256)
    painted = paint_mouth(skin_picture(), wide, points, opened, triangles)
    y, x = int(opened[14, 1]) - 6, int(opened[14, 0])
    assert painted[:, y, x].mean() < 0.5 * SKIN.mean()
    assert torch.equal(painted[:, 10, 10], SKIN)


def test_a_dropped_jaw_that_rises_to_a_smile_shows_painted_teeth_not_its_tongue(face):
    points, triangles, _ = face
    dropped, smiling = lowered_jaw(points), points.clone()
    smiling[[95, 88, 178, 87, 14, 317, 402, 318, 324], 1] += 8
    smiling[[78, 308], 1] -= 6
    index, _ = rasterise(smiling[:468], triangles, 256)
    made = paint_mouth(skin_picture(), index, dropped, smiling, triangles)
    x, y = int(smiling[13, 0]) + 2, int(smiling[13, 1]) + 3
    assert made[:, y, x].max() - made[:, y, x].min() < 0.12 and made[:, y, x].mean() > 0.6
    half_way = lowered_jaw(points)
    half_way[:, 1] -= 0.2 * (dropped - points)[:, 1]
    wide, _ = rasterise(half_way[:468], triangles, 256)
    assert torch.equal(paint_mouth(skin_picture(), wide, dropped, half_way, triangles), skin_picture())


def test_colour_goes_to_the_other_face(face):
    _, _, index = face
    covered = (index >= 0).float()
    dark = skin_picture() * 0.5
    theirs = tone(colours(dark, index >= 0))
    moved = match_colour(skin_picture(), covered, theirs, 1.0)
    assert torch.equal(moved[:, index < 0], skin_picture()[:, index < 0])
    assert torch.allclose(moved[:, index >= 0].mean(1), dark[:, 0, 0], atol=0.03)
    assert torch.equal(match_colour(skin_picture(), covered, theirs, 0.0), skin_picture())


def test_a_face_that_hardly_shows_keeps_its_colours(face):
    covered, theirs = torch.zeros(256, 256), tone(colours(skin_picture(), torch.ones(256, 256, dtype=torch.bool)))
    assert torch.equal(match_colour(skin_picture(), covered, theirs, 1.0), skin_picture())
    covered[0, :15] = 1
    assert torch.equal(match_colour(skin_picture(), covered, theirs, 1.0), skin_picture())
    assert tone(colours(skin_picture(), covered > 0)) is None


def test_the_draft_leaves_everything_outside_the_mask(face):
    points, triangles, _ = face
    code = torch.zeros(52)
    background = Face(torch.rand(3, 256, 256), points, code)
    placed = Mesh.of(points, triangles, 256)
    mask = face_mask(background, placed, triangles, 6)
    made = coarse_warp(Face(skin_picture(), points, code), background, placed, mask, triangles)
    assert torch.equal(made[:, mask == 0], background.image[:, mask == 0])
    assert not torch.allclose(made[:, mask == 1], background.image[:, mask == 1], atol=0.2)


def test_an_opened_mouth_shows_its_inside_in_the_draft(face):
    """Closed lips have no picture of it: it has to be the painted one, not skin that was filled in."""
    points, triangles, _ = face
    opened = lowered_jaw(points)
    background, code = Face(skin_picture(), opened, torch.zeros(52)), torch.zeros(52)
    placed = Mesh.of(opened, triangles, 256)
    mask = face_mask(background, placed, triangles, 6)
    made = coarse_warp(Face(skin_picture(), points, code), background, placed, mask, triangles)
    middle = made[:, int(opened[14, 1]) - 8, int(opened[14, 0])]
    assert middle.mean() < 0.6 * SKIN.mean()


@pytest.mark.parametrize("tone", [1.0, 0.45])
def test_a_smile_bares_teeth_that_have_no_colour_of_the_skin_and_a_dropped_jaw_hides_them(face, tone):
    points, triangles, _ = face
    dropped = lowered_jaw(points)
    smiling = dropped.clone()
    smiling[[78, 308], 1] -= 10
    background, code, seen = Face(skin_picture() * tone, points, torch.zeros(52)), torch.zeros(52), []
    for opened in (smiling, dropped):
        placed = Mesh.of(opened, triangles, 256)
        mask = face_mask(background, placed, triangles, 6)
        made = coarse_warp(Face(skin_picture(), points, code), background, placed, mask, triangles)
        seen.append(made[:, int(opened[13, 1]) + 3, int(opened[13, 0]) + 2])  # beside the gap of the middle teeth
    teeth, hidden = seen
    assert teeth.mean() > background.image.mean() and teeth.mean() > 0.5
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


def test_eyes_are_painted_only_when_they_open_much_wider_than_they_were(face):
    points, triangles, index = face
    wide, covered = narrowed(points, 1.0), torch.zeros(256, 256)
    for share in (1.0, 0.6):
        same = paint_eyes(skin_picture(), covered, index, narrowed(points, share), wide, triangles)
        assert torch.equal(same[0], skin_picture()) and same[1].max() == 0
    painted, known = paint_eyes(skin_picture(), covered, index, narrowed(points, 0.05), wide, triangles)
    for eye, iris in EYES:
        (x, y), outer = wide[iris, :2].long().tolist(), wide[eye.corners[0], :2]
        white = (0.55 * outer + 0.45 * wide[iris, :2]).long()
        assert painted[:, y, x].mean() < 0.15  # the pupil
        assert painted[:, white[1], white[0]].std() < 0.5 * SKIN.std()  # the white has not the colour of skin
        assert known[y, x] > 0.9
    assert torch.equal(painted[:, known == 0], skin_picture()[:, known == 0])


def test_a_winking_eye_is_not_painted(face):
    points, triangles, index = face
    before, after = narrowed(points, 0.1), narrowed(points, 1.0)
    lids = list(EYES[0][0].upper + EYES[0][0].lower)
    after[lids] = narrowed(points, 0.05)[lids]
    _, known = paint_eyes(skin_picture(), torch.zeros(256, 256), index, before, after, triangles)
    sides = known[:, :128].max(), known[:, 128:].max()
    assert min(sides) == 0 and max(sides) > 0.9


def test_shut_eyes_open_in_the_draft(face):
    """Nothing of them is known: they have to be the painted ones, not skin that was filled in."""
    points, triangles, _ = face
    wide, code = narrowed(points, 1.0), torch.zeros(52)
    placed = Mesh.of(wide, triangles, 256)
    background = Face(skin_picture() * 0.9, wide, code)
    selfie = Face(skin_picture(), narrowed(points, 0.01), code)
    made = coarse_warp(selfie, background, placed, placed.index.ge(0).float(), triangles)
    for _, iris in EYES:
        x, y = wide[iris, :2].long().tolist()
        assert made[:, y, x].mean() < 0.15


def test_beside_the_face_and_on_the_forehead_the_backgrounds_picture_stays(face):
    """The selfie has hair to the brows; the background person's own forehead and surroundings are sharp and known."""
    points, triangles, index = face
    line, code = int(points[151, 1]) + 4, torch.zeros(52)
    selfie = skin_picture()
    selfie[:, :line] = HAIR[:, None, None]
    texture = (SKIN[:, None, None] + 0.04 * torch.randn(3, 256, 256, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    background = Face(texture, points, code)
    placed = Mesh.of(points, triangles, 256)
    mask = face_mask(background, placed, triangles, 14)
    made = coarse_warp(Face(selfie, points, code), background, placed, mask, triangles)
    beside = (mask == 1) & (grow((index >= 0).float()[None, None], 8)[0, 0] == 0)
    assert torch.allclose(made[:, beside], texture[:, beside], atol=0.02)
    forehead = torch.zeros_like(beside)
    forehead[line - 22 : line - 16, 110:146] = True
    assert torch.allclose(made[:, forehead], texture[:, forehead], atol=0.05)


def place(feather):
    matrix = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    return PasteRegion(torch.zeros(1, 256, 256, 3), matrix, torch.ones(1, 256, 256), None, feather, 256)


def test_the_paste_fades_at_the_crops_edge():
    soft = composite(torch.zeros(1, 256, 256, 3), place(8.0))[1][0]
    assert soft[128, 128] == pytest.approx(1)
    assert soft[0].max() < 0.05 and soft[:, -1].max() < 0.05
    assert (soft[:, 128].diff().abs() < 0.25).all()  # no step on the way


def test_the_paste_is_the_crop_in_the_middle_and_the_background_where_the_mask_is_empty():
    here = place(8.0)
    made, soft = (x[0] for x in composite(torch.full((1, 256, 256, 3), 0.7), here))
    assert torch.allclose(made[128, 128], torch.tensor(0.7))
    assert torch.equal(made[soft == 0], torch.zeros_like(made[soft == 0]))
