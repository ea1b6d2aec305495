"""The guide: a coarse draft of the result, the selfie's face warped to the background's pose and the asked expression.

It is a preview for the artist and an extra input of the UNet, never the result: light, skin tone at the border, teeth and
everything behind the lips are the UNet's work.
"""

from dataclasses import dataclass

import torch
from kornia.color import lab_to_rgb, rgb_to_lab
from kornia.filters import gaussian_blur2d

from ..faces.mask import feather, fill, grow, silhouette
from ..faces.shape import FaceShape, Fit
from ..faces.warp import redraw

UPPER_INNER_LIP = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_INNER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
INNER_CORNERS = (78, 308)
# points from the brows' upper edge to the top of the mesh, where a fringe may hang
FOREHEAD = (
    10, 338, 297, 332, 284, 251, 109, 67, 103, 54, 21, 151, 337, 299, 333, 298, 301, 108, 69, 104, 68, 71,
    9, 336, 296, 334, 293, 300, 107, 66, 105, 63, 70,
)  # fmt: skip
FRINGE = 16.0  # CIELAB distance from the face's skin, lightness counted .6, above which the forehead counts as hair
CAVITY = (0.16, 0.06, 0.06)
TEETH = (0.80, 0.76, 0.70)


@dataclass
class Crop:
    """A face in the canonical frame: picture [3, S, S] 0..1, points [478, 3] in its pixels, code [52] as measured."""

    image: torch.Tensor
    points: torch.Tensor
    code: torch.Tensor

    def fit(self, shape: FaceShape) -> Fit:
        return shape.fit(self.points[None], self.code[None])


def face_mask(background: Crop, placed: torch.Tensor, triangles: torch.Tensor, pixels: float) -> torch.Tensor:
    """The part to repaint [S, S], 0 or 1: both faces' silhouettes, grown."""
    size = background.image.shape[-1]
    both = torch.maximum(silhouette(background.points, triangles, size), silhouette(placed, triangles, size))
    return grow(both[None, None], pixels)[0, 0]


def draft(
    selfie: Crop,
    background: Crop,
    placed: torch.Tensor,
    mask: torch.Tensor,
    triangles: torch.Tensor,
    colour: float = 0.7,
    border: float = 6.0,
) -> torch.Tensor:
    """The guide picture [3, S, S]: the background outside `mask` [S, S], the warped face inside, a smooth fill between.

    `colour`: share of the way that the face's mean colour and contrast go to those of the background's face.
    `border`: pixels over which the warped face fades into the fill.
    """
    size = background.image.shape[-1]
    drawn, covered, index = redraw(selfie.image, selfie.points[:468, :2], placed[:468], triangles, size)
    drawn = paint_mouth(drawn, index, selfie.points, placed, triangles)
    covered = covered * (1 - fringe(drawn, covered, index, triangles))
    drawn = match_colour(drawn, covered, background.image, silhouette(background.points, triangles, size), colour)
    soft = feather(covered[None, None] * mask, border)
    known = torch.maximum(soft, 1 - mask[None, None])
    base = drawn[None] * soft + background.image[None] * (1 - mask)
    filled = fill(base / known.clamp_min(1e-6), known)
    inside = drawn[None] * soft + filled * (1 - soft)
    return (inside * mask + background.image[None] * (1 - mask))[0].clamp(0, 1)


def match_colour(
    image: torch.Tensor, where: torch.Tensor, other: torch.Tensor, there: torch.Tensor, strength: float
) -> torch.Tensor:
    """Mean and spread of `image` on `where` moved towards those of `other` on `there`, in CIELAB (Reinhard et al. 2001)."""
    if strength <= 0 or where.sum() < 16 or there.sum() < 16:
        return image
    mine, theirs = rgb_to_lab(image[None].clamp(0, 1)), rgb_to_lab(other[None].clamp(0, 1))
    a, b = mine[0][:, where > 0.5], theirs[0][:, there > 0.5]
    gain = (b.std(1) / a.std(1).clamp_min(1e-3)).clamp(0.6, 1.6)
    moved = (mine - a.mean(1)[None, :, None, None]) * gain[None, :, None, None] + b.mean(1)[None, :, None, None]
    return lab_to_rgb(mine + strength * (moved - mine))[0].clamp(0, 1)


def fringe(image: torch.Tensor, covered: torch.Tensor, index: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    """Where hair hangs over the forehead [S, S] 0..1: the selfie's fringe is not the background person's hair.

    Hair is what differs in colour from the middle of the rest of the face, which is mostly skin.
    """
    forehead = _between(FOREHEAD, index, triangles) & (covered > 0)
    rest = (covered > 0) & ~forehead
    if not forehead.any() or rest.sum() < 64:
        return torch.zeros_like(covered)
    lab = rgb_to_lab(gaussian_blur2d(image[None].clamp(0, 1), (7, 7), (1.5, 1.5)))[0]
    apart = (lab - lab[:, rest].median(1).values[:, None, None]) * lab.new_tensor([0.6, 1.0, 1.0])[:, None, None]
    hair = (forehead & (apart.norm(dim=0) > FRINGE)).float()[None, None]
    hair = grow(grow(hair, -1), 4)  # single pixels are wrinkles or light; the edge of hair is hair
    return gaussian_blur2d(hair, (9, 9), (2.0, 2.0))[0, 0] * forehead


def _between(points: tuple[int, ...], index: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    """Pixels [S, S] bool whose triangle has all its corners among `points`."""
    chosen = torch.zeros(468, dtype=torch.bool, device=index.device)
    chosen[list(points)] = True
    return chosen[triangles.long()].all(1)[index.clamp_min(0)] & (index >= 0)


def mouth_interior(index: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    """What lies between the lips, [S, S] 0 or 1."""
    return _between(UPPER_INNER_LIP + LOWER_INNER_LIP + INNER_CORNERS, index, triangles).float()


def paint_mouth(
    image: torch.Tensor, index: torch.Tensor, before: torch.Tensor, after: torch.Tensor, triangles: torch.Tensor
) -> torch.Tensor:
    """Draws a plain mouth interior where the mouth opens further than it was: stretched lips would look like a tongue."""
    upper, lower = list(UPPER_INNER_LIP), list(LOWER_INNER_LIP)
    gap = lambda p: (p[lower, 1] - p[upper, 1]).clamp_min(0).mean()  # noqa: E731
    opening = gap(after)
    wide = (after[INNER_CORNERS[1], 0] - after[INNER_CORNERS[0], 0]).abs().clamp_min(1.0)
    strength = ((opening - 1.3 * gap(before)) / (0.08 * wide)).clamp(0, 1)
    if strength <= 0:
        return image
    mouth = mouth_interior(index, triangles)
    rows = torch.arange(image.shape[-1], device=image.device, dtype=image.dtype)[:, None] + 0.5
    top = after[upper, 1].mean()
    down = ((rows - top) / opening.clamp_min(1)).expand_as(mouth)
    light = image[:, index >= 0].mean().clamp(0.15, 1) * 1.3
    teeth = torch.sigmoid((0.38 - down) * 14) * 0.85
    colour = torch.tensor(CAVITY, device=image.device)[:, None, None] * (1 - teeth)
    colour = (colour + torch.tensor(TEETH, device=image.device)[:, None, None] * teeth) * light
    alpha = gaussian_blur2d(mouth[None, None], (5, 5), (0.9, 0.9))[0] * strength
    return image * (1 - alpha) + colour.clamp(0, 1) * alpha
