"""The canonical frame: alignment, sampling through it, and masks in it."""

import math

import pytest
import torch
import torch.nn.functional as F

from diffsfsr.modules import affine
from diffsfsr.modules.faces.pose import angles, turned
from diffsfsr.modules.types import Topology
from diffsfsr.modules.warp.masks import feather, fill, grow, widened
from diffsfsr.modules.warp.mesh import Mesh, barycentric, rasterise


def turn(degrees, scale=1.0, x=0.0, y=0.0):
    """A similarity matrix [1, 2, 3]."""
    c, s = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    return torch.tensor([[[c, -s, x], [s, c, y]]], dtype=torch.float64)


def smooth_picture(height, width):
    """[1, 3, H, W] that bilinear sampling can follow closely: long waves only."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    waves = torch.stack([torch.sin(x / 23), torch.cos(y / 19), torch.sin((x + y) / 31)])
    return (waves * 0.4 + 0.5)[None].double()


# --- the frame -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1), (33, 0.4), (-120, 2.5), (180, 7)])
def test_similarity_finds_the_map_that_made_the_points(degrees, scale):
    wanted = turn(degrees, scale, 12.5, -40)
    points = torch.randn(1, 9, 2, dtype=torch.float64) * 30
    assert torch.allclose(affine.similarity(points, affine.apply(wanted, points)), wanted, atol=1e-9)


def test_similarity_never_mirrors_and_is_the_best_of_its_kind():
    points = torch.randn(1, 6, 2, dtype=torch.float64)
    target = points * torch.tensor([-1.0, 1.0]) + torch.randn(1, 6, 2, dtype=torch.float64) * 0.1
    best = affine.similarity(points, target)
    assert torch.linalg.det(best[:, :, :2]).item() > 0
    error = (affine.apply(best, points) - target).square().sum()
    for nudge in (turn(1), turn(0, 1.02), turn(0, 1, 0.02)):
        other = nudge[:, :, :2] @ best[:, :, :2], nudge[:, :, :2] @ best[:, :, 2:] + nudge[:, :, 2:]
        assert (affine.apply(torch.cat(other, 2), points) - target).square().sum() > error


def test_frame_puts_the_anchors_on_their_places():
    """A face that is the frame's own, turned and enlarged, comes back to the pixel."""
    points = torch.randn(1, 478, 3, dtype=torch.float64) * 40 + 128
    for pair, goal in zip(affine.ANCHOR_POINTS, affine.ANCHOR_TARGETS, strict=True):
        shift = torch.tensor(goal) - points[0, list(pair), :2].mean(0)
        points[0, list(pair), :2] += shift
    moved = affine.apply(turn(25, 3.2, 300, 90), points)
    for size in (256, 512):
        back = affine.apply(affine.to_frame(moved, size), moved)
        assert torch.allclose(back, points * (size / 256), atol=1e-7)  # the third coordinate has the same scale


def test_invert_undoes():
    matrix = torch.cat([turn(17, 0.3, 5, 6), turn(-80, 4, -70, 2)])
    points = torch.rand(2, 20, 3, dtype=torch.float64) * 500
    assert torch.allclose(affine.apply(affine.invert(matrix), affine.apply(matrix, points)), points, atol=1e-9)


# --- sampling --------------------------------------------------------------------------------------------------------


def test_sampling_at_the_pixels_themselves_changes_nothing():
    image = torch.rand(1, 3, 37, 53, dtype=torch.float64)
    assert torch.allclose(affine.sample(image, turn(0), (37, 53)), image, atol=1e-12)


def test_a_shift_by_whole_pixels_is_exact():
    image = torch.rand(1, 3, 40, 40, dtype=torch.float64)
    moved = affine.sample(image, turn(0, 1, 7, -3), 40, "zeros")
    assert torch.allclose(moved[..., 3:, :33], image[..., :37, 7:], atol=1e-12)
    assert moved[..., :3, :].abs().max() < 1e-12 and moved[..., 33:].abs().max() < 1e-12


def test_a_quarter_turn_is_exact():
    """Pixel centres fall on pixel centres, so the convention (first centre at .5) shows at once when it is wrong."""
    image = torch.rand(1, 3, 32, 32, dtype=torch.float64)
    turned = affine.sample(image, turn(90, 1, 32, 0), 32)
    assert torch.allclose(turned, torch.rot90(image, 1, (2, 3)), atol=1e-12)


def test_round_trip_through_the_frame_stays_in_place():
    """There and back: what bilinear sampling loses twice is less than a fifth of a pixel would change."""
    image = smooth_picture(300, 300)
    to_frame = turn(20, 1.3, -40, -60)
    crop = affine.sample(image, affine.invert(to_frame), 256)
    back = affine.sample(crop, to_frame, 300, "zeros")
    known = affine.sample(torch.ones_like(crop), to_frame, 300, "zeros") > 0.999
    slope = (image[..., 1:] - image[..., :-1]).abs().max()  # change within one pixel
    assert known.double().mean() > 0.3
    assert (back - image)[known].abs().max() < 0.2 * slope


