"""An eye's ball as one photo shows it, completed where the lids hide it: what can be turned, and covered by other lids.

Eyes are measured in a frame of their own: u along the line between both eyes in widths of the eye, v down from it in the same
length, both from the middle between the corners. All functions take pictures of one batch; `E` are the two eyes.
"""

from typing import NamedTuple

import torch

from ..affine import FRAME
from .aperture import Aperture, curve, tint
from .masks import fill
from .mesh import sampled

# each eye with the middle of its iris, which is followed by the iris's right, upper, left and lower edge
EYES = (
    (Aperture((246, 161, 160, 159, 158, 157, 173), (7, 163, 144, 145, 153, 154, 155), (33, 133)), 468),
    (Aperture((466, 388, 387, 386, 385, 384, 398), (249, 390, 373, 374, 380, 381, 382), (263, 362)), 473),
)
CORNERS = [[33, 133], [362, 263]]  # of both eyes, from left to right in the picture
IRISES = [iris for _, iris in EYES]
UPPER, LOWER = ([[*ends, *lid] for ends, lid in zip(CORNERS, lids, strict=True)] for lids in
                ([eye.upper for eye, _ in EYES], [eye.lower for eye, _ in EYES]))  # fmt: skip
NOSE, JAW = 2, [132, 361]  # two parts below the nose and one at the ears are as deep as the eyes, and no expression moves them
REACH, CELLS = (0.75, 0.45), (80, 48)  # of the frame that is kept to each side, and its cells at 256 px
RADIUS = 0.19, 0.23  # of an iris, of the eye's width
ASIDE, ALOFT, GUESSED = 0.29, 0.3, 0.1  # how far an iris goes from the middle, from the lids' level, and there in a shut eye
SEEN = 0.12  # gap of an eye, of its width, that shows where it looks

SCLERA, DARK, PUPIL = (0.76, 0.71, 0.68), (0.20, 0.12, 0.08), (0.04, 0.03, 0.03)
PALEST = 0.32  # what looks paler is haze, or a lid
TINGED = 0.35  # how far white takes the tint of skin and light
LASHES = 1.25, 1.0  # pixels of the 256 px crop at the upper and lower lid that show lashes and the lid's edge
RINGS, STEP = 14, 0.1  # of an iris's mean profile, and their distance in radii
UNSURE = 0.2  # cells' worth of plain colours in each ring
LIMBUS = 1.15  # radii from which on it is white
FALLEN, SHADOW = 0.35, 0.1  # how much darker the ball is below the upper lid, and how far, in widths
GLINT = 0.06  # how much brighter than its ring a reflection is


def carried(moved: torch.Tensor) -> torch.Tensor:
    """Displacements [*, 478, 3] whose irises go with the corners of their eyes: lids move, and the gaze stays."""
    moved = moved.clone()
    for eye, iris in EYES:
        moved[..., iris : iris + 5, :] = moved[..., list(eye.corners), :].mean(-2, keepdim=True)
    return moved


def lids_met(points: torch.Tensor) -> torch.Tensor:
    """Face points [*, 478, >= 2] in pixels whose upper lids stop at the lower ones."""
    points = points.clone()
    for eye, _ in EYES:
        upper, lower = list(eye.upper), list(eye.lower)
        points[..., upper, 1] = torch.minimum(points[..., upper, 1], points[..., lower, 1])
    return points


