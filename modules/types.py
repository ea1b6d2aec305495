"""What travels on the DIFFSFSR_IDENTITY and DIFFSFSR_EXPRESSION wires."""

from dataclasses import dataclass

import torch

from .errors import DiffSFSRError


def check_bundle(made_for: str, used_with: str, where: str) -> None:
    """Vectors and codes mean something only to the weights that they were made with."""
    if made_for != used_with:
        what = f"This was made with bundle {made_for}, but is used with bundle {used_with}"
        raise DiffSFSRError(what, where, "Take MODEL, VAE and ENCODERS from the same DiffSFSR UNet Loader")


@dataclass(frozen=True)
class Identity:
    """One person. `image`, `points` and `code` are the best photo's: the guide is drawn from it."""

    vector: torch.Tensor  # [256] unit length, pooled over the photos
    selfies: torch.Tensor  # [P, 3, 128, 128] 0..1, one for each photo
    image: torch.Tensor  # [3, 256, 256] 0..1, canonical frame
    points: torch.Tensor  # [478, 3] pixels of `image`
    code: torch.Tensor  # [52] expression measured on `image`
    rest: torch.Tensor  # [K] geometry from the fitted neutral face to one that also measures as neutral
    bundle: str


@dataclass(frozen=True)
class Expression:
    """One or several expression codes."""

    codes: torch.Tensor  # [E, 52 + K], see `expression.py`
    names: tuple[str, ...]  # for people: "amazement 1.0"
    bundle: str
