"""Explicit midpoint for the probability-flow ODE in r = sigma / alpha (the host's sigma): dy/dr = e(y, r).

`docs/method.md` holds the equations; both forms are of order 2 on smooth problems.
- Plain: the way to the middle of a step starts with an evaluation. Two a step, one for the last step to 0, where the plain
  Euler step lands exactly on the model's estimate.
- Reusing: the way to the middle is taken with the slopes of earlier middles. One evaluation a step and one more for the
  first, so about twice the steps at the same cost.

Churn (off by default) adds noise before a step and begins it as much higher: "stochastic sampler", algorithm 2 of Karras et al.
2022. Slopes from before are of another path then, and are forgotten: such a step costs two evaluations in both forms.
"""

import math

import torch


def evaluations(steps: int, reuse: bool) -> int:
    """Model calls of a run over `steps` intervals that ends at sigma 0."""
    return steps + (steps > 0) if reuse else max(2 * steps - 1, 0)


@torch.no_grad()
def sample_midpoint(
    model, x, sigmas, extra_args=None, callback=None, disable=None, reuse=False, s_churn=0.0, s_noise=1.0, least=0.0, **options
):
    """The host's sampler signature: `model(x, sigma [B], **extra_args)` gives the denoised x [B, C, h, w].

    sigmas [N + 1] descend; a last value above 0 is allowed (then every step keeps its midpoint). s_churn 0: no noise is added;
    else each step begins at sigma (1 + min(s_churn / N, sqrt(2) - 1)), the noise for that times s_noise. Row k of a batch gets
    the noise of extra_args["seed"] + k, so that it can be made alone. `least`: the smallest sigma that the model knows; from
    there the last step to 0 lands on its estimate: in the middle of that way it would be asked about what it never saw.
    Raises ValueError naming the step when the model returns a value that is not finite.
    """
    extra_args, ones, slopes = extra_args or {}, x.new_ones([x.shape[0]]), []
    gamma = min(s_churn / max(len(sigmas) - 1, 1), math.sqrt(2) - 1)
    fresh = row_noise(x, extra_args.get("seed") or 0) if gamma > 0 else None

    def estimate(x, sigma, i):
        return _finite(model(x, sigma * ones, **extra_args), i)

    for i, (level, following) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        sigma = level
        if fresh is not None:
            sigma, slopes = level * (1 + gamma), []
            x = x + next(fresh) * (s_noise * (sigma**2 - level**2).sqrt())
        half, denoised = (sigma + following) / 2, None
        lands = following == 0 and (not reuse or sigma <= least * (1 + 1e-4))
        if lands or not (reuse and slopes):
            denoised = estimate(x, sigma, i)
            slopes.append((sigma, (x - denoised) / sigma))
        if not lands and (reuse or following != sigma):
            middle = x + _between(slopes if reuse else slopes[-1:], sigma, half) * (half - sigma)
            there = estimate(middle, half, i)
            slopes.append((half, (middle - there) / half))
            denoised = there if denoised is None else denoised
        if callback is not None:
            callback({"x": x, "i": i, "sigma": level, "sigma_hat": sigma, "denoised": denoised})
        if lands:
            x = denoised
        elif following != sigma:
            x = x + slopes[-1][1] * (following - sigma)
        del slopes[:-2]
    return x


def row_noise(x: torch.Tensor, seed: int):
    """Endless standard normal noise like x [B, ...]; row k has a generator of its own, of seed + k, on the CPU.

    The first draw of each is left out: with the same seed it would be the very noise that sampling began with.
    """
    made = [torch.Generator().manual_seed((seed + k) % 2**64) for k in range(len(x))]
    first = True
    while True:
        drawn = torch.stack([torch.randn(x.shape[1:], generator=generator) for generator in made])
        if not first:
            yield drawn.to(x)
        first = False


def _between(slopes: list, sigma: torch.Tensor, half: torch.Tensor) -> torch.Tensor:
    """Mean slope on the way from sigma to half: the line through the last two known, at the middle of that way."""
    (_, last), *rest = slopes[::-1]
    if not rest or slopes[-1][0] == slopes[-2][0]:
        return last
    (r0, e0), (r1, e1) = slopes
    return e1 + (e1 - e0) * (((sigma + half) / 2 - r1) / (r1 - r0))


def _finite(value: torch.Tensor, step: int) -> torch.Tensor:
    if not torch.isfinite(value).all():
        raise ValueError(f"the model's answer at step {step + 1} is not finite")
    return value
