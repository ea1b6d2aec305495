"""Noise levels of a discrete schedule as a continuous scale: where between two steps of the table a noise lies."""

import torch


def step_of(r: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """The fractional step of noise r = sigma / alpha, of any shape: between those of `levels` [T] (ascending) by the logarithm.

    The reverse of the host's `sigma(step)`. Outside the table it is the first or the last step.
    """
    high = torch.searchsorted(levels, r.contiguous()).clamp(1, len(levels) - 1)
    low, up, wanted = levels[high - 1].log(), levels[high].log(), r.log()
    return high - 1 + ((wanted - low) / (up - low)).clamp(0, 1)
