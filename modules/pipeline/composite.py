"""What Composite Face does: the crop is pasted back, and the saved file will say that a face in it was generated."""

import logging

import torch

from ..errors import DiffSFSRError, at, check_number, here
from ..host.provenance import NOTE
from ..images import checked_image
from ..types import PasteRegion, check_place
from ..warp.detail import how_much_coarser
from ..warp.paste import composite

NOTICED = 1.5  # times as coarse, from which on it is worth a word
log = logging.getLogger(__name__)


@at("Composite Face")
@torch.inference_mode()
def paste(
    crops: torch.Tensor, region: PasteRegion, metadata: dict | None, detail: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Crops [n, S, S, 3] and their paste region -> pictures [n, H, W, C] and the soft mask [n, H, W].

    detail: 0..1, how much of the selfie's own skin is added to what the crops are too small for.
    `metadata` is the host's extra_pnginfo of this queue item: whatever saves a PNG later writes our note into it. Where no
    picture had a face there is nothing to note.
    """
    check_number("detail", detail, 1.0, 1)
    check_place(region)
    with at("image"):
        crops = checked_image(crops)
    if len(crops) % len(region.to_frame):
        what = f"There are {len(crops)} crops for {len(region.to_frame)} places"
        remedy = "Decode the whole LATENT of the same Background Condition, and choose pictures behind Composite Face"
        raise DiffSFSRError(what, remedy)
    if crops.shape[1] != crops.shape[2]:
        what = f"The crop is {crops.shape[2]} x {crops.shape[1]} pixels, it should be square"
        raise DiffSFSRError(what, "Connect VAE Decode directly, or give back the whole of what Face Crop cut")
    if metadata is not None and region.mask.any():
        metadata["diffsfsr"] = NOTE
    if detail > 0 and (coarser := how_much_coarser(region)) > NOTICED:
        what = "the face in the selfie is %.1f times smaller than its place in the picture and stays that much softer"
        log.warning(f"%s: {what}; a larger photo helps", here(), coarser)
    times = len(crops) // len(region.to_frame)  # Repeat Latent Batch gives several crops a place
    return composite(crops, region if times == 1 else region.repeated(times), detail)
