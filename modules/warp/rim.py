"""The tone of a drawn face and of what is around it brought together, by smooth gains that are fitted on skin along its rim."""

import torch
import torch.nn.functional as F
from kornia.color import rgb_to_lab

from ..affine import FRAME
from .light import GAMMA, apart
from .masks import blurred, grow, plane

GRID = 48  # pixels a side of the grid on which gains are fitted: they are smooth
PIXEL = GRID / FRAME
RIM = 10.0  # pixels of the 256 px crop, inwards from the face's border, within which they are fitted
SKIN = 20.0  # CIELAB distance from the middle of a face up to which it is skin; hair, beard and deep shadow are farther
AROUND = 0.35  # the most that the skin around gets brighter or darker: a wall of its colour must not glow
FAINT = 0.02  # that is added to a picture for its logarithm
DARK = 0.003  # linear light that is added to both sides, so that black has a logarithm
SCALE, ROUNDS = 0.15, 5  # of the Cauchy weights: log steps much larger than this count little
STIFF = 0.0, 0.02, 0.02, 0.1, 0.1, 0.1  # ridge on 1, x, y, xy, xx, yy, for each pixel
DOUBT = 22.0  # pixels of the grid that speak for no gain: where less of the rim is skin, less is done
NEAR, LOCAL = 24.0, 0.3  # how far what the fit leaves reaches into the face, pixels of the 256 px crop, and the most of it
SOFT = 4.0  # pixels of the 256 px crop over which the gain of what is around fades, at the mask's border and at hair
SKIN_TONE = 0.6  # the default `share` of `match_rim`: how far the selfie's skin tone goes to the background's
INNER, LINE = 8.0, 5.0  # pixels of the 256 px crop inside a drawn face's end, whose step goes on beside it, and over what way:
LEAST, MOST, TINT, FEW = -0.9, 0.25, 0.3, 0.02  # how far, logs of light and chroma, and the weight that speaks for none
SURE = 3.0  # the same, inside that end: where a place's skin tells what is like it
BESIDE = 0.1  # weight of a rim from which on it is near enough to tell what its skin is like
# logarithms of light and of chroma by which skin beside a face's own differs from it, and of light from which on hair does
DARKER, PALER, HUE, DEEP = (0.35, 0.7), (0.1, 0.3), (0.15, 0.3), (-0.2, 0.0)
FARTHER, APART = (5.0, 14.0), (0.2, 0.5)  # pixels beside a face where something else is, and logs by which it is told from skin
MEAN, DEEPEST = 0.25, 0.7  # the most that a face gets brighter or darker, as a logarithm: on the whole, and anywhere


