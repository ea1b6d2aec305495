"""The two identity teachers: crops as they want them, embeddings, similarity.

mobileface may be a loss on pictures. faceres teaches by distillation and evaluates; it is never a loss on pictures.
"""

from pathlib import Path

import torch
import torch.nn.functional as F

from ..modules.faces.align import sample, similarity

# Five-point template of the 112 px chip: irises (image left, right), nose tip, mouth corners (image left, right).
CHIP_POINTS = (468, 473, 1, 61, 291)
CHIP_TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))


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
