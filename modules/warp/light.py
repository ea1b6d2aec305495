"""The light on a face as its picture shows it. Gains act on linear light; pictures have gamma 2.2, values 0..1."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from kornia.color import lab_to_rgb, rgb_to_lab

from .masks import blurred, fill
from .mesh import sampled

GAMMA = 2.2
BLOCK = 4  # pixels a side over which a point's luminance is averaged
LUMA = (0.299, 0.587, 0.114)  # of pictures as they are, ITU-R BT.601
LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear light, ITU-R BT.709
SMOOTH = 0.08  # of the face's width: how far side light is averaged, so that no mole or strand of hair is taken for it
FAINT = 0.01  # linear light that is added, so that black has a logarithm
MOST, STEADY = 0.7, 3.0  # the most that a mirror image gets brighter or darker, and over how many blocks that is averaged
NOISE = 0.03  # luma below which a ratio is that of noise
DEEPEST = 0.9  # the most that side light is believed to be, as a logarithm: what differs more is hair or a hand


def luma(image: torch.Tensor) -> torch.Tensor:
    """Pictures [*, 3, H, W] -> [*, 1, H, W]."""
    return torch.einsum("...chw,c->...hw", image, image.new_tensor(LUMA)).unsqueeze(-3)


def log_of(light: torch.Tensor) -> torch.Tensor:
    """The logarithm of luma 0..1, that noise in the dark does not tell much."""
    return (light.clamp(0, 1) + NOISE).log()


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


def relit(image: torch.Tensor, like: torch.Tensor, both: torch.Tensor, face: torch.Tensor) -> torch.Tensor:
    """A picture [3, S, S] in the light of another: a smooth gain, found where both are known and on the face, continued.

    both [S, S] 0 or 1, face [S, S] bool. The mirror image of a face that is lit from one side is dark where it is put.
    """
    small = lambda x: F.avg_pool2d(x[None], BLOCK)  # noqa: E731
    where = (both * face)[None]
    known = small(where)
    light = (small(x * where) / known.clamp_min(1e-6) for x in (like, image))
    step = torch.sub(*(torch.log(x.clamp_min(0) ** GAMMA + FAINT) for x in light))
    step = blurred(step * known, STEADY) / blurred(known, STEADY).clamp_min(1e-3)
    gain = fill(step.clamp(-MOST, MOST), (known > 0.5).to(step.dtype))
    return gained(image, torch.exp(F.interpolate(gain, image.shape[-2:], mode="bilinear", align_corners=False)[0]))


# Contrast of a drawn face over that of the face whose place it takes, and the most that its own is raised for that: of what is
# darker than its mean (brows, lashes, lips: a person is known by them), brighter (gleams would glow), and of colours (blots)
DARK, BRIGHT, HUES, LEAST = (1.4, 1.6), (1.05, 1.15), (1.15, 1.0), 0.6
STEEP = 4.0  # how soon what is darker than the mean, in spreads of lightness, counts as that
LIGHTNESS = 0.6  # what a step of lightness counts beside one of hue: faces are lit from one side


class Tone(NamedTuple):
    """Mean and spread of colours in CIELAB, [3, 1] each."""

    mean: torch.Tensor
    spread: torch.Tensor


def colours(image: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """The pixels of a picture [3, S, S] on `where` [S, S] bool, in CIELAB: [3, N]."""
    return rgb_to_lab(image[:, where][..., None].clamp(0, 1))[..., 0]


def tone(lab: torch.Tensor) -> Tone | None:
    """Of CIELAB colours [3, N]; None if they are too few."""
    return Tone(lab.mean(1, keepdim=True), lab.std(1, keepdim=True)) if lab.shape[1] >= 16 else None


def match_colour(image: torch.Tensor, covered: torch.Tensor, theirs: Tone | None, strength: float) -> torch.Tensor:
    """Mean and spread of `image` where it is covered [S, S] moved towards `theirs`, in CIELAB (Reinhard et al. 2001), the
    spread towards theirs, of what is dark farther than of what is bright; what is not covered stays.
    """
    if strength <= 0 or theirs is None:
        return image
    where = covered > 0
    lab = colours(image, where)
    own = tone(lab[:, covered[where] > 0.5])
    if own is None:
        return image
    off, ratio = lab - own.mean, theirs.spread / own.spread.clamp_min(1e-3)
    dark, bright, hue = ((contrast * ratio).clamp(LEAST, most) for contrast, most in (DARK, BRIGHT, HUES))
    share = torch.sigmoid(STEEP * off[:1] / own.spread[:1].clamp_min(1e-3))
    off = torch.cat([off[:1] * torch.lerp(dark[:1], bright[:1], share), off[1:] * hue[1:]])
    moved = torch.lerp(lab, off + theirs.mean, strength)
    matched = image.clone()
    matched[:, where] = lab_to_rgb(moved[..., None])[..., 0].clamp(0, 1)
    return matched


def apart(lab: torch.Tensor, skin: torch.Tensor) -> torch.Tensor:
    """Distance [N] of CIELAB colours [3, N] from one [3, 1], lightness counted `LIGHTNESS`."""
    way = (lab - skin) * lab.new_tensor([[LIGHTNESS], [1.0], [1.0]])
    return way.square().sum(0).sqrt()  # `norm` is slow along short axes
