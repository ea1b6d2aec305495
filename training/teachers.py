"""The two identity teachers: crops as they want them, embeddings, similarity.

mobileface may be a loss on pictures. faceres teaches by distillation and evaluates; it is never a loss on pictures.
"""

from pathlib import Path

import torch
import torch.nn.functional as F

# Five-point template of the 112 px chip: irises (image left, right), nose tip, mouth corners (image left, right).
CHIP_POINTS = (468, 473, 1, 61, 291)
CHIP_TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))


def similarity(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Least-squares similarity taking points [B, N, 2] to points [B, N, 2]: matrices [B, 2, 3] (Umeyama 1991, 2-D)."""
    ms, mt = source.mean(1, keepdim=True), target.mean(1, keepdim=True)
    s, t = source - ms, target - mt
    norm = (s**2).sum((1, 2)).clamp_min(1e-9)
    a = (s * t).sum((1, 2)) / norm
    b = (s[..., 0] * t[..., 1] - s[..., 1] * t[..., 0]).sum(1) / norm
    linear = torch.stack([torch.stack([a, -b], 1), torch.stack([b, a], 1)], 1)
    shift = mt.transpose(1, 2) - linear @ ms.transpose(1, 2)
    return torch.cat([linear, shift], 2)


def sample(image: torch.Tensor, to_source: torch.Tensor, size: int, padding: str) -> torch.Tensor:
    """Pictures [B, 3, H, W] sampled at `to_source` [B, 2, 3] @ (x, y, 1) for each pixel of a `size` square."""
    b, _, h, w = image.shape
    axis = torch.arange(size, dtype=image.dtype, device=image.device) + 0.5
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    grid = torch.stack([x, y, torch.ones_like(x)], -1).view(1, -1, 3) @ to_source.to(image).transpose(1, 2)
    scale = torch.tensor([2 / w, 2 / h], dtype=image.dtype, device=image.device)
    return F.grid_sample(image, (grid * scale - 1).view(b, size, size, 2), padding_mode=padding, align_corners=False)


class Teachers:
    """faceres (1024) and mobileface (256). Pictures [B, 3, H, W] RGB 0..1, landmarks [B, 478, 2] in their pixels."""

    def __init__(self, data: Path, device: str = "cpu"):
        folder = Path(data) / "teachers"
        self.faceres_net = torch.jit.load(folder / "faceres.ts.pt", map_location=device).eval()
        self.mobileface_net = torch.jit.load(folder / "mobileface.ts.pt", map_location=device).eval()

    def faceres(self, image: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        """[B, 1024], unit length."""
        low, high = points.amin(1), points.amax(1)
        side = (high - low).amax(1) * 1.15
        zero = torch.zeros_like(side)
        corner = (low + high) / 2 - side[:, None] / 2
        linear = torch.stack([torch.stack([side / 224, zero], 1), torch.stack([zero, side / 224], 1)], 1)
        crop = sample(image, torch.cat([linear, corner[..., None]], 2), 224, "border")
        return F.normalize(self.faceres_net(crop)[0], dim=1)

    def mobileface(self, image: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        """[B, 256], unit length."""
        template = torch.tensor(CHIP_TEMPLATE, dtype=points.dtype, device=points.device)
        to_source = similarity(template.expand(len(points), 5, 2), points[:, list(CHIP_POINTS)])
        return F.normalize(self.mobileface_net(sample(image, to_source, 112, "zeros")), dim=1)
