"""The crop of a paste region at another size, for any model that paints faces: original pixels, mask, coarse warp."""

import torch

from .. import affine
from ..types import PasteRegion
from .detail import add_detail
from .paste import soft_masks

WHOLE = 0.999  # of a mask: less than rounding and blurring leave of 1


def crops_of(region: PasteRegion, size: int) -> torch.Tensor:
    """The background's own pixels [n, 3, size, size] 0..1."""
    pictures, found = region.background[..., :3].permute(0, 3, 1, 2), []
    for i, matrix in enumerate(_to_source(region, size)):
        picture = pictures[i % len(pictures)][None].float()
        found.append(affine.sample(picture, matrix[None], size, mode="bicubic")[0].clamp(0, 1))
    return torch.stack(found)


def masks_of(region: PasteRegion, size: int) -> torch.Tensor:
    """What of each crop will be pasted [n, size, size] 0..1; its middle is 1, as Differential Diffusion wants it."""
    soft = torch.cat([affine.sample(mask[None], _enlarging(region, size), size)[0] for mask in soft_masks(region)])
    soft = torch.where(soft > WHOLE, 1.0, soft)
    if region.limit is None:
        return soft
    places = enumerate(_to_source(region, size))
    limits = [affine.sample(region.limit[i % len(region.limit)][None, None], m[None], size, "zeros") for i, m in places]
    return soft * torch.cat(limits)[:, 0]


def warps_of(region: PasteRegion, crops: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """The coarse warps at the size of crops [n, 3, size, size] and masks [n, size, size] from above: enlarged, with the fine
    skin of the selfie's own pixels, in the crops.
    """
    size, found = crops.shape[-1], []
    window = _enlarging(region, size)
    for i, (crop, mask) in enumerate(zip(crops, masks, strict=True)):
        warp = affine.sample(region.warps[i : i + 1], window, size, mode="bicubic")[0].clamp(0, 1)
        if region.fine is not None:
            warp = add_detail(warp, region.size, crop, region.fine[i], region.mask[i], window, 1.0)
        found.append(crop + mask * (warp - crop))
    return torch.stack(found)


def _to_source(region: PasteRegion, size: int) -> torch.Tensor:
    """Matrices [n, 2, 3] from a crop's pixels at that size to the picture's."""
    return affine.invert(region.to_frame * (size / region.size))


def _enlarging(region: PasteRegion, size: int) -> torch.Tensor:
    """The matrix [1, 2, 3] from a crop's pixels at that size to those of the region's."""
    return (torch.eye(2, 3) * (region.size / size))[None]
