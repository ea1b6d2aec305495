"""Pictures of a batch in which nobody is: one frame must not stop a film, and every other keeps its number."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import torch

from .. import affine
from ..errors import DiffSFSRError, at, here

PASS_ON, NEUTRAL = "pass the picture through", "neutral expression"  # in place of an error
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Faceless:
    """What stands for a face where there is none: the middle of the picture, which stays as it is."""

    image: torch.Tensor  # [3, S, S] 0..1
    matrix: torch.Tensor  # [2, 3] from the picture's pixels to it

    @classmethod
    def of(cls, picture: torch.Tensor, size: int) -> "Faceless":
        """The largest square in the middle of a picture [H, W, 3]."""
        height, width = picture.shape[:2]
        scale = size / min(height, width)
        left, top = (size - scale * width) / 2, (size - scale * height) / 2
        matrix = torch.tensor([[[scale, 0.0, left], [0.0, scale, top]]])
        image = affine.sample(picture.permute(2, 0, 1)[None], affine.invert(matrix), size)[0].clamp(0, 1)
        return cls(image, matrix[0])


def passes_on(choice: str, instead: str) -> bool:
    """Whether a picture without a face is no error; `choice` is "error" or `instead`."""
    if choice not in ("error", instead):
        what = f"'{choice}' is no way to treat a picture without a face"
        raise DiffSFSRError(what, f"Choose one of: error, {instead}", "without a face")
    return choice == instead


def stop(faults: dict[int, DiffSFSRError]) -> None:
    """All pictures without a usable face, in one error."""
    (first, error), *others = faults.items()
    if not others:
        raise error
    with at(f"image {first}"):
        what = f"{error.what}; the like in image {numbers(i for i, _ in others)}"
        raise DiffSFSRError(what, error.remedy) from error


def tell(faults: dict[int, DiffSFSRError], done: str) -> None:
    """Once for all of them, what was `done` in place of an error."""
    what = next(iter(faults.values())).what
    log.warning("%s: %s; %s", here(f"image {numbers(faults)}"), what, done)


def numbers(places: Iterable[int]) -> str:
    """[0, 2, 3, 4, 7] -> "0, 2 to 4, 7"."""
    runs = [[i for _, i in run] for _, run in groupby(enumerate(places), lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)
