"""Pictures from and to files, and strips of them."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps

from dev.people import SIDE, head

from ..modules.errors import at
from ..modules.host import saving
from ..modules.images import read_picture


def load(path: Path, name: str) -> torch.Tensor:
    """IMAGE [1, H, W, 3] of a file; errors call it by the name."""
    with at(name):
        return read_picture(path)


def painted(who: str, kind: str, side: int = SIDE) -> torch.Tensor:
    """A person who does not exist (`dev/people.py`), head and shoulders: IMAGE [1, side, side, 3].

    kind: "selfie" or "portrait". Raises PeopleError when set-up has not brought the picture.
    """
    return torch.from_numpy(np.array(head(who, kind, side)))[None].float() / 255


def to_pil(image: torch.Tensor) -> Image.Image:
    """[H, W, 3] 0..1 -> 8 bits, rounded."""
    return saving.to_pil(image[..., :3])


def save_png(image: Image.Image | torch.Tensor, path: Path, **texts) -> None:
    """A PNG that says that a face in it was generated; `texts` are further entries, stored as JSON."""
    picture = to_pil(image) if isinstance(image, torch.Tensor) else image
    saving.write(picture, path, "PNG", texts, made=True)


def fitted(picture: Image.Image, side: int) -> Image.Image:
    """The whole picture inside a square of `side` pixels, grey around it."""
    return ImageOps.pad(picture.convert("RGB"), (side, side), Image.Resampling.LANCZOS, color=(40, 40, 40))


def strip(pictures: list[Image.Image], captions: list[str], side: int, line: int = 20) -> Image.Image:
    """Squares of `side` pixels side by side, each with its caption below (empty captions everywhere: no line)."""
    line = line if any(captions) else 0
    canvas = Image.new("RGB", (side * len(pictures), side + line), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(max(9, int(line * 0.65)))
    for i, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        canvas.paste(fitted(picture, side), (i * side, 0))
        if line:
            draw.text((i * side + side / 2, side + line / 2), caption, fill="black", font=font, anchor="mm")
    return canvas


def stacked(rows: list[Image.Image], columns: int = 1) -> Image.Image:
    """Equal pictures in a grid, row by row."""
    width, height = rows[0].size
    canvas = Image.new("RGB", (width * columns, height * -(-len(rows) // columns)), "white")
    for i, row in enumerate(rows):
        canvas.paste(row, (i % columns * width, i // columns * height))
    return canvas
