"""The linear face model and the mesh warp: pose and expression are found again, triangles land where they belong."""

import copy
import math

import pytest
import torch

from diffsfsr.modules.faces.morphable import retarget
from diffsfsr.modules.faces.pose import angles, pose, project
from diffsfsr.modules.types import Fit
from diffsfsr.modules.warp.mesh import Mesh, barycentric, rasterise
from diffsfsr.modules.warp.skin import Skin, put_on


def picture():
    """[3, 256, 256] of long waves, which bilinear sampling follows closely."""
    y, x = torch.meshgrid(torch.arange(256) + 0.5, torch.arange(256) + 0.5, indexing="ij")
    return torch.stack([torch.sin(x / 23), torch.cos(y / 19), torch.sin((x + y) / 31)]) * 0.4 + 0.5


# --- the face model --------------------------------------------------------------------------------------------------


def rotation(yaw, pitch, roll):
    """Degrees -> [3, 3], axes as in the face model."""
    a, b, c = (math.radians(v) for v in (yaw, pitch, roll))
    about_y = torch.tensor([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    about_x = torch.tensor([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    about_z = torch.tensor([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def synthetic(shape, seed, yaw=0.0, pitch=0.0, roll=0.0, scale=11.0, expression=None):
    """A face made by the model itself: picture points [1, 478, 2] (y down) and the Fit that made them."""
    random = torch.Generator().manual_seed(seed)
    identity = torch.randn(1, len(shape.identity), generator=random) * 0.7
    expression = torch.zeros(1, 52) if expression is None else expression
    true = Fit(identity, expression, rotation(yaw, pitch, roll)[None], torch.tensor([scale]),
               torch.tensor([[128.0, -130.0]]), torch.zeros(1, 478, 2), torch.zeros(1, len(shape.geometry)))  # fmt: skip
    points = project(shape.mesh(identity, expression), true.rotation, true.scale, true.shift)
    return points * torch.tensor([1.0, -1.0]), true


def smile(amount=0.8):
    code = torch.zeros(1, 52)
    code[0, 25], code[0, 44], code[0, 45] = 0.4 * amount, amount, amount
    return code


def degrees_between(a, b):
    cosine = ((a @ b.transpose(-1, -2)).diagonal(0, -2, -1).sum().item() - 1) / 2
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))  # rounding may lead out of -1..1


POSES = [(0, 0, 0), (25, 0, 0), (-30, 10, 0), (10, -15, 20)]


@pytest.mark.parametrize("angles", POSES)
def test_pose_is_found_from_the_right_mesh(shape, angles):
    points, true = synthetic(shape, 1, *angles)
    mesh = shape.mesh(true.identity, true.expression)
    found, scale, shift = pose(mesh, points * torch.tensor([1.0, -1.0]), shape.weight)
    assert degrees_between(found[0], true.rotation[0]) < 0.5
    assert torch.allclose(scale, true.scale, rtol=1e-3) and torch.allclose(shift, true.shift, atol=0.1)
    assert torch.linalg.det(found).item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("angles", POSES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fit_recovers_pose_and_explains_the_points(shape, angles, seed):
    points, true = synthetic(shape, seed, *angles, expression=smile())
    found = shape.fit(points, smile())
    assert degrees_between(found.rotation[0], true.rotation[0]) < 6
    assert found.scale.item() == pytest.approx(true.scale.item(), rel=0.05)
    left = (found.residual.square().sum(-1).sqrt() * shape.weight).sum() / shape.weight.sum()
    assert left < 1.6, "pixels, of a face about 170 pixels high"
    assert (found.expression - smile()).abs().mean() < 0.05


def test_fit_corrects_a_wrong_prior_towards_the_truth(shape):
    """The blendshape network is often a little wrong; what the points show counts as well."""
    points, _ = synthetic(shape, 3, expression=smile(0.9))
    found = shape.fit(points, smile(0.4))
    mouth = [44, 45]
    assert found.expression[0, mouth].mean() > 0.45
    assert found.expression.min() >= 0 and found.expression.max() <= 1


def test_fit_gives_the_same_bits_wherever_its_numbers_lie(shape):
    """Same seed, same picture: the draft must not depend on where memory happened to be free. Double precision is
    rounded to the same single-precision bits.
    """
    points, _ = synthetic(shape, 3, 20, expression=smile())
    found, kept = [], []
    for i in range(8):
        kept.append(torch.empty(1000 * i * i + 17 * i))
        moved = copy.deepcopy(shape)
        fit = moved.double().fit(points.clone(), smile())
        found.append(retarget(moved, fit, fit, moved.geometry_of_code(smile(0.5))).float())
    assert all(torch.equal(points, found[0]) for points in found)


def test_fit_is_the_same_alone_and_in_a_batch(shape):
    both = torch.cat([synthetic(shape, s, yaw)[0] for s, yaw in ((4, 5), (5, -20))])
    prior = torch.zeros(2, 52)
    together, alone = shape.fit(both, prior), shape.fit(both[1:], prior[1:])
    assert torch.allclose(together.identity[1:], alone.identity, atol=1e-3)
    assert torch.allclose(together.rotation[1:], alone.rotation, atol=1e-4)


@pytest.mark.parametrize("angles", POSES)
def test_place_changes_nothing_when_nothing_changes(shape, angles):
    """The same person, expression and pose asked for: every point stays (within a pixel of a 256 pixel crop)."""
    points, _ = synthetic(shape, 6, *angles, expression=smile())
    found = shape.fit(points, smile())
    placed = retarget(shape, found, found, shape.own_geometry(found))
    moved = (placed[..., :2] - points).square().sum(-1).sqrt()[0]
    weighted = (moved * shape.weight).sum() / shape.weight.sum()
    assert weighted < 0.5 and moved[:468].max() < 3


def test_place_moves_with_the_background_and_obeys_the_word(shape):
    selfie, _ = synthetic(shape, 7, yaw=-15, scale=9)
    background, _ = synthetic(shape, 8, yaw=25, roll=10, expression=smile())
    a, b = shape.fit(selfie, torch.zeros(1, 52)), shape.fit(background, smile())
    calm, open_mouth = torch.zeros(1, 52), torch.zeros(1, 52)
    open_mouth[0, 25] = 0.8
    at_rest, opened = (retarget(shape, a, b, shape.geometry_of_rig(code)) for code in (calm, open_mouth))
    centre = (at_rest[0, :468, :2].mean(0) - background[0, :468].mean(0)).abs().max()
    assert centre < 8, "the face stands where the background's stood"
    gap = lambda p: (p[0, 14, :2] - p[0, 13, :2]).norm()  # noqa: E731
    assert gap(opened) > gap(at_rest) + 8
    eyes = [33, 133, 362, 263]
    assert (opened[0, eyes] - at_rest[0, eyes]).abs().max() < 1.5, "a jaw does not move the eyes"


# --- the mesh warp ---------------------------------------------------------------------------------------------------


def brute_force(points, triangles, size):
    """Index of the nearest triangle and its depth for each pixel, all triangles tested everywhere."""
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    corners = points[triangles]
    weight = barycentric(corners, torch.stack([x, y], -1).view(1, -1, 2).expand(len(corners), -1, -1))
    depth = (weight * corners[:, None, :, 2]).sum(-1)
    depth[(weight < -1e-4).any(-1)] = -torch.inf
    best, index = depth.max(0)
    index[best == -torch.inf] = -1
    return index.view(size, size), best.view(size, size)


def scattered(seed, count=60, size=48):
    """Triangles of every size, some partly or wholly outside, one without area."""
    random = torch.Generator().manual_seed(seed)
    points = torch.rand(count, 3, generator=random) * torch.tensor([size * 1.6, size * 1.6, 30.0]) - size * 0.3
    triangles = torch.randint(0, count, (40, 3), generator=random)
    return points, torch.cat([triangles, torch.tensor([[3, 3, 5]])])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("patch", [4, 8])
def test_rasterise_equals_brute_force(seed, patch):
    points, triangles = scattered(seed)
    index, weight = rasterise(points, triangles, 48, patch)
    wanted, depth = brute_force(points, triangles, 48)
    assert torch.equal(index >= 0, wanted >= 0)
    inside = index >= 0
    found = (weight * points[triangles[index.clamp_min(0)]][..., 2]).sum(-1)
    assert torch.allclose(found[inside], depth[inside], atol=1e-3)
    assert (index != wanted).float().mean() < 0.01, "they may differ where two triangles meet"
    assert torch.allclose(weight[inside].sum(-1), torch.ones(int(inside.sum())), atol=1e-4)
    assert (weight[~inside] == 0).all()


def test_rasterise_of_what_lies_outside_is_empty():
    points = torch.tensor([[-50.0, -50, 0], [-40, -50, 0], [-50, -40, 0], [90, 90, 0], [99, 90, 0], [90, 99, 0]])
    index, _ = rasterise(points, torch.tensor([[0, 1, 2], [3, 4, 5]]), 32)
    assert (index == -1).all()


def frontal(shape, topology, shift=(0.0, 0.0)):
    """A face made by the model: its points [478, 2], and its mesh, perhaps moved by some pixels."""
    points, true = synthetic(shape, 9)
    depth = shape.mesh(true.identity, true.expression)[0, :, 2:] * true.scale
    return points[0], Mesh.of(torch.cat([points[0] + torch.tensor(shift), depth], 1), topology, 256)


def test_drawn_in_place_gives_the_picture_back(shape, topology):
    points, mesh = frontal(shape, topology)
    image = picture()
    drawn, known = mesh.draw(image, points)
    assert torch.equal(known > 0, mesh.covered) and known.mean() > 0.1
    assert ((drawn - image) * known).abs().max() < 0.02
    assert torch.equal(put_on(Skin(image, points), mesh)[0], drawn * known), "black where it is not known"


def test_drawing_follows_its_points(shape, topology):
    """Moved by (12, -7) pixels, the drawn face is the picture moved by as much."""
    points, mesh = frontal(shape, topology, (12.0, -7.0))
    image = picture()
    drawn, known = mesh.draw(image, points)
    moved = torch.roll(image, (-7, 12), (1, 2))
    assert known.mean() > 0.1 and ((drawn - moved) * known).abs().max() < 0.02


def test_drawing_leaves_out_what_the_source_does_not_show(shape, topology):
    """A face in profile cannot tell what its far side looks like: that part is open, for the model to paint."""
    _, mesh = frontal(shape, topology)
    side, _ = synthetic(shape, 9, yaw=55)
    _, known = mesh.draw(picture(), side[0])
    assert 0.3 < known.sum() / mesh.covered.sum() < 0.97


def test_angles_of_a_turned_head():
    side, up = math.cos(math.radians(30)), math.sin(math.radians(30))
    yaw = torch.tensor([[side, 0, up], [0, 1, 0], [-up, 0, side]])
    roll = torch.tensor([[side, -up, 0], [up, side, 0], [0, 0, 1.0]])
    assert torch.allclose(angles(torch.stack([yaw, roll])), torch.tensor([[30.0, 0, 0], [0, 0, 30]]), atol=1e-4)
