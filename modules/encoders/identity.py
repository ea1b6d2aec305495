"""The compact recognition network of the default bundle, `compact-v2`: an aligned face to a vector that says who it is.

Plain residual blocks (He et al. 2016): on CPUs faster to train than depthwise ones at the same accuracy. It reads the face and
little around it, so that hair and background say less. Trained by us by distillation (`training/identity.py`).
"""

import torch
import torch.nn.functional as F
from torch import nn

INPUT = 128  # side of the canonical face crop that the network is given, pixels
LEFT, TOP, SIDE = 16, 26, 96  # the square of it that is read: forehead to chin, ear to ear
WIDTH = 256  # length of the identity vector
CHANNELS = (48, 96, 192)  # of the levels at 24, 12 and 6 pixels a side


def step(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.PReLU(outputs)]


class Residual(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(*step(channels, channels), *step(channels, channels)[:2])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class IdentityNetwork(nn.Module):
    """[B, 3, 128, 128] RGB 0..1 in the canonical frame -> [B, 256] of unit length.

    In use it looks at the face and at its mirror image, and the two answers are averaged: steadier, for twice the time.
    In training mode it looks once.
    """

    def __init__(self):
        super().__init__()
        layers, width = step(3, 16, 2), 16
        for channels in CHANNELS:
            layers += [*step(width, channels, 2), Residual(channels)]
            width = channels
        self.body = nn.Sequential(*layers)
        # every position of the last map counts by its own weights: a face is not a texture
        self.spot = nn.Conv2d(width, 2 * width, SIDE // 16, groups=width, bias=False)
        self.head = nn.Sequential(nn.BatchNorm1d(2 * width), nn.Linear(2 * width, WIDTH))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        face = image[:, :, TOP : TOP + SIDE, LEFT : LEFT + SIDE] * 2 - 1
        if self.training:
            return F.normalize(self._once(face), dim=1)
        first, second = (F.normalize(x, dim=1) for x in self._once(torch.cat([face, face.flip(-1)])).chunk(2))
        return F.normalize(first + second, dim=1)

    def _once(self, face: torch.Tensor) -> torch.Tensor:
        face = face.contiguous(memory_format=torch.channels_last)  # faster on a CPU
        return self.head(self.spot(self.body(face)).flatten(1))
