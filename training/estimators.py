"""Estimates of the clean sample from one noisy one, in y = z / alpha and r = sigma / alpha. Plain torch, differentiable.

There the probability flow is dy/dr = e(y, r) (Karras et al. 2022; Song et al. 2021), and the clean sample is y at r = 0: each
estimate is one step of a solver from r to 0. Its order is that of the distance to the exact end of this path, as r goes to 0.

| estimate | calls | error |
|---|---|---|
| `one_step` | 1 | r^2 e' / 2 |
| `two_step`, c | 2 | r^2 e' (c^2 + (1 - c)^2) / 2: the best, c = 1/2, halves the first |
| `midpoint`, `ralston`, `runge_kutta` with any c | 2 | of order r^3 |
| `renoised`, c | 2 | of order r: the fresh noise leads to the end of another path |

A small error is not a small squared distance to the true sample: that is least for `one_step` of a perfect network, whose
answer is the mean of all samples that could be meant.

All take `noise(y [B, ...], r [B]) -> e [B, ...]`, y [B, ...] and r [B] > 0, and give [B, ...]. `first`: e(y, r), where it is
known already. The second call is at (1 - c) r; ValueError unless 0 < c < 1.
"""

from collections.abc import Callable

import torch

Noise = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def one_step(noise: Noise, y: torch.Tensor, r: torch.Tensor, first: torch.Tensor | None = None) -> torch.Tensor:
    """y - r e: one Euler step, which is what DDIM (Song et al. 2021) does in these variables."""
    return y - _wide(r, y) * (noise(y, r) if first is None else first)


def two_step(noise: Noise, y: torch.Tensor, r: torch.Tensor, first: torch.Tensor | None = None, c: float = 0.5) -> torch.Tensor:
    """Two Euler steps, to (1 - c) r and to 0."""
    return _by_two(noise, y, r, first, c, 1 - _between(c))


def runge_kutta(
    noise: Noise, y: torch.Tensor, r: torch.Tensor, first: torch.Tensor | None = None, c: float = 0.5
) -> torch.Tensor:
    """The explicit second-order step whose second slope is at (1 - c) r and counts 1 / (2 c) (Ralston 1962)."""
    return _by_two(noise, y, r, first, c, 1 / (2 * _between(c)))


def midpoint(noise: Noise, y: torch.Tensor, r: torch.Tensor, first: torch.Tensor | None = None) -> torch.Tensor:
    """`runge_kutta` with c = 1/2: y - r e(y - r/2 e, r/2). The first slope only leads to the middle."""
    return runge_kutta(noise, y, r, first)


def ralston(noise: Noise, y: torch.Tensor, r: torch.Tensor, first: torch.Tensor | None = None) -> torch.Tensor:
    """`runge_kutta` with c = 2/3, whose bound of the error is least (Ralston 1962)."""
    return runge_kutta(noise, y, r, first, 2 / 3)


def renoised(
    noise: Noise, y: torch.Tensor, r: torch.Tensor, first: torch.Tensor | None = None, c: float = 0.5, *, fresh: torch.Tensor
) -> torch.Tensor:
    """One step to 0, `fresh` noise [B, ...] of (1 - c) r on its result, one step again."""
    left = (1 - _between(c)) * r
    return one_step(noise, one_step(noise, y, r, first) + _wide(left, y) * fresh, left)


def _by_two(noise: Noise, y, r, first, c: float, share: float) -> torch.Tensor:
    """From r to 0 with the slope at r and, by `share`, that at (1 - c) r."""
    wide, first = _wide(r, y), noise(y, r) if first is None else first
    second = noise(y - c * wide * first, (1 - c) * r)
    return y - wide * ((1 - share) * first + share * second)


def _between(c: float) -> float:
    if not 0 < c < 1:
        raise ValueError(f"c is {c}: the second evaluation must be between r and 0, so c is between 0 and 1")
    return c


def _wide(r: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return r.view(-1, *[1] * (y.ndim - 1))
