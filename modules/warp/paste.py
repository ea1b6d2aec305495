"""A face cut out of a picture, what of it is repainted, and the crop pasted back."""

import torch
import torch.nn.functional as F

from .. import affine
from ..types import PasteRegion
from .masks import feather

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
    """The artist's mask [H, W] seen in the crop [size, size], 0 or 1."""
    return (affine.sample(limit[None, None], affine.invert(matrix[None]), size, "zeros")[0, 0] > 0.5).float()


def composite(crops: torch.Tensor, region: PasteRegion) -> tuple[torch.Tensor, torch.Tensor]:
    """Crops [n, S', S', 3] 0..1 pasted back: pictures [n, H, W, C] and the soft mask [n, H, W] they were pasted with.

    Where the mask is 0 the background's very values remain.
    """
    count = len(region.to_frame)
    pictures = region.background.expand(count, -1, -1, -1).clone()
    masks, scale = torch.zeros(pictures.shape[:3]), crops.shape[1] / region.size
    for i, (rows, columns, window, alpha) in enumerate(_windows(region)):
        painted = affine.sample(crops[i : i + 1].permute(0, 3, 1, 2).float(), window * scale, alpha.shape)[0]
        old = pictures[i, rows, columns, :3]
        new = old.float() + alpha[..., None] * (painted.permute(1, 2, 0).clamp(0, 1) - old.float())
        pictures[i, rows, columns, :3] = torch.where(alpha[..., None] > 0, new.to(old.dtype), old)
        masks[i, rows, columns] = alpha
    return pictures, masks


def _windows(region: PasteRegion):
    """For each crop: rows and columns of the picture that it touches, the matrix from there to the crop, the soft mask."""
    inside = torch.zeros_like(region.mask)
    inside[:, 1:-1, 1:-1] = region.mask[:, 1:-1, 1:-1]  # a chin at the crop's edge fades there too, and is not cut off
    soft = feather(inside[:, None], region.feather)
    for i in range(len(region.to_frame)):
        matrix = region.to_frame[i : i + 1]
        top, bottom, left, right = _extent(matrix, region.size, region.background.shape[1:3])
        bottom, right = max(top, bottom), max(left, right)
        window = _chain(matrix, torch.tensor([[[1.0, 0.0, left], [0.0, 1.0, top]]]))
        alpha = affine.sample(soft[i : i + 1], window, (bottom - top, right - left), "zeros")[0, 0]
        alpha = alpha * (alpha > 1e-3)  # what nobody sees stays the background, exactly
        if region.limit is not None:
            alpha = alpha * region.limit[i % len(region.limit), top:bottom, left:right]
        yield slice(top, bottom), slice(left, right), window, alpha


def _chain(second: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
    """The affine map that applies `first`, then `second`: [B, 2, 3] each."""
    linear = second[:, :, :2] @ first[:, :, :2]
    return torch.cat([linear, second[:, :, :2] @ first[:, :, 2:] + second[:, :, 2:]], 2)


def _extent(matrix: torch.Tensor, size: int, picture: tuple[int, int]) -> tuple[int, int, int, int]:
    """Rows and columns of the picture that the crop touches: top, bottom, left, right."""
    corners = torch.tensor([[[0.0, 0.0], [size, 0.0], [0.0, size], [size, size]]])
    found = affine.apply(affine.invert(matrix), corners)[0]
    low, high = found.amin(0).floor().int().tolist(), found.amax(0).ceil().int().tolist()
    height, width = picture
    return max(low[1], 0), min(high[1], height), max(low[0], 0), min(high[0], width)
