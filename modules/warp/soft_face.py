"""How a face in hard light would look in soft light: what faces in soft light have in common, fitted to it robustly.

The network of `faces/lights.py` has the mean of many, and the ways in which they differ, as log light at the mesh's points.
What of a face differs from its fit more than skin does is light, and goes; features, beard and fine structure are its own.
"""

from typing import NamedTuple

import torch

from ..affine import FRAME
from ..faces.lights import FAINT, GAMMA, LightNetwork
from .eyes import EYES
from .front import BROW, EYE, LIP, NOSE, NOSTRIL, features_of
from .masks import blurred, fill, grow, plane
from .mesh import POINTS, Mesh, areas, at_points, sampled
from .mouth import MOUTH
from .strip import Strip

# Limits of how far a face's skin is from its fit in usual light, as a picture's values 0..1 (rms over the upper face):
# in light, one side against the other, and in chroma. Of 98 portraits by daylight nine in ten have less than .12, .23 and .05
HARD, LOPSIDED, TINTED, RIM = 0.16, 0.22, 0.075, 12.0
ROUND, LARGEST = 2.0, 3.0  # pixels of the 256 px crop over which light is averaged; a point's weight by its area, over the mean
# Spread (log) of exposure, and of the tint of all of the light: red against the others, green against blue
EXPOSURE, TINT = 0.6, 0.15
STIFF = 6.0  # what the spread of faces counts beside the points: those are not independent
SCALES = 1.0, 0.7, 0.5, 0.35, 0.3, 0.3  # of the Cauchy weights of the fit, step by step
# Logs by which skin may differ from the fit, in light and in chroma, and by what both of its sides have, brighter by less;
# features upwards, downwards, and in chroma
SKIN, HUE, OWN, GLEAM, FEATURE, DARK, PAINT = 0.25, 0.12, (0.8, 0.2), 0.3, 1.0, 1.6, 0.6
NEAR = 1.0  # pixels of the 256 px crop over which sides are compared
BEARD, BLUR = 0.25, 3.0  # darker than the fit by so much on both sides of a face below its nose; pixels, to tell
EDGE, JOIN = 1.0, 0.7  # pixels of the 256 px crop that features are grown by, and over which what is found is smoothed
HAIR, SOFT = 1.2, 3.0  # darker than the fit, above the mesh: no skin; pixels of the 256 px crop over which a gain ends
LIT, UP = 0.7, 0.5  # of the skin, which part has the person's tone: the best lit; and the most that it is brightened for that


class Fit(NamedTuple):
    """Log light at the mesh's points [468, 3], as in soft light but for exposure, and how it is off from that."""

    light: torch.Tensor
    off: torch.Tensor


def fitted(network: LightNetwork, seen: torch.Tensor, weight: torch.Tensor) -> Fit:
    """The face in soft light that is most like log light [468, 3] at points that count `weight` [468].

    The greatest posterior with normal coefficients, by iteratively reweighted least squares with Cauchy weights
    (Holland & Welsch 1977), whose scale shrinks: shadows, gleams and what is burnt lose their say.
    """
    usual, ways = network.usual.to(seen), network.ways.to(seen)
    lamps = seen.new_tensor([[EXPOSURE] * 3, [TINT, -TINT / 2, -TINT / 2], [0, TINT, -TINT]])
    ways = torch.cat([ways, lamps[:, None].expand(-1, POINTS, -1)]).flatten(1).T
    step, found = (seen - usual).flatten(), seen.new_zeros(ways.shape[1])
    found[-3] = (step * weight.repeat_interleave(3)).sum() / (3 * weight.sum() * EXPOSURE)
    for scale in SCALES:
        off = (step - ways @ found).view(POINTS, 3)
        near = (weight / (1 + off.square().mean(1) / scale**2)).repeat_interleave(3) / scale**2
        normal = (ways * near[:, None]).T @ ways + STIFF * torch.eye(len(found)).to(ways)
        found = torch.linalg.solve(normal, ways.T @ (near * step))
    light = usual + (ways @ found).view(POINTS, 3)
    return Fit(light, seen - light)


def how_unlike(fit: Fit, weight: torch.Tensor, mesh: Mesh) -> float:
    """How hard or coloured the light on a face is, by what its upper part differs from its fit, over the limits above;
    `hard_light.UNLIKE` says from where on that is hard. weight [468] of points.

    As it is seen, not in logs: a gleam on dark skin is not the more of one. mesh: the face where it stands.
    """
    plain = plain_points(mesh.points, mesh)
    off = fit.off - fit.off.mean(1)[plain].median()
    step = values_of(fit.light + fit.off) - values_of(fit.light + fit.off - off)
    light, hue = step.mean(1), step - step.mean(1, keepdim=True)
    hue = hue - hue[plain].median(0).values
    weight = weight * plain / (weight * plain).sum().clamp_min(1e-6)
    rms = lambda square: float((weight * square).sum().sqrt())  # noqa: E731
    lopsided = light - light[mesh.topology.mirror[:POINTS]]
    found = (light.square(), HARD), (lopsided.square(), LOPSIDED), (hue.square().sum(1), TINTED)
    return max(rms(square) / limit for square, limit in found)


def values_of(light: torch.Tensor) -> torch.Tensor:
    """Of log light the values 0..1 that a picture has."""
    return (torch.exp(light) - FAINT).clamp(0, 1) ** (1 / GAMMA)


