"""Losses on what the painted face shows: who it is and what it does, on the decoded estimate of the clean picture.

That a two-step estimate makes such losses possible is the paper's idea; which networks, where and how much is our choice.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..modules.encoders.compound import chip
from ..modules.faces.landmarker import landmarks_in_crop
from ..modules.faces.networks import FaceNetworks


def midpoint_estimate(predict, z: torch.Tensor, v: torch.Tensor, t: torch.Tensor, alpha_bar: torch.Tensor) -> torch.Tensor:
    """Clean latents [B, C, h, w] from noisy ones at steps t [B] by one explicit midpoint step to noise 0: error O(r^3).

    predict(z, t) -> v at other, fractional steps; v: its answer at (z, t). With y = z / alpha and r = sigma / alpha,
    dy/dr = e: y_m = y - (r / 2) e(y, r), then y - r e(y_m, r / 2).
    """
    levels = (1 / alpha_bar.to(z.device) - 1).sqrt()
    r = levels[t][:, None, None, None]
    a, a_m = (1 + r**2).rsqrt(), (1 + r**2 / 4).rsqrt()
    y = z / a
    z_m = a_m * (y - r / 2 * (a * v + a * r * z))  # e = alpha v + sigma z
    return y - r * (a_m * predict(z_m, step_of(levels[t] / 2, levels)) + a_m * r / 2 * z_m)


def step_of(r: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """The fractional step [B] of noise r [B], between those of levels [T] by the logarithm, as the host has it."""
    high = torch.searchsorted(levels, r).clamp(1, len(levels) - 1)
    low, up, wanted = levels[high - 1].log(), levels[high].log(), r.log()
    return high - 1 + ((wanted - low) / (up - low)).clamp(0, 1)


@dataclass
class PictureLosses:
    """Frozen judges: the autoencoder's decoder, the landmark network, and the recognition network that may be a loss."""

    decoder: nn.Module
    faces: FaceNetworks
    mobileface: nn.Module

    @classmethod
    def load(cls, data: Path, decoder: nn.Module, face_model: Path, device: str) -> "PictureLosses":
        mobileface = torch.jit.load(Path(data) / "teachers" / "mobileface.ts.pt", map_location=device).eval()
        return cls(decoder.to(device).eval().requires_grad_(False), FaceNetworks.load(face_model).to(device), mobileface)

    def seen(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Decoded pictures [B, 3, S, S], points [B, 478, 2] in shares of the side, coefficients [B, 52]."""
        pictures = self.decoder(latents).clamp(0, 1)
        points, _, code = landmarks_in_crop(self.faces, pictures)
        return pictures, points[..., :2] / pictures.shape[-1], code

    def __call__(self, estimate: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Latents [B, C, h, w] each -> [B] of `identity` (1 - cosine), `points` and `code` (mean distances)."""
        with torch.no_grad():
            true, aim, wanted = self.seen(target)
            corners = aim * true.shape[-1]
            who = F.normalize(self.mobileface(chip(true, corners)), dim=1)
        made, points, code = self.seen(estimate)
        # both chips are cut at the target's points: a face in another place is another picture
        alike = (F.normalize(self.mobileface(chip(made, corners)), dim=1) * who).sum(1)
        return {
            "identity": 1 - alike,
            "points": (points - aim).norm(dim=-1).mean(1),
            "code": (code - wanted)[:, 1:].abs().mean(1),
        }
