"""Strands of hair over a forehead go; wrinkles, frown lines and moles stay."""

import pytest
import torch

from diffsfsr.modules.warp.strands import without_strands
from tests.unit.faces import HAIR, SKIN, canonical_face, skin_picture

TOP, BROW = 10, 105  # points at the border of the forehead's middle, and of a brow


@pytest.fixture(scope="module")
def face():
    return canonical_face()


def forehead(face):
    """x, first and last row between the border of the face and the brows."""
    return int(face.points[TOP, 0]), int(face.points[TOP, 1]) + 1, int(face.points[BROW, 1]) - 8


@pytest.mark.parametrize("colour", [HAIR, torch.tensor([1.0, 0.95, 0.85])])
def test_strand_goes(face, colour):
    image, (x, top, bottom) = skin_picture() * 0.8, forehead(face)
    for row in range(top - 4, bottom):
        image[:, row, x + (row - top) // 3 : x + (row - top) // 3 + 3] = colour[:, None]
    made = without_strands(image, face) / 0.8
    inside = face.covered & (torch.arange(256)[:, None] < bottom + 4)
    assert (made[:, inside] - SKIN[:, None]).abs().max() < 0.08
    assert torch.equal(made[:, ~face.covered], image[:, ~face.covered] / 0.8)


def test_strand_goes_above_the_mesh_as_far_as_skin_is_bare(face):
    image, (x, top, bottom) = skin_picture(), forehead(face)
    image[:, top - 20 : bottom, x : x + 3] = HAIR[:, None, None]
    bare = ((torch.arange(256)[:, None] > top - 18) & (torch.arange(256) > 60) & (torch.arange(256) < 196)).float()
    usual, made = (without_strands(image, face, seen) for seen in (None, bare))
    above = (slice(None), slice(top - 14, top - 4), slice(x - 8, x + 11))
    assert (made[above] - SKIN[:, None, None]).abs().max() < 0.08
    assert torch.equal(usual[above], image[above])


@pytest.mark.parametrize("what", ["wrinkle", "frown line", "mole"])
def test_what_is_the_persons_own_stays(face, what):
    """To the bit."""
    image, (x, top, bottom) = skin_picture(), forehead(face)
    middle = (top + bottom) // 2
    rows, columns = {
        "wrinkle": (slice(middle, middle + 3), slice(0, 256)),
        "frown line": (slice(bottom - 12, bottom), slice(x, x + 2)),
        "mole": (slice(middle, middle + 4), slice(x, x + 4)),
    }[what]
    image[:, rows, columns] *= 0.4
    assert without_strands(image, face) is image


def test_skin_between_hair_and_a_shadow_is_no_light_strand(face):
    """It is as light as the rest of the skin."""
    (_, top, bottom), x = forehead(face), torch.arange(256)[None]
    edge = torch.where(face.covered.any(1), face.covered.float().argmax(1), 256)[:, None]
    dark = (x < edge + 1) | ((x > edge + 5) & (x < edge + 20))
    dark = dark & (torch.arange(256)[:, None] > top + 8) & (torch.arange(256)[:, None] < bottom)
    image = torch.where(dark, HAIR[:, None, None], skin_picture())
    assert without_strands(image, face) is image
