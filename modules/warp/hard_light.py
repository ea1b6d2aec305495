"""Hard and coloured light on a face, as the network of `faces/lights.py` sees it, taken away: edges of shadows, bars, lamps.

What is left over, and is smooth, is led to the light of the place in `harmony.py`.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from kornia.filters import guided_blur

from ..affine import FRAME
from ..faces.lights import FAINT, GAMMA, SIDE, LightNetwork, level, logs
from .covers import place_map
from .light import relit
from .masks import blurred, grow, plane
from .mesh import POINTS, Mesh, areas, at_points, sampled
from .palette import between
from .soft_face import fitted, how_unlike, left_gain, light_at, weights_of

WINDOW, EVEN = 9, 0.02  # pixels of the 256 px crop over which log light is smoothed, and its variance where there is no edge
# Size (rms) of the network's gain, in light and in chroma, from which on light is hard or coloured, and where it is wholly; of
# 478 portraits the softer half has less than .02 and .01.
HARD, TINTED, RIM = (0.19, 0.27), (0.21, 0.32), 10.0
# The same by how far a face is from soft ones, see `soft_face.py`; and from where on the network's word counts, and wholly
UNLIKE, NEARLY = (1.25, 1.75), (0.5, 0.8)
FIRM = 4.0  # how much sooner that gain is taken wholly: it leaves soft light as it is
# Linear light, averaged over so many pixels, below which a photo shows nothing; by which logarithm the other side must be
# brighter, and how large, beside it; half the width of specks that are left, and how far the other side goes over the edge
BLACK, NEAR, LEAST, CLEARER, LARGE, SPECK, OVER = 0.02, 1.5, 1e-3, 1.0, 0.6, 1.5, 4.0
EDGE, STEEP = 2.0, 0.12  # pixels of the 256 px crop by which a gain's edge is told, and the least step of its logarithm
SOFT = 4.0  # pixels of the 256 px crop over which the gain fades at the border of the face


class SoftFace(NamedTuple):
    """A picture [3, S, S] without the hard light on its face, and where its fine structure is the photo's [S, S] bool, None:
    everywhere, no edge of a shadow.
    """

    image: torch.Tensor
    plain: torch.Tensor | None = None

    @classmethod
    def of(cls, network: LightNetwork, image: torch.Tensor, mesh: Mesh) -> "SoftFace":
        """Of a picture [3, S, S] of a face where it stands; in soft light the very same.

        How hard and how coloured light is, the size of the network's gain tells, or how far the face is from what faces in soft
        light have in common: the one sees shadows with edges, the other gleams and lamps. What the gain leaves goes as far, see
        `soft_face.py`.
        """
        weight = weights_of(mesh)
        unlike = how_unlike(fitted(network, light_at(image, mesh), weight), weight, mesh)
        share, nearly = between(unlike, UNLIKE), between(unlike, NEARLY)
        if nearly > share:
            share = max(share, nearly * how_hard(network, image, mesh))
        if share == 0:
            return cls(image)
        gain = soft_gain(network, image, mesh)
        soft = softened(image, gain, 1.0)
        gain = gain + share * left_gain(network, soft, *(without_pores(x)[0] for x in (soft, image)), mesh)
        soft, hidden = softened(image, gain, min(1.0, FIRM * share)), black(image, mesh)
        return cls(lit_side(soft, hidden, share, mesh), (hidden == 0) & ~edges(gain))


def how_hard(network: LightNetwork, image: torch.Tensor, mesh: Mesh) -> float:
    """How hard or coloured the light on the face of a picture [3, S, S] is, 0..1, by the gain that the network sees."""
    seen = as_seen(network, image, mesh)
    gain, face = network(*seen)[0], seen[2][:, 2:]
    inner = grow((face > 0.5).to(gain), -RIM * SIDE / FRAME)[0, 0] > 0
    light = gain.mean(0)
    chroma, light = (gain - light)[:, inner], light[inner]
    hard, tinted = (light - light.median()).square().mean().sqrt(), chroma.square().sum(0).mean().sqrt()
    return max(between(float(hard), HARD), between(float(tinted), TINTED)) if inner.any() else 0.0


def edges(gain: torch.Tensor) -> torch.Tensor:
    """Where a gain [3, S, S] has an edge, and beside it [S, S] bool."""
    light, pixel = gain.mean(0)[None, None], gain.shape[-1] / FRAME
    return grow(((light - blurred(light, EDGE * pixel)).abs() > STEEP).to(gain), EDGE * pixel)[0, 0] > 0


def lit_side(image: torch.Tensor, hidden: torch.Tensor, share: float, mesh: Mesh) -> torch.Tensor:
    """A picture [3, S, S] whose face shows on `hidden` [S, S] 0..1 what its other side does, in the light that it has there."""
    if not hidden.any():
        return image
    other = seen_in_mirror(image, mesh)
    return torch.lerp(image, relit(other[:3], image, other[3], mesh.covered), share * hidden)


def black(image: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """Where a face shows nothing in its shadow [S, S] 0..1 that its other side shows, not much smaller."""
    pixel, mirror = image.shape[-1] / FRAME, mesh.topology.mirror[:POINTS]
    light = blurred((image.clamp(0, 1) ** GAMMA).mean(0)[None, None], NEAR * pixel)[0] + LEAST
    own, other = (torch.log(x) for x in (light[0], seen_in_mirror(light, mesh)[0] + LEAST))
    seen = at_points(areas(mesh.points[:POINTS], mesh.topology).abs(), mesh.topology)
    large = mesh.interpolate((seen[mirror] / seen.clamp_min(1e-3))[:, None])[..., 0] > LARGE
    hidden = plane((own < math.log(BLACK)) & (other - own > CLEARER) & large & mesh.covered)
    hidden = grow(grow(hidden, -SPECK * pixel), (SPECK + OVER) * pixel)
    return blurred(hidden, OVER / 2 * pixel)[0, 0] * mesh.covered


def soft_gain(network: LightNetwork, image: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """The logarithm of the gain [3, S, S] that brings the face of a picture [3, S, S] to soft light, 0 beside it; its
    mean over the face is about 0 in each channel. mesh: the face where it stands.
    """
    size, shares = image.shape[-1], network.shares(*as_seen(network, image, mesh))
    share, rest = (F.interpolate(x.to(image), size=size, mode="bilinear", align_corners=False) for x in shares)
    face = mesh.covered.float()[None, None]
    inside = blurred(face, SOFT * size / FRAME)
    return level(share * without_pores(image) + rest, face)[0] * (2 * inside[0] - 1).clamp_min(0)


def as_seen(network: LightNetwork, image: torch.Tensor, mesh: Mesh) -> list[torch.Tensor]:
    """What the network is given of a picture [3, S, S] with a face where it stands, on its device."""
    given = image.clamp(0, 1), seen_in_mirror(image, mesh), place_map(mesh, network.places.cpu())
    return [small(x)[None].to(network.places.device) for x in given]


def seen_in_mirror(image: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """A face where it stands, each of its points with the colours of its like on the other side; and where it is: [4, S, S]."""
    face = mesh.covered[None].to(image)
    return torch.cat([sampled(image.clamp(0, 1), mesh.mirrored_places) * face, face])


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