class Frame(NamedTuple):
    """Both eyes in pictures: middle, and what one step of u and of v is in pixels, each [B, E, 2]; upper and lower lid
    [B, E, 9, 2] in (u, v); the iris [B, E, 2] in (u, v)."""

    middle: torch.Tensor
    along: torch.Tensor
    down: torch.Tensor
    upper: torch.Tensor
    lower: torch.Tensor
    iris: torch.Tensor

    def of(self, points: torch.Tensor) -> torch.Tensor:
        """Pixels [B, E, N, 2] -> (u, v)."""
        return _measured(points, self.middle, self.along, self.down)

    def pixels(self, where: torch.Tensor) -> torch.Tensor:
        """(u, v) [B, E, ..., 2] -> pixels."""
        lead = (slice(None), slice(None), *[None] * (where.dim() - 3))
        return self.middle[lead] + where[..., :1] * self.along[lead] + where[..., 1:] * self.down[lead]

    def lids(self, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """v of both lids at u [N] or [B, E, N]: two of [B, E, N]."""
        return curve(self.upper, u), curve(self.lower, u)

    def gap(self) -> torch.Tensor:
        """Mean height of the opening [B, E]."""
        return (self.lower[..., 2:, 1].mean(-1) - self.upper[..., 2:, 1].mean(-1)).clamp_min(0)

    def pixel(self, size: int) -> torch.Tensor:
        """How much of v a pixel of the 256 px crop is, in a picture of this size: [B, E, 1, 1]."""
        return (size / FRAME / self.down.norm(dim=-1))[..., None, None]


def frames(photo: torch.Tensor, drawn: torch.Tensor) -> tuple[Frame, Frame]:
    """The eyes of a face in its photo and where it is drawn, points [B, 478, >= 2] each.

    A step of v is as long as one of u in the wider eye of the photo, the less foreshortened one; drawn it is longer by as much
    as the face is. So a texture is never stretched by lids.
    """
    (middle, line, width, tall), (there, other, wide, grown) = _axes(photo), _axes(drawn)
    step = width.amax(-1, keepdim=True).expand_as(width)
    before = _frame(photo, middle, line, width, step)
    after = _frame(drawn, there, other, wide, step * (grown / tall)[:, None])
    level = lambda f: (f.upper[..., 2:, 1].mean(-1) + f.lower[..., 2:, 1].mean(-1)) / 2  # noqa: E731
    way, sure = after.iris - before.iris, (before.gap() / SEEN).clamp(0, 1)
    iris = _held(before.iris, level(before), torch.full_like(sure, 1.5 * GUESSED))
    return before._replace(iris=iris), after._replace(iris=_held(iris + way, level(after), torch.lerp(
        torch.full_like(sure, GUESSED), torch.full_like(sure, ALOFT), sure)))  # fmt: skip


def _axes(points: torch.Tensor):
    """Middles [B, E, 2], unit line between the eyes [B, 2], widths [B, E], height of the face's middle part [B]."""
    ends = points[:, CORNERS, :2]
    middle = ends.mean(-2)
    line = torch.nn.functional.normalize(middle[:, 1] - middle[:, 0], dim=-1)
    width = ((ends[:, :, 1] - ends[:, :, 0]) * line[:, None]).sum(-1).clamp_min(1)
    below = (2 * points[:, NOSE, :2] + points[:, JAW, :2].mean(1)) / 3 - middle.mean(1)
    return middle, line, width, (below * _perpendicular(line)).sum(-1).clamp_min(1)


def _perpendicular(line: torch.Tensor) -> torch.Tensor:
    return torch.stack([-line[..., 1], line[..., 0]], -1)


def _frame(points, middle, line, width, step) -> Frame:
    along, down = line[:, None] * width[..., None], _perpendicular(line)[:, None] * step[..., None]
    seen = lambda which: _measured(points[:, which, :2], middle, along, down)  # noqa: E731
    iris = seen([[i] for i in IRISES])[:, :, 0]
    return Frame(middle, along, down, seen(UPPER), seen(LOWER), iris)


def _measured(points, middle, along, down) -> torch.Tensor:
    way = points - middle[:, :, None]
    return torch.stack([(way * a[:, :, None]).sum(-1) / a.pow(2).sum(-1, keepdim=True) for a in (along, down)], -1)


def _held(iris: torch.Tensor, level: torch.Tensor, aloft: torch.Tensor) -> torch.Tensor:
    """Irises [B, E, 2] kept where they can be, `aloft` [B, E] from the lids' level: in hardly open eyes they are guessed."""
    return torch.stack([iris[..., 0].clamp(-ASIDE, ASIDE), level + (iris[..., 1] - level).clamp(-aloft, aloft)], -1)


class Ball(NamedTuple):
    """Pictures [B, E, 3, h, w] in the eye's frame, without the upper lid's shadow: the white, the iris with what is around it,
    and what it reflects; and the line of the upper lashes [B, E, 3, 1, w]. `iris` [B, E, 2] is its middle, `radius` [B, E]."""

    white: torch.Tensor
    coloured: torch.Tensor
    glint: torch.Tensor
    lashes: torch.Tensor
    iris: torch.Tensor
    radius: torch.Tensor

    def at(self, picture: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        """One of the pictures at (u, v) [B, E, H, W, 2]: [B, E, 3, H, W]."""
        h, w = picture.shape[-2:]
        return sampled(picture, (where / where.new_tensor(REACH) + 1) / 2 * where.new_tensor([w, h]))


def shadow(below: torch.Tensor) -> torch.Tensor:
    """What the upper lid leaves of the light, so far below it in widths of the eye."""
    return 1 - FALLEN * torch.exp(-((below.clamp_min(0) / SHADOW) ** 2))


def ball_of(image: torch.Tensor, frame: Frame, points: torch.Tensor, light: torch.Tensor, skin: torch.Tensor) -> Ball:
    """The balls in photos [B, 3, S, S] whose eyes are at `frame`, points [B, 478, >= 2]; brightness and mean colour of the skin
    (light [B, 1, 1, 1], skin [B, 3, 1, 1]) say what nothing shows."""
    size = image.shape[-1]
    cells = [round(n * size / FRAME) for n in CELLS]
    u, v = ((torch.arange(n).to(image) + 0.5) / n * 2 * r - r for n, r in zip(cells, REACH, strict=True))
    where = torch.stack(torch.meshgrid(u, v, indexing="xy"), -1).expand(len(image), 2, -1, -1, -1)
    seen = sampled(image[:, None].expand(-1, 2, -1, -1, -1), frame.pixels(where))
    upper, lower = (lid[..., None, :] for lid in frame.lids(u))
    pixel, v = frame.pixel(size), v[:, None]
    known = _step((v - upper) / pixel - LASHES[0]) * _step((lower - v) / pixel - LASHES[1])
    known = (known * (u.abs() < 0.47) * (known > 0.05))[:, :, None]
    line = torch.stack([u.expand_as(upper[..., 0, :]), upper[..., 0, :]], -1)[..., None, :, :]
    below = pixel[..., None] * line.new_tensor([[0, 0.0], [0, 0.5], [0, 1.0]])[:, None]
    lashes = sampled(image[:, None].expand(-1, 2, -1, -1, -1), frame.pixels(line + below)).amin(-2, keepdim=True)
    seen = seen / shadow(v - upper)[:, :, None]
    edges = points[:, [[i + 1, i + 3] for i in IRISES], :2]
    radius = (frame.of(edges)[..., 0].diff(dim=-1).abs()[..., 0] / 2).clamp(*RADIUS)
    away = torch.hypot(*(where - frame.iris[:, :, None, None]).unbind(-1))[:, :, None] / radius[..., None, None, None]
    white = _white(seen, known, away, light[:, None], skin[:, None])
    coloured, glint = _coloured(seen, known, away, white, light[:, None])
    return _both(Ball(white, coloured, glint, lashes, frame.iris, radius), frame)


def _step(pixels: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(pixels / 0.35)


def _white(seen, known, away, light, skin) -> torch.Tensor:
    """The white of the eye everywhere, continued from where it is seen."""
    plain = tint(SCLERA, seen) * light * (skin / skin.mean(-3, keepdim=True).clamp_min(1e-3)) ** TINGED
    grey, weight = seen.mean(-3, keepdim=True), known * torch.sigmoid((away - LIMBUS) / 0.03)
    usual = _mean(grey, weight + 1e-6)
    weight = weight * torch.sigmoid((grey / usual.clamp_min(1e-3) - 0.6) / 0.06) + 1e-3  # lashes are no white
    mixed = (seen * (weight - 1e-3) + plain * 1e-3) / weight
    return fill(mixed.flatten(0, 1), weight.flatten(0, 1)).view_as(seen)


def _coloured(seen, known, away, white, light) -> tuple[torch.Tensor, torch.Tensor]:
    """The iris as it is seen, elsewhere as its rings are in the mean; and what it reflects."""
    dark = known * torch.exp(-8 * seen.mean(-3, keepdim=True))  # what is bright there is a reflection, or skin
    own = _mean(seen, dark * (away < 0.85) + 1e-9)
    own = own * (PALEST * light / own.mean(-3, keepdim=True).clamp_min(1e-3)).clamp(max=1)
    own = torch.lerp(torch.where(_mean(known, away < 0.85) > 0.02, own, tint(DARK, seen)), tint(DARK, seen), 0.35)
    disc = lambda r: torch.sigmoid((r - away) / 0.06)  # noqa: E731
    plain = torch.lerp(white, torch.lerp(tint(DARK, seen) * 0.6, own, disc(0.85)), disc(1.0))
    plain = torch.lerp(plain, tint(PUPIL, seen), disc(0.4))
    ring = torch.arange(RINGS).to(seen)
    near = (1 - (away.flatten(2)[..., None] / STEP - ring).abs()).clamp_min(0)  # [B, E, h w, RINGS]
    sums = torch.cat([seen * dark, dark, plain, torch.ones_like(dark)], -3).flatten(3) @ near  # [B, E, 8, RINGS]
    known_sum, share, plain_sum, cells = sums.split([3, 1, 3, 1], -2)
    rings = (known_sum + UNSURE * plain_sum / cells.clamp_min(1e-6)) / (share + UNSURE)
    smooth = (rings @ near.mT).view_as(seen)
    smooth = torch.where(away < (RINGS - 1) * STEP, smooth, white)
    bright = ((seen - smooth).amin(-3, keepdim=True) > GLINT) & (away < 1)
    glint = (seen - smooth).clamp_min(0) * bright * known
    return torch.lerp(smooth, seen - glint, known), glint


def _mean(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (values * weight).sum((-2, -1), keepdim=True) / weight.sum((-2, -1), keepdim=True).clamp_min(1e-9)


NARROW = 0.55  # an eye so much narrower than the other is seen from the side: the other's mirror image is drawn in its place


def _both(ball: Ball, frame: Frame) -> Ball:
    """Of an eye that is seen from the side the other one's mirror image."""
    width = frame.along.norm(dim=-1)
    aside = width < NARROW * width.flip(-1)
    if not aside.any():
        return ball
    pick = lambda own: torch.where(aside[..., None, None, None], own.flip(1, -1), own)  # noqa: E731
    iris = torch.where(aside[..., None], ball.iris.flip(1) * ball.iris.new_tensor([-1.0, 1.0]), ball.iris)
    return Ball(*(pick(x) for x in ball[:4]), iris, torch.where(aside, ball.radius.flip(1), ball.radius))
