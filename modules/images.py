"""Pictures that come in, from wires and files. Every refusal says what is wrong and what to do; `at` says which input it is."""

import logging
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from .errors import DiffSFSRError, here

MIN_SIDE, MAX_PIXELS = 32, 36_000_000
log = logging.getLogger(__name__)


def read_picture(path: Path) -> torch.Tensor:
    """IMAGE [1, H, W, 3] float 0..1, upright as the camera's EXIF note says, as the host's Load Image reads it."""
    remedy = "Give the path of a picture (PNG, JPEG, WebP)"
    try:
        with Image.open(path) as file:
            upright = ImageOps.exif_transpose(file)
            if upright.mode.startswith("I"):  # 16 bits a pixel: plain conversion would clip it to white
                upright = Image.fromarray((np.asarray(upright).astype(np.float64) / 257).clip(0, 255).astype(np.uint8))
            pixels = np.array(upright.convert("RGB"))
    except FileNotFoundError as error:
        raise DiffSFSRError(f"There is no file {path}", remedy) from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DiffSFSRError(f"It cannot be read as a picture ({error})", remedy) from error
    return torch.from_numpy(pixels)[None].float() / 255


def checked_image(image: torch.Tensor) -> torch.Tensor:
    """IMAGE [B, H, W, C] -> float32 RGB [B, H, W, 3] in 0..1. Grey is repeated, an alpha channel left out (and said so)."""
    if not isinstance(image, torch.Tensor) or image.ndim != 4:
        shape = tuple(image.shape) if isinstance(image, torch.Tensor) else type(image).__name__
        raise DiffSFSRError(
            f"An IMAGE has four dimensions [batch, height, width, colour], this has {shape}",
            "Connect the output of Load Image or another node that gives IMAGE",
        )
    batch, height, width, channels = image.shape
    if batch == 0:
        raise DiffSFSRError("The IMAGE batch is empty", "Connect at least one picture")
    if channels not in (1, 3, 4):
        raise DiffSFSRError(f"The picture has {channels} colour channels", "Give RGB, RGBA or grey pictures")
    if min(height, width) < MIN_SIDE:
        remedy = f"Give a picture of at least {MIN_SIDE} pixels a side"
        raise DiffSFSRError(f"The picture is only {width} x {height} pixels", remedy)
    if height * width > MAX_PIXELS:
        remedy = f"Scale it below {MAX_PIXELS // 1_000_000} megapixels (6000 x 6000) with Upscale Image By"
        raise DiffSFSRError(f"The picture of {width} x {height} pixels is too large", remedy)
    if not _finite(image):
        remedy = "Look at the node before: a VAE Decode in half precision is the usual cause"
        raise DiffSFSRError("The picture has pixels that are not numbers (NaN or infinite)", remedy)
    if channels == 4:
        log.warning("%s: the alpha channel is not used", here())
        image = image[..., :3]
    elif channels == 1:
        log.warning("%s: a grey picture is used as RGB", here())
        image = image.expand(-1, -1, -1, 3)
    return _within(image.float())


def checked_mask(mask: torch.Tensor | None, batch: int, height: int, width: int) -> torch.Tensor | None:
    """MASK [B, H, W] or [H, W] of the same size as its picture -> [B or 1, H, W] in 0..1; None where nothing is masked.

    Load Image gives an all-zero mask of 64 x 64 for a picture without alpha: that counts as no mask.
    """
    if mask is None:
        return None
    mask = mask[None] if mask.ndim == 2 else mask
    if mask.ndim != 3:
        raise DiffSFSRError(f"A MASK is [batch, height, width], this has {tuple(mask.shape)}", "Connect a MASK")
    if not _finite(mask):
        raise DiffSFSRError("The mask has values that are not numbers", "Look at the node that made it")
    if tuple(mask.shape[1:]) == (64, 64) and not mask.any():
        return None
    if tuple(mask.shape[1:]) != (height, width):
        what = f"The mask is {mask.shape[2]} x {mask.shape[1]}, the picture {width} x {height} pixels"
        raise DiffSFSRError(what, "Make the mask from this picture, or scale it to the same size")
    if len(mask) not in (1, batch):
        what = f"There are {len(mask)} masks for {batch} pictures"
        raise DiffSFSRError(what, "Give one mask, or one for each picture")
    if not mask.any():
        raise DiffSFSRError(
            "The mask is empty: there is nothing to repaint", "Paint over the face, or disconnect it"
        )
    return mask.float().clamp(0, 1)


def broadcast(count: int, total: int, name: str) -> None:
    """One or `total` of something, else an error."""
    if count not in (1, total):
        what = f"There are {count} {name} for a batch of {total}"
        raise DiffSFSRError(what, f"Give one, or exactly {total}")


def _within(image: torch.Tensor) -> torch.Tensor:
    """The picture in 0..1; a film that is there already is not copied."""
    low, high = image.aminmax()
    return image if low >= 0 and high <= 1 else image.clamp(0, 1)


def _finite(values: torch.Tensor) -> bool:
    """Whether all are numbers. Their sum says so in a tenth of the time, unless large ones overflow."""
    return bool(values.sum().isfinite() or torch.isfinite(values).all())
