"""Estimates of the clean sample where the exact path is known: their orders and constants, calls, gradients, errors."""

from functools import partial

import pytest
import torch

from diffsfsr.modules.denoiser.midpoint import sample_midpoint
from diffsfsr.training import estimators
from tests.unit.test_sampling import Counting, descent, mixture, slope

LEVELS = (0.1, 0.05, 0.025, 0.0125)


def noise(y, r, model=mixture):
    return (y - model(y, r)) / r.view(-1, 1, 1, 1)


def noisy(r, count=64):
    """Points [2, 1, 1, count / 2] and their levels [2]; not where the mixture is symmetric, which would flatter."""
    y = torch.linspace(-3, 4, count, dtype=torch.float64).view(2, 1, 1, count // 2)
    return y, torch.full((2,), r, dtype=torch.float64)


def end(y, r):
    """Of the exact path: thousands of midpoint steps down to a level from where one more step is exact enough."""
    levels = torch.cat([descent(float(r[0]), 1e-4 * float(r[0]), 2000), torch.zeros(1, dtype=torch.float64)])
    return sample_midpoint(mixture, y, levels)


@pytest.fixture(scope="module")
def ends():
    return {r: end(*noisy(r)) for r in LEVELS}


def errors(estimate, ends):
    return [(estimate(noise, *noisy(r)) - ends[r]).abs().mean().item() for r in LEVELS]


SECOND = {"one step": estimators.one_step} | {
    f"two steps, c = {c}": partial(estimators.two_step, c=c) for c in (0.25, 0.5, 0.75)
}
THIRD = {"midpoint": estimators.midpoint, "Ralston": estimators.ralston, "c = .8": partial(estimators.runge_kutta, c=0.8)}


@pytest.mark.parametrize("name", SECOND)
def test_of_second_order(name, ends):
    assert 1.9 < -slope(errors(SECOND[name], ends), LEVELS) < 2.1


@pytest.mark.parametrize("name", THIRD)
def test_of_third_order_or_better(name, ends):
    """e is odd in r near 0 on a smooth density, so that the third term is small too: the slope comes near to 4."""
    assert -slope(errors(THIRD[name], ends), LEVELS) > 2.8


def test_the_constant_of_two_steps(ends):
    one = errors(estimators.one_step, ends)[-1]
    for c in (0.25, 0.5, 0.75):
        two = errors(partial(estimators.two_step, c=c), ends)[-1]
        assert two / one == pytest.approx(c**2 + (1 - c) ** 2, rel=0.02)


def test_fresh_noise_leaves_the_path(ends):
    fresh = torch.randn(2, 1, 1, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert 0.9 < -slope(errors(partial(estimators.renoised, fresh=fresh), ends), LEVELS) < 1.1
    y, r = noisy(0.3)
    own = noise(y, r)  # with the path's own noise in its place it is two steps
    assert torch.allclose(estimators.renoised(noise, y, r, fresh=own), estimators.two_step(noise, y, r))


def test_a_single_gaussian_at_rest_is_exact():
    """A point mass has straight paths: every estimate is exact at any noise."""
    still = partial(noise, model=lambda y, r: torch.full_like(y, 1.5))
    y, r = noisy(2.0)
    for estimate in (*SECOND.values(), *THIRD.values(), partial(estimators.renoised, fresh=y * 0 + 1)):
        assert torch.allclose(estimate(still, y, r), torch.full_like(y, 1.5))


@pytest.mark.parametrize(
    ("estimate", "levels"),
    [
        (estimators.one_step, [0.6]),
        (estimators.midpoint, [0.6, 0.3]),
        (estimators.ralston, [0.6, 0.2]),
        (partial(estimators.two_step, c=0.25), [0.6, 0.45]),
        (partial(estimators.renoised, fresh=torch.zeros(2, 1, 1, 32)), [0.6, 0.3]),
    ],
)
def test_where_the_model_is_asked(estimate, levels):
    model = Counting()
    y, r = noisy(0.6)
    asked = estimate(partial(noise, model=model), y, r)
    assert model.sigmas == pytest.approx(levels)
    model = Counting()
    known = estimate(partial(noise, model=model), y, r, noise(y, r))
    assert model.sigmas == pytest.approx(levels[1:]) and torch.equal(known, asked)


def test_rows_have_their_own_levels():
    y, r = noisy(0.6)
    r = torch.tensor([0.6, 0.1], dtype=torch.float64)
    both = estimators.midpoint(noise, y, r)
    for k in range(2):
        assert torch.equal(both[k : k + 1], estimators.midpoint(noise, y[k : k + 1], r[k : k + 1]))


def test_the_gradient_passes_both_calls():
    """d estimate / d weight for e = w y is -r (y - r w y), half of it by way of the first call."""
    weight = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    y, r = noisy(0.6)
    estimators.midpoint(lambda y, r: weight * y, y, r).sum().backward()
    assert weight.grad.item() == pytest.approx((-0.6 * y * (1 - 0.6 * 0.3)).sum().item())


@pytest.mark.parametrize("c", [0.0, 1.0, -0.5])
def test_the_second_call_is_between(c):
    y, r = noisy(0.5)
    for estimate in (estimators.two_step, estimators.runge_kutta, partial(estimators.renoised, fresh=y)):
        with pytest.raises(ValueError, match="between 0 and 1"):
            estimate(noise, y, r, c=c)
