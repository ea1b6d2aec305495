"""Guidance with a weight for each condition. Plain torch; linear, so it holds for noise, velocity and clean estimates alike.

    e = n + w_id (i - n) + w_ex (p - i)

n: nothing told, i: the identity alone, p: identity and expression. The form is that of InstructPix2Pix (Brooks et al. 2023,
image and text there); with equal weights it is plain classifier-free guidance (Ho and Salimans 2022) of p against n.
"""

import math

import torch


def plain(identity: float, expression: float) -> bool:
    """Equal weights: the identity-only estimate drops out, and this is guidance as everybody has it."""
    return math.isclose(identity, expression)


def needed(identity: float, expression: float) -> tuple[bool, bool, bool]:
    """Which of n, i, p have a factor other than 0."""
    return not math.isclose(identity, 1.0), not plain(identity, expression), expression != 0


def combine(
    nothing: torch.Tensor, who: torch.Tensor, both: torch.Tensor, identity: float, expression: float
) -> torch.Tensor:
    """Estimates [B, C, h, w] each, weights 0 or more -> [B, C, h, w]. An estimate that is not `needed` may be zeros."""
    return nothing + identity * (who - nothing) + expression * (both - who)


def as_plain(
    nothing: torch.Tensor, who: torch.Tensor, both: torch.Tensor, identity: float, expression: float
) -> tuple[torch.Tensor, float]:
    """The same guidance as a pair (conditional estimate, scale): n + scale (estimate - n) is what `combine` gives.

    The scale is the larger weight; in the estimate the condition with the smaller one is held back by their ratio. With equal
    weights it is p itself.
    """
    scale = max(identity, expression)
    return combine(nothing, who, both, identity / scale, expression / scale), scale
