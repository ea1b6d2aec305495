"""Colours of a face in CIELAB: what they are like, how far they are apart, and how one face takes those of another."""

from typing import NamedTuple

import torch
from kornia.color import lab_to_rgb, rgb_to_lab

CONTRAST = 1.15  # of the drawn face, over that of the face whose place it takes: less of it costs likeness
LIGHTNESS = 0.6  # what a step of lightness counts beside one of hue: faces are lit from one side


class Tone(NamedTuple):
    """Mean and spread of colours in CIELAB, [3, 1] each."""

    mean: torch.Tensor
    spread: torch.Tensor


def colours(image: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """The pixels of a picture [3, S, S] on `where` [S, S] bool, in CIELAB: [3, N]."""
    return rgb_to_lab(image[:, where][..., None].clamp(0, 1))[..., 0]


def tone(lab: torch.Tensor) -> Tone | None:
    """Of CIELAB colours [3, N]; None if they are too few."""
    return Tone(lab.mean(1, keepdim=True), lab.std(1, keepdim=True)) if lab.shape[1] >= 16 else None


def match_colour(image: torch.Tensor, covered: torch.Tensor, theirs: Tone | None, strength: float) -> torch.Tensor:
    """Mean and spread of `image` where it is covered [S, S] moved towards `theirs`, in CIELAB (Reinhard et al. 2001), the
    spread towards `CONTRAST` times theirs; what is not covered stays.
    """
    if strength <= 0 or theirs is None:
        return image
    where = covered > 0
    lab = colours(image, where)
    own = tone(lab[:, covered[where] > 0.5])
    if own is None:
        return image
    gain = (CONTRAST * theirs.spread / own.spread.clamp_min(1e-3)).clamp(0.6, 1.6)
    moved = torch.lerp(lab, (lab - own.mean) * gain + theirs.mean, strength)
    matched = image.clone()
    matched[:, where] = lab_to_rgb(moved[..., None])[..., 0].clamp(0, 1)
    return matched


def apart(lab: torch.Tensor, skin: torch.Tensor) -> torch.Tensor:
    """Distance [N] of CIELAB colours [3, N] from one [3, 1], lightness counted `LIGHTNESS`."""
    return ((lab - skin) * lab.new_tensor([[LIGHTNESS], [1.0], [1.0]])).norm(dim=0)
