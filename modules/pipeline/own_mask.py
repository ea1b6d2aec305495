"""The artist's own masks seen in a crop: what may be repainted, and what stands in front."""

import logging

import torch

from ..errors import DiffSFSRError, here
from ..warp.paste import mask_in_crop

FEW, MOST = 0.2, 0.7  # shares of the face and of what is around it that an inverted mask covers
CLEAR = 0.95  # highest value of a mask below which the picture's own face shines through
INVERT = "Put Invert Mask in between"
log = logging.getLogger(__name__)


def own_area(painted: torch.Tensor, face: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """The part to repaint [S, S], 0 or 1, by a mask [H, W] of the picture; face [S, S]: where the new one will be."""
    own = mask_in_crop(painted, matrix, face.shape[-1])
    if not own.any():
        what, remedy = "The mask does not touch the chosen face", "Paint over the face, or choose another face"
        raise DiffSFSRError(what, remedy, "mask")
    if covered(own, face) < FEW < MOST < covered(own, 1 - face):
        raise DiffSFSRError("The mask leaves the face out and covers what is around it: it is inverted", INVERT, "mask")
    if painted.max() < CLEAR:
        what = "the mask is %.2f at most: so much of the new face is mixed into the picture"
        log.warning(f"%s: {what}", here("mask"), float(painted.max()))
    return own


def check_front(hidden: torch.Tensor, area: torch.Tensor) -> None:
    """Refuses what stands in front [S, S], 0 or 1, where nothing of the part to repaint [S, S] is left, or all but that."""
    if not (area * (1 - hidden)).any():
        raise DiffSFSRError("It covers all of the face", "Mask only what stands before the face", "in front")
    if covered(hidden, area) > MOST < covered(hidden, 1 - area):
        what = "It covers nearly all of the face and of what is around it: it is inverted"
        raise DiffSFSRError(what, INVERT, "in front")


def covered(area: torch.Tensor, part: torch.Tensor) -> float:
    """The share of a part [S, S], 0 or 1, that an area [S, S] covers."""
    return float((area * part).sum() / part.sum().clamp_min(1))
