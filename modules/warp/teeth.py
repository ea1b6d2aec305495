"""Teeth as photographs show them: what the two maps of the face model lack. Each person's are a little uneven; lines between
them are faint in the middle, crowns darker towards gum and edge.

Figures are medians over 34 open mouths and smiles of training portraits, whose teeth could be seen.
"""

import torch
import torch.nn.functional as F

from .masks import blurred
from .mesh import sampled

# units of the face model from the middle to the lines between teeth, upper and lower ones, as its maps have them
LINES = (0.0, 0.90, 1.46, 1.98, 2.40, 2.75), (0.0, 0.77, 1.34, 1.77, 2.15, 2.55)
GUM, EDGE = (-2.75, -4.55), (-3.62, -3.80)  # heights of the ends of the middle crowns
MOVED, LONGER, TILTED = 0.035, 0.045, 0.07  # how far a person's lines, ends and slopes of the edges differ from the model's
NOTCH = 0.07  # how much shorter a tooth is at its corners than in the middle of its edge
ROUND = 0.05  # units over which the end of one tooth becomes the next one's
SHARP, BROAD = 0.02, 0.22  # units over which maps are smoothed, which have steps; and what is a tooth's own shade
LINE = 0.8, 1.1  # of a line's depth, as a logarithm: half way up a tooth, and at its ends
CROWN = 0.10, 0.16  # how much darker a tooth is at the gum, and at its edge
WARM = 0.5, -0.3  # yellow of a tooth's root, and of its edge, which is clear
TURNS = 2.399963  # the golden angle


def wobble(points: torch.Tensor, count: int) -> torch.Tensor:
    """Numbers [count] of -1..1 that belong to a face [N, >= 2], wherever it stands and however large it is."""
    shape = points[:, :2].double()
    shape = ((shape - shape.mean(0)) / shape.std()).flatten()
    k, j = torch.meshgrid(torch.arange(1.0, count + 1), torch.arange(1.0, len(shape) + 1), indexing="ij")
    return torch.sin(4 * (torch.cos(TURNS * k * j).to(shape) @ shape)).float()


def of_person(maps: torch.Tensor, box: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """A person's maps [2, 5, h, w] from the face model's [2, 4, h, w]; the last one is how yellow a tooth is, -1..1.

    box: see `Interior`; points [N, >= 2] of the person's face at rest, whose content decides how the teeth differ.
    """
    left, top, scale = box.tolist()
    height, width = maps.shape[-2:]
    x, y = (torch.arange(n) + 0.5 for n in (width, height))
    x, y = left + x / scale, top - y / scale
    own = wobble(points, 6 * len(LINES[0]) * 2).view(2, 3, -1)
    found = []
    for which in (0, 1):
        aside, down = _uneven(which, x, y, own[which])
        place = torch.stack(torch.broadcast_tensors((aside - left) * scale, (top - down) * scale), -1)
        seen = blurred(sampled(maps[which], place)[None], SHARP * scale)[0]
        found.append(_shaded(seen, which, scale))
    return torch.stack(found)


def _uneven(which: int, x: torch.Tensor, y: torch.Tensor, own: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Where in the face model each place x [w], y [h] of a person's teeth lies: x [1, w] and y [h, w]; own [3, 2 n] -1..1."""
    half = torch.tensor(LINES[which])
    lines = torch.cat([-half.flip(0)[:-1], half])
    moved, longer, tilted = own[:, : len(lines) + 1]
    there = lines + MOVED * moved[:-1]
    ends = lines.new_tensor([-9.0, 9.0])  # beyond the last line all stays
    knots, shift = torch.cat([ends[:1], there, ends[1:]]), F.pad(lines - there, (1, 1))
    k = torch.searchsorted(knots, x).clamp(1, len(knots) - 1)
    share = (x - knots[k - 1]) / (knots[k] - knots[k - 1])
    aside = x + torch.lerp(shift[k - 1], shift[k], share)
    tooth = torch.searchsorted(there, x)
    middle, half = (knots[tooth] + knots[tooth + 1]) / 2, (knots[tooth + 1] - knots[tooth]) / 2
    beside = ((x - middle) / half).clamp(-1, 1) * (half < 1)
    end = LONGER * longer[tooth] + TILTED * tilted[tooth] * half.clamp_max(1) * beside - NOTCH * beside.abs() ** 3
    step = float((x[1] - x[0]).abs())
    end = blurred(end[None, None, None].expand(1, 1, 9, -1), ROUND / step)[0, 0, 4]
    grown = ((y - GUM[which]) / (EDGE[which] - GUM[which])).clamp(0, 1.2)
    return aside[None], y[:, None] + (-end if which else end) * grown[:, None]


def _shaded(seen: torch.Tensor, which: int, scale: float) -> torch.Tensor:
    """Maps [5, h, w] with the light that real teeth have, from [4, h, w]."""
    teeth, flesh, shade, depth = seen
    there = (teeth + flesh).clamp_min(0.05)
    along = teeth.cumsum(0) / teeth.sum(0).clamp_min(1e-3)  # from 0 at the upper end of a crown to 1 at the lower one
    up = 1 - along if which else along  # to its edge
    plain = (shade / there).clamp(1e-3, 1)
    broad = blurred(torch.stack([plain * teeth, teeth])[None], BROAD * scale)[0]
    broad = (broad[0] / broad[1].clamp_min(1e-3)).clamp(1e-3, 1)
    ends = (2 * up - 1) ** 2
    line = torch.lerp(torch.full_like(ends, LINE[0]), torch.full_like(ends, LINE[1]), ends)
    crown = 1 - CROWN[0] * (1 - up / 0.4).clamp(0, 1) ** 2 - CROWN[1] * ((up - 0.7) / 0.3).clamp(0, 1) ** 2
    shade = torch.lerp(shade, there * broad * (plain / broad) ** line * crown, teeth)
    warm = WARM[0] * (1 - up / 0.5).clamp(0, 1) + WARM[1] * ((up - 0.7) / 0.3).clamp(0, 1)
    return torch.stack([teeth, flesh, shade, depth, warm * teeth])
