"""A noise mask on the LATENT of a crop has to be one of that crop: the host would stretch any other onto it without a word."""

import logging

import comfy.patcher_extension

from ..errors import DiffSFSRError, at, here
from .conditioning import KEY

CELL = 8  # pixels of a picture to one of its latent
log = logging.getLogger(__name__)


def watch(model) -> None:
    """Lets every sampler of the host check the masks that it is given for this MODEL."""
    model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.OUTER_SAMPLE, KEY, checked)


def checked(executor, noise, latent, sampler, sigmas, denoise_mask=None, *rest, **options):
    """Around the host's sampling; the mask is as it came over the wire."""
    if denoise_mask is not None:
        with at("DiffSFSR MODEL", "noise mask"):
            check(tuple(denoise_mask.shape[-2:]), tuple(latent.shape[-2:]))
    return executor(noise, latent, sampler, sigmas, denoise_mask, *rest, **options)


def check(mask: tuple[int, int], latent: tuple[int, int]) -> None:
    """Heights and widths: a mask of another shape is refused, one of another size only said, since a crop has many sizes."""
    (high, wide), (height, width) = mask, latent
    if high * width != wide * height:
        what = f"The mask is {wide} x {high} pixels, the latent is that of a crop of {width * CELL} x {height * CELL}"
        raise DiffSFSRError(what, "Connect mask of Face Crop: a mask of the whole picture does not lie on the crop")
    if high not in (height, CELL * height):
        sizes = wide, high, width * CELL, height * CELL
        log.warning("%s: it has %d x %d pixels for a crop of %d x %d; is it the mask of the crop?", here(), *sizes)
