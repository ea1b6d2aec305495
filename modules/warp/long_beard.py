"""Beards that go on below the face's crop, where nothing of them could be taken away."""

import torch

from ..affine import FRAME, apply, extent, invert, sample, shifted
from .unlike import logs_of

# lengths are pixels of the 256 px crop
BELOW, HALF = 8.0, 12.0  # what is looked at below the crop, and to both sides of the chin
NEAR, FAR = 4.0, 2.0  # the crop's end, and how far below it the rest begins
ALIKE = 1.0, 0.45  # logs of light and chroma by which hair differs
MOST = 0.5  # share of each of them that must be hair


def below_crop(image: torch.Tensor, matrix: torch.Tensor, size: int) -> torch.Tensor | None:
    """What a picture [H, W, 3] shows below the crop of `size` pixels that matrix [2, 3] leads to: [3, h, size]; None where it
    ends before that.
    """
    height, (rows, columns) = round(BELOW * size / FRAME), image.shape[:2]
    lower = matrix[None] - matrix.new_tensor([[0, 0, 0], [0, 0, size]])  # to the frame below the crop
    x, y = apply(invert(lower), matrix.new_tensor([[[size / 2, height]]]))[0, 0].tolist()
    if not (0 <= x < columns and 0 <= y < rows):
        return None
    top, bottom, left, right = extent(lower, size, (rows, columns))
    part = image[top:bottom, left:right].permute(2, 0, 1)[None]
    return sample(part, invert(shifted(lower, left, top)), (height, size))[0]


def goes_on(below: torch.Tensor, logs: torch.Tensor, hair: torch.Tensor, chin: float) -> bool:
    """Whether a beard goes on below [3, h, S] the crop: under most of a chin, there and at the crop's end.

    logs [3, S, S]: the crop's colours; hair [S, S] bool: the jaw's rim, where it is surely hair; chin: its x.
    """
    if not hair.any():
        return False
    pixel = len(hair) / FRAME
    columns = slice(*(max(round(chin + side * HALF * pixel), 0) for side in (-1, 1)))
    tone = lambda values: torch.stack([values[0], values[1] - values[2]])  # noqa: E731
    usual = tone(logs)[:, hair].median(1).values[:, None, None]
    ends = logs[:, -round(NEAR * pixel) :, columns], logs_of(below)[:, round(FAR * pixel) :, columns]
    apart = ((tone(end) - usual).abs() for end in ends)
    return all(((light < ALIKE[0]) & (chroma < ALIKE[1])).float().mean() > MOST for light, chroma in apart)
