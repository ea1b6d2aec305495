"""What a face would look like in soft light is told from what hard light leaves of it; beards and features are no shadows."""

import pytest
import torch

from diffsfsr.modules.faces.lights import LightNetwork
from diffsfsr.modules.warp.hard_light import black, lit_side
from diffsfsr.modules.warp.mesh import POINTS
from diffsfsr.modules.warp.mouth import MOUTH
from diffsfsr.modules.warp.soft_face import dark_below_nose, fitted, how_unlike, on_both_sides, weights_of
from diffsfsr.training.light.usual import components
from tests.conftest import ROOT
from tests.unit.faces import canonical_face, skin_picture


@pytest.fixture(scope="module")
def face():
    return canonical_face()


@pytest.fixture(scope="module")
def light():
    return LightNetwork.load(ROOT / "weights" / LightNetwork.FILE)


def side(face, x=0.0):
    """Which points lie beyond so much of the face's half width to the right of its nose [468] bool."""
    across = face.points[:POINTS, 0] - face.points[4, 0]
    return across > x * across.max()


@pytest.mark.parametrize(
    ("where", "lamp", "most"), [(0.0, (-1.5,) * 3, 0.3), (0.35, (-2.5,) * 3, 0.15), (0.1, (-1.5, -0.5, 0.5), 0.3)]
)
def test_a_fit_takes_no_notice_of_shadows(face, light, where, lamp, most):
    """On half of a face, deeper on less of it, and blue: of a person that differs from the mean in three ways."""
    person = light.usual + light.ways[:3].sum(0) * 0.5
    seen = person + side(face, where)[:, None] * torch.tensor(lamp)
    fit = fitted(light, seen, weights_of(face))
    off = fit.light - person
    assert (off - off.mean(0)).abs().mean() < most * (seen - seen.mean(0) - person + person.mean(0)).abs().mean()


@pytest.mark.parametrize(
    ("x", "lamp", "least", "most"),
    [
        (0.0, (0.0,) * 3, 0.0, 0.1),
        (0.0, (-0.3,) * 3, 0.0, 0.5),  # a window to one side
        (0.0, (-2.0,) * 3, 1.2, 9.0),
        (0.1, (-1.5, -0.5, 0.5), 1.5, 9.0),  # a blue lamp
    ],
)
def test_how_far_a_face_is_from_soft_ones_tells_how_hard_its_light_is(face, light, x, lamp, least, most):
    weight = weights_of(face)
    seen = light.usual + light.ways[:3].sum(0) * 0.5 + side(face, x)[:, None] * torch.tensor(lamp)
    assert least <= how_unlike(fitted(light, seen, weight), weight, face) <= most


def test_each_point_counts_as_much_as_it_stands_for(face):
    weight = weights_of(face)
    assert weight[[50, 280]].min() > 3 * weight[[7, 33]].max() and weight.mean() == pytest.approx(1, abs=0.2)


def test_what_is_dark_on_both_sides_below_the_nose_is_beard(face):
    low, across = int(face.points[list(MOUTH.corners), 1].mean()), torch.arange(256)
    off = torch.zeros(3, 256, 256)
    off[:, low:] = -0.6
    assert dark_below_nose(off, face)[low + 15, 100:156].all() and not dark_below_nose(off, face)[: low - 15].any()
    assert not dark_below_nose(off * (across < 118), face)[:, 150:].any(), "a shadow on one side"
    assert not dark_below_nose(off.flip(1), face)[:100].any(), "dark eyes"


def test_what_both_sides_have_is_the_persons_own(face):
    off, across = torch.full((3, 256, 256), -0.5), torch.arange(256)
    assert on_both_sides(off, face)[:, 130:150, 90:166].mean() == pytest.approx(-0.5, abs=0.02)
    assert on_both_sides(off * (across < 118), face)[:, 130:150, 90:166].abs().mean() < 0.02


def test_a_black_half_is_drawn_from_the_other_one_in_its_own_light(face):
    image, mole = skin_picture(), (slice(None), slice(150, 156), slice(160, 166))
    image[mole] *= 0.5
    dark = torch.where(torch.arange(256) < 120, 0.05, 1.0)
    hidden = black(image * dark, face)
    inside = face.covered.clone()
    inside[:, 110:] = False
    assert hidden[inside].mean() > 0.8 and hidden[:, 132:].max() == 0
    assert not black(image * 0.05, face).any(), "the other side shows nothing either"
    made = lit_side(image * torch.where(torch.arange(256) < 120, 0.8, 1.0), hidden, 1.0, face)
    spot = made[0, 150:156, 86:100]
    assert spot.min() < 0.75 * spot.max() and spot.max() < 0.9 * made[0, 130, 170]


def test_components_come_back_from_rows_with_gaps():
    rng = torch.Generator().manual_seed(0)
    ways, mean = torch.randn(2, 60, 3, generator=rng), torch.randn(60, 3, generator=rng)
    rows = mean + torch.einsum("nk,kpc->npc", torch.randn(80, 2, generator=rng), ways)
    known = torch.rand(80, 60, generator=rng) > 0.2
    found, axes = components(torch.where(known[..., None], rows, 9.0), known, 2)
    axes, step = axes.flatten(1), (rows - found).flatten(1)
    left = step - step @ torch.linalg.pinv(axes) @ axes
    assert left.square().mean() < 0.01 * step.square().mean()
