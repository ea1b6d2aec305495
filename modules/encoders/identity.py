"""Who a face is, as a vector: the bundle's own recognition network, its compound with others, and several photos as one.

The compact network of the default bundle, `compact-v2`, reads an aligned face. Plain residual blocks (He et al. 2016): on
CPUs faster to train than depthwise ones at the same accuracy. It reads the face and little around it, so that hair and
background say less. Trained by us by distillation (`training/identity.py`).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from ..affine import sample, similarity

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


# --- the compound: what several networks say of a face --------------------------------------------
# Each network of a bundle is a member with its own unit vector; the joined vector is the members' vectors one behind the other,
# in the order that the bundle names them. So the cosine of two joined vectors is the mean of the members' cosines, and no
# member is louder than another.

COMPACT, ARCFACE = "compact-v2", "insightface-arcface"
WIDTHS = {COMPACT: 256, ARCFACE: 512}  # members that this version can compute, and their vectors' lengths
OWN = (COMPACT,)  # whose weights are in the bundle: each bundle has exactly one of them, named first

# Five-point template of the 112 px chip: irises (image left, right), nose tip, mouth corners (image left, right).
CHIP, CHIP_POINTS = 112, (468, 473, 1, 61, 291)
CHIP_TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))


def width_of(members: tuple[str, ...]) -> int:
    """Length of the joined vector."""
    return sum(WIDTHS[name] for name in members)


def joined(parts: list[torch.Tensor]) -> torch.Tensor:
    """The members' vectors [N, D_k] -> [N, sum of D_k], each part of unit length."""
    return torch.cat([F.normalize(part, dim=1) for part in parts], 1)


def renewed(vector: torch.Tensor, members: tuple[str, ...]) -> torch.Tensor:
    """Joined vectors [N, D], or means of them, with every member's part brought back to unit length."""
    return joined(list(vector.split([WIDTHS[name] for name in members], 1)))


def chip(images: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """The square that ArcFace-like networks read: pictures [B, 3, H, W], points [B, 478, >= 2] in them -> [B, 3, 112, 112].

    Black where the picture ends.
    """
    template = torch.tensor(CHIP_TEMPLATE, dtype=points.dtype, device=points.device)
    to_source = similarity(template.expand(len(points), 5, 2), points[:, list(CHIP_POINTS), :2])
    return sample(images, to_source, CHIP, "zeros")


# --- several photos -------------------------------------------------------------------------------
# They are compared by the cosine of their vectors. `STRANGER` was measured (`python -m evaluation identity`): see there how
# many photos of the same person fall below it, and how many of other people lie above.

STRANGER = 0.35  # mean cosine to the others' photos below which a photo is somebody else's


@dataclass(frozen=True)
class Pooled:
    vector: torch.Tensor  # [D]
    kept: list[int]  # the photos that it is made of
    strangers: list[int]  # left out: they look like other people
    torn: bool  # the photos disagree, and no majority says who is meant: all are kept


def agreement(vectors: torch.Tensor, members: tuple[str, ...]) -> torch.Tensor:
    """Joined vectors [N, D] -> their cosines, mean over the members [N, N]."""
    return vectors @ vectors.T / len(members)


def alike(cosine: torch.Tensor) -> list[int]:
    """The photos that are left when the one least like the others is dropped, again and again, until all agree [N, N].

    Agree: a mean cosine of at least STRANGER to the others. [] if no two do.
    """
    left = list(range(len(cosine)))
    while len(left) > 1:
        among = cosine[left][:, left]
        mean = (among.sum(1) - among.diagonal()) / (len(left) - 1)
        if mean.min() >= STRANGER:
            return left
        left.pop(int(mean.argmin()))
    return []


def pool(vectors: torch.Tensor, members: tuple[str, ...]) -> Pooled:
    """Vectors [N, D] of N photos -> who they show. All count the same: weights by the size of the face gained nothing."""
    everyone, cosine = list(range(len(vectors))), agreement(vectors, members)
    group = everyone if len(vectors) == 1 else alike(cosine)
    torn = 2 * len(group) <= len(vectors)
    kept = everyone if torn else group
    return Pooled(renewed(vectors[kept].mean(0, keepdim=True), members)[0], kept, [i for i in everyone if i not in kept], torn)
