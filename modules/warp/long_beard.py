"""Beards that go on below the face's crop, where nothing of them could be taken away."""

import torch

from ..affine import FRAME, apply, invert, sample, shifted
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
    ends = matrix.new_tensor([[0, size], [size, size], [0, size + height], [size, size + height], [size / 2, size + height]])
    *corners, (x, y) = apply(invert(matrix[None]), ends[None])[0].tolist()
    if not (0 <= x < columns and 0 <= y < rows):
        return None
    left, top, right, bottom = (
        int(min(max(value, 0), most)) for value, most in zip(_around(corners), (columns, rows, columns, rows), strict=True)
    )
    to_source = invert(shifted(matrix[None], left, top))
    to_source[:, :, 2] += size * to_source[:, :, 1]
    return sample(image[top:bottom, left:right].permute(2, 0, 1)[None], to_source, (height, size))[0]


def _around(points: list[list[float]]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of points, with a pixel to spare."""
    x, y = zip(*points, strict=True)
    return min(x) - 1, min(y) - 1, max(x) + 2, max(y) + 2


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
