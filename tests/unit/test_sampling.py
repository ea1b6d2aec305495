"""The midpoint sampler on a problem with a known solution: its order, its ends, its callback, its errors."""

import math

import pytest
import torch

from diffsfsr.modules.denoiser.midpoint import evaluations, row_noise, sample_midpoint

MEANS, SPREADS, SHARES = (-2.0, 0.5, 3.0), (0.7, 0.4, 1.1), (0.3, 0.5, 0.2)


def mixture(x, sigma, **_):
    """E[clean | noisy] where clean is a mixture of Gaussians: the exact denoiser, smooth in x and sigma."""
    sigma = sigma.view(-1, 1, 1, 1)
    weights, means = [], []
    for mean, spread, share in zip(MEANS, SPREADS, SHARES, strict=True):
        total = spread**2 + sigma**2
        weights.append(math.log(share) - (x - mean) ** 2 / (2 * total) - total.log() / 2)
        means.append(mean + spread**2 / total * (x - mean))
    return (torch.softmax(torch.stack(weights), 0) * torch.stack(means)).sum(0)


def start(count=64):
    return torch.linspace(-8, 8, count, dtype=torch.float64).view(2, 1, 1, count // 2)


def slope(errors, steps):
    """Order of convergence: by least squares in the log-log plane."""
    x, y = torch.log(torch.tensor(steps, dtype=torch.float64)), torch.log(torch.tensor(errors, dtype=torch.float64))
    x, y = x - x.mean(), y - y.mean()
    return -((x * y).sum() / (x * x).sum()).item()


def descent(high, low, steps):
    """Evenly spread in the logarithm: neighbouring intervals keep one ratio, so that halving them is clean."""
    return torch.exp(torch.linspace(math.log(high), math.log(low), steps + 1, dtype=torch.float64))


class Counting:
    """A model that remembers at which sigmas it was asked."""

    def __init__(self, model=mixture):
        self.model, self.sigmas, self.kwargs = model, [], []

    def __call__(self, x, sigma, **kwargs):
        assert sigma.shape == (len(x),)
        self.sigmas.append(sigma[0].item())
        self.kwargs.append(kwargs)
        return self.model(x, sigma, **kwargs)


@pytest.mark.parametrize("reuse", [False, True])
def test_global_order_is_two(reuse):
    exact = sample_midpoint(mixture, start(), descent(8.0, 0.2, 4096))
    steps = [64, 128, 256, 512]
    results = [sample_midpoint(mixture, start(), descent(8.0, 0.2, n), reuse=reuse) for n in steps]
    errors = [(result - exact).abs().mean().item() for result in results]
    assert 1.9 < slope(errors, steps) < 2.1, errors


def test_reusing_evaluations_is_nearer_to_the_end_at_the_same_cost():
    exact = sample_midpoint(mixture, start(), descent(8.0, 0.2, 4096))
    error = lambda steps, reuse: (  # noqa: E731
        sample_midpoint(mixture, start(), descent(8.0, 0.2, steps), reuse=reuse) - exact
    ).abs().mean()
    for steps in (4, 8, 16):  # 2 n evaluations each
        assert error(2 * steps - 1, True) < 0.5 * error(steps, False)


def test_the_slope_tells_orders_apart():
    """The same measure gives about one for Euler: otherwise the test above would prove nothing."""

    def euler(x, sigmas):
        for sigma, following in zip(sigmas[:-1], sigmas[1:], strict=True):
            x = x + (x - mixture(x, sigma * x.new_ones(len(x)))) / sigma * (following - sigma)
        return x

    exact = sample_midpoint(mixture, start(), descent(8.0, 0.2, 4096))
    steps = [32, 64, 128, 256]
    errors = [(euler(start(), descent(8.0, 0.2, n)) - exact).abs().mean().item() for n in steps]
    assert 0.85 < slope(errors, steps) < 1.15, errors


def test_one_gaussian_has_a_closed_form():
    """For one Gaussian N(m, s) the flow scales x - m by sqrt((s^2 + sigma'^2) / (s^2 + sigma^2))."""
    mean, spread = 1.5, 0.8

    def one(x, sigma):
        return mean + spread**2 / (spread**2 + sigma.view(-1, 1, 1, 1) ** 2) * (x - mean)

    low, high = 0.1, 6.0
    wanted = mean + (start() - mean) * math.sqrt((spread**2 + low**2) / (spread**2 + high**2))
    assert torch.allclose(sample_midpoint(one, start(), descent(high, low, 400)), wanted, atol=1e-4)


def test_the_last_step_to_zero_lands_on_the_models_estimate():
    sigmas = torch.cat([descent(8.0, 0.2, 6), torch.zeros(1)])
    seen = []
    result = sample_midpoint(mixture, start(), sigmas, callback=seen.append)
    assert torch.equal(result, seen[-1]["denoised"])
    before = sample_midpoint(mixture, start(), sigmas[:-1])
    assert torch.equal(before, seen[-1]["x"])


def test_a_single_step():
    model, five = Counting(), torch.full((2,), 5.0, dtype=torch.float64)
    assert torch.equal(sample_midpoint(model, start(), torch.tensor([5.0, 0.0])), mixture(start(), five))
    assert model.sigmas == [5.0]
    model = Counting()
    sample_midpoint(model, start(), torch.tensor([5.0, 3.0]))
    assert model.sigmas == [5.0, 4.0], "the midpoint in sigma"


def test_no_step_gives_the_input_back():
    assert torch.equal(sample_midpoint(mixture, start(), torch.tensor([5.0])), start())
    assert torch.equal(sample_midpoint(mixture, start(), torch.tensor([])), start())


def test_equal_sigmas_do_nothing():
    once = sample_midpoint(mixture, start(), torch.tensor([6.0, 2.0, 0.0]))
    twice = sample_midpoint(mixture, start(), torch.tensor([6.0, 6.0, 2.0, 2.0, 0.0]))
    assert torch.equal(once, twice)
    still = sample_midpoint(mixture, start(), torch.tensor([6.0, 6.0, 6.0]), reuse=True)
    assert torch.equal(still, start())
    assert torch.isfinite(sample_midpoint(mixture, start(), torch.tensor([6.0, 6.0, 2.0, 2.0, 0.0]), reuse=True)).all()


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_number_of_model_calls(steps):
    model = Counting()
    sample_midpoint(model, start(), torch.cat([descent(8.0, 0.2, steps)[:-1], torch.zeros(1)]), extra_args={"cfg": 3})
    assert len(model.sigmas) == evaluations(steps, False) == 2 * steps - 1
    assert all(kwargs == {"cfg": 3} for kwargs in model.kwargs)
    model = Counting()
    sample_midpoint(model, start(), descent(8.0, 0.2, steps))
    assert len(model.sigmas) == 2 * steps
    for last in (0.0, 0.1):
        model = Counting()
        levels = torch.cat([descent(8.0, 0.2, steps)[:-1], torch.tensor([last], dtype=torch.float64)])
        sample_midpoint(model, start(), levels, reuse=True)
        assert len(model.sigmas) == evaluations(steps, True) == steps + 1
        assert model.sigmas[1:] == pytest.approx([float(a + b) / 2 for a, b in zip(levels[:-1], levels[1:], strict=True)])


def test_the_callback_gets_what_the_host_gives_its_own():
    sigmas, calls = torch.tensor([6.0, 3.0, 1.0, 0.0], dtype=torch.float64), []
    sample_midpoint(mixture, start(), sigmas, callback=calls.append, disable=True)
    assert [call["i"] for call in calls] == [0, 1, 2]
    assert [call["sigma"].item() for call in calls] == [6.0, 3.0, 1.0]
    for call in calls:
        assert {"x", "i", "sigma", "sigma_hat", "denoised"} <= set(call)
        assert torch.equal(call["denoised"], mixture(call["x"], call["sigma"].expand(2)))
    calls.clear()
    sample_midpoint(mixture, start(), sigmas, callback=calls.append, disable=True, reuse=True)
    assert [(call["i"], call["sigma"].item()) for call in calls] == [(0, 6.0), (1, 3.0), (2, 1.0)]
    assert all(torch.isfinite(call["denoised"]).all() for call in calls)


def test_the_input_is_left_as_it_was():
    x, sigmas = start(), descent(8.0, 0.2, 5)
    kept, levels = x.clone(), sigmas.clone()
    sample_midpoint(mixture, x, sigmas)
    assert torch.equal(x, kept) and torch.equal(sigmas, levels)


@pytest.mark.parametrize(("call", "step"), [(0, 1), (1, 1), (2, 2), (5, 3), (6, 4)])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_answer_that_is_not_finite_names_its_step(call, step, bad):
    """Steps count from one, as the progress bar does; both calls of a step belong to it."""
    asked = []

    def broken(x, sigma):
        asked.append(1)
        answer = mixture(x, sigma)
        if len(asked) == call + 1:
            answer[1, ..., 3] = bad
        return answer

    with pytest.raises(ValueError, match=f"step {step} is not finite"):
        sample_midpoint(broken, start(), torch.tensor([8.0, 4.0, 2.0, 1.0, 0.0]))
    asked.clear()
    if call < 5:
        with pytest.raises(ValueError, match=f"step {max(call, 1)} is not finite"):
            sample_midpoint(broken, start(), torch.tensor([8.0, 4.0, 2.0, 1.0, 0.0]), reuse=True)


def test_half_precision_keeps_its_type():
    x = start().half()
    sigmas = torch.tensor([6.0, 3.0, 1.0, 0.0])
    result = sample_midpoint(lambda x, sigma: mixture(x.float(), sigma.float()).to(x.dtype), x, sigmas)
    assert result.dtype == torch.float16
    result = sample_midpoint(lambda x, sigma: mixture(x.float(), sigma.float()).to(x.dtype), x, sigmas, reuse=True)
    assert result.dtype == torch.float16


# --- churn -----------------------------------------------------------------------------------------------------------


def churned(x=None, sigmas=None, seed=3, model=mixture, **options):
    sigmas = torch.cat([descent(8.0, 0.2, 8), torch.zeros(1)]) if sigmas is None else sigmas
    return sample_midpoint(model, start() if x is None else x, sigmas, extra_args={"seed": seed}, **options)


@pytest.mark.parametrize("reuse", [False, True])
def test_no_churn_is_the_default_and_adds_nothing(reuse):
    usual = sample_midpoint(mixture, start(), descent(8.0, 0.2, 8), reuse=reuse)
    assert torch.equal(sample_midpoint(mixture, start(), descent(8.0, 0.2, 8), reuse=reuse, s_churn=0.0, s_noise=7.0), usual)


def test_churn_follows_its_seed():
    one, same, other = churned(s_churn=4.0), churned(s_churn=4.0), churned(s_churn=4.0, seed=4)
    assert torch.equal(one, same) and not torch.equal(one, other) and not torch.equal(one, churned())


@pytest.mark.parametrize("reuse", [False, True])
def test_a_row_of_a_churned_batch_can_be_made_alone(reuse):
    """Row k has the noise of seed + k, as the noise that sampling starts from."""
    both = churned(s_churn=4.0, reuse=reuse)
    for k in range(2):
        alone = churned(start()[k : k + 1], seed=3 + k, s_churn=4.0, reuse=reuse)
        assert torch.allclose(alone, both[k : k + 1], atol=1e-12)
    with_largest_seed = churned(seed=2**64 - 1, s_churn=4.0)
    assert torch.allclose(churned(start()[1:], seed=0, s_churn=4.0), with_largest_seed[1:], atol=1e-12)


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize(("churn", "gamma"), [(0.9, 0.1), (1000.0, math.sqrt(2) - 1)])
def test_a_churned_step_begins_higher_and_looks_twice(churn, gamma, reuse):
    """Remembered slopes belong to the path before the noise: with them the order of a step would be lost."""
    model, levels = Counting(), torch.cat([descent(8.0, 0.2, 8), torch.zeros(1)])
    churned(sigmas=levels, s_churn=churn, reuse=reuse, model=model)
    raised = levels[:-1] * (1 + gamma)
    wanted = torch.stack([raised, (raised + levels[1:]) / 2], 1).flatten().tolist()
    assert model.sigmas == pytest.approx(wanted if reuse else wanted[:-1])


def test_churn_keeps_the_distribution():
    """For one Gaussian the exact result is known: the noise added must be what the higher level needs, no more and no less."""
    mean, spread, high, low = 1.5, 0.8, 6.0, 0.1

    def one(x, sigma, seed):
        return mean + spread**2 / (spread**2 + sigma.view(-1, 1, 1, 1) ** 2) * (x - mean)

    noise = torch.randn(1, 1, 100, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first, wanted = mean + noise * math.hypot(spread, high), math.hypot(spread, low)
    for strength, fits in ((1.0, True), (0.8, False), (1.2, False)):
        found = churned(first, descent(high, low, 60), model=one, s_churn=30.0, s_noise=strength)
        assert (abs(found.std().item() - wanted) < 0.01) == fits, (strength, found.std().item(), wanted)


def test_churn_does_not_draw_the_noise_that_sampling_began_with():
    x = torch.zeros(1, 4, 8, 8)
    begun = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    first = next(row_noise(x, 3))
    assert (first * begun).mean().abs() < 0.2 < (begun * begun).mean()


def test_churn_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    drawn = torch.rand(3)
    torch.manual_seed(5)
    churned(s_churn=4.0)
    assert torch.equal(torch.rand(3), drawn)


def test_the_callback_of_a_churned_step_tells_both_levels():
    calls = []
    churned(sigmas=torch.tensor([6.0, 3.0, 0.0], dtype=torch.float64), s_churn=0.2, callback=calls.append)
    assert [(c["sigma"].item(), c["sigma_hat"].item()) for c in calls] == [(6.0, pytest.approx(6.6)), (3.0, pytest.approx(3.3))]
