"""Sharpness of a pasted face: what it has beyond a crop, over the lesser of what selfie and background have."""

import torch
import torch.nn.functional as F

from ...modules import affine
from ...modules.types import FineSkin, PasteRegion, Photo
from ...modules.warp.detail import luma, reduced
from ...modules.warp.masks import blurred, grow
from ...modules.warp.mesh import POINTS, Mesh, sampled
from ...modules.warp.mouth import MOUTH

LEAST = 1.25  # times a crop's pixels that selfie and place must have: with less there is no band to speak of
INSIDE, MOUTH_EDGE, WINDOW = 12.0, 2.0, 8.0  # of S = 256: from the outline, from the mouth's inside, for the regression


def sharpness(pictures: torch.Tensor, place: PasteRegion) -> dict[str, torch.Tensor]:
    """Pictures [n, H, W, 3] 0..1 with faces pasted in at `place`, of which n regions are known -> "sharpness" [n].

    The band: luma less the same brought to S pixels a crop and back. Of a picture only that part of its band counts which
    follows from the band of the selfie warped there, by a regression in windows of 8 px of S = 256; so grain, and sharpening
    of what is not the selfie's, gain nothing. Root mean square inside the face, without the inside of the mouth, over the
    lesser of those of selfie and background, each in its own pixels. NaN where selfie or place is hardly larger than a crop.
    """
    fine = place.fine or [None] * len(pictures)
    rows = zip(pictures, fine, place.to_frame, strict=True)
    background = place.background.expand(len(pictures), -1, -1, -1)
    return {"sharpness": torch.tensor([_one(p, background[i], *row, place.size) for i, (p, *row) in enumerate(rows)])}


def _one(picture: torch.Tensor, background: torch.Tensor, fine: FineSkin | None, matrix: torch.Tensor, size: int) -> float:
    side = affine.side(matrix, size)
    if fine is None or min(side, affine.side(fine.face.photo.matrix, size)) < LEAST * size:
        return float("nan")
    top, bottom, left, right = affine.extent(matrix[None], size, picture.shape[:2])
    cut = lambda x: luma(x[top:bottom, left:right, :3].float().permute(2, 0, 1))  # noqa: E731
    window = affine.shifted(matrix[None], left, top)
    photo = reduced(fine.face.photo, affine.side(fine.face.photo.matrix, size) / side)
    least = min(
        strength(photo, fine.face.points, fine, size), strength(Photo(cut(background), window[0]), fine.old, fine, size)
    )
    here = Photo(cut(picture), window[0])
    there = _band(Photo(warped(photo, fine, window, here.light.shape[-2:]), window[0]), size)
    return _rms(_explained(_band(here, size), there, side), _inside(fine.target, fine, window, here, size)) / least


def strength(photo: Photo, points: torch.Tensor, fine: FineSkin, size: int) -> float:
    """The root mean square of a picture's band inside its face, whose points [478, 3] are in its crop."""
    return _rms(_band(photo, size), _inside(points, fine, photo.matrix[None], photo, size))


def warped(photo: Photo, fine: FineSkin, window: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """The selfie's luma [1, H, W] on the points of the result: plainly, nothing hidden or completed."""
    size = fine.warp.shape[-1]
    place = Mesh.of(fine.target, fine.topology, size).interpolate(fine.face.points[:POINTS, :2]).movedim(-1, 0)[None]
    there = affine.sample(place, window, shape)[0].flatten(1).T[None]
    there = affine.apply(affine.invert(photo.matrix[None]), there)[0].view(*shape, 2)
    return sampled(photo.light, there, "bicubic")


def _band(photo: Photo, size: int) -> torch.Tensor:
    shape, factor = photo.light.shape[-2:], affine.side(photo.matrix, size) / size
    low = F.interpolate(photo.light[None], [max(1, round(n / factor)) for n in shape], mode="bilinear", antialias=True)
    return photo.light - F.interpolate(low, shape, mode="bilinear")[0]


def _inside(points: torch.Tensor, fine: FineSkin, window: torch.Tensor, photo: Photo, size: int) -> torch.Tensor:
    mesh, pixel = Mesh.of(points, fine.topology, size), size / 256
    face = grow(mesh.covered.float()[None, None], -INSIDE * pixel)
    face = face * (1 - grow(MOUTH.inside(mesh)[None, None], MOUTH_EDGE * pixel))
    return affine.sample(face, window, photo.light.shape[-2:], "zeros")[0] > 0.5


def _explained(band: torch.Tensor, by: torch.Tensor, side: float) -> torch.Tensor:
    """The part of a band [1, H, W] that follows from another one, by a regression around each pixel; none against it."""
    mean = lambda x: blurred(x[None], WINDOW * side / 256)[0]  # noqa: E731
    return (mean(band * by) / mean(by * by).clamp_min(1e-12)).clamp_min(0) * by


def _rms(band: torch.Tensor, where: torch.Tensor) -> float:
    return float(band[where].square().mean().sqrt())