def match_rim(
    drawn: torch.Tensor,
    known: torch.Tensor,
    around: torch.Tensor,
    mask: torch.Tensor,
    share: float,
    tells: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A drawn face [3, S, S] and the picture around it [3, S, S], so lit that their skin meets without a step.

    drawn is known where `known` [S, S] 0..1 is; `around` is the background's picture in the drawn face's shape, so that a place
    on one is the same place of a face on the other. What changes along the rim, as light from one side does, the face takes
    over. Of the step that is the same all along the rim it takes the `share` 0..1, at most `MEAN`; the skin around takes the
    rest, at most `AROUND`, fading to nothing at the border of `mask` [S, S]. tells [S, S or 1] 0..1: where the rim may show
    skin of both; None: all along it.
    """
    size = known.shape[-1]
    small = F.interpolate(torch.cat([drawn, around, known[None], mask[None]])[None], size=(GRID, GRID), mode="area")
    face, place, known, inside = small.clamp(0, 1).split((3, 3, 1, 1), 1)
    known = (known > 0.99).to(drawn.dtype)
    own, theirs = is_skin(torch.cat([face, place]), known).split(1)
    rim = (known - grow(known, -RIM * PIXEL)) * own * theirs
    if tells is not None:
        rim = rim * (F.interpolate(tells.expand(size, size)[None, None], size=(GRID, GRID), mode="area") > 0.5)
    gain = rim_gain(face, place, rim)
    mean = (gain * known[0]).sum((1, 2), keepdim=True) / known.sum().clamp_min(1)
    rest = mean - (share * mean).clamp(-MEAN, MEAN)
    reach = blurred(theirs * grow(inside, -SOFT * PIXEL), SOFT * PIXEL)
    gains = torch.cat([(gain - rest).clamp(-DEEPEST, DEEPEST), -rest.clamp(-AROUND, AROUND) * reach[0]])[None]
    factors = F.interpolate(torch.exp(gains / GAMMA), size=(size, size), mode="bilinear", align_corners=False)[0]
    return (drawn * factors[:3]).clamp_(0, 1), torch.where(mask > 0, (around * factors[3:]).clamp_(0, 1), around)


def led_rim(around: torch.Tensor, drawn: torch.Tensor, face: torch.Tensor, skin: torch.Tensor) -> torch.Tensor:
    """The surroundings [3, S, S] with what is left of their own face's skin in the colour of the one that is `drawn`
    [3, S, S] on `face` [S, S] 0..1: else it is a pale or dark line beside it.

    skin [S, S] 0..1: where on that face the surroundings are skin. Beside it what is like that skin is led, too, and roots of
    hair are where they get darker; a wall is neither.
    """
    pixel, whole = len(skin) / FRAME, plane(face > 0.5)
    rim = (whole - grow(whole, -INNER * pixel)) * (skin > 0.5) * is_skin(drawn[None], whole)  # a fringe says nothing
    theirs = torch.log(around[None] + FAINT)
    step = torch.log(drawn[None] + FAINT) - theirs
    inner = rim * grow(whole, -SURE * pixel)  # an outline that misses by a pixel or two has the wall in it
    near = blurred(torch.cat([step * rim, theirs * rim, rim, theirs * inner, inner], 1), LINE * pixel)[0]
    step, (light, hue) = near[:3] / (near[6:7] + FEW), _off(theirs[0], near[3:7])
    darker, other = _off(theirs[0], near[7:])
    own = near[3:6] / near[6:7].clamp_min(1e-4)
    beside = _until(light, PALER) * (near[6] / BESIDE).clamp(max=1)
    sure = _until(-torch.minimum(light, darker), DARKER) * _until(torch.maximum(hue, other), HUE)
    hue = _until(hue, HUE)
    alike = sure * beside * skin_share(theirs[0], own, whole)
    brighter = step.mean(0)
    share = torch.where(brighter < 0, torch.maximum(hue, _until(light, DEEP)) * beside, alike)
    step = brighter.clamp(LEAST, MOST) * share + (step - brighter).clamp(-TINT, TINT) * alike
    return (around * torch.exp(step)).clamp(0, 1)


def skin_share(logs: torch.Tensor, skin: torch.Tensor, face: torch.Tensor) -> torch.Tensor:
    """How much of each pixel beside a face [1, 1, S, S], 0 or 1, is skin and not what lies farther out: [S, S] 0..1.

    logs [3, S, S] of the picture, and of its skin near there. Of two colours that are nearly the same all is skin.
    """
    pixel, (low, high) = len(face[0, 0]) / FRAME, FARTHER
    ring = grow(face, high * pixel) - grow(face, low * pixel)
    both = blurred(torch.cat([logs[None] * ring, ring], 1), (high - low) * pixel)[0]
    way = skin - both[:3] / both[3:].clamp_min(1e-4)
    apart, told = way.square().sum(0).sqrt(), (both[3] > 1e-3).to(logs)
    share = ((logs - skin + way) * way).sum(0) / apart.square().clamp_min(1e-4)
    return torch.lerp(torch.ones_like(share), share.clamp(0, 1), told * (1 - _until(apart, APART)))


def _off(logs: torch.Tensor, near: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How much lighter a picture is than what is near, and how far off its hue [S, S] each: logs [3, S, S] of it; near
    [4, S, S]: of that times its weight, and the weight.
    """
    off = logs - near[:3] / near[3:].clamp_min(1e-4)
    light = off.mean(0)
    return light, (off - light).square().sum(0).sqrt()


def rim_gain(face: torch.Tensor, place: torch.Tensor, skin: torch.Tensor) -> torch.Tensor:
    """Log gain [3, G, G] of linear light that leads a face to another [1, 3, G, G] each, fitted on `skin` [1, 1, G, G], 0 or 1.

    Of second order in x and y, by iteratively reweighted least squares with Cauchy weights (Holland & Welsch 1977); what that
    leaves is added where it was found, smoothed.
    """
    y, x = skin[0, 0].nonzero(as_tuple=True)
    if len(y) == 0:
        return torch.zeros_like(face[0])
    own, theirs = (torch.log(image[0, :, y, x].pow(GAMMA) + DARK) for image in (face, place))
    here, step = terms(x, y), (theirs - own).T
    found = fitted(here, step)
    left = torch.zeros_like(face)
    left[0][:, y, x] = (step - here @ found).T.clamp(-LOCAL, LOCAL)
    near = blurred(torch.cat([left, skin], 1), NEAR * PIXEL)
    axis = torch.arange(GRID, device=face.device)
    return (terms(axis[None, :], axis[:, None]) @ found).movedim(-1, 0) + (near[:, :3] / (near[:, 3:] + 0.1))[0]


def is_skin(images: torch.Tensor, face: torch.Tensor, limit: float = SKIN) -> torch.Tensor:
    """Where pictures [B, 3, H, W] have nearly the middle colour of their face [1, 1, H, W] 0..1: [B, 1, H, W], 0 or 1.

    limit: CIELAB distance.
    """
    inside, skin = face[0, 0] > 0.5, torch.zeros_like(images[:, :1])
    if inside.any():
        for lab, found in zip(rgb_to_lab(images), skin, strict=True):
            middle = lab[:, inside].median(1, keepdim=True).values
            found[0] = (apart(lab.flatten(1), middle) < limit).view_as(inside)
    return skin


def terms(x: torch.Tensor, y: torch.Tensor, size: int = GRID) -> torch.Tensor:
    """1, x, y, xy, xx, yy of places on a grid of `size` pixels a side, the grid being -1..1: [..., 6]."""
    x, y = torch.broadcast_tensors(2 * (x + 0.5) / size - 1, 2 * (y + 0.5) / size - 1)
    return torch.stack([torch.ones_like(x), x, y, x * y, x * x, y * y], -1)


def fitted(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Coefficients [6, 3] for steps b [N, 3] at terms a [N, 6]; single steps unlike the others count little."""
    return robust_fit(a, b, SCALE, STIFF)[0] * len(a) / (len(a) + DOUBT)


def robust_fit(a: torch.Tensor, b: torch.Tensor, scale: float, stiff: tuple[float, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Coefficients [K, C] for which a [N, K] gives b [N, C], and the certainty [N, 1] of each row: what is left over much more
    than `scale` counts little. stiff: a ridge on each of the K, for each row.
    """
    ridge = torch.diag(a.new_tensor(stiff)) * len(a)
    certain, of_channels = torch.ones_like(b[:, :1]), b.new_ones(b.shape[1], 1)
    for _ in range(ROUNDS):
        found = torch.linalg.solve((a * certain).T @ a + ridge, (a * certain).T @ b)
        certain = 1 / (1 + (b - a @ found).square() @ of_channels / scale**2)
    return found, certain


def _until(values: torch.Tensor, limits: tuple[float, float]) -> torch.Tensor:
    """1 up to the first limit, 0 from the second on, evenly between."""
    low, high = limits
    return ((high - values) / (high - low)).clamp(0, 1)
