"""What stands before a face, by colour: found on painted people with a fringe, a scarf or a mask drawn over them."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from dev.people import PEOPLE, PeopleError, head
from diffsfsr.modules.faces.landmarker import find_faces, landmarks_in_crop
from diffsfsr.modules.faces.networks import FaceNetworks
from diffsfsr.modules.warp.front import Colours, colours_of, found_by_colour, gleams, hair_beside, joined
from diffsfsr.modules.warp.masks import grow
from diffsfsr.modules.warp.mesh import Mesh
from diffsfsr.modules.warp.paste import cut
from diffsfsr.modules.warp.skin import uncovered
from tests.unit.faces import HAIR, MODEL, SKIN, skin_picture


@pytest.fixture(scope="module")
def people():
    """Crops [3, 256, 256] of the five, and their faces where they stand."""
    networks, found = FaceNetworks.load(MODEL), {}
    for who in PEOPLE:
        try:
            picture = torch.from_numpy(np.array(head(who, "portrait"))).float() / 255
        except PeopleError as error:
            pytest.skip(str(error))
        crop, _ = cut(picture, find_faces(networks, picture)[0].points, 256)
        found[who] = crop, Mesh.of(landmarks_in_crop(networks, crop[None])[0][0], networks.topology, 256)
    return found


def drawn(crop, colour, *shapes):
    """A colour over polygons, lists of (x, y), of a crop: the picture, and where [256, 256] bool."""
    over = Image.new("L", (1024, 1024))
    for shape in shapes:
        ImageDraw.Draw(over).polygon([(4 * float(x), 4 * float(y)) for x, y in shape], fill=255)
    share = torch.from_numpy(np.array(over.resize((256, 256), Image.Resampling.BOX))).float() / 255
    grain = 1 + 0.15 * torch.randn(1, 1, 256, generator=torch.Generator().manual_seed(0))  # as hair and cloth have
    return torch.lerp(crop, (torch.tensor(colour)[:, None, None] * grain).clamp(0, 1).expand(3, 256, 256), share), share > 0.5


def fringe(crop, mesh):
    left, right, brow = (float(mesh.points[54, 0]), float(mesh.points[284, 0]), float(mesh.points[105, 1]))
    return drawn(crop, (0.12, 0.08, 0.06), [(left, 0), (right, 0), (right, brow - 25), (128, brow - 2), (left, brow - 25)])


def scarf(crop, mesh):
    """Over the upper forehead and both temples."""
    points, y = mesh.points, float(mesh.points[151, 1])
    left, right = float(points[234, 0]) + 16, float(points[454, 0]) - 16
    around = [(0, 0), (255, 0), (255, 255), (right, 255), (right, y + 14), (128, y - 6), (left, y + 14), (left, 255), (0, 255)]
    return drawn(crop, (0.15, 0.25, 0.7), around)


def mask(crop, mesh):
    edge = (234, 117, 6, 346, 454, 361, 397, 378, 152, 149, 172, 132)
    return drawn(crop, (0.55, 0.72, 0.85), [mesh.points[k, :2] for k in edge])


@pytest.mark.parametrize(
    ("who", "cover", "least"),
    [("P001", fringe, 0.6), ("P004", fringe, 0.6), ("P001", scarf, 0.6), ("P002", scarf, 0.6), ("P005", scarf, 0.6),
     ("P002", mask, 0.8), ("P008", mask, 0.8)],
)  # fmt: skip
def test_what_stands_before_a_face_is_found(people, who, cover, least):
    crop, mesh = people[who]
    seen, truth = cover(crop, mesh)
    found = found_by_colour(seen, mesh)
    inside = grow(mesh.covered.float()[None, None], -10)[0, 0] > 0  # where no hair of their own is
    right = (found * truth)[inside].sum()
    assert right / truth[inside].sum() > least, "too little is found"
    assert right / found[inside].sum() > 0.9, "the person's own skin is taken for it"


@pytest.mark.parametrize("who", PEOPLE)
def test_nothing_stands_before_a_bare_face(people, who):
    """Beards, brows, open light and shade are the face's own; and hard light from one side, too."""
    crop, mesh = people[who]
    shade = torch.linspace(0.25, 1.2, 256) ** (1 / 2.2)
    for picture in (crop, (crop * shade).clamp(0, 1)):
        assert (found_by_colour(picture, mesh) * mesh.covered).sum() < 0.005 * mesh.covered.sum()