def test_strong_reduction_averages_instead_of_picking():
    """Without it a fine checkerboard would come out black, white or striped."""
    y, x = torch.meshgrid(torch.arange(512), torch.arange(512), indexing="ij")
    board = ((x + y) % 2).double()[None, None]
    small = affine.sample(board, turn(0, 8.0), 64)
    assert (small - 0.5).abs().max() < 0.05


def test_reduction_keeps_the_place():
    image = smooth_picture(256, 384)
    small = affine.sample(image, turn(0, 4.0), (64, 96))
    assert (small - F.avg_pool2d(image, 4)).abs().max() < 0.01


# --- masks -----------------------------------------------------------------------------------------------------------


def dot(size=65):
    mask = torch.zeros(1, 1, size, size)
    mask[..., size // 2, size // 2] = 1
    return mask


@pytest.mark.parametrize("radius", [1, 3, 9, 20])
def test_grow_is_nearly_a_disc(radius):
    y, x = torch.meshgrid(torch.arange(65) - 32, torch.arange(65) - 32, indexing="ij")
    distance = torch.sqrt((x**2 + y**2).float())
    grown = grow(dot(), radius)[0, 0] > 0
    assert grown[distance <= 0.8 * radius].all() and not grown[distance > 1.2 * radius + 0.5].any()
    assert grown[32].sum() == 2 * radius + 1  # exact along the axes


@pytest.mark.parametrize("radius", range(10))
def test_widened_is_the_largest_value_of_a_square(radius):
    values = torch.rand(2, 1, 30, 17, generator=torch.Generator().manual_seed(radius))
    assert torch.equal(widened(values, radius), F.max_pool2d(values, 2 * radius + 1, 1, radius))


def test_grow_by_nothing_and_back():
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 20:44, 18:50] = 1
    assert torch.equal(grow(mask, 0), mask)
    shrunk = grow(mask, -4)
    assert torch.equal(shrunk[0, 0, 24:40, 22:46], torch.ones(16, 24)) and shrunk.sum() == 16 * 24
    assert (grow(mask, -40) == 0).all()


def test_shrinking_does_not_eat_from_the_pictures_edge():
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., :16] = 1
    assert torch.equal(grow(mask, -5)[0, 0, :, :11], torch.ones(32, 11))


@pytest.mark.parametrize("pixels", [0, 1, 8, 16])
def test_feather_stays_inside_and_reaches_one(pixels):
    mask = torch.zeros(2, 1, 128, 128)
    mask[..., 20:110, 16:116] = 1
    soft = feather(mask, pixels)
    assert (soft[mask == 0] == 0).all() and soft.min() >= 0 and soft.max() <= 1 + 1e-6
    assert soft[..., 64, 64].min() > 0.97
    middle = soft[0, 0, 64, 16:66]
    assert (middle[1:] >= middle[:-1] - 1e-6).all(), "from the border inwards it only rises"
    if pixels:
        assert middle[0] < 0.2


@pytest.mark.parametrize(("width", "pixels"), [(6, 8), (20, 8), (90, 30), (150, 64)])
def test_feather_never_makes_the_whole_mask_transparent(width, pixels):
    """An artist's mask of the mouth is narrower than twice the feather: its middle must still be painted."""
    mask = torch.zeros(1, 1, 256, 256)
    mask[..., 40 : 40 + width, 30:226] = 1
    soft = feather(mask, pixels)
    assert soft.max() > 0.9 and (soft[mask == 0] == 0).all()


def test_fill_keeps_what_is_known_and_continues_it():
    y, x = torch.meshgrid(torch.linspace(0, 1, 96), torch.linspace(0, 1, 96), indexing="ij")
    values, weight = torch.stack([x, y, torch.full_like(x, 0.3)])[None], torch.ones(1, 1, 96, 96)
    weight[..., 30:60, 40:70] = 0
    filled = fill(values * weight, weight)
    assert torch.equal(filled * weight, values * weight)
    assert (filled - values).abs().max() < 0.12, "a ramp goes on as a ramp, roughly"
    assert (filled[:, 2] - 0.3).abs().max() < 1e-4, "a plain colour goes on exactly"


@pytest.mark.parametrize("size", [(96, 96), (100, 100), (96, 57)])
@pytest.mark.parametrize("known", [(0, 0), (95, 40)])
def test_fill_from_a_single_pixel(known, size):
    values, weight = torch.rand(1, 3, *size), torch.zeros(1, 1, *size)
    weight[..., known[0], known[1]] = 1
    filled = fill(values, weight)
    assert torch.isfinite(filled).all()
    assert (filled - values[..., known[0], known[1], None, None]).abs().max() < 1e-3


# --- drawing many at once --------------------------------------------------------------------------------------------


