"""The selfie's skin on a face in another place: drawn from the photo, its hidden half from the photo's mirror image, in
its own light or with a gain.
"""

from typing import NamedTuple

import torch

from ..faces.align import FRAME
from ..faces.light import gained
from ..faces.mask import blurred
from ..faces.shape import mirrored
from ..faces.warp import Mesh, areas, at_pixels, drawn_from, interpolated, shown

STRETCHED = 0.8, 0.5  # pixels of the photo for one of the drawing: where the mirror image begins to help, and may do all
LARGER = 2.0, 4.0  # how many times more of the skin the mirror image must show for that
LIP = 24  # twice the area in pixels below which a triangle is lip or lid, and never mirrored


class Skin(NamedTuple):
    """Where skin comes from: a picture [3, S, S] and its face points [478, 3]; gain [468] of its linear light, if any."""

    image: torch.Tensor
    points: torch.Tensor
    gain: torch.Tensor | None = None

    def mirrored(self, mirror: torch.Tensor) -> "Skin":
        """As a mirror shows it, each point on the other side of the face."""
        return Skin(*mirrored(self.image, self.points, mirror), None if self.gain is None else self.gain[mirror[:468]])


def put_on(
    skin: Skin, placed: Mesh, triangles: torch.Tensor, mirror: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Skin on a face where it is placed: picture [3, S, S], and where it is known [S, S].

    mirror [478], see `shape.mirrored_points`: what the photo hides or shows too flat is drawn from its mirror image.
    """
    drawn, covered = _drawn(skin, placed, triangles)
    if mirror is not None:
        other = skin.mirrored(mirror)
        share = at_pixels(better_seen(skin, other, placed.points, triangles), placed.index) * (placed.index >= 0)
        if share.any():
            share = blurred(share[None, None], 4.0 * len(share) / FRAME)[0, 0]
            instead, known = _drawn(other, placed, triangles)
            drawn, covered = torch.lerp(drawn, instead, share), torch.where(share > 0.5, known, covered)
    return drawn * covered, covered


def better_seen(skin: Skin, other: Skin, placed: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    """How much of each triangle [T], 0..1, to take from the mirror image `other`."""
    after = areas(placed[:468], triangles)
    own, theirs = (
        (areas(s.points[:468], triangles) * after.sign()).clamp_min(0) / after.abs().clamp_min(1) for s in (skin, other)
    )
    low, high = STRETCHED
    share = ((low - own) / (low - high)).clamp(0, 1)
    low, high = LARGER
    share = share * ((theirs / own.clamp_min(1e-3) - low) / (high - low)).clamp(0, 1)
    return share * shown(other.points[:468], placed[:468], triangles) * (after.abs() >= LIP)


def _drawn(skin: Skin, placed: Mesh, triangles: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One photo's skin in the drawing, and where it shows it well enough [S, S], 0 or 1."""
    points, index, weight = placed
    drawn, known = drawn_from(skin.image, skin.points[:468], points[:468], triangles, index, weight)
    if skin.gain is not None:
        drawn = gained(drawn, interpolated(skin.gain[:, None], triangles, index, weight).movedim(-1, -3))
    return drawn, known
