"""Explicit midpoint for the probability-flow ODE in r = sigma / alpha (the host's sigma): dy/dr = e(y, r).

`docs/method.md` holds the equations; order 2 on smooth problems. Two evaluations a step, one for the last step to 0, where
the plain Euler step lands exactly on the model's estimate.
"""

import torch


def evaluations(steps: int) -> int:
    """Model calls of a run over `steps` intervals that ends at sigma 0."""
    return max(2 * steps - 1, 0)


@torch.no_grad()
def sample_midpoint(model, x, sigmas, extra_args=None, callback=None, disable=None, **options):
    """The host's sampler signature: `model(x, sigma [B], **extra_args)` gives the denoised x [B, C, h, w].

    sigmas [N + 1] descend; a last value above 0 is allowed (then every step keeps its midpoint).
    Raises ValueError naming the step when the model returns a value that is not finite.
    """
    extra_args, ones = extra_args or {}, x.new_ones([x.shape[0]])
    for i, (sigma, following) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        denoised = _finite(model(x, sigma * ones, **extra_args), i)
        if callback is not None:
            callback({"x": x, "i": i, "sigma": sigma, "sigma_hat": sigma, "denoised": denoised})
        if following == 0:
            x = denoised
        elif sigma != following:
            half = (sigma + following) / 2
            middle = x + (x - denoised) / sigma * (half - sigma)
            slope = (middle - _finite(model(middle, half * ones, **extra_args), i)) / half
            x = x + slope * (following - sigma)
    return x


def _finite(value: torch.Tensor, step: int) -> torch.Tensor:
    if not torch.isfinite(value).all():
        raise ValueError(f"the model's answer at step {step + 1} is not finite")
    return value
