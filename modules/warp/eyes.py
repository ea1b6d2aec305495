"""Eyes that open much wider than the photo shows them, painted: a narrow eye stretched to a wide one is a blind, dark patch."""

import torch

from .aperture import Aperture, lit, pixel_middles, tint
from .mesh import Mesh

# each eye with the middle of its iris, which is followed by the iris's right, upper, left and lower edge
EYES = (
    (Aperture((246, 161, 160, 159, 158, 157, 173), (7, 163, 144, 145, 153, 154, 155), (33, 133)), 468),
    (Aperture((466, 388, 387, 386, 385, 384, 398), (249, 390, 373, 374, 380, 381, 382), (263, 362)), 473),
)
STRETCH, SURE = 1.9, 0.06  # from how many times as open on an eye is painted, and shares of its width until it is wholly
SCLERA, DARK, PUPIL, GLINT = (0.76, 0.71, 0.68), (0.20, 0.12, 0.08), (0.04, 0.03, 0.03), (0.95, 0.95, 0.95)
PALEST = 0.32  # what looks paler is haze, or a lid
TINGED = 0.35  # how far white takes the tint of skin and light
GLEAM = 1.2  # see `mouth.py`; an eye lies deeper than a cheek


def paint_eyes(
    image: torch.Tensor, covered: torch.Tensor, mesh: Mesh, before: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draws plain eyes where they open much further than they were, the iris in the colour that it has, as far as it shows.

    image [*, 3, S, S] of the face as it is drawn by `mesh`, covered [*, S, S], `before` [*, 478, >= 2] its points in the photo:
    one picture or many. Returns the picture and what
    is covered now: of shut eyes nothing was.
    """
    after = mesh.points
    opened = [[eye.gap(p) / eye.width(p) for p in (before, after)] for eye, _ in EYES]
    strength = torch.stack([(later - STRETCH * now) / SURE for now, later in opened]).clamp(0, 1).amax(0)
    if not (strength > 0).any():
        return image, covered
    light = (GLEAM * lit(image, mesh)).clamp(0.35, 1)
    skin = _mean(image, mesh.covered.unsqueeze(-3))
    white = tint(SCLERA, image) * light * (skin / skin.mean(-3, keepdim=True).clamp_min(1e-3)) ** TINGED
    for (eye, iris), (now, later) in zip(EYES, opened, strict=True):  # both or none, but for a wink
        alpha = eye.soft(mesh) * (strength * (later > now))[..., None, None, None]
        image = image * (1 - alpha) + _painted(image, after, eye, iris, light, white, alpha) * alpha
        covered = torch.maximum(covered, alpha.squeeze(-3))
    return image, covered


def _painted(image, points, eye: Aperture, iris: int, light, white, seen: torch.Tensor) -> torch.Tensor:
    """The eye [*, 3, S, S], of meaning where it is `seen`."""
    x, y = pixel_middles(image), pixel_middles(image)[:, None]
    across, down, radius = (value[..., None, None] for value in _iris(points, eye, iris))
    wide = eye.width(points)[..., None, None]

    def disc(share: float, edge: float, aside: float = 0.0) -> torch.Tensor:
        """Round the iris's middle, or up and to the left of it: share of its radius, the edge's softness, the shift."""
        away = torch.hypot(x - across + aside * radius, y - down + aside * radius)
        return torch.sigmoid((share * radius - away) / (edge * radius)).unsqueeze(-3)

    weight = disc(0.8, 0.06) * seen * torch.exp(-8 * image.mean(-3, keepdim=True))  # what is bright there is skin
    own = _mean(image, weight)
    own = own * (PALEST * light / own.mean(-3, keepdim=True).clamp_min(1e-3)).clamp(max=1)
    colour = torch.lerp(torch.lerp(own, tint(DARK, image), 0.35), tint(DARK, image) * 0.6, 1 - disc(0.85, 0.06))
    colour = torch.lerp(white, colour, disc(1.0, 0.06))
    colour = torch.lerp(colour, tint(PUPIL, image), disc(0.4, 0.06))
    below = y - eye.edges(points, x)[0][..., None, :]  # the upper lid throws a shadow, and the ball is round
    aside = (x - points[..., list(eye.corners), 0].mean(-1)[..., None, None]) / (0.5 * wide)
    shade = (0.55 + 0.45 * torch.sigmoid((below / wide - 0.1) / 0.04)) * (1 - 0.3 * aside.clamp(-1, 1) ** 2)
    colour = torch.lerp(colour * shade.unsqueeze(-3), tint(GLINT, image) * light, 0.8 * disc(0.18, 0.08, aside=0.35))
    return colour.clamp(0, 1)


def _iris(points: torch.Tensor, eye: Aperture, iris: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Its middle x and y and its radius [*], held to where an iris can be: in hardly open eyes it is guessed."""
    wide, ends, sides = eye.width(points), points[..., list(eye.corners), :2].mean(-2), points[..., [iris + 1, iris + 3], :2]
    level = points[..., list(eye.upper + eye.lower), 1].mean(-1)
    across = ends[..., 0] + (points[..., iris, 0] - ends[..., 0]).clamp(-0.2 * wide, 0.2 * wide)
    down = level + (points[..., iris, 1] - level).clamp(-0.1 * wide, 0.1 * wide)
    return across, down, (0.5 * (sides[..., 0, :] - sides[..., 1, :]).norm(dim=-1)).clamp(0.19 * wide, 0.23 * wide)


def _mean(image: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean colour [*, 3, 1, 1] of a picture where it counts."""
    return (image * weight).sum((-2, -1), keepdim=True) / weight.sum((-2, -1), keepdim=True).clamp_min(1e-9)
