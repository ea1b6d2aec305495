"""Realism at the mask's border: the seam, and the similarity to the background there."""

import torch
from kornia.color import rgb_to_grayscale
from kornia.filters import spatial_gradient
from kornia.metrics import ssim

from .figures import psnr


def border_measures(pictures: torch.Tensor, background: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """Pictures [n, H, W, 3] 0..1 with a face pasted into background [1, H, W, 3] through the soft mask [n, H, W].

    All inside the feather ring, where the mask lies between 0 and 1:
    seam [n]: mean gradient of the grey picture beyond that of the background there, grey levels of 255 a pixel; an invisible
    paste has 0, and edges that the paste takes away count as nothing.
    ring_psnr [n] dB, ring_ssim [n] (windows of 11 pixels): how much of the background's own picture is left.
    """
    rows = [_one(p, background[0], m) for p, m in zip(pictures, mask, strict=True)]
    return {name: torch.tensor([row[name] for row in rows]) for name in rows[0]}


def _one(picture: torch.Tensor, background: torch.Tensor, mask: torch.Tensor) -> dict[str, float]:
    rows, columns = ((mask > 0).any(axis).nonzero().flatten() for axis in (1, 0))
    around = 8  # so that windows and gradients at the ring see what is around it
    part = (
        slice(max(0, int(rows[0]) - around), int(rows[-1]) + around),
        slice(max(0, int(columns[0]) - around), int(columns[-1]) + around),
    )
    ring = (mask[part] > 0) & (mask[part] < 1)
    a, b = (x[part][..., :3].permute(2, 0, 1)[None].float() for x in (picture, background))
    steep = [spatial_gradient(rgb_to_grayscale(x) * 255).norm(dim=2)[0, 0] for x in (a, b)]
    left = a[0, :, ring], b[0, :, ring]
    return {
        "seam": float((steep[0] - steep[1]).clamp_min(0)[ring].mean()),
        "ring_psnr": psnr(*(x.numpy() for x in left)),
        "ring_ssim": float(ssim(a, b, 11)[0].mean(0)[ring].mean()),
    }
