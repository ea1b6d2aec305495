"""A training portrait: one person in the wide frame, the canonical 256 px face frame with context around it."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..modules.affine import FRAME
from ..modules.images import open_picture

MARGIN = 48  # context kept around the frame when a picture is warped, in frame pixels


def margin(size: int) -> int:
    """Context kept around a frame of `size` pixels, in its pixels."""
    return MARGIN * size // FRAME


@dataclass(frozen=True)
class Portrait:
    """One person of the data: where the picture is, and what is known of it.

    `landmarks` [478, 3] are in the pixels of the wide frame (352 px, faces) at scale 1, z away from the viewer as the data
    folder has it; the canonical frame is `[48:304, 48:304]` of both sets.
    """

    id: str
    group: str  # "faces" or "portraits"
    file: Path  # or what has open(), as in `prepare/read.py`
    scene: Path | None
    landmarks: np.ndarray = field(repr=False)
    blendshapes: np.ndarray = field(repr=False)
    yaw: float
    pitch: float
    tier: str
    age: float
    caption: str = ""

    def points(self) -> torch.Tensor:
        """[478, 3] as a `Face` has them: in the pixels of the wide frame, z towards the viewer."""
        return torch.from_numpy(self.landmarks).float() * torch.tensor([1.0, 1.0, -1.0])

    def wide(self, size: int = FRAME) -> np.ndarray:
        """The aligned picture with context for a frame of `size` pixels: uint8 RGB, of 352 pixels a side for 256."""
        file = self.file if isinstance(self.file, Path) else self.file.open()
        image, side = open_picture(file), size + 2 * margin(size)
        if image.width != side:
            image = image.resize((side, side), Image.Resampling.LANCZOS)
        return np.asarray(image)


def crop_frame(wide: np.ndarray) -> np.ndarray:
    """[352, 352, ...] -> the canonical frame [256, 256, ...]."""
    return wide[MARGIN : MARGIN + FRAME, MARGIN : MARGIN + FRAME]
