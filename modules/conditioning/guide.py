"""The guide: a coarse draft of the result, the selfie's face warped to the background's pose and the asked expression.

It is a preview for the artist and an extra input of the UNet, never the result: light, skin tone at the border, teeth and
everything behind the lips are the UNet's work.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from kornia.color import lab_to_rgb, rgb_to_lab

from ..faces.align import FRAME
from ..faces.light import side_light
from ..faces.mask import blurred, feather, fill, grow, widened
from ..faces.shape import FaceShape, Fit
from ..faces.warp import Mesh, rasterise
from .skin import Skin, put_on

UPPER_INNER_LIP = (191, 80, 81, 82, 13, 312, 311, 310, 415)
UPPER_LIP_MIDDLE = 13
LOWER_INNER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
INNER_CORNERS = (78, 308)
# points from the brows' upper edge to the top of the mesh, where a fringe may hang
FOREHEAD = (
    10, 338, 297, 332, 284, 251, 109, 67, 103, 54, 21, 151, 337, 299, 333, 298, 301, 108, 69, 104, 68, 71,
    9, 336, 296, 334, 293, 300, 107, 66, 105, 63, 70,
)  # fmt: skip
# CIELAB distance from the face's skin, lightness counted .6, above which the forehead may be hair; and is, if it begins as ROOT
FRINGE, ROOT = 16.0, 30.0
CONTRAST = 1.15  # of the drawn face, over that of the face whose place it takes: less of it costs likeness
HAIRLINE = 5.0  # pixels of the 256 px crop from the mesh's border within which hair begins
CAVITY, TONGUE, TEETH = (0.16, 0.06, 0.06), (0.50, 0.25, 0.24), (0.88, 0.84, 0.78)
GLEAM = 1.3  # of the face's bright parts: where the light gives a cheek three quarters, teeth have their full colour


class Tone(NamedTuple):
    """Mean and spread of colours in CIELAB, [3, 1] each."""

    mean: torch.Tensor
    spread: torch.Tensor


@dataclass
class Crop:
    """A face in the canonical frame: picture [3, S, S] 0..1, points [478, 3] in its pixels, code [52] as measured.

    What its methods say with `triangles` is found once, for every word drawn in this picture.
    """

    image: torch.Tensor
    points: torch.Tensor
    code: torch.Tensor
    _found: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    def _once(self, name: str, find: Callable):
        if name not in self._found:
            self._found[name] = find()
        return self._found[name]

    def index(self, triangles: torch.Tensor) -> torch.Tensor:
        """The triangle of the face at each pixel [S, S], -1 beside it."""
        return self._once("index", lambda: rasterise(self.points[:468], triangles, self.image.shape[-1])[0])

    def still_right(self, triangles: torch.Tensor) -> torch.Tensor:
        """Where the picture needs no repainting if another face takes this one's place: see `still_right`."""
        return self._once("still right", lambda: still_right(self.index(triangles), triangles))

    def tone(self, triangles: torch.Tensor) -> Tone | None:
        """Of the face's own pixels; None if there are too few of them to tell."""
        return self._once("tone", lambda: tone(colours(self.image, self.index(triangles) >= 0)))

    def fit(self, shape: FaceShape) -> Fit:
        return shape.fit(self.points[None], self.code[None])

    def side_light(self, mirror: torch.Tensor) -> torch.Tensor:
        return side_light(self.image, self.points, mirror)


def face_mask(background: Crop, placed: Mesh, triangles: torch.Tensor, pixels: float) -> torch.Tensor:
    """The part to repaint [S, S], 0 or 1: both faces' silhouettes, grown."""
    both = (background.index(triangles) >= 0) | (placed.index >= 0)
    return grow(both.float()[None, None], pixels)[0, 0]