def test_a_selfie_loses_its_fringe_and_nothing_else(people):
    crop, mesh = people["P001"]
    seen, truth = fringe(crop, mesh)
    made, hidden = uncovered(seen, mesh), truth & mesh.covered
    before, after = ((x - crop)[:, hidden].abs().mean() for x in (seen, made))
    assert after < 0.4 * before
    assert torch.equal(made[:, ~mesh.covered], seen[:, ~mesh.covered])
    within = grow(mesh.covered.float()[None, None], -20)[0, 0] > 0  # some of their own hair falls over the rim
    assert torch.equal(uncovered(crop, mesh)[:, within], crop[:, within])


def test_a_bare_end_of_a_brow_does_not_stay_with_the_scarf_beside_it(people):
    """Nor has what stays steps at its edge; nor is there an island beside it."""
    crop, mesh = people["P001"]
    brow = mesh.points[[46, 53, 52, 63, 70]]
    edge, (low, high) = float(brow[:, 0].min()) + 8, (float(brow[:, 1].min()) - 30, float(brow[:, 1].max()) + 40)
    seen, truth = drawn(crop, (0.85, 0.85, 0.95), [(0, 0), (edge, 0), (edge, high), (0, high)])
    x, y = int(edge) - 4, int(brow[:, 1].mean())
    seen[:, y - 4 : y + 4, x - 6 : x + 8] = 0.06  # the brow sticks out over it
    found = found_by_colour(seen, mesh)
    assert found[y - 2 : y + 2, x - 3 : x + 6].max() < 0.2
    rows = slice(int(low) + 10, y - 12)
    assert found[rows, int(edge) - 18 : int(edge) - 8].min() > 0.9
    assert found.diff(dim=1)[rows, int(edge) - 18 :].abs().max() < 0.5


def test_a_dark_spot_at_a_brow_s_end_stays_with_the_hair_that_covers_it(people):
    """It would be a hole in that."""
    crop, mesh = people["P001"]
    brow = mesh.points[[46, 53, 52, 63, 70]]
    edge, y, high = float(brow[:, 0].min()) + 8, int(brow[:, 1].mean()), float(brow[:, 1].max()) + 40
    seen, _ = drawn(crop, (0.85, 0.85, 0.95), [(0, 0), (edge, 0), (edge, high), (0, high)])
    seen[:, y - 2 : y + 2, int(edge) - 8 : int(edge) - 4] = 0.06
    assert found_by_colour(seen, mesh)[y - 2 : y + 2, int(edge) - 8 : int(edge) - 4].min() > 0.4


def locks(face, width, row, colour=HAIR):
    """Hair beside a face that falls over its rim by so many pixels, down to a row, on the left; and where it does."""
    x = torch.arange(256)
    rim = torch.where(face.covered.any(1), face.covered.float().argmax(1), 256)[:, None]
    over = (x[None] < (rim + width).clamp(max=128)) & (torch.arange(256)[:, None] < row)
    return torch.where(over, colour[:, None, None], skin_picture()), over & face.covered


@pytest.mark.parametrize("width", [3, 6])
def test_hair_over_a_selfie_s_rim_becomes_skin(face, width):
    row = int(face.points[2, 1]) - 4
    image, over = locks(face, width, row)
    over = over & (torch.arange(256)[:, None] > face.points[105, 1]) & (torch.arange(256)[:, None] < row - 6)
    assert hair_beside(colours_of(image, face), face)[over].mean() > 0.8
    assert (uncovered(image, face)[:, over] - SKIN[:, None]).abs().mean() < 0.04
    assert not hair_beside(colours_of(skin_picture(), face), face).any()


