"""The two small networks of the expression code learn what they are for, on data made up here."""

import numpy as np
import pytest
import torch

from diffsfsr.modules.labels import index, prototype_matrix


@pytest.fixture(scope="module")
def rig():
    from diffsfsr.training import rig

    return rig


@pytest.fixture(scope="module")
def regressor():
    from diffsfsr.training import regressor

    return regressor


def test_the_drive_undoes_a_shy_response(rig):
    """A face that shows half of what is drawn must be driven further; what cannot be measured stays as asked."""
    brow, hidden = index("browDownLeft"), index("cheekPuff")

    class Half(torch.nn.Module):
        def forward(self, drawn):
            return drawn * 0.5

    known = torch.zeros(52)
    known[brow] = 1.0
    made = rig.fit_drive(Half(), known, steps=600)
    asked = torch.zeros(1, 52)
    asked[0, brow], asked[0, hidden] = 0.6, 0.6
    assert made(asked)[0, brow] > 0.85 and made(asked)[0, hidden] == pytest.approx(0.6, abs=0.05)
    assert made(torch.zeros(1, 52)).abs().max() == 0


def test_the_response_is_known_where_measuring_follows(rig):
    rng = torch.Generator().manual_seed(0)
    drawn = torch.rand(1500, 52, generator=rng)
    measured = torch.rand(1500, 52, generator=rng)  # noise
    measured[:, 44] = drawn[:, 44] * 0.7
    _, known = rig.fit_forward(drawn, measured, torch.arange(1500) % 5 != 0, steps=400)
    assert known[44] > 0.8 and known[torch.arange(52) != 44].max() < 0.3


def test_determination(regressor):
    true = torch.rand(500, 52)
    assert torch.allclose(regressor.determination(true, true), torch.ones(52))
    assert regressor.determination(true.mean(0).expand(500, -1), true).abs().max() < 0.01
    assert regressor.determination(true, torch.full((500, 52), 0.3)).isnan().all(), "never shown, so nothing can be said"


def test_the_most_used_coefficients_are_those_of_the_words(regressor):
    used = regressor.most_used()
    assert len(used) == len(set(used)) == 20
    totals = prototype_matrix().sum(0)
    assert totals[used].min() >= np.delete(totals, used).max()


def test_points_of_the_model_are_seen_turned(regressor, shape):
    mesh = shape.mean[None].expand(3, -1, -1).double()
    points = regressor.seen_points(mesh, np.random.default_rng(0))
    assert points.shape == (3, 478, 2) and not torch.equal(points[0], points[1])
    assert 40 < points[0].amin() and points[0].amax() < 260, "inside the 256 px crop, y down"
    assert points[0, 10, 1] < points[0, 152, 1], "the forehead is above the chin"
