"""Faces that the border of their picture cuts: what is continued from the other side, and what the background gives."""

import pytest
import torch

from diffsfsr.modules.faces.networks import FaceNetworks
from diffsfsr.modules.faces.surface import surfaced
from diffsfsr.modules.warp.coarse import BackgroundFace, coarse_warp, face_mask
from diffsfsr.modules.warp.light import relit
from diffsfsr.modules.warp.skin import Skin
from diffsfsr.modules.warp.unseen import completed, inside, missing
from tests.unit.faces import MODEL, SKIN, photo, skin_picture

STRIPES = torch.tensor([0.1, 0.9, 0.1])  # what lies beyond the picture's border

CUTS = {  # columns and rows of the crop that the picture has, what is named, and a point that is known all the same
    "left": ((95, 256), (0, 256), ["left side"], 50),
    "right": ((0, 160), (0, 256), ["right side"], 280),
    "chin": ((0, 256), (0, 195), ["chin"], None),
    "forehead": ((0, 256), (100, 256), ["forehead"], None),
}


def within(columns, rows):
    part = torch.zeros(256, 256, dtype=torch.bool)
    part[slice(*rows), slice(*columns)] = True
    return part


def cut_face(face, name):
    """The canonical face with a mole on each cheek, one half lit, and stripes beyond the picture."""
    picture, part = skin_picture(), within(*CUTS[name][:2])
    picture[:, :, :128] *= 0.8
    for point in (50, 280):
        x, y = face.points[point, :2].long().tolist()
        picture[:, y - 3 : y + 4, x - 3 : x + 4] *= 0.5
    return torch.where(part, picture, STRIPES[:, None, None]), part


@pytest.mark.parametrize("name", CUTS)
def test_what_is_cut_off_comes_from_the_other_side_or_is_not_known(face, name):
    picture, part = cut_face(face, name)
    columns, rows, parts, point = CUTS[name]
    assert missing(face.points, part) == parts
    whole, shown = completed(picture, face.points, part, face.topology)
    inner = within((columns[0] + 13, columns[1] - 13), (rows[0] + 13, rows[1] - 13))
    assert torch.equal(whole[:, inner], picture[:, inner])
    assert (whole[:, face.covered] - STRIPES[:, None]).abs().amax(0).min() > 0.2  # no stripe is left on the face
    known = shown[face.covered & ~part]
    if point is None:
        assert known.max() == 0
        return
    assert known.float().mean() > 0.9
    x, y = face.points[point, :2].long().tolist()
    assert whole[0, y, x] < 0.7 * whole[0, y - 12, x]  # the mole of the other side
    dark = 0.8 if point == 50 else 1.0
    assert whole[0, y - 12, x] == pytest.approx(float(dark * SKIN[0]), abs=0.1)  # in the light of this one


def test_a_whole_face_stays_as_it_is(face):
    picture = skin_picture()
    whole, shown = completed(picture, face.points, within((20, 236), (20, 250)), face.topology)
    assert whole is picture and shown is None


def test_the_backgrounds_own_chin_takes_the_place_of_one_that_nothing_shows(face):
    picture, part = cut_face(face, "chin")
    whole, shown = completed(picture, face.points, part, face.topology)
    blue = skin_picture() * torch.tensor([0.6, 0.6, 1.2])[:, None, None]
    background = BackgroundFace.of(photo(blue, face.points), face.topology)
    mask, (x, y) = face_mask(background, face, 6), face.points[199, :2].long().tolist()
    with_shown, without = (
        coarse_warp(Skin(whole, face.points, shown=known), background, face, mask, colour=0.0) for known in (shown, None)
    )
    assert torch.allclose(with_shown[:, y, x], background.face.image[:, y, x], atol=0.02)
    assert not torch.allclose(without[:, y, x], background.face.image[:, y, x], atol=0.1)
    nose = face.points[1, :2].long().tolist()
    assert torch.equal(with_shown[:, nose[1], nose[0]], without[:, nose[1], nose[0]])


def test_a_mirror_image_takes_the_light_of_the_side_where_it_is_put(face):
    dark, both = skin_picture() * 0.7, face.covered.float()
    made = relit(skin_picture(), dark, both, face.covered)
    assert torch.allclose(made[:, face.covered], dark[:, face.covered], atol=0.03)


def test_inside_is_what_of_a_crop_lies_in_its_picture():
    matrix = torch.tensor([[0.5, 0.0, 64.0], [0.0, 0.5, -10.0]])  # the picture begins at column 64, above the crop
    part = inside(matrix, 256, (400, 300))
    assert part.sum() == 150 * 190 and part[0, 64] and not part[0, 63] and not part[190, 100]


def test_no_point_of_the_face_model_is_inside_the_head(shape):
    """Against the landmark networks' own mesh, which is of one piece: a point six centimetres deep tears a turned face."""
    vertices = FaceNetworks.load(MODEL).vertices
    known = torch.cat([vertices, vertices[:, :2] ** 2, torch.ones(len(vertices), 1)], 1)
    found = torch.linalg.lstsq(known, shape.mean[: len(vertices), 2:]).solution
    assert (shape.mean[: len(vertices), 2:] - known @ found).abs().max() < 1.3
    assert all(map(torch.equal, surfaced(shape.mean, shape.identity), (shape.mean, shape.identity)))
