"""Drawn people: a row of a batch is what it is alone, points and pose are where they are said to be, light is from its lamp."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from diffsfsr.modules.faces.morphable import retarget
from diffsfsr.modules.warp.mesh import Mesh, sampled
from diffsfsr.training.portrait import MARGIN
from diffsfsr.training.synth.codes import random_code
from diffsfsr.training.synth.light import Light, change_of_light, light_of, normals, relit
from diffsfsr.training.synth.look import sheet, speed
from diffsfsr.training.synth.reenact import distance, moved_points, redraw_person
from diffsfsr.training.synth.render import People, Scene, render
from diffsfsr.training.synth.swap import blended

WIDE = 352


@pytest.fixture(scope="module")
def people(shape):
    """Three made-up faces of the model, in pictures of smooth colours."""
    seed = torch.Generator().manual_seed(0)
    identity = torch.randn(3, len(shape.identity), generator=seed) * 0.5
    mesh = shape.mesh(identity, torch.zeros(3, 52))
    points = mesh * torch.tensor([11.0, -11.0, 11.0]) + torch.tensor([176.0, 200.0, 0.0])
    image = torch.nn.functional.interpolate(torch.rand(3, 3, 24, 24, generator=seed), size=WIDE, mode="bilinear")
    return People(image, points, shape.fit(points, torch.zeros(3, 52)))


def code(seed):
    return torch.from_numpy(random_code(np.random.default_rng(seed), strong=True))


def coordinates():
    """A picture whose first two colours say where a pixel is, 0..1."""
    y, x = torch.meshgrid(torch.arange(WIDE) + 0.5, torch.arange(WIDE) + 0.5, indexing="ij")
    return torch.stack([x, y, torch.full_like(x, WIDE / 2)]) / WIDE


# --- batches and seeds -----------------------------------------------------------------------------------------------


def test_rows_of_a_batch_are_what_they_are_alone(shape, topology, people):
    lamp = Light.any(np.random.default_rng(1))
    scenes = [
        Scene.plain(0, code(0), 20.0, -5.0),
        Scene.plain(2, code(1), -10.0, face=1),
        Scene.plain(1, code(2), light=lamp),
        Scene.plain(1, code(3), face=0, light=lamp),
    ]
    together = render(shape, topology, people, Scene.stack(scenes))
    assert together["picture"].shape == (4, 3, 256, 256) and together["points"].shape == (4, 478, 3)
    for k, scene in enumerate(scenes):
        alone = render(shape, topology, people, scene)
        for name, value in together.items():
            apart = (value[k] - alone[name][0]).abs()
            # rounding may give a pixel at an edge to the triangle beside it
            assert apart.mean() < 1e-4 and (apart > 1e-2).float().mean() < 1e-4, name


def test_scenes_come_from_seed_and_number_alone():
    first, again, other, elsewhere = (Scene.random(*n, 50) for n in ((7, 3), (7, 3), (7, 4), (8, 3)))
    assert torch.equal(first.coefficients, again.coefficients) and torch.equal(first.yaw, again.yaw)
    assert torch.equal(first.light.direction, again.light.direction) and torch.equal(first.face, again.face)
    assert first.yaw != other.yaw and first.yaw != elsewhere.yaw
    several = Scene.numbers(0, range(60), 50)
    swapped, lit = (several.face != several.person).float().mean(), (several.light.colour.abs().sum((1, 2)) > 0).float().mean()
    assert 0.1 < swapped < 0.5 and 0.4 < lit < 0.8 and several.yaw.abs().max() > 20


def test_numbers_are_made_on_the_device_of_the_input(shape, topology, people):
    """What is made without saying where has no content here and would be noticed (kornia's blur sets its own device)."""

    def drawn():
        after = moved_points(shape, people.fit, people.points, shape.own_geometry(people.fit), 20.0)
        mesh = Mesh.of(after, topology, 128)
        made = *mesh.draw(people.image, people.points), mesh.index
        return after, *made, normals(after, topology), light_of(people.image, after, topology), distance(mesh.covered)

    wanted = drawn()
    with torch.device("meta"):
        found = drawn()
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


# --- where things are ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("yaw", [-25.0, 25.0])
def test_the_pose_asked_for_is_found_in_the_points(shape, people, yaw):
    geometry = shape.own_geometry(people.fit)
    after = moved_points(shape, people.fit, people.points, geometry, yaw, 8.0)
    found = shape.fit(after[..., :2], torch.zeros(3, 52))
    turn = found.rotation @ people.fit.rotation.mT
    angle = lambda sine: math.degrees(math.asin(sine))  # noqa: E731
    for r in turn:
        assert angle(r[0, 2]) == pytest.approx(yaw, abs=1), "to the side"
        assert angle(-r[1, 2] / math.cos(math.radians(yaw))) == pytest.approx(8, abs=1), "up and down"


def test_nothing_asked_changes_nothing(shape, topology, people):
    after = moved_points(shape, people.fit, people.points, shape.own_geometry(people.fit))
    assert torch.allclose(after[..., :2], people.points[..., :2], atol=1e-3)
    picture, mesh = redraw_person(people.image, people.points, after, topology, MARGIN, smear=2.5)
    inner = people.image[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
    assert mesh.covered.any() and (picture - inner).abs().max() < 0.01
    assert torch.allclose(relit(inner, mesh, Light.stack([Light.none()] * 3)), inner, atol=1e-6)


def test_the_picture_shows_at_the_new_points_what_was_at_the_old(shape, topology, people):
    image, before = coordinates(), people.points[0]
    geometry = shape.geometry_of_code(code(4)[None])
    one = People(people.image[:1], people.points[:1], people[torch.tensor([0])].fit).fit
    after = moved_points(shape, one, before, geometry[0], 15.0)
    for fade in ("distance", "ellipse"):
        picture, _ = redraw_person(image, before, after, topology, MARGIN, fade)
        inner = after[:468, :2] - MARGIN
        seen = sampled(picture, inner[None])[:2, 0].T * WIDE
        front = normals(after, topology)[:, 2] > 0.3  # the others lie behind, or at the edge
        lips = (seen - before[:468, :2]).norm(dim=1) > 8  # of a mouth that opens, inside is painted
        assert (after[:468, :2] - before[:468, :2]).norm(dim=1).max() > 8
        assert (seen - before[:468, :2]).norm(dim=1)[front].median() < 0.7 and (lips & front).float().mean() < 0.1
        corner = picture[:2, :8, :8] - coordinates()[:2, MARGIN : MARGIN + 8, MARGIN : MARGIN + 8]
        assert corner.abs().max() < 0.01, "far from the face nothing moves"


def test_skin_seen_from_the_side_is_not_smeared(shape, topology, people):
    """A face of one colour before another: turned, less of what is behind it may show on it when smears are filled."""
    before, size = people.points[0], WIDE
    one = people[torch.tensor([0])].fit
    calm = Mesh.of(before, topology, size)
    image = torch.where(calm.covered, 0.8, 0.1).expand(3, size, size)
    after = moved_points(shape, one, before, shape.own_geometry(one), 35.0)
    dark = []
    for smear in (None, 2.5):
        picture, mesh = redraw_person(image, before, after, topology, smear=smear)
        dark.append((picture[0] < 0.6)[mesh.covered].float().mean().item())
    assert 0 < dark[1] < dark[0]


def test_distance_is_about_euclids(topology, people):
    covered = Mesh.of(people.points, topology, WIDE).covered
    for found, mask in zip(distance(covered), covered, strict=True):
        exact = torch.from_numpy(distance_transform_edt(~mask.numpy())).float() - 0.5
        assert (found - exact)[~mask].abs().max() < 4 and found[mask].max() < 4


# --- light and faces -------------------------------------------------------------------------------------------------


def facing(shape, people, topology):
    """The people with their own expression, drawn: the face model has depth."""
    return Mesh.of(retarget(shape, people.fit, people.fit, shape.own_geometry(people.fit)), topology, WIDE)


@pytest.mark.parametrize(("side", "brighter", "darker"), [(1.2, 280, 50), (-1.2, 50, 280)])
def test_a_lamp_lights_its_own_side(shape, topology, people, side, brighter, darker):
    mesh = facing(shape, people, topology)
    grey = torch.full((3, 3, WIDE, WIDE), 0.4)
    lamp = Light.stack([Light.of([(side, 0.0, np.full(3, 0.6), False)], np.ones(3))] * 3)
    lit = relit(grey, mesh, lamp)
    at = lambda k: sampled(lit, mesh.points[:, None, [k], :2])[..., 0, 0]  # noqa: E731
    assert (at(brighter) > at(darker) + 0.1).all()


def test_the_light_of_a_picture_is_found_and_changed(shape, topology, people):
    mesh = facing(shape, people, topology)
    normal = normals(mesh.points, topology)
    true = torch.tensor([0.6, 0.35, 0.1, 0.3])
    shade = true[0] + normal @ true[1:]
    image = (mesh.interpolate(shade[..., None] * 0.4).movedim(-1, 1) + ~mesh.covered[:, None]).expand(-1, 3, -1, -1)
    found = light_of(image.clamp_min(1e-3) ** (1 / 2.2), mesh.points, topology)
    front, mean = normal[..., 2] > 0.4, (shade * normal[..., 2]).sum(1) / normal[..., 2].sum(1)
    assert torch.allclose(found[:, 1:3], true[1:3] / mean[:, None], atol=0.15)
    gain = change_of_light(found, normal, torch.tensor([1.0, 0, 0, 0]), normal)
    even = (shade * gain[..., 0])[front]
    assert even.std() / even.mean() < 0.4 * shade[front].std() / shade[front].mean()


def test_another_face_is_put_on_the_face_and_nowhere_else(shape, topology, people):
    mesh = facing(shape, people, topology)
    look = torch.ones(3, 468)
    made = blended(people.image, mesh, people.image.roll(1, 0), people.points.roll(1, 0), look, 0.0)
    assert torch.equal(made.movedim(1, -1)[~mesh.covered], people.image.movedim(1, -1)[~mesh.covered])
    at = lambda image, p: sampled(image, p[:, None, [4, 50, 280], :2])[..., 0, :]  # noqa: E731
    assert (at(made, mesh.points) - at(people.image.roll(1, 0), people.points.roll(1, 0))).abs().max() < 0.02
    same = blended(people.image, mesh, people.image.roll(1, 0), people.points.roll(1, 0), 0 * look, 0.5)
    assert torch.equal(same, people.image)


def test_the_sheet_shows_every_person_in_a_row(shape, topology, people):
    picture = np.asarray(sheet(shape, topology, people, 0)).reshape(3, 256, 10, 256, 3).swapaxes(1, 2).astype(float)
    changed = np.abs(picture - picture[:, :1]).mean((2, 3, 4))
    assert (changed[:, 0] == 0).all() and (changed[:, 1:] > 0.3).all(), "ten pictures, the first as photographed"
    assert (picture[:, -1, ..., 1] > picture[:, -2, ..., 1] + 20).mean() > 0.05, "the last shows the mask in green"
    assert speed(shape, topology, people, 2, 0, pictures=2) > 0