def draft(
    selfie: Crop,
    background: Crop,
    placed: Mesh,
    mask: torch.Tensor,
    triangles: torch.Tensor,
    colour: float = 0.7,
    border: float = 6.0,
    mirror: torch.Tensor | None = None,
    light: float = 0.0,
) -> torch.Tensor:
    """The guide picture [3, S, S]: the background outside `mask` [S, S]; inside, the warped face, around it what stays right of
    the background's own picture (hair, ears, forehead), and a smooth fill where neither is known.

    `colour`: share of the way that the face's mean colour and contrast go to those of the background's face.
    `border`: pixels of the 256 px crop over which the warped face fades into what is around it.
    `mirror` [478], see `shape.mirrored_points`: what the selfie hides is drawn from its mirror image; without it, it is filled.
    `light`: share of the way that the selfie's light from the side goes to the background's; needs `mirror`.
    """
    gain = torch.exp(light * (background.side_light(mirror) - selfie.side_light(mirror))) if light > 0 else None
    drawn, covered = put_on(Skin(selfie.image, selfie.points, gain), placed, triangles, mirror)
    covered = covered * (1 - fringe(drawn, covered, placed.index, triangles))
    drawn = match_colour(drawn, covered, background.tone(triangles), colour)
    drawn = paint_mouth(drawn, placed.index, selfie.points, placed.points, triangles)  # teeth have no skin colour to match
    covered = torch.maximum(covered, mouth_interior(placed.index, triangles))  # a closed mouth has nothing to show there
    soft = feather(covered[None, None] * mask, border * len(mask) / FRAME)
    own = torch.maximum(background.still_right(triangles) * mask, 1 - mask)[None, None] * (1 - soft)
    known = soft + own
    filled = fill((drawn[None] * soft + background.image[None] * own) / known.clamp_min(1e-6), known)
    return (drawn[None] * soft + background.image[None] * own + filled * (1 - known))[0].clamp(0, 1)


