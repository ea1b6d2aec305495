"""Guidance with two weights: the arithmetic, on plain tensors."""

import pytest
import torch

from diffsfsr.modules.denoiser.guidance import as_plain, combine, needed, plain

WEIGHTS = [(1.5, 1.5), (2.0, 0.5), (0.5, 3.0), (1.0, 4.0), (4.0, 1.0), (0.0, 2.0), (2.0, 0.0), (0.0, 0.0), (20.0, 0.1)]


@pytest.fixture
def estimates():
    """n, i, p: [2, 4, 3, 3] each."""
    return torch.randn(3, 2, 4, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_formula(estimates, weights):
    n, i, p = estimates
    by_factor = (1 - weights[0]) * n + (weights[0] - weights[1]) * i + weights[1] * p
    assert torch.allclose(combine(n, i, p, *weights), by_factor)


@pytest.mark.parametrize("weight", [0.0, 1.0, 1.5, 7.0])
def test_equal_weights_are_plain_guidance_whatever_the_identity_alone_says(estimates, weight):
    n, i, p = estimates
    assert plain(weight, weight)
    assert torch.allclose(combine(n, i, p, weight, weight), n + weight * (p - n))
    assert torch.allclose(combine(n, i * 9, p, weight, weight), n + weight * (p - n))
    assert not torch.allclose(combine(n, i * 9, p, weight, weight + 1), combine(n, i, p, weight, weight + 1))


@pytest.mark.parametrize("weights", WEIGHTS)
def test_what_is_not_needed_has_no_influence(estimates, weights):
    zeroed = [e if used else torch.zeros_like(e) for e, used in zip(estimates, needed(*weights), strict=True)]
    assert torch.allclose(combine(*zeroed, *weights), combine(*estimates, *weights))


def test_how_many_estimates_are_needed():
    assert [sum(needed(*w)) for w in ((1, 1), (2, 2), (1, 3), (2, 0), (1, 0), (2, 3), (0, 2))] == [1, 2, 2, 2, 1, 3, 3]
    assert needed(1, 1) == (False, False, True)
    assert needed(0.1 + 0.2, 0.3) == (True, False, True), "rounding makes no third estimate"


@pytest.mark.parametrize("weights", [w for w in WEIGHTS if max(w) > 0])
def test_the_equivalent_pair(estimates, weights):
    """A patch that does n + scale (estimate - n) gives the very result; with equal weights it is told p itself."""
    n, i, p = estimates
    estimate, scale = as_plain(n, i, p, *weights)
    assert torch.allclose(n + scale * (estimate - n), combine(n, i, p, *weights))
    assert scale == max(weights)
    if plain(*weights):
        assert torch.allclose(estimate, p)


def test_noise_and_clean_estimates_are_guided_alike(estimates):
    """Guided noise gives the guided clean estimate: the factors sum to one."""
    x, sigma = torch.ones(2, 4, 3, 3, dtype=torch.float64), 3.0
    clean = [x - sigma * e for e in estimates]
    assert torch.allclose(combine(*clean, 2.0, 3.0), x - sigma * combine(*estimates, 2.0, 3.0))