def triangles_at_random(seed, pictures=4, count=60, size=48):
    """Points [B, count, 3], some outside the picture, and triangles that they share, one of them without area.

    They have no other side: nothing here is mirrored.
    """
    random = torch.Generator().manual_seed(seed)
    points = torch.rand(pictures, count, 3, generator=random) * torch.tensor([size * 1.6, size * 1.6, 30.0]) - size * 0.3
    triangles = torch.cat([torch.randint(0, count, (40, 3), generator=random), torch.tensor([[3, 3, 5]])])
    return points, Topology(triangles, torch.arange(count))


def one_by_one(points, triangles, size):
    """The rasteriser as one would write it down: triangle after triangle, a later one wins where it is as near."""
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    place = torch.stack([x, y], -1).view(1, -1, 2)
    index, depth = torch.full((size * size,), -1), torch.full((size * size,), -torch.inf)
    for t, corners in enumerate(points[triangles]):
        weight = barycentric(corners[None], place)[0]
        z = (weight * corners[:, 2]).sum(-1)
        nearer = (weight >= -1e-4).all(-1) & (z >= depth)
        index[nearer], depth[nearer] = t, z[nearer]
    return index.view(size, size)


@pytest.mark.parametrize("seed", range(3))
def test_rasterise_draws_every_picture_of_a_batch(seed):
    points, topology = triangles_at_random(seed)
    triangles, mesh = topology.triangles, Mesh.of(points, topology, 48)
    index, weight = mesh.index, mesh.weight
    for k, each in enumerate(points):
        alone = rasterise(each, triangles, 48)
        assert torch.equal(index[k], alone[0]) and torch.equal(weight[k], alone[1])
        assert torch.equal(index[k], one_by_one(each, triangles, 48))
    stacked = rasterise(points.view(2, 2, 60, 3), triangles, 48)
    assert torch.equal(stacked[0].flatten(0, 1), index) and torch.equal(stacked[1].flatten(0, 1), weight)
    assert torch.equal(mesh.covered, index >= 0)


def test_of_two_triangles_in_one_place_the_later_is_drawn():
    points = torch.tensor([[2.0, 2, 5], [20, 2, 5], [2, 20, 5]]).expand(3, 3, 3)
    index, _ = rasterise(points, torch.tensor([[0, 1, 2]] * 3), 24)
    assert set(index.unique().tolist()) == {-1, 2}


def test_a_mesh_draws_every_picture_of_a_batch():
    points, topology = triangles_at_random(5)
    image = torch.rand(4, 3, 40, 56, generator=torch.Generator().manual_seed(0))
    mesh, source = Mesh.of(points, topology, 48), points.roll(1, 0)
    together = mesh.draw(image, source)
    assert 0.05 < together[1].mean() < 1
    for k in range(4):
        alone = Mesh.of(points[k], topology, 48).draw(image[k], source[k])
        picked = mesh.rows(slice(k, k + 1)).draw(image[k : k + 1], source[k : k + 1])
        assert all(torch.equal(a[k], b) and torch.equal(c[0], b) for a, b, c in zip(together, alone, picked, strict=True))


def test_values_at_the_points_are_interpolated_over_every_face_of_a_batch():
    """The places of the points themselves must give the place of each pixel."""
    points, topology = triangles_at_random(6)
    mesh = Mesh.of(points, topology, 48)
    found, axis = mesh.interpolate(points[..., :2]), torch.arange(48) + 0.5
    places = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).expand_as(found)
    assert torch.allclose(found[mesh.covered], places[mesh.covered], atol=1e-2)
    assert (found[~mesh.covered] == 0).all()
    numbers = torch.arange(len(topology.triangles)).expand(4, -1)
    assert torch.equal(mesh.at_pixels(numbers), mesh.index.clamp_min(0)), "each pixel has the value of its triangle"


def test_between_is_where_all_three_corners_are_chosen():
    points, topology = triangles_at_random(7, pictures=2)
    mesh = Mesh.of(points, topology, 48)
    drawn = mesh.index[0].unique()
    corners = topology.triangles[drawn[drawn >= 0][0]].tolist()
    found = mesh.between(tuple(corners))
    whole = {t for t, triangle in enumerate(topology.triangles.tolist()) if set(triangle) <= set(corners)}
    assert found[0].any() and set(mesh.index[found].tolist()) <= whole
    assert found.sum() == sum((mesh.index == t).sum() for t in whole)
    assert not mesh.between(tuple(corners[:2])).any()


@pytest.mark.parametrize("degrees", [(6.0, 0.0, 0.0), (0.0, -10.0, 0.0), (0.0, 0.0, 7.0)])
def test_a_head_turns_by_as_many_degrees_as_are_measured(degrees):
    for before in (torch.zeros(3), torch.tensor([8.0, 0.0, 0.0])):
        rotation = turned(torch.eye(3, dtype=torch.float64), tuple(before.tolist()))
        assert torch.allclose(rotation @ rotation.T, torch.eye(3, dtype=torch.float64))
        change = angles(turned(rotation, degrees)) - before
        assert torch.allclose(change, torch.tensor(degrees, dtype=torch.float64), atol=1.5)
