"""Hard and coloured light on a face, as the network of `faces/lights.py` sees it, taken away: edges of shadows, bars, lamps.

What is left over, and is smooth, is led to the light of the place in `harmony.py`.
"""

import torch
import torch.nn.functional as F
from kornia.filters import guided_blur

from ..affine import FRAME
from ..faces.lights import FAINT, GAMMA, SIDE, LightNetwork, level, logs
from .covers import place_map
from .masks import blurred
from .mesh import POINTS, Mesh, sampled

WINDOW, EVEN = 9, 0.02  # pixels of the 256 px crop over which log light is smoothed, and its variance where there is no edge
SOFT = 4.0  # pixels of the 256 px crop over which the gain fades at the border of the face


def soft_gain(network: LightNetwork, image: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """The logarithm of the gain [3, S, S] that brings the face of a picture [3, S, S] to soft light, 0 beside it; its
    mean over the face is about 0 in each channel. mesh: the face where it stands.
    """
    device, size, place = network.places.device, image.shape[-1], place_map(mesh, network.places.cpu())
    seen = [small(x)[None].to(device) for x in (image.clamp(0, 1), seen_in_mirror(image, mesh), place)]
    share, rest = (F.interpolate(x.to(image), size=size, mode="bilinear", align_corners=False) for x in network.shares(*seen))
    face = mesh.covered.float()[None, None]
    inside = blurred(face, SOFT * size / FRAME)
    return level(share * without_pores(image) + rest, face)[0] * (2 * inside[0] - 1).clamp_min(0)


def seen_in_mirror(image: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """A face where it stands, each of its points with the colours of its like on the other side; and where it is: [4, S, S]."""
    other = mesh.interpolate(mesh.points[mesh.topology.mirror[:POINTS], :2])
    face = mesh.covered[None].to(image)
    return torch.cat([sampled(image.clamp(0, 1), other) * face, face])


def small(values: torch.Tensor) -> torch.Tensor:
    """Values [C, S, S] as the network sees them."""
    return F.interpolate(values[None], size=SIDE, mode="bilinear", align_corners=False, antialias=True)[0]


def without_pores(image: torch.Tensor) -> torch.Tensor:
    """The log light [1, 3, S, S] of a picture [3, S, S] with its edges, without what is finer (He et al. 2013)."""
    light, side = logs(image)[None], 2 * round((WINDOW // 2) * image.shape[-1] / FRAME) + 1
    return torch.cat([guided_blur(channel, channel, side, EVEN) for channel in light.split(1, 1)], 1)


def softened(image: torch.Tensor, gain: torch.Tensor, share: float) -> torch.Tensor:
    """A picture [3, S, S] whose light went `share` of the way of a gain's logarithm [3, S, S]; what is black gets light too."""
    linear = (image.clamp(0, 1) ** GAMMA + FAINT) * torch.exp(share * gain) - FAINT
    return linear.clamp(0, 1) ** (1 / GAMMA)
