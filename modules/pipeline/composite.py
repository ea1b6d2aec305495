"""What Composite Face does: the crop is pasted back, and the saved file will say that a face in it was generated."""

import torch

from ..errors import DiffSFSRError, at
from ..host.provenance import NOTE
from ..images import checked_image
from ..types import PasteRegion
from ..warp.paste import composite


@at("Composite Face")
@torch.inference_mode()
def paste(crops: torch.Tensor, region: PasteRegion, metadata: dict | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Crops [n, S, S, 3] and their paste region -> pictures [n, H, W, C] and the soft mask [n, H, W].

    `metadata` is the host's extra_pnginfo of this queue item: whatever saves a PNG later writes our note into it.
    """
    with at("image"):
        crops = checked_image(crops)
    if len(crops) != len(region.to_frame):
        what = f"There are {len(crops)} crops for {len(region.to_frame)} places"
        raise DiffSFSRError(what, "Decode the LATENT that was sampled from the same Background Condition")
    if crops.shape[1] != crops.shape[2]:
        what = f"The crop is {crops.shape[2]} x {crops.shape[1]} pixels, it should be square"
        raise DiffSFSRError(what, "Connect VAE Decode directly")
    if metadata is not None:
        metadata["diffsfsr"] = NOTE
    return composite(crops, region)
