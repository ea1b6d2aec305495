"""Pictures that come in, from wires and files. Every refusal says what is wrong and what to do; `at` says which input it is."""

import logging
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps

from .errors import DiffSFSRError, here

MIN_SIDE, MAX_PIXELS = 32, 36_000_000
SMALLER = f"Scale it below {MAX_PIXELS // 1_000_000} megapixels (6000 x 6000), in a graph with Upscale Image By"
log = logging.getLogger(__name__)


FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "TGA", "AVIF")  # that are opened at all
ONE = "MPO"  # a camera's JPEG: what follows its picture is the same one smaller, or its depth


class TooLarge(DiffSFSRError):
    """A file of more pixels than are worked on."""


# --- files ----------------------------------------------------------------------------------------


def read_picture(path: Path | BinaryIO) -> torch.Tensor:
    """IMAGE [1, H, W, 3] float 0..1, upright as the camera's EXIF note says, as the host's Load Image reads it."""
    return torch.from_numpy(np.array(open_picture(path)))[None].float().div_(255)


def open_picture(path: Path | BinaryIO) -> Image.Image:
    """The picture in a file, upright, as RGB of 8 bits. Its size and kind are looked at before anything is decoded."""
    remedy = "Give the path of a picture (PNG, JPEG, WebP)"
    if isinstance(path, Path) and os.path.exists(path) and not os.path.isfile(path):
        raise DiffSFSRError("It is no file", remedy)  # a pipe would be waited for, for ever
    try:
        Image.init()
        with Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN]) as file:
            check_kind(file)
            return as_rgb(ImageOps.exif_transpose(file))
    except FileNotFoundError as error:
        raise DiffSFSRError(f"There is no file {path}", remedy) from error
    except DiffSFSRError:
        raise
    except Image.DecompressionBombError as error:
        raise TooLarge(f"The picture is far too large ({error})", SMALLER) from error
    except Exception as error:  # a decoder may say anything of a broken file
        raise DiffSFSRError(f"It cannot be read as a picture ({error or type(error).__name__})", remedy) from error


def check_kind(file: Image.Image) -> None:
    """Refuses what cannot be one right picture, by what the file's head says."""
    check_pixels(*file.size, TooLarge)
    frames = 1 if file.format == ONE else getattr(file, "n_frames", 1)
    if frames > 1:
        what = f"The file holds {frames} pictures ({file.format})"
        raise DiffSFSRError(what, "Save the one that is meant as PNG or JPEG")
    if file.mode == "F" or (file.mode == "I" and file.format == "TIFF"):
        kind = "floating-point" if file.mode == "F" else "32-bit whole"
        what = f"The picture has {kind} numbers for pixels ({file.format}), of which nobody knows what is white"
        raise DiffSFSRError(what, "Save it with 8 or 16 bits a channel, as PNG for instance")


def as_rgb(picture: Image.Image) -> Image.Image:
    """16 bits a pixel are brought to 8 (plain conversion would clip them to white); transparency is left out and said."""
    if picture.mode.startswith("I"):
        picture = Image.fromarray((np.asarray(picture).astype(np.float64) / 257).clip(0, 255).astype(np.uint8))
    may_be_clear = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
    if may_be_clear and picture.convert("RGBA").getextrema()[3][0] < 255:
        log.warning("%s: the alpha channel is not used", here())
    return picture.convert("RGB")


# --- wires ----------------------------------------------------------------------------------------


def cast(values: torch.Tensor) -> torch.Tensor:
    """What comes in on an IMAGE or MASK wire as the host means it: floating point 0..1 on the CPU, in its own precision.

    8-bit whole numbers, and others of which one is above 1, count to 255. Half precision of bfloat16's kind becomes single: no
    node after ours could save it.
    """
    check_held(values)
    values = values.detach().cpu()
    if values.is_floating_point():
        return values if values.dtype in (torch.float16, torch.float32, torch.float64) else values.float()
    if values.is_complex():
        raise DiffSFSRError("The values are complex numbers", "Give floating-point values from 0 to 1")
    if values.dtype == torch.bool or values.numel() == 0:
        return values.float()
    most = int(values.double().max())  # not all whole numbers have a maximum in torch
    if most > 255:
        what = f"The pixels are whole numbers up to {most}"
        raise DiffSFSRError(what, "Give floating-point pixels from 0 to 1, as all nodes of ComfyUI do")
    return values.float() / (255 if most > 1 or values.dtype == torch.uint8 else 1)


def check_held(values: torch.Tensor) -> None:
    """Refuses tensors that few operations are there for: a node that gives one should give plain numbers."""
    if values.layout != torch.strided or values.is_quantized or values.is_meta:
        what = "The values are not plain numbers in memory, but sparse, quantised or none at all"
        raise DiffSFSRError(what, "Look at the node before: it should give dense floating-point values")


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
    check_pixels(width, height)
    image = cast(image)
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


def check_pixels(width: int, height: int, error: type[DiffSFSRError] = DiffSFSRError) -> None:
    if height * width > MAX_PIXELS:
        raise error(f"The picture of {width} x {height} pixels is too large", SMALLER)


def checked_mask(mask: torch.Tensor | None, batch: int, height: int, width: int) -> torch.Tensor | None:
    """MASK [B, H, W] or [H, W] of the same size as its picture -> [B or 1, H, W] in 0..1; None where nothing is masked.

    Load Image gives an all-zero mask of 64 x 64 for a picture without alpha: that counts as no mask.
    """
    if mask is None:
        return None
    if not isinstance(mask, torch.Tensor) or mask.ndim not in (2, 3):
        shape = tuple(mask.shape) if isinstance(mask, torch.Tensor) else type(mask).__name__
        raise DiffSFSRError(f"A MASK is [batch, height, width], this has {shape}", "Connect a MASK")
    mask = cast(mask if mask.ndim == 3 else mask[None])
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
