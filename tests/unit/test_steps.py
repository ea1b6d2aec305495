"""The window on the step embedding, and the steps between the steps."""

import math

import pytest
import torch
from torch import nn

from diffsfsr.modules.denoiser.timestep import PERIOD, SteadySteps, step_of, window_factors

WIDTH = 64


def embedding(steps: torch.Tensor) -> torch.Tensor:
    """[T] -> [T, WIDTH]: cosines, then sines, as Stable Diffusion has them."""
    waves = torch.exp(-math.log(PERIOD) * torch.arange(WIDTH // 2, dtype=torch.float64) / (WIDTH // 2))
    turned = steps[:, None].double() * waves
    return torch.cat([turned.cos(), turned.sin()], 1)


@pytest.mark.parametrize("window", [1.0, 6.5, 25.0, 100.0])
def test_the_factors_are_what_a_mean_over_the_window_leaves(window):
    around = 321.0 + torch.linspace(-window / 2, window / 2, 20_001, dtype=torch.float64)
    mean = embedding(around).mean(0)
    assert torch.allclose(mean, window_factors(WIDTH, window) * embedding(torch.tensor([321.0]))[0], atol=2e-4)


def test_fast_waves_fade_and_slow_ones_stay():
    factors = window_factors(WIDTH, 25.0)
    assert factors[0].abs() < 0.05 and factors[WIDTH // 2 - 1] > 0.999
    assert torch.equal(factors[: WIDTH // 2], factors[WIDTH // 2 :])


def test_the_layers_keep_their_names_and_their_weights_answer_more_evenly():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(WIDTH, 32), nn.SiLU(), nn.Linear(32, 8))
    steady = SteadySteps(layers, WIDTH, 25.0)
    assert list(steady.state_dict()) == list(layers.state_dict())
    steps = embedding(torch.arange(200.0, 260.0, 0.5)).float()
    ripple = lambda x: x.detach().diff(n=2, dim=0).norm()  # noqa: E731
    assert ripple(steady(steps)) < 0.2 * ripple(layers(steps))


def test_a_step_lies_where_its_noise_lies():
    levels = torch.logspace(-1.5, 1.1, 1000)
    whole = torch.tensor([0, 1, 500, 998, 999])
    assert torch.allclose(step_of(levels[whole], levels), whole.float(), atol=1e-3)
    between = (levels[300] * levels[301]).sqrt()
    assert step_of(between, levels).item() == pytest.approx(300.5, abs=1e-3)
    ends = step_of(torch.tensor([1e-4, 1e4]), levels)
    assert ends.tolist() == [0, 999], "outside the table: its ends"
    assert step_of(torch.full((2, 3), 1.0), levels).shape == (2, 3)
