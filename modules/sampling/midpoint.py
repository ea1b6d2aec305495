"""Explicit midpoint for the probability-flow ODE in r = sigma / alpha (the host's sigma): dy/dr = e(y, r).

`docs/method.md` holds the equations; both forms are of order 2 on smooth problems.
- Plain: the way to the middle of a step starts with an evaluation. Two a step, one for the last step to 0, where the plain
  Euler step lands exactly on the model's estimate.
- Reusing: the way to the middle is taken with the slopes of earlier middles. One evaluation a step and one more for the
  first, so about twice the steps at the same cost.
"""

import torch


def evaluations(steps: int, reuse: bool) -> int:
    """Model calls of a run over `steps` intervals that ends at sigma 0."""
    return steps + (steps > 0) if reuse else max(2 * steps - 1, 0)


@torch.no_grad()
def sample_midpoint(model, x, sigmas, extra_args=None, callback=None, disable=None, reuse=False, **options):
    """The host's sampler signature: `model(x, sigma [B], **extra_args)` gives the denoised x [B, C, h, w].

    sigmas [N + 1] descend; a last value above 0 is allowed (then every step keeps its midpoint).
    Raises ValueError naming the step when the model returns a value that is not finite.
    """
    extra_args, ones, slopes = extra_args or {}, x.new_ones([x.shape[0]]), []

    def estimate(x, sigma, i):
        return _finite(model(x, sigma * ones, **extra_args), i)

    for i, (sigma, following) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        half, denoised = (sigma + following) / 2, None
        if not (reuse and slopes):
            denoised = estimate(x, sigma, i)
            slopes.append((sigma, (x - denoised) / sigma))
        if reuse or (following != 0 and following != sigma):
            middle = x + _between(slopes if reuse else slopes[-1:], sigma, half) * (half - sigma)
            there = estimate(middle, half, i)
            slopes.append((half, (middle - there) / half))
            denoised = there if denoised is None else denoised
        if callback is not None:
            callback({"x": x, "i": i, "sigma": sigma, "sigma_hat": sigma, "denoised": denoised})
        if following == 0 and not reuse:
            x = denoised
        elif following != sigma:
            x = x + slopes[-1][1] * (following - sigma)
        del slopes[:-2]
    return x


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
