"""Eyes under moved lids: the ball of the photo, turned to where the drawn irises are and covered by the drawn lids.

The mesh alone stretches and squeezes what lies between the lids, and knows no gaze. Eyes that were shut in the photo get plain
ones, the iris in the colour that it has, as far as it shows.
"""

import torch

from .aperture import lit
from .eyeball import EYES, LIMBUS, Ball, Frame, ball_of, frames, shadow
from .light import gained
from .mesh import Mesh

__all__ = ["EYES", "paint_eyes"]

STILL, MOVED = 0.012, 0.04  # of an eye's width that lids or iris move: up to here the mesh's drawing stays, and from here none
LASHES = 0.8, 0.5  # pixels of the 256 px crop that the mesh's drawing keeps at the upper and lower lid
SHUT, LINE = (0.5, 2.0), 0.8  # pixels between lids that have met, where only lashes are seen, and half of what these cover
COARSE = 64  # pixels a side that tell the light and the skin
GLEAM = 1.2  # see `mouth.py`; an eye lies deeper than a cheek
FOLLOWS = 0.5  # share of the iris's way that a reflection on the cornea goes


def paint_eyes(
    image: torch.Tensor,
    covered: torch.Tensor,
    mesh: Mesh,
    photo: torch.Tensor,
    before: torch.Tensor,
    gain: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draws the eyes whose lids or gaze have moved: image [*, 3, S, S] of the face as it is drawn by `mesh`, covered [*, S, S],
    the photo [*, 3, S, S] with the face's points `before` [*, 478, >= 2], gain [*, 1, S, S] of the drawing's linear light.

    One picture or many. Returns the picture and what is covered now: of shut eyes nothing was.
    """
    lead = image.shape[:-3]
    flat = lambda x, n: x.reshape(-1, *x.shape[x.dim() - n :])  # noqa: E731
    photo, before, after = flat(photo, 3), flat(before, 2), flat(mesh.points, 2).to(before)
    then, now = frames(before, after)
    share = ((_change(then, now) - STILL) / (MOVED - STILL)).clamp(0, 1)
    if not share.any():
        return image, covered
    step = max(1, image.shape[-1] // COARSE)
    light = (GLEAM * lit(image, mesh, step)).clamp(0.35, 1)
    skin = _mean(image[..., ::step, ::step], mesh.covered.unsqueeze(-3)[..., ::step, ::step])
    ball = ball_of(photo, then, before, flat(light, 3), flat(skin, 3))
    image, covered = flat(image, 3).clone(), flat(covered, 2).clone()
    for eye in (0, 1):
        if not share[:, eye].any():
            continue
        rows, columns = _window(now, eye, image.shape[-1])
        colour, alpha = _layer(ball, then, now, eye, rows, columns, image.shape[-1])
        if gain is not None:
            colour = gained(colour, flat(gain, 3)[..., rows, columns])
        alpha = alpha * share[:, eye, None, None, None]
        part = (..., rows, columns)
        image[part] = torch.lerp(image[part], colour, alpha)
        covered[part] = torch.maximum(covered[part], alpha[:, 0])
    return image.view(*lead, *image.shape[1:]), covered.view(*lead, *covered.shape[1:])


def _change(then: Frame, now: Frame) -> torch.Tensor:
    """The most that lids or iris have moved, in widths of the eye: [B, E]."""
    u = torch.linspace(-0.4, 0.4, 17).to(now.middle)
    lids = torch.stack([a - b for a, b in zip(now.lids(u), then.lids(u), strict=True)]).abs().amax((0, -1))
    return torch.maximum(lids, (now.iris - then.iris).norm(dim=-1))


def _window(now: Frame, eye: int, size: int) -> tuple[slice, slice]:
    """Rows and columns of the picture with this eye in all of a batch."""
    corners = now.pixels(torch.cat([now.upper, now.lower], 2))[:, eye]
    low = (corners.amin((0, 1)) - 2).floor().long().clamp(0, size).tolist()
    high = (corners.amax((0, 1)) + 2).ceil().long().clamp(0, size).tolist()
    return slice(low[1], max(high[1], low[1])), slice(low[0], max(high[0], low[0]))


def _layer(ball: Ball, then: Frame, now: Frame, eye: int, rows: slice, columns: slice, size: int):
    """One eye's colours [B, 3, h, w] in a part of the picture, and how far they cover what is there [B, 1, h, w]."""
    pick = lambda parts: type(parts)(*(x[:, eye : eye + 1] for x in parts))  # noqa: E731
    ball, then, now = pick(ball), pick(then), pick(now)
    y, x = (torch.arange(part.start, part.stop).to(ball.white) + 0.5 for part in (rows, columns))
    pixels = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    where = now.of(pixels.view(1, 1, -1, 2))  # [B, 1, h w, 2]
    upper, lower = now.lids(where[..., 0])
    below, above = where[..., 1] - upper, lower - where[..., 1]
    shape = (len(where), 1, len(y), len(x))
    where, below, above = where.view(*shape, 2), below.view(shape), above.view(shape)
    way = now.iris - then.iris
    turned = where - now.iris[:, :, None, None]
    away = turned.norm(dim=-1) / ball.radius[..., None, None]
    disc = ((LIMBUS + 0.05 - away) / 0.15).clamp(0, 1)[:, :, None]
    white = ball.at(ball.white, where)
    coloured = ball.at(ball.coloured, turned + ball.iris[:, :, None, None])
    glint = ball.at(ball.glint, where - FOLLOWS * way[:, :, None, None] + (ball.iris - then.iris)[:, :, None, None])
    colour = torch.lerp(white, coloured, disc) + glint * disc
    pixel = now.pixel(size)
    alpha = torch.sigmoid((below / pixel - LASHES[0]) / 0.35) * torch.sigmoid((above / pixel - LASHES[1]) / 0.35)
    colour = colour * shadow(below)[:, :, None]
    was = torch.sub(*reversed(then.lids(where[..., 0].flatten(2)))).view(shape)
    shut = _shut((below + above) / pixel) * (1 - _shut(was / pixel))
    line = torch.sigmoid((below / pixel + LINE) / 0.35) * torch.sigmoid((above / pixel + LINE) / 0.35)
    colour = torch.lerp(colour, ball.at(ball.lashes, where), shut[:, :, None])
    alpha = torch.maximum(alpha, shut * line) * (where[..., 0].abs() < 0.5)
    return colour.clamp(0, 1)[:, 0], alpha


def _shut(gap: torch.Tensor) -> torch.Tensor:
    """How far only lashes are seen between lids with a gap of so many pixels."""
    return ((SHUT[1] - gap) / (SHUT[1] - SHUT[0])).clamp(0, 1)


def _mean(image: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean colour [*, 3, 1, 1] of a picture where it counts."""
    return (image * weight).sum((-2, -1), keepdim=True) / weight.sum((-2, -1), keepdim=True).clamp_min(1e-9)
