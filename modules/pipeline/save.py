"""What Save Portrait does: pictures to files, marked where a face in them is ours."""

import torch

from ..errors import DiffSFSRError, at, check_count
from ..host.made import gets_made_face, running_node
from ..host.provenance import KEY
from ..host.saving import SUFFIX, keep
from ..images import cast


@at("Save Portrait")
def save_portraits(images: torch.Tensor, prefix: str, kind: str, quality: int, prompt: dict | None, info: dict | None):
    """IMAGE [B, H, W, C] -> files in the output folder, and the ui that shows them.

    kind: "PNG", "WebP" or "JPEG"; quality: 1..100 for the last two; prompt and info: the host's hidden inputs.
    """
    check_count("quality", quality, 100, 95)
    if kind not in SUFFIX:
        raise DiffSFSRError(f"'{kind}' is no format", f"Choose one of {', '.join(SUFFIX)}", "format")
    shape = tuple(images.shape) if isinstance(images, torch.Tensor) else (type(images).__name__,)
    if len(shape) != 4 or not shape[0] or shape[-1] not in (1, 3, 4):
        what = f"An IMAGE is [batch, height, width, colour], this has {shape}"
        raise DiffSFSRError(what, "Connect the output of Composite Face", "images")
    with at("images"):
        images = cast(images)
    if not torch.isfinite(images).all():
        remedy = "Look at the node before: a VAE Decode in half precision is the usual cause"
        raise DiffSFSRError("The picture has pixels that are not numbers (NaN or infinite)", remedy, "images")
    texts = {"prompt": prompt} if prompt is not None else {}
    texts |= {name: value for name, value in (info or {}).items() if name != KEY}
    return keep(images, prefix, kind, quality, texts, gets_made_face(prompt, running_node()))
