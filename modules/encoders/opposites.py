"""Movements that cannot be seen together. Asking for both is no error, but somebody should be told."""

import logging

import torch

from ..labels import index

LEAST = 0.3  # of both coefficients, before it is worth a word
OPPOSITES = (
    ("mouthSmile*", "mouthFrown*"), ("eyeWide*", "eyeBlink*"), ("eyeLookUp*", "eyeLookDown*"), ("jawOpen", "mouthPress*"),
    ("mouthPucker", "mouthStretch*"),
)  # fmt: skip
log = logging.getLogger(__name__)


def contradictions(coefficients: torch.Tensor) -> list[tuple[str, str]]:
    """Pairs of movements that one code of [E, 52] asks for at once, each with at least `LEAST`."""
    both = lambda a, b: torch.minimum(_amount(coefficients, a), _amount(coefficients, b))  # noqa: E731
    return [(a.rstrip("*"), b.rstrip("*")) for a, b in OPPOSITES if (both(a, b) >= LEAST).any()]


def warn(coefficients: torch.Tensor, where: str) -> None:
    """One warning that names what cancels out in codes [E, >= 52]."""
    found = contradictions(coefficients)
    if found:
        log.warning("%s: asked together, but they cancel: %s", where, "; ".join(f"{a} and {b}" for a, b in found))


def _amount(coefficients: torch.Tensor, name: str) -> torch.Tensor:
    sides = [name[:-1] + side for side in ("Left", "Right")] if name.endswith("*") else [name]
    return coefficients[:, [index(side) for side in sides]].amin(1)  # both sides: one-sided faces are no contradiction
