"""What travels on the DIFFSFSR_IDENTITY and DIFFSFSR_EXPRESSION wires."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Identity:
    """One person. `image`, `points` and `code` are the best photo's: the guide is drawn from it."""

    vector: torch.Tensor  # [256] unit length, pooled over the photos
    selfies: torch.Tensor  # [P, 3, 128, 128] 0..1, one for each photo
    image: torch.Tensor  # [3, 256, 256] 0..1, canonical frame
    points: torch.Tensor  # [478, 3] pixels of `image`
    code: torch.Tensor  # [52] expression measured on `image`
    bundle: str


@dataclass(frozen=True)
class Expression:
    """One or several expression codes."""

    codes: torch.Tensor  # [E, 52] 0..1
    names: tuple[str, ...]  # for people: "amazement 1.0"
    bundle: str
