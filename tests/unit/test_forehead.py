"""The forehead from the mesh's upper end to the hairline: where it is bare, what is drawn there, and its detail."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from diffsfsr.modules.warp.coarse import BackgroundFace, coarse_warp, face_mask
from diffsfsr.modules.warp.covers import in_front
from diffsfsr.modules.warp.forehead import ALIKE, Foreheads, Seen, above, bare_forehead, reached, trusted
from diffsfsr.modules.warp.hard_light import SoftFace
from diffsfsr.modules.warp.masks import blurred, grow
from diffsfsr.modules.warp.mesh import Mesh
from diffsfsr.modules.warp.paste import composite
from diffsfsr.modules.warp.skin import Skin
from diffsfsr.modules.warp.skull import height_on_head
from diffsfsr.modules.warp.strip import Strip
from tests.unit.faces import HAIR, SKIN, photo, skin_picture
from tests.unit.test_detail import LARGE, place

TOP, HIGH = 10, 24  # the mesh's upper end, and pixels from there up to a hairline
WALL = torch.tensor([0.3, 0.4, 0.6])


def person(face, high: int = HIGH, hair=HAIR, skin=None):
    """A head with hair from `high` pixels above the mesh on, before a wall [3, 256, 256]."""
    image, row = skin_picture() if skin is None else skin, torch.arange(256)[:, None]
    head = grow(face.covered.float()[None, None], 60)[0, 0] > 0
    image = torch.where(row < top(face) - high, hair[:, None, None], image)
    return torch.where(head & (torch.arange(256) > 40) & (torch.arange(256) < 216), image, WALL[:, None, None])


def top(face) -> int:
    return int(face.points[TOP, 1])


def column(face, low: int = 3, high: int = HIGH - 9):
    """The middle of the forehead from `low` to `high` pixels above the mesh, as places of a picture."""
    x = int(face.points[TOP, 0])
    return ..., slice(top(face) - high, top(face) - low), slice(x - 20, x + 20)


def own(face, image, shown=None):
    return trusted(bare_forehead(Seen.of(image, face), face, ALIKE[1]), face, shown)


def drawn(face, selfie, background, go_on: bool = True):
    """The coarse warp of a selfie in a background of the same outline, and its mask."""
    there = BackgroundFace.of(photo(background, face.points), face.topology)
    bare = bare_forehead(Seen.of(background, face), face)
    mask = torch.maximum(face_mask(there, face, 9), reached(bare, 9))
    foreheads = Foreheads(own(face, selfie), bare) if go_on else None
    return coarse_warp(Skin(selfie, face.points), there, face, mask, colour=0.6, rim=True, foreheads=foreheads), mask


def painted(image, place, colour):
    image = image.clone()
    image[place] = colour[:, None, None]
    return image


@pytest.mark.parametrize("hair", [HAIR, torch.tensor([0.75, 0.75, 0.75]), torch.tensor([0.05, 0.05, 0.05])])
def test_bare_up_to_the_hair_and_no_farther(face, hair):
    bare = bare_forehead(Seen.of(person(face, hair=hair), face), face)
    assert bare[column(face, 1, HIGH - 3)].all() and not bare[column(face, HIGH + 2, HIGH + 20)].any()
    assert not bare[(person(face) == WALL[:, None, None]).all(0)].any()


def test_a_gleam_is_skin_and_white_cloth_and_hair_that_hangs_in_are_not(face):
    rows, x = torch.arange(256)[:, None] - top(face) + HIGH, torch.arange(256) - face.points[TOP, 0]
    shine = person(face) + 0.3 * torch.exp(-(rows**2 / 300 + x**2 / 400)) * (rows >= 0)
    assert bare_forehead(Seen.of(shine.clamp(0, 1), face), face, ALIKE[1])[column(face, 1, HIGH - 8)].all()
    cloth = painted(person(face), column(face, 4, HIGH + 30), torch.tensor([0.96, 0.95, 0.94]))
    assert bare_forehead(Seen.of(cloth, face), face)[column(face, 8, HIGH - 3)][:, 4:-4].mean() < 0.01
    strand = painted(person(face), column(face, -15, HIGH), HAIR)
    assert bare_forehead(Seen.of(strand, face), face)[column(face, -12, HIGH)][:, 2:-2].mean() < 0.01


def test_a_wall_as_pale_as_the_skin_beside_a_temple_is_no_forehead(face):
    """It joins the face there; the head does so above it."""
    image = person(face, high=top(face) - int(face.points[54, 1]) - 6)
    x, y = face.points[162, :2].long().tolist()
    wall = torch.zeros(256, 256, dtype=torch.bool)
    wall[y - 12 : y + 10, x - 40 : x + 3] = True
    bare = bare_forehead(Seen.of(torch.where(wall, SKIN[:, None, None], image), face), face)
    assert not bare[wall & ~face.covered].any() and bare[face.covered].mean() > 0.6


def test_a_wall_of_nearly_the_skin_s_colour_around_a_bald_head_is_no_forehead(face):
    """It joins the head all along; the shape of a head tells them apart where colours alone do not."""
    head = height_on_head(face) < 1.1
    wall = (SKIN * torch.tensor([1.06, 1.1, 1.12])).clamp(max=1)
    bald = torch.where(head | face.covered, SKIN[:, None, None], wall[:, None, None])
    bare, beside = bare_forehead(Seen.of(bald, face), face), height_on_head(face).clamp(max=2)
    assert bare[(beside > 1.15) & (beside < 2)].mean() < 0.01
    assert bare[head & Strip.of(face).covered].mean() > 0.95


def test_the_background_s_wrinkles_go_and_the_selfie_s_mole_comes(face):
    """From the brows to the hair; without it they stay, and the hair stays in any case."""
    wrinkles, x = person(face), int(face.points[TOP, 0])
    for k in range(4, HIGH - 8, 4):
        wrinkles[:, top(face) - k, x - 30 : x + 30] *= 0.75
    spot = (..., slice(top(face) - 10, top(face) - 6), slice(x - 2, x + 2))
    mole = painted(person(face), spot, torch.tensor([0.4, 0.25, 0.2]))
    rough = {}
    for go_on in (False, True):
        made, mask = drawn(face, person(face), wrinkles, go_on)
        rough[go_on] = made.mean(0)[column(face)].std()
        assert torch.equal(made[:, mask == 0], wrinkles[:, mask == 0])
        assert (made[column(face, HIGH + 2, HIGH + 8)] - HAIR[:, None, None]).abs().max() < 0.05
    assert rough[True] < 0.3 * rough[False]
    light = [drawn(face, mole, person(face), go_on)[0][:, top(face) - 8, x].mean() for go_on in (False, True)]
    assert light[0] > 0.6 > 0.45 > light[1]


@pytest.mark.parametrize("high", [-6, 2, 12])
def test_where_the_selfie_has_hair_its_skin_goes_on(face, high):
    made, _ = drawn(face, person(face, high), person(face))
    assert (made[column(face, -20)] - SKIN[:, None, None]).abs().max() < 0.06


def test_a_shadow_where_the_selfie_s_forehead_ends_does_not_go_on(face):
    selfie, x = person(face, 18, skin=0.6 * skin_picture()), int(face.points[TOP, 0])
    selfie[:, top(face) - 18 : top(face), x - 60 : x + 60] *= 0.65
    everywhere = torch.ones(256, 256)
    made = above(Skin(selfie, face.points), face, selfie, face.covered.float(), own(face, selfie), everywhere).image
    assert (made[column(face, 12)] - 0.6 * SKIN[:, None, None]).abs().max() < 0.1


@pytest.mark.parametrize("light", [0.8, 1.25])
def test_no_line_where_the_selfie_s_own_forehead_ends(face, light):
    """Darker or lighter towards its hair than the skin that goes on beyond."""
    dark, x = 0.6 * skin_picture(), int(face.points[TOP, 0])
    selfie = person(face, 12, skin=dark)
    selfie[:, top(face) - 12 : top(face) + 10, x - 60 : x + 60] *= light
    bare = torch.ones(256, 256)
    made = above(Skin(selfie, face.points), face, selfie, face.covered.float(), own(face, selfie), bare).image
    rows = torch.log(made[:, top(face) - 30 : top(face) - 2, x - 15 : x + 15].mean((0, 2)))
    assert (rows[8:] - rows[:-8]).abs().max() < 0.08


def test_a_forehead_fades_broadly_into_a_higher_one(face):
    selfie, x = person(face, 60), int(face.points[TOP, 0])
    bare = torch.ones(256, 256)
    made = above(Skin(selfie, face.points), face, selfie, face.covered.float(), own(face, selfie), bare)
    fade = made.share[: top(face), x]
    assert fade[0] == 0 and fade.max() == 1
    assert ((fade > 0) & (fade < 1)).sum() > 0.5 * (face.points[9, 1] - face.points[TOP, 1])


def test_a_forehead_ends_without_a_line_where_the_crop_does(face):
    """A high head goes on beyond it."""
    high = Mesh.of(face.points - torch.tensor([0.0, top(face) - 30.0, 0.0]), face.topology, 256)
    everywhere = torch.ones(256, 256)
    share = above(Skin(skin_picture(), face.points), high, skin_picture(), high.covered.float(), everywhere, everywhere).share
    assert share[0].max() == 0 and share[:20, 120:136].diff(dim=0).max() < 0.1 and share[24, 128] > 0.9


def pored(face, image, side: int = 256, strength: float = 0.06):
    """A picture [3, S, S], enlarged to so many pixels, with pores, 2 px wide, and hair over the left half of the forehead."""
    image = torch.nn.functional.interpolate(image[None], size=side, mode="nearest")[0]
    pores = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(5))
    image = (image * torch.exp(2 * strength * blurred(pores, 1.0)[0])).clamp(0, 1)
    rows, middle = (int(float(at) * side / 256) for at in (face.points[105, 1] - 4, face.points[TOP, 0]))
    image[:, :rows, :middle] = HAIR[:, None, None]
    return image


def left_and_right(face, scale: int = 1):
    """Two halves of the forehead above the mesh, as places of a picture."""
    x, rows = int(face.points[TOP, 0]), slice(scale * (top(face) - HIGH + 10), scale * (top(face) - 2))
    return [(..., rows, slice(scale * (x + low), scale * (x + high))) for low, high in ((-38, -14), (14, 38))]


def pores_of(image, places):
    light = image.mean(0) if image.ndim == 3 else image
    fine = light - blurred(light[None, None], 3.0)[0, 0]
    return [float(fine[place].std()) for place in places]


def test_a_gleam_at_the_upper_end_of_the_mesh_is_softer(face):
    """Gone on above it would be a band, cut off an edge."""
    rows, x = torch.arange(256)[:, None] - top(face) - 4, torch.arange(256) - face.points[TOP, 0]
    dark = 0.6 * skin_picture()
    selfie = person(face, 24, skin=dark + 0.25 * torch.exp(-(rows**2 / 300 + x**2 / 900)))
    bare = torch.ones(256, 256)
    made = above(Skin(selfie, face.points), face, selfie, face.covered.float(), own(face, selfie), bare).image
    seen, shown = ((image - dark)[:, :, int(face.points[TOP, 0])].mean(0) for image in (selfie, made))
    row = top(face)
    assert shown[row : row + 4].mean() < 0.6 * seen[row : row + 4].mean()
    assert shown.diff()[row - 12 : row + 24].abs().max() < 1.5 * seen.diff()[row - 12 : row + 24].abs().max()


def test_a_shadow_of_hair_at_the_side_of_a_forehead_is_weaker(face):
    """Skin above it has none, so it would be a patch."""
    x, y = (face.points[68, :2] + torch.tensor([2.0, 2.0])).tolist()
    rows, columns = torch.arange(256)[:, None] - y, torch.arange(256) - x
    plain, shadow = skin_picture(), torch.exp(-0.6 * torch.exp(-(rows**2 + columns**2) / 60))
    selfie, bare = person(face, 24, skin=plain * shadow), torch.ones(256, 256)
    made = above(Skin(selfie, face.points), face, selfie, face.covered.float(), own(face, selfie), bare).image
    at = (..., slice(int(y) - 2, int(y) + 3), slice(int(x) - 2, int(x) + 3))
    seen, shown = (float(-torch.log(image / plain)[at].mean()) for image in (selfie, made))
    assert seen > 0.5 and shown < 0.85 * seen


def test_a_hidden_half_of_a_forehead_has_the_selfie_s_pores(face):
    made, _ = drawn(face, pored(face, person(face)), person(face))
    hidden, seen = pores_of(made, left_and_right(face))
    assert 0.5 * seen < hidden < 1.2 * seen


def test_and_has_them_in_the_native_detail_without_a_line_between(face):
    plain = person(face)
    selfie, scene = pored(face, plain, 256 * LARGE, 0.1), torch.nn.functional.interpolate(plain[None], scale_factor=LARGE)[0]
    region = place(face, selfie.permute(1, 2, 0), background=scene.permute(1, 2, 0)[None])
    small = region.fine[0].skin
    dim = 0.5 * small  # a selfie in less light than its place: the tone of its own pixels is another
    made, mask = drawn(face, small, plain)
    fine = replace(region.fine[0], warp=made, foreheads=(own(face, small), bare_forehead(Seen.of(plain, face), face)))
    photo = replace(fine.face.photo, light=0.5 * fine.face.photo.light)
    fine = replace(fine, face=replace(fine.face, image=dim, photo=photo), skin=dim)
    result, _ = composite(made.permute(1, 2, 0)[None], replace(region, fine=(fine,), mask=mask[None]), 1.0)
    light = result[0].mean(-1)
    hidden, seen = pores_of(light, left_and_right(face, LARGE))
    assert 0.4 * seen < hidden < 1.5 * seen
    x, rows = LARGE * int(face.points[TOP, 0]), left_and_right(face, LARGE)[0][1]
    fine = light - blurred(light[None, None], 3.0)[0, 0]
    assert fine[rows, x - 14 * LARGE : x + 14 * LARGE].abs().max() < 6 * seen


def test_soft_white_cloth_that_goes_on_beside_the_head_is_no_gleam(face):
    """It stays before the forehead, too, with a soft edge."""
    white, rows = torch.full((3, 256, 256), 0.97), torch.arange(256.0)[:, None] - top(face)
    cloth, lower = (torch.lerp(white, person(face), torch.sigmoid((rows + low) / 2)) for low in (4, -12))
    assert bare_forehead(Seen.of(cloth, face), face)[column(face, 10)].mean() < 0.01
    assert bare_forehead(Seen.of(lower, face), face)[column(face, -4, 10)].mean() < 0.01  # on the face, too
    kept = in_front(Seen.of(cloth, face), face, torch.zeros(256, 256))
    assert kept[column(face, 10)].min() > 0.9 and kept[column(face, -40, -20)].max() < 0.01
    assert kept.diff(dim=0)[:, 100:156].abs().max() < 0.5


def test_beyond_the_selfie_s_photo_its_skin_goes_on(face):
    shown = torch.ones(256, 256)
    shown[: top(face) - 4] = 0
    known = own(face, person(face), shown)
    assert known[column(face, 6)].max() < 0.1 and known[column(face, -30, -10)].min() > 0.9


def test_what_joins_skin_that_is_not_the_photo_s_own_is_not_trusted_above_the_mesh(face):
    """Else it would have an edge there."""
    changed = torch.zeros(256, 256, dtype=torch.bool)
    changed[column(face, -20, 0)] = True
    bare = bare_forehead(Seen.of(person(face), face), face, ALIKE[1])
    one, other = (trusted(bare, face, None, where) for where in (None, changed))
    assert one[column(face, 2, 6)].min() > 0.9 and other[column(face, 2, 6)][:, 4:-4].max() < 0.2
    assert torch.equal(one[face.covered], other[face.covered])


def test_a_forehead_behind_a_fringe_ends_with_the_mesh(face):
    """There is too little of it to go on with."""
    fringe, wrinkles = person(face, -40), person(face)
    wrinkles[column(face, 6, 8)] *= 0.75
    one, other = (drawn(face, fringe, wrinkles, go_on)[0] for go_on in (False, True))
    assert (one - other).abs().max() < 1e-6


def test_native_detail_is_the_selfie_s_above_the_mesh_too(face):
    """No line where the mesh ends, and none of the background's texture."""
    side, noise = 256 * LARGE, torch.Generator().manual_seed(3)
    make = lambda: torch.exp(0.12 * blurred(torch.randn(1, 1, side, side, generator=noise), 1.0)[0, 0, ..., None])  # noqa: E731
    plain = torch.nn.functional.interpolate(person(face)[None], size=side, mode="nearest")[0].permute(1, 2, 0)
    selfie, scene = ((plain * make()).clamp(0, 1) for _ in range(2))
    region = place(face, selfie, background=scene[None])
    small = torch.nn.functional.interpolate(scene.permute(2, 0, 1)[None], size=256, mode="bilinear", antialias=True)[0]
    made, mask = drawn(face, region.fine[0].skin, small)
    bare = own(face, region.fine[0].skin), bare_forehead(Seen.of(small, face), face)
    rows, columns = (slice(LARGE * s.start, LARGE * s.stop) for s in column(face, -6, HIGH - 10)[1:])
    fine_of = lambda x: (x.mean(-1) - blurred(x.mean(-1)[None, None], 3.0)[0, 0])[rows, columns].flatten()  # noqa: E731
    for foreheads, least in ((bare, True), (None, False)):
        fine = replace(region.fine[0], warp=made, foreheads=foreheads)
        result, _ = composite(made.permute(1, 2, 0)[None], replace(region, fine=(fine,), mask=mask[None]), 1.0)
        alike = [float(torch.corrcoef(torch.stack([fine_of(result[0]), fine_of(x)]))[0, 1]) for x in (selfie, scene)]
        assert (alike[0] > 0.8 and abs(alike[1]) < 0.15) == least


def test_a_selfie_s_own_forehead_is_drawn_in_softer_light_too(comfy, face, monkeypatch):
    """All of that photo is changed; else a band above the mesh would be of another tone."""
    from diffsfsr.modules.pipeline import draft, place
    from diffsfsr.modules.pipeline.memo import Memo

    monkeypatch.setattr(place, "topology", lambda: face.topology)
    monkeypatch.setattr(draft, "soft_face", lambda encoders, person: SoftFace(0.8 * person.face.image))
    encoders, someone = SimpleNamespace(memo=Memo()), place.Person(photo(person(face), face.points), "who")
    known = draft.own_forehead(encoders, someone, Skin(0.8 * someone.face.image, face.points))
    assert known[column(face, 2, HIGH - 14)].min() > 0.9
