"""The inside of a mouth painted plainly, where the face model has no maps of it."""

import torch

from .aperture import lit, pixel_middles, tint
from .mesh import Mesh
from .mouth import GLEAM, MOUTH

UPPER_LIP_MIDDLE = 13
CAVITY, TONGUE, TEETH = (0.16, 0.06, 0.06), (0.50, 0.25, 0.24), (0.88, 0.84, 0.78)
DROPPED = 0.3  # gap over width from which on a mouth shows more than teeth
TOOTH = 0.11  # of the mouth's width


def paint_plainly(image: torch.Tensor, mesh: Mesh, before: torch.Tensor) -> torch.Tensor:
    """Draws a plain mouth interior where the mouth opens further than it was, as stretched lips would look like a tongue, and
    where a dropped jaw rises: what was deep inside would be squeezed between the lips.

    image [*, 3, S, S] of the face as it is drawn by `mesh`, `before` [*, P, >= 2] its points in the photo: one picture or many.
    """
    after = mesh.points
    wide = MOUTH.width(after)[..., None, None]
    strength = _unknown(before, after)[..., None, None]
    if not (strength > 0).any():
        return image
    pixels = pixel_middles(image)
    upper, lower = (edge[..., None, :] for edge in MOUTH.edges(after, pixels))
    corners = after[..., list(MOUTH.corners), :2]
    below, across = pixels[:, None] - upper, (pixels - corners[..., 0].mean(-1)[..., None, None]) / wide
    aside = 2 * across.abs()
    # a smile lifts the corners above the lip and bares the teeth; a mouth that drops hides most of them
    smile = (after[..., UPPER_LIP_MIDDLE, 1] - corners[..., 1].mean(-1))[..., None, None] / wide
    bared = 0.3 + 0.7 * ((smile + 0.1) / 0.15).clamp(0, 1)
    teeth = torch.sigmoid((0.13 * wide * bared - below) / (0.02 * wide)) * torch.sigmoid((0.75 - aside) * 12) * 0.92
    gaps = torch.cos(torch.pi * across / TOOTH).unsqueeze(-3) ** 8  # one is in the middle
    tongue = torch.sigmoid((below / (lower - upper).clamp_min(1) - 0.68) * 10) * torch.sigmoid((0.72 - aside) * 8)
    light = (GLEAM * lit(image, mesh)).clamp(0.4, 1)
    colour = torch.lerp(tint(CAVITY, image), tint(TONGUE, image), tongue.unsqueeze(-3)) * light
    white = tint(TEETH, image) * (0.5 + 0.5 * light) * (1 - 0.25 * gaps)  # dark skin has bright teeth
    colour = torch.lerp(colour, white, teeth.unsqueeze(-3))
    alpha = MOUTH.soft(mesh) * strength.unsqueeze(-3)
    return image * (1 - alpha) + colour.clamp(0, 1) * alpha


def _unknown(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """How little the photo says of the mouth's inside, 0..1 [*]."""
    now, later = (MOUTH.gap(points) / MOUTH.width(points) for points in (before, after))
    opened = (MOUTH.gap(after) - 1.3 * MOUTH.gap(before)) / (0.04 * MOUTH.width(after))
    risen = torch.minimum(now - DROPPED, 0.7 * now - later) / 0.1
    return torch.maximum(opened, risen).clamp(0, 1)
