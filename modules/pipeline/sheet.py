"""What Expression Sheet does: many pictures on one, each with its name."""

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps

from ..errors import DiffSFSRError, at, check_count
from ..host.saving import to_pil
from ..images import checked_image

MOST, LARGEST, LINE = 400, 16384, 20  # pictures; pixels of a side of the sheet; pixels of a name
GREY = (40, 40, 40)


@at("Expression Sheet")
def contact_sheet(batches: list[torch.Tensor], names: list[str] | None, columns: int, side: int) -> torch.Tensor:
    """Batches [n, H, W, 3] of any sizes -> one sheet [1, h, w, 3], row by row.

    names: one for each picture, or none at all; columns: 0 makes the sheet about square; side: pixels of a picture's square.
    """
    check_count("columns", columns, 64, 0, 0)
    check_count("size", side, 1024, 192, 48)
    pictures = [picture for batch in batches for picture in _checked(batch)]
    names = [str(name) for name in names or []]
    if names and len(names) != len(pictures):
        what = f"There are {len(names)} names for {len(pictures)} pictures"
        raise DiffSFSRError(what, "Connect names of the same Expression Words, or none", "names")
    if len(pictures) > MOST:
        raise DiffSFSRError(f"{len(pictures)} pictures are more than {MOST}", "Make several sheets", "images")
    across = min(columns, len(pictures)) or round(len(pictures) ** 0.5 + 0.49)
    size = side * across, (side + LINE * bool(names)) * -(-len(pictures) // across)
    if max(size) > LARGEST:
        what = f"The sheet would be {size[0]} x {size[1]} pixels, more than {LARGEST} on a side"
        raise DiffSFSRError(what, "Choose smaller pictures, or other columns", "size")
    return _drawn(pictures, names, across, side, size)


def _checked(batch: torch.Tensor) -> torch.Tensor:
    with at("images"):
        return checked_image(batch)


def _drawn(pictures: list[torch.Tensor], names: list[str], across: int, side: int, size: tuple[int, int]) -> torch.Tensor:
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for i, picture in enumerate(pictures):
        x, y = i % across * side, i // across * (side + LINE * bool(names))
        sheet.paste(ImageOps.pad(to_pil(picture), (side, side), Image.Resampling.LANCZOS, color=GREY), (x, y))
        if names:
            draw.text((x + side / 2, y + side + LINE / 2), _fitting(names[i], font, side), "black", font, "mm")
    return torch.from_numpy(np.array(sheet))[None].float() / 255


def _fitting(name: str, font, width: int) -> str:
    """As much of a name as fits below its picture."""
    name = name if len(name) <= width else name[:width] + "…"  # no letter is narrower than a pixel
    while name and font.getlength(name) > width - 4:
        name = name.rstrip("…")[:-1].rstrip() + "…" if len(name) > 2 else ""
    return name
