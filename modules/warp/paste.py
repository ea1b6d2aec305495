"""A face cut out of a picture, what of it is repainted, and the crop pasted back."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from .. import affine
from ..affine import FRAME
from ..types import PasteRegion
from .detail import add_detail, touched
from .masks import feather
from .palette import Palette

EDGE = 5.0  # pixels of the 256 px crop over which what is pasted fades at the crop's edge: a dropped chin comes so near to it
HUNG = 1.5  # the same where a beard hung, a stub of which would show through
GREY = 0.5  # what the part to repaint is filled with before it is encoded


def cut(image: torch.Tensor, points: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Picture [H, W, 3] and its face points [478, 3] -> crop [3, size, size] and the matrix [2, 3] to it."""
    matrix = affine.to_frame(points[None], size)
    crop = affine.sample(image.permute(2, 0, 1)[None], affine.invert(matrix), size)[0].clamp(0, 1)
    return crop, matrix[0]


def blanked(image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Pictures [B, 3, H, W] 0..1 with the part to repaint (mask [B, 1, H, W], 0 or 1) in plain grey."""
    return image * (1 - mask) + GREY * mask


def latent_mask(mask: torch.Tensor) -> torch.Tensor:
    """Mask [B, S, S] -> [B, 1, S / 8, S / 8]: the share of each latent cell that is repainted."""
    return F.avg_pool2d(mask[:, None], 8)


def mask_in_crop(limit: torch.Tensor, matrix: torch.Tensor, size: int) -> torch.Tensor:
    """The artist's mask [H, W] seen in the crop [size, size], 0 or 1: 1 above half of its highest value."""
    seen = affine.sample(limit[None, None], affine.invert(matrix[None]), size, "zeros")[0, 0]
    return (seen > min(float(limit.max()) / 2, 0.5)).float()


def composite(crops: torch.Tensor, region: PasteRegion, detail: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Crops [n, S', S', 3] 0..1 pasted back: pictures [n, H, W, C] and the soft mask [n, H, W] they were pasted with.

    Where the mask is 0 the background's very values remain. detail: 0..1, how much of what a crop is too small for is added
    from the selfie's own pixels, see `detail.py`.
    """
    count, scale = len(region.to_frame), crops.shape[1] / region.size
    pictures = region.background.expand(count, -1, -1, -1).clone()
    masks = torch.from_numpy(np.zeros(pictures.shape[:3], np.float32))  # no memory where nobody writes
    for i, (rows, columns, window, alpha) in enumerate(_windows(region)):
        if not alpha.any():
            continue
        (part, moved), crop = touched(alpha, window), whole(crops[i], region, i, detail)
        painted = affine.sample(crop.permute(2, 0, 1)[None], window * scale, alpha.shape)[0].clamp(0, 1)
        old = pictures[i, rows, columns, :3]
        if detail > 0 and region.fine is not None:
            there, here = old[part].permute(2, 0, 1).float(), (slice(None), *part)
            finer = add_detail(painted[here], crops.shape[1], there, region.fine[i], region.mask[i], moved, detail)
            painted[here] = finer
        painted = Palette.of(_crop(region, i)).on(painted)
        new = old.float() + alpha[..., None] * (painted.permute(1, 2, 0) - old.float())
        pictures[i, rows, columns, :3] = torch.where(alpha[..., None] > 0, new.to(old.dtype), old)
        masks[i, rows, columns][part] = alpha[part]
    return pictures, masks


def _crop(region: PasteRegion, i: int) -> torch.Tensor:
    """The background's crop [3, S, S] of result i, as `cut` gives it."""
    picture = region.background[i % len(region.background), ..., :3].permute(2, 0, 1)[None]
    return affine.sample(picture.float(), affine.invert(region.to_frame[i : i + 1]), region.size)[0]


def whole(crop: torch.Tensor, region: PasteRegion, i: int, detail: float) -> torch.Tensor:
    """Crop i [S, S, 3] with what the autoencoder takes from such pictures, by `detail` 0..1; of another size: as it is.

    What it takes from the coarse warp is known, so that gets the model's change and not a blurred picture. As much is added as
    a crop lacks: none to the coarse warp itself.
    """
    crop = crop.float()
    if detail == 0 or region.lost is None or region.fine is None or len(crop) != region.size:
        return crop
    fine, lost, mask = region.fine[i], region.lost[i].float(), region.mask[i]
    change = (crop.permute(2, 0, 1) - (fine.warp - lost)) * mask
    has = (change * lost).sum() / (lost * lost * mask).sum().clamp_min(1e-6)
    return (crop + detail * (1 - has.clamp(0, 1)) * lost.permute(1, 2, 0)).clamp(0, 1)


def soft_masks(region: PasteRegion, rows: slice = slice(None)) -> torch.Tensor:
    """What some crops are pasted with [n, 1, S, S] 0..1, but for the artist's own mask and what stands in front."""
    mask, size, wide = region.mask[rows][:, None], region.mask.shape[-1], math.ceil(3 * region.feather)
    beyond = F.pad(mask, (wide, wide, wide, wide), mode="replicate")  # a chin may come near to the crop's edge
    within = feather(beyond, region.feather)[..., wide : wide + size, wide : wide + size]
    hairs = [None] * len(mask) if region.fine is None else [fine.hair for fine in region.fine[rows]]
    return within * torch.stack([_end(region, size, hair) for hair in hairs]).to(within)[:, None]


def _end(region: PasteRegion, size: int, hair: torch.Tensor | None) -> torch.Tensor:
    """How a crop fades at its edge [S, S], see `edge`: less far where the hair of a beard [S, S] 0..1 is gone."""
    far, near = (edge(size, min(region.feather, pixels * size / FRAME)) for pixels in (EDGE, HUNG))
    return far if hair is None else torch.lerp(far, near, hair.to(far))


def edge(size: int, pixels: float) -> torch.Tensor:
    """What fades to 0 over so many pixels at the edge of a crop, and is 1 inside [S, S]: what goes beyond is not cut off."""
    ramp = (torch.arange(size).minimum(torch.arange(size).flip(0)) / max(pixels, 1.0)).clamp(max=1)
    return torch.minimum(ramp[:, None], ramp[None, :])


def _windows(region: PasteRegion):
    """For each crop: rows and columns of the picture that it touches, the matrix from there to the crop, the soft mask."""
    for i in range(len(region.to_frame)):
        matrix = region.to_frame[i : i + 1]
        top, bottom, left, right = affine.extent(matrix, region.size, region.background.shape[1:3])
        window = affine.shifted(matrix, left, top)
        alpha = affine.sample(soft_masks(region, slice(i, i + 1)), window, (bottom - top, right - left), "zeros")[0, 0]
        if region.in_front is not None:
            alpha = alpha * (1 - affine.sample(region.in_front[i : i + 1, None], window, alpha.shape)[0, 0])
        alpha = alpha * (alpha > 1e-3)  # what nobody sees stays the background, exactly
        if region.limit is not None:
            alpha = alpha * region.limit[i % len(region.limit), top:bottom, left:right]
        yield slice(top, bottom), slice(left, right), window, alpha