def still_right(theirs: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    """Where the background's picture needs no repainting [S, S] 0..1: beside its face, and on its forehead.

    `theirs` [S, S]: the triangle of the background's face at each pixel, -1 beside it.
    """
    beside = ((theirs < 0) | _between(FOREHEAD, theirs, triangles)).float()[None, None]
    pixel = theirs.shape[-1] / FRAME
    return blurred(grow(beside, -3 * pixel), 2.0 * pixel)[0, 0]


def colours(image: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """The pixels of a picture [3, S, S] on `where` [S, S] bool, in CIELAB: [3, N]."""
    return rgb_to_lab(image[:, where][..., None].clamp(0, 1))[..., 0]


def tone(lab: torch.Tensor) -> Tone | None:
    """Of CIELAB colours [3, N]; None if they are too few."""
    return Tone(lab.mean(1, keepdim=True), lab.std(1, keepdim=True)) if lab.shape[1] >= 16 else None


def match_colour(image: torch.Tensor, covered: torch.Tensor, theirs: Tone | None, strength: float) -> torch.Tensor:
    """Mean and spread of `image` where it is covered [S, S] moved towards `theirs`, in CIELAB (Reinhard et al. 2001), the
    spread towards `CONTRAST` times theirs; what is not covered stays.
    """
    if strength <= 0 or theirs is None:
        return image
    where = covered > 0
    lab = colours(image, where)
    own = tone(lab[:, covered[where] > 0.5])
    if own is None:
        return image
    gain = (CONTRAST * theirs.spread / own.spread.clamp_min(1e-3)).clamp(0.6, 1.6)
    moved = torch.lerp(lab, (lab - own.mean) * gain + theirs.mean, strength)
    matched = image.clone()
    matched[:, where] = lab_to_rgb(moved[..., None])[..., 0].clamp(0, 1)
    return matched


def fringe(image: torch.Tensor, covered: torch.Tensor, index: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    """Where hair hangs over the forehead [S, S] 0..1: the selfie's fringe is not the background person's hair.

    Hair is what differs in colour from the middle of the rest of the face, which is mostly skin, and hangs on to the border of
    the mesh: brows and shadows on the forehead are the person's.
    """
    forehead = _between(FOREHEAD, index, triangles) & (covered > 0)
    rest = (covered > 0) & ~forehead
    if not forehead.any() or rest.sum() < 64:
        return torch.zeros_like(covered)
    pixel = image.shape[-1] / FRAME
    smooth = blurred(image[None].clamp(0, 1), 1.5 * pixel)[0]
    middle = colours(smooth, rest).median(1, keepdim=True).values
    squares = ((colours(smooth, forehead) - middle) * middle.new_tensor([[0.6], [1.0], [1.0]])) ** 2
    apart = torch.zeros_like(covered)
    apart[forehead] = squares.sum(0).sqrt()
    apart = apart[None, None]
    hair = grow((apart > FRINGE).float(), -pixel)  # single pixels are wrinkles or light
    root = (apart > ROOT) * grow((index < 0).float()[None, None], HAIRLINE * pixel)
    hair = grow(connected(hair, root), 4 * pixel)  # the edge of hair is hair
    return blurred(hair, 2.0 * pixel)[0, 0] * forehead


def connected(mask: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """The parts of a mask [1, 1, S, S], 0 or 1, that touch `start`, gaps of a pixel allowed."""
    if not (mask * start).any():
        return torch.zeros_like(mask)
    rows, columns = (mask[0, 0].any(axis).nonzero() for axis in (1, 0))
    part = (..., slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    inside, found = mask[part], (mask * start)[part]
    while (more := widened(found, 2) * inside).sum() > found.sum():
        found = more
    whole = torch.zeros_like(mask)
    whole[part] = found
    return whole


def _between(points: tuple[int, ...], index: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    """Pixels [S, S] bool whose triangle has all its corners among `points`."""
    chosen = torch.zeros(468, dtype=torch.bool, device=index.device)
    chosen[list(points)] = True
    return chosen[triangles.long()].all(1)[index.clamp_min(0)] & (index >= 0)


def mouth_interior(index: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    """What lies between the lips, 0 or 1: index [*, S, S] -> [*, S, S]."""
    return _between(UPPER_INNER_LIP + LOWER_INNER_LIP + INNER_CORNERS, index, triangles).float()


def paint_mouth(
    image: torch.Tensor, index: torch.Tensor, before: torch.Tensor, after: torch.Tensor, triangles: torch.Tensor
) -> torch.Tensor:
    """Draws a plain mouth interior where the mouth opens further than it was: stretched lips would look like a tongue.

    image [*, 3, S, S], index [*, S, S], points [*, P, >= 2]: one picture or many.
    """
    upper, lower = list(UPPER_INNER_LIP), list(LOWER_INNER_LIP)
    gap = lambda p: (p[..., lower, 1] - p[..., upper, 1]).clamp_min(0).mean(-1)  # noqa: E731
    corners = after[..., list(INNER_CORNERS), :2]
    wide = (corners[..., 1, 0] - corners[..., 0, 0]).abs().clamp_min(1.0)[..., None, None]
    strength = ((gap(after) - 1.3 * gap(before))[..., None, None] / (0.04 * wide)).clamp(0, 1)
    if not (strength > 0).any():
        return image
    pixels = torch.arange(image.shape[-1], device=image.device, dtype=image.dtype) + 0.5
    lips = [_curve(torch.cat([corners, after[..., lip, :2]], -2), pixels)[..., None, :] for lip in (upper, lower)]
    below = pixels[:, None] - lips[0]
    aside = (pixels - corners[..., 0].mean(-1)[..., None, None]).abs() / (0.5 * wide)
    # a smile lifts the corners above the lip and bares the teeth; a mouth that drops hides most of them
    smile = (after[..., UPPER_LIP_MIDDLE, 1] - corners[..., 1].mean(-1))[..., None, None] / wide
    bared = 0.3 + 0.7 * ((smile + 0.1) / 0.15).clamp(0, 1)
    teeth = torch.sigmoid((0.13 * wide * bared - below) / (0.02 * wide)) * torch.sigmoid((0.75 - aside) * 12) * 0.92
    tongue = torch.sigmoid((below / (lips[1] - lips[0]).clamp_min(1) - 0.75) * 12)
    tint = lambda rgb: torch.tensor(rgb, device=image.device)[:, None, None]  # noqa: E731
    light = (GLEAM * lit(image, index)).clamp(0.4, 1)
    colour = torch.lerp(tint(CAVITY), tint(TONGUE), tongue.unsqueeze(-3)) * light
    colour = torch.lerp(colour, tint(TEETH) * (0.5 + 0.5 * light), teeth.unsqueeze(-3))  # dark skin has bright teeth
    mouth = mouth_interior(index, triangles)
    alpha = blurred(mouth.view(-1, 1, *mouth.shape[-2:]), 0.9 * image.shape[-1] / FRAME).view(mouth.shape)
    alpha = (alpha * strength).unsqueeze(-3)
    return image * (1 - alpha) + colour.clamp(0, 1) * alpha


def lit(image: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """How bright the light on a face is, whatever its skin: the 90 % quantile of its grey values, [*, 1, 1, 1]."""
    grey = torch.where(index >= 0, image.mean(-3), torch.nan)
    return grey.flatten(-2).nanquantile(0.9, -1)[..., None, None, None]


def _curve(points: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Height of the line through points [*, N, 2] at each of the places x [S]: [*, S]; level beyond its ends."""
    points = points.gather(-2, points[..., 0].argsort(-1)[..., None].expand(points.shape))
    x = x.expand(*points.shape[:-2], -1)
    right = torch.searchsorted(points[..., 0].contiguous(), x.contiguous()).clamp(1, points.shape[-2] - 1)
    at = lambda k: points.gather(-2, k[..., None].expand(*k.shape, 2)).unbind(-1)  # noqa: E731
    (x0, y0), (x1, y1) = at(right - 1), at(right)
    return torch.lerp(y0, y1, ((x - x0) / (x1 - x0).clamp_min(1e-6)).clamp(0, 1))
