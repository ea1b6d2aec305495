"""Sixty results side by side, to be looked at: figures do not show every fault of a face."""

from pathlib import Path

import numpy as np
from PIL import Image

from ...modules.host.saving import MARKED_JPEG
from ..pictures import stacked, strip
from .protocol import LABELS

COUNT, SIDE, COLUMNS = 60, 160, 3


def chosen(pairs: int, count: int = COUNT) -> list[tuple[int, int]]:
    """(pair, label) of results spread evenly over all pairs and the six words."""
    every = [(p, k) for p in range(pairs) for k in range(1, len(LABELS))]
    if len(every) <= count:
        return every
    words = len(LABELS) - 1  # a step that shares no factor with the words would repeat one word; so they are dealt in turn
    return [(int(p), 1 + i % words) for i, p in enumerate(np.linspace(0, pairs - 1, count).round())]


def write_sheet(pairs: list[tuple[str, str]], files: dict[str, Path], out: Path) -> Path:
    """out/sheet.jpg: selfie, background, coarse warp, result of 60 results, each with its word."""
    tiles = []
    for p, k in chosen(len(pairs)):
        selfie, background = pairs[p]
        word, stem = LABELS[k][0], out / "pictures" / f"{selfie}_{background}"
        names = [files[selfie], f"{stem}_background.jpg", f"{stem}_{k}_{word}_draft.jpg", f"{stem}_{k}_{word}_head.jpg"]
        tiles.append(strip([Image.open(n) for n in names], [selfie, background, "coarse warp", word], SIDE, 16))
    path = out / "sheet.jpg"
    stacked(tiles, COLUMNS).save(path, quality=90, **MARKED_JPEG)
    return path