def left_gain(network: LightNetwork, image: torch.Tensor, base: torch.Tensor, before: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """The logarithm of the gain [3, S, S] of linear light that takes the light off a face of a picture [3, S, S] that differs
    from its fit, also above the mesh, on the forehead; base, before [3, S, S]: the picture's log light without what is fine,
    and as it was before the network's gain.
    """
    pixel = image.shape[-1] / FRAME
    fit = fitted(network, light_at(image, mesh), weights_of(mesh))
    face = mesh.covered.to(image)
    off = base - fill((mesh.interpolate(fit.light).movedim(-1, 0) * face)[None], face[None, None])[0]
    *features, nose = features_of(mesh)
    feature = torch.stack(features).any(0) | (nose & (off.mean(0) < 0)) | dark_below_nose(off, mesh)
    strip = Strip.of(mesh).covered & ~mesh.covered & (off.mean(0) > -HAIR)
    skin = (grow(plane(mesh.covered & ~feature), -EDGE * pixel)[0, 0] > 0) | strip
    light, hue = parts(off)
    both = parts(on_both_sides(off, mesh))
    own = torch.where(both[0] > 0, GLEAM, OWN[0]), OWN[1]  # two lamps gleam on both sides
    limits = zip((light, hue), both, (SKIN, HUE), own, strict=True)
    gain = torch.cat([bounded(x - like, most) + bounded(like, kept) - x for x, like, most, kept in limits])[None]
    skin = skin.to(image)[None, None]
    known = blurred(skin, JOIN * pixel)
    gain = fill(blurred(gain * skin, JOIN * pixel) / known.clamp_min(1e-3) * skin, skin)[0]
    rest, tint = light + gain[:1], hue + gain[1:]
    openings = torch.stack([opening.inside(mesh) for opening in (MOUTH, *(eye for eye, _ in EYES))]).amax(0)
    held = torch.where(openings > 0, rest, bounded(rest, torch.where(rest > 0, FEATURE, DARK))) - light
    gain = torch.where(feature & mesh.covered, torch.cat([held, bounded(tint, PAINT) - hue]), gain)
    gain = blurred(gain[None], JOIN * pixel)[0]
    inside = (2 * blurred(torch.maximum(skin, plane(mesh.covered).to(skin)), SOFT * pixel)[0] - 1).clamp_min(0)
    return (gain[:1] + gain[1:] + brighter(before, base + gain[:1], skin[0, 0])) * inside


def parts(off: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Logs [3, S, S] as light [1, S, S] and chroma [3, S, S]."""
    light = off.mean(0, keepdim=True)
    return light, off - light


def on_both_sides(off: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """What of logs [3, S, S] both sides of a face have [3, S, S]: the smaller of the two, 0 where they differ in sign. Faces
    are alike on both sides, light seldom is.
    """
    near = blurred(off[None], NEAR * off.shape[-1] / FRAME)[0]
    other = sampled(near, mesh.mirrored_places)
    least = torch.minimum(near.abs(), other.abs())
    return near.sign() * least * ((near * other > 0) & mesh.covered)


def bounded(value: torch.Tensor, limit: float | torch.Tensor) -> torch.Tensor:
    """As it is where it is small, never beyond the limit."""
    return value / (1 + (value / limit) ** 2).sqrt()


def dark_below_nose(off: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """Where below the nose a face is dark on both of its sides, as a beard is [S, S] bool; off [3, S, S]: from its fit."""
    pixel = off.shape[-1] / FRAME
    dark = blurred(off.mean(0)[None, None], BLUR * pixel)[0]
    other = sampled(dark, mesh.mirrored_places)
    row = torch.arange(off.shape[-1], device=off.device)[:, None]
    return (torch.maximum(dark, other)[0] < -BEARD) & mesh.covered & (row > mesh.points[NOSE, 1])


def brighter(before: torch.Tensor, after: torch.Tensor, skin: torch.Tensor) -> torch.Tensor:
    """By how much the best lit part of the skin [S, S] got darker, log light [3, S, S] each: a person's tone is seen there."""
    was, now = (light.mean(0)[skin > 0].quantile(LIT) for light in (before, after))
    return (was - now).clamp(0, UP)


def light_at(image: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """Log light [468, 3] at a face's points in a picture [3, S, S], averaged."""
    linear = blurred((image.clamp(0, 1) ** GAMMA)[None], ROUND * image.shape[-1] / FRAME)[0]
    return torch.log(sampled(linear, mesh.points[:POINTS, None, :2])[..., 0].T.clamp_min(0) + FAINT)


def weights_of(mesh: Mesh) -> torch.Tensor:
    """How much of a face each of its points stands for [468], 1 on the mean."""
    seen = areas(mesh.points[:POINTS], mesh.topology)
    around = at_points((seen * seen.sum().sign()).clamp_min(0), mesh.topology)  # what is turned away counts nothing
    return (around / around.mean().clamp_min(1e-6)).clamp(max=LARGEST)


def plain_points(points: torch.Tensor, own: Mesh) -> torch.Tensor:
    """Which of a face's points [478, 3] are on the skin of its upper part [468] bool; own: the face where it stands."""
    points, features = points[:POINTS], {*EYE, *BROW, *LIP, *NOSTRIL}
    inner = grow(own.covered.float()[None, None], -RIM * len(own.covered) / FRAME)
    plain = (points[:, 1] < points[NOSE, 1]) & (sampled(inner[0], points[:, None, :2])[0, :, 0] > 0.5)
    plain[[*features, *own.opposite(features)]] = False
    return plain