def test_skin_in_place_of_hair_has_the_other_side_s_structure_and_no_tints(face):
    image, _ = locks(face, 9, 170)
    wave = 1 + 0.05 * torch.sin(torch.arange(256) / 2.0)[:, None] * (torch.arange(256) > 130)
    rim = int(face.covered[140].float().argmax())
    made = uncovered(image * torch.stack([wave, 2 - wave, torch.ones_like(wave)]), face)[:, 125:160, rim + 2 : rim + 9]
    assert (made[0] / made[1]).std() < 0.005 and made.mean(0).std() > 0.001


def test_hair_over_a_shaded_rim_becomes_skin_as_dark_as_what_is_beside_it(face):
    """With the middle tone of the face it would be a pale patch."""
    image, over = locks(face, 6, 170)
    x, rim = torch.arange(256), int(face.covered[120:160].float().argmax(1).min())
    shade = torch.where((x < rim + 26) & ~over & (x >= rim), 0.65, 1.0)
    made = uncovered(image * shade, face)[0, 140]
    assert made[rim + 7] < 0.72 * SKIN[0] and (made[rim + 7 : rim + 22].diff().abs() < 0.03).all()


@pytest.mark.parametrize(
    ("width", "colour", "smooth", "goes"),
    [(6, HAIR, True, True), (6, HAIR, False, False), (2, torch.ones(3), False, True), (2, torch.ones(3), True, True)],
)
def test_below_the_nose_hair_goes_from_a_smooth_face_and_a_light_wall_from_any(face, width, colour, smooth, goes):
    """Else it is a grey smudge on the cheek of whoever is drawn."""
    image, over = locks(face, width, 256, colour)
    rows = torch.arange(256)[:, None]
    over = over & (rows > face.points[2, 1] + 12) & (rows < face.points[152, 1] - 30)
    found = hair_beside(colours_of(image, face), face, smooth)
    assert (found[over].mean() > 0.8) if goes else not found[over].any()


def test_a_gleam_at_a_selfie_s_rim_is_no_hair(face):
    """Brighter than its skin, smooth, and beyond the upper border of the face too."""
    x, y = face.points[103, :2]
    rows, columns = torch.arange(256)[:, None] - y, torch.arange(256) - x
    shine = skin_picture() + 0.25 * torch.exp(-(rows**2 + columns**2) / 400)
    assert not hair_beside(colours_of(shine.clamp(0, 1), face), face).any()


@pytest.mark.parametrize(("half", "found"), [(0, False), (5, False), (30, True)])
def test_what_joins_skin_by_a_narrow_bridge_is_no_gleam(face, half, found):
    """A white head scarf with a fold in soft shade, against the broad slope of a gleam; half: pixels of the soft part."""
    row, x, end = torch.arange(256.0)[:, None], torch.arange(256) - face.points[10, 0], float(face.points[10, 1])
    soft, hard = ((end + 20 - row) / 40).clamp(0, 1), (row < end).float()
    share = torch.where(x.abs()[None] < half, soft, hard.expand(256, 256))
    seen = Colours(0.8 * share.expand(3, 256, 256), 2.5 * share, [torch.zeros(256, 256, dtype=torch.bool)], False)
    above = gleams(seen, (seen.unlike < 1)[None, None], face)[0, 0, : int(end) - 25]
    assert bool(above.any()) is found


def test_gaps_between_locks_close_at_the_rim_alone(face):
    y, edge, x = 130, int(face.covered[130].float().argmax()), 128
    kept = torch.zeros(1, 1, 256, 256)
    for column in (edge + 3, x):
        kept[..., y - 6 : y - 2, column : column + 4] = kept[..., y + 2 : y + 6, column : column + 4] = 1
    made = joined(kept, face)
    assert made[0, 0, y, edge + 4] and not made[0, 0, y, x + 1] and (made >= kept).all()
