"""The embedding of the noise step, seen through a window, so that the network's answer is a smooth function of the noise.

The embedding's fastest waves (Vaswani et al. 2017, as Stable Diffusion uses them) turn once in six steps. A network trained on
whole steps answers them with ripples of about .001 of a latent of unit size, and no sampler comes nearer to the end of its path
than those let it. Averaged over a window of so many steps the fast waves fade, and the slow ones stay.
"""

import math

import torch
from torch import nn

PERIOD = 10_000  # longest wave / 2 pi, in steps


def window_factors(width: int, window: float) -> torch.Tensor:
    """What a mean over `window` steps leaves of each value of an embedding [width]: cosines first, then sines.

    The mean of cos(w t) over a window D around t is cos(w t) sin(w D / 2) / (w D / 2); likewise for sines.
    """
    waves = torch.exp(-math.log(PERIOD) * torch.arange(width // 2, dtype=torch.float64) / (width // 2))
    left = torch.sinc(waves * window / (2 * math.pi)).float()
    return torch.cat([left, left])


class SteadySteps(nn.Sequential):
    """The layers that read the step embedding [B, width], behind the window. Their names in a state dict stay."""

    def __init__(self, layers: nn.Sequential, width: int, window: float):
        super().__init__(*layers)
        self.register_buffer("factors", window_factors(width, window), persistent=False)

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        return super().forward(embedding * self.factors.to(embedding))


def step_of(r: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """The fractional step of noise r = sigma / alpha, of any shape: between those of `levels` [T] (ascending) by the logarithm.

    The reverse of the host's `sigma(step)`. Outside the table it is the first or the last step.
    """
    high = torch.searchsorted(levels, r.contiguous()).clamp(1, len(levels) - 1)
    low, up, wanted = levels[high - 1].log(), levels[high].log(), r.log()
    return high - 1 + ((wanted - low) / (up - low)).clamp(0, 1)
