"""The compact recognition network of the default bundle: an aligned face to a vector that says who it is.

Plain residual blocks (He et al. 2016): on CPUs faster to train than depthwise ones at the same accuracy. Trained by us by
distillation (`training/identity.py`).
"""

import torch
import torch.nn.functional as F
from einops import reduce
from torch import nn

INPUT = 128  # side of the canonical face crop that the network reads, pixels
WIDTH = 256  # length of the identity vector
CHANNELS = (32, 64, 96, 128)  # of the four levels, each half the size of the one before


class Residual(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.PReLU(channels),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class IdentityNetwork(nn.Module):
    """[B, 3, 128, 128] RGB 0..1 in the canonical frame -> [B, 256] of unit length."""

    def __init__(self):
        super().__init__()
        layers, width = [], 3
        for channels in CHANNELS:
            layers += [nn.Conv2d(width, channels, 3, 2, 1, bias=False), nn.BatchNorm2d(channels), nn.PReLU(channels)]
            if channels > 32:
                layers.append(Residual(channels))
            width = channels
        self.body = nn.Sequential(*layers)
        # every position of the last map counts by its own weights: a face is not a texture
        self.spot = nn.Conv2d(width, 2 * width, 8, groups=width, bias=False)
        self.head = nn.Sequential(nn.BatchNorm1d(2 * width), nn.Linear(2 * width, WIDTH))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return F.normalize(self.head(self.spot(self.body(image * 2 - 1)).flatten(1)), dim=1)


def pooled(vectors: torch.Tensor) -> torch.Tensor:
    """Several photos of one person [N, 256] -> one unit vector [256]."""
    return F.normalize(reduce(vectors, "n d -> d", "mean"), dim=0)
