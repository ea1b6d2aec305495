"""Strengths in the coarse warp: the ends are exact, between them lies the way, and both people stand on the same points."""

import pytest
import torch

from diffsfsr.modules.faces.morphable import retarget
from diffsfsr.modules.labels import BLENDSHAPES
from diffsfsr.modules.types import USUAL, Strength
from diffsfsr.modules.warp.coarse import BackgroundFace, coarse_warp, face_mask, morph, points_of
from diffsfsr.modules.warp.mesh import Mesh
from diffsfsr.modules.warp.skin import Skin


def person(shape, seed, colour):
    """A made-up face of the face model in one plain colour, 256 px."""
    who = torch.randn(1, len(shape.identity), generator=torch.Generator().manual_seed(seed))
    mesh = shape.mesh(who, torch.zeros(1, 52))[0]
    points = mesh * torch.tensor([9.0, -9.0, 9.0])
    points = points - points.mean(0) + torch.tensor([128.0, 140.0, 0.0])
    return shape.face(torch.tensor(colour)[:, None, None].expand(3, 256, 256).clone(), points, torch.zeros(52))


@pytest.fixture(scope="module")
def people(shape):
    return person(shape, 1, [0.8, 0.6, 0.5]), person(shape, 2, [0.4, 0.3, 0.25])


@pytest.fixture(scope="module")
def asked(shape):
    code = torch.zeros(1, 52)
    code[0, BLENDSHAPES.index("jawOpen")] = 0.8
    return shape.geometry_of_code(code)[0]


def between_the_sides(shape):
    """Where the head that is there moves no point of a face, see `warp/head.py`: [478] bool."""
    return shape.mean[:, 0].abs() < shape.mean[33, 0].abs()


def test_strengths_of_one_are_the_plain_placement(shape, people, asked):
    who, there = (face.fit for face in people)
    plain, inner = retarget(shape, who, there, asked[None])[0], between_the_sides(shape)
    assert torch.equal(points_of(shape, who, there, asked, USUAL)[inner], plain[inner])


def test_identity_goes_in_a_straight_line_from_one_face_to_the_other(shape, people, asked):
    who, there = (face.fit for face in people)
    own, half, theirs, more = (points_of(shape, who, there, asked, Strength(identity=s)) for s in (0.0, 0.5, 1.0, 1.5))
    inner, plain = between_the_sides(shape), retarget(shape, there, there, asked[None])[0]
    own, half, theirs, more, plain = (points[inner] for points in (own, half, theirs, more, plain))
    assert torch.allclose(own, plain)
    assert (own - theirs).abs().max() > 1, "two different people"
    assert torch.allclose(half, (own + theirs) / 2, atol=1e-3)
    assert torch.allclose(more, theirs + (theirs - own) / 2, atol=1e-3)


def test_expression_scales_the_movement_and_leaves_the_person(shape, people, asked):
    who, there = (face.fit for face in people)
    still, once, twice = (points_of(shape, who, there, asked, Strength(expression=s)) for s in (0.0, 1.0, 2.0))
    inner, plain = between_the_sides(shape), retarget(shape, who, there, torch.zeros_like(asked)[None])[0]
    still, once, twice, plain = (points[inner] for points in (still, once, twice, plain))
    assert torch.allclose(still, plain)
    assert torch.allclose(twice - still, 2 * (once - still), atol=1e-3)
    assert (once - still).abs().max() > 3, "the jaw has moved"


def test_the_picture_is_a_morph(shape, people, asked, topology):
    """Above 1 only the shape goes on: there is no more than the whole of the selfie's skin."""
    selfie, background = Skin.of(people[0]), BackgroundFace.of(people[1], topology)
    mesh = Mesh.of(points_of(shape, people[0].fit, people[1].fit, asked, USUAL), topology, 256)
    area = face_mask(background, mesh, 9.0)
    pictures = {s: morph(selfie, background, mesh, area, s) for s in (0.0, 0.25, 1.0, 1.5)}
    assert torch.equal(pictures[1.0], coarse_warp(selfie, background, mesh, area, complete=True))
    assert torch.equal(pictures[1.5], pictures[1.0])
    assert torch.allclose(pictures[0.25], 0.75 * pictures[0.0] + 0.25 * pictures[1.0], atol=1e-5)
    skin = pictures[0.0][:, 110, 128]
    assert torch.allclose(skin, people[1].image[:, 110, 128], atol=0.02), "strength 0 has the background's own skin"
    for picture in pictures.values():
        assert torch.equal(picture[:, area == 0], people[1].image[:, area == 0])
