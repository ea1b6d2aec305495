"""The two identity teachers: crops as they want them, embeddings, similarity.

mobileface may be a loss on pictures. faceres teaches by distillation and evaluates; it is never a loss on pictures.
"""

from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F

from ..modules.affine import sample
from ..modules.encoders.identity import chip


class Teachers:
    """faceres (1024) and mobileface (256). Pictures [B, 3, H, W] RGB 0..1, landmarks [B, 478, 2] in their pixels.

    `folder`: where both lie; each is read when it is first asked.
    """

    def __init__(self, folder: Path, device: str = "cpu"):
        self.folder, self.device = Path(folder), device

    @cached_property
    def faceres_net(self) -> torch.jit.ScriptModule:
        return torch.jit.load(self.folder / "faceres.ts.pt", map_location=self.device).eval()

    @cached_property
    def mobileface_net(self) -> torch.jit.ScriptModule:
        return torch.jit.load(self.folder / "mobileface.ts.pt", map_location=self.device).eval()

    def faceres(self, image: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        """[B, 1024], unit length."""
        return F.normalize(self.faceres_all(image, points)[0], dim=1)

    def age_and_sex(self, image: torch.Tensor, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Years [B], from the five most likely of a hundred; probability of male [B]. Rough guesses of faceres."""
        _, years, male = self.faceres_all(image, points)
        share, which = years.topk(5, dim=1)
        return ((which + 0.5) * share).sum(1) / share.sum(1), male[:, 0]

    def faceres_all(self, image: torch.Tensor, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Descriptor [B, 1024], age probabilities [B, 100], probability of male [B, 1]."""
        low, high = points.amin(1), points.amax(1)
        side = (high - low).amax(1) * 1.15
        zero = torch.zeros_like(side)
        corner = (low + high) / 2 - side[:, None] / 2
        linear = torch.stack([torch.stack([side / 224, zero], 1), torch.stack([zero, side / 224], 1)], 1)
        return self.faceres_net(sample(image, torch.cat([linear, corner[..., None]], 2), 224, "border"))

    def mobileface(self, image: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        """[B, 256], unit length."""
        return F.normalize(self.mobileface_net(chip(image, points)), dim=1)
