"""The light on a face as its picture shows it. Gains act on linear light; pictures have gamma 2.2, values 0..1."""

import torch
import torch.nn.functional as F

from .warp import sampled

GAMMA = 2.2
BLOCK = 4  # pixels a side over which a point's luminance is averaged
LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear light, ITU-R BT.709
SMOOTH = 0.08  # of the face's width: how far side light is averaged, so that no mole or strand of hair is taken for it
DEEPEST = 0.9  # the most that side light is believed to be, as a logarithm: what differs more is hair or a hand


def gained(image: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    """Linear light times gain (positive), in the picture's own gamma: (image^2.2 gain)^(1/2.2)."""
    return (image * gain ** (1 / GAMMA)).clamp(0, 1)


def luminance_at(image: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Linear luminance [*, P] of pictures [*, 3, S, S] around points [*, P, >= 2] in their pixels."""
    small = F.avg_pool2d(image.reshape(-1, *image.shape[-3:]), BLOCK)
    colour = sampled(small.view(*image.shape[:-2], *small.shape[-2:]), points[..., None, :, :2] / BLOCK)[..., 0, :]
    return torch.einsum("...cp,c->...p", colour.clamp_min(0) ** GAMMA, image.new_tensor(LUMINANCE))


def side_light(image: torch.Tensor, points: torch.Tensor, mirror: torch.Tensor) -> torch.Tensor:
    """How much brighter each point of a face is than its like on the other side: [468], half the log of the ratio.

    image [3, S, S], points [478, 3] in its pixels, mirror [478] as `FaceNetworks.mirror` gives it. Brows, beard and eyes
    are on both sides and cancel out.
    """
    points, mirror = points[:468], mirror[:468]
    bright = luminance_at(image, points)
    width = points[:, 0].amax() - points[:, 0].amin()
    near = torch.exp(-0.5 * (torch.cdist(points, points) / (SMOOTH * width)) ** 2)
    level = torch.log((near @ bright) / near.sum(1) + 0.02 * bright.mean() + 1e-6)
    return (0.5 * (level - level[mirror])).clamp(-DEEPEST, DEEPEST)
