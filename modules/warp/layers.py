"""Of which pictures a coarse warp is drawn, pixel by pixel: the selfie's own skin, its mirror image, and the background.

Only as they were photographed: not where one fades into the other, behind hair, in place of what hid the face, stretched to
streaks, or painted.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F

from ..affine import FRAME
from ..types import Face, FineSkin, Photo
from .aperture import pixel_middles
from .beard import along_jaw
from .coarse import drawn_share, keep_mask
from .eyes import EYES
from .forehead import Above, Foreheads, above, dark
from .front import features
from .light import log_of, luma
from .masks import blurred, grow, plane
from .mesh import POINTS, Mesh, sampled
from .mouth import MOUTH, lips_of
from .outline import surroundings_place
from .skin import Skin, from_mirror, hair_mask, put_on, too_flat
from .structure import grain_of, grain_place, structure_of
from .unseen import gives_way, inside

BORDER = 4.0  # pixels of the 256 px crop over which the skin of a coarse warp fades into what is around it
EDGE = 3.0  # the same, over which a photo's structure ends
STRUCTURE, NEAR = 8.0, 2.0  # the same: what is larger is tone, which may differ; over how far two drawings are compared
PLAIN = 0.005  # variance of logarithms of luma below which there is no structure to compare
SAME = 0.3, 0.7  # structural similarity of two drawings from which on they count as alike, and from which on wholly
EVEN, STREAKED = (0.35, 0.7), 0.6  # of smaller over larger scale: lips all streaks, and none; what detail they lose by that
STRETCHED = 0.35, 0.6  # pixels of the photo's crop to one of the drawing: streaks, and none


class Layer(NamedTuple):
    """A picture that is drawn in a crop: where each pixel comes from, in the picture's own crop, and its weight."""

    photo: Photo
    place: torch.Tensor  # [1, 2, S, S]
    weight: torch.Tensor  # [S, S] 0..1
    led: bool = False  # to the tone that the layers before would have here: it is skin of another place


def layers_of(fine: FineSkin, background: Photo, mask: torch.Tensor) -> list[Layer]:
    """The selfie's skin and the background's surroundings; mask [S, S] of what was repainted."""
    mesh, pixel = Mesh.of(fine.target, fine.topology, len(mask)), len(mask) / FRAME
    skin = Skin(fine.skin, fine.face.points, shown=fine.face.shown)
    image, covered = put_on(skin, mesh, complete=True)
    openings = torch.stack([aperture.soft(mesh)[0] for aperture in (MOUTH, *(eye for eye, _ in EYES))]).amax(0)
    way = gives_way(skin, mesh)
    outline, another = fine.old if fine.outline is None else fine.outline, fine.foreheads is not None
    place = surroundings_place(outline, mesh, mask, another and fine.share > 0)
    photo, hair = covered * (1 - way), hair_mask(image, covered, mesh)
    covered = torch.maximum(photo * (1 - hair), openings)
    top, face = None, mesh.covered
    if another:
        photo = photo * (1 - dark(hair, image, photo))
        top = above(skin, mesh, image, photo, *Foreheads(*fine.foreheads).beside(place))
        face = face | (top.share > 0.5)
    soft = drawn_share(covered, mask, mesh, fine.old, fine.outline, top, BORDER)[0, 0]
    painted = openings * (1 - alike(log_of(luma(image)), log_of(luma(fine.warp)), covered[None], pixel)[0])
    known = soft * (1 - painted) * grow((face * mask)[None, None], -2 * pixel)[0, 0]
    own = _own(skin, fine.face)
    grain = _grain(skin, mesh, fine.face, own) if another else None
    places = _skin_places(skin, mesh, fine.face, top, own, grain)
    shown, lips = known * fine.share, lips_of(mesh) * STREAKED
    found = [Layer(of, at, shown * share * (1 - lips * streaked(at, pixel)), led) for of, at, share, led in places]
    if fine.mouth is not None:
        middles = pixel_middles(mask)
        here = torch.stack(torch.meshgrid(middles, middles, indexing="xy"))[None]
        within = MOUTH.cover(mesh.points, len(mask), 2 * pixel, -pixel) * mask * painted
        found.append(Layer(fine.mouth, here, within * fine.share))
    found += _beside(fine, background, mesh, mask, place, (known, soft, way), grain)
    return [layer for layer in found if layer.weight.any()]


def _beside(
    fine: FineSkin, background: Photo, mesh: Mesh, mask: torch.Tensor, place: torch.Tensor, shares: tuple, grain: tuple | None
) -> Iterator[Layer]:
    """The background's picture around the drawn face, and, below full strength of identity, the skin of its own one; and the
    grain of the new skin where a beard hung before its neck. shares [S, S] 0..1: where the new face's skin is known, how far
    it is drawn, and how far the old one takes its place.
    """
    known, soft, way = shares
    pixel, own = len(mask) / FRAME, mesh.interpolate(fine.old[:POINTS, :2])
    keep = sampled(keep_mask(Mesh.of(fine.old, fine.topology, len(mask)))[None], place)[0]
    keep, hung = torch.maximum(keep, way) * mask * (1 - soft), None
    if fine.hair is not None:
        hair = sampled(fine.hair[None], place)[0]
        hung, gone = keep * hair, torch.maximum(hair, along_jaw(mesh, fine.old, fine.outline, fine.warp))
        keep = keep * (1 - gone)
    for where, share in ((own, known * (1 - fine.share)), (place, keep)):
        if share.any():
            at = where.movedim(-1, 0)[None]
            yield Layer(background, at, share * (1 - _stretched(at, pixel)))
    if grain is not None and hung is not None:
        yield Layer(*grain, hung * fine.share, True)


def _own(skin: Skin, face: Face) -> torch.Tensor:
    """How far the skin is drawn as its photo shows it [1, S, S] 0..1."""
    own = faded((skin.image == face.image).all(0))[None]
    if face.shown is None:
        return own
    return own * inside(face.photo.matrix, face.size, tuple(face.photo.light.shape[-2:]))  # it is continued beyond the photo


def _grain(skin: Skin, mesh: Mesh, face: Face, own: torch.Tensor) -> tuple[Photo, torch.Tensor] | None:
    """The grain of the skin, and the places in it [1, 2, S, S], as far apart as those of the skin are on the whole."""
    grain = grain_of(face.photo, skin.points, structure_of(skin.image)[1] * own[0])
    if grain is None:
        return None
    size, drawn = (points[:POINTS, :2].std(0).norm() for points in (skin.points, mesh.points))
    middles = pixel_middles(own) * (size / drawn)
    return grain, grain_place(torch.stack(torch.meshgrid(middles, middles, indexing="xy"), -1), grain).movedim(-1, 0)[None]


def _skin_places(
    skin: Skin, mesh: Mesh, face: Face, top: Above | None, own: torch.Tensor, grain: tuple[Photo, torch.Tensor] | None
):
    """Where the skin comes from: a photo and the places in its crop [1, 2, S, S], the share [S, S] that it has from there, and
    whether that is another place: as the photo shows it, as a mirror does, on the forehead from where there is more; and where
    the skin is not that of the photo its grain.
    """
    other = skin.mirrored(mesh.topology)
    mirror = from_mirror(skin, other, mesh)
    here, there = (mesh.interpolate(s.points[:POINTS, :2]) for s in (skin, other))
    there = torch.stack([own.shape[-1] - there[..., 0], there[..., 1]], -1)
    seen = sure = 1 - too_flat(skin, other, mesh, mirror)
    if top is not None:
        here, seen = top.own[0], top.own[1] * sure
    left, pixel = torch.ones_like(mirror), len(mirror) / FRAME
    straight = [(here, seen * (1 - mirror), False), (there, seen * mirror, False)]
    for place, share, led in [*straight, *(() if top is None else ((*other, True) for other in top.others))]:
        at = place.movedim(-1, 0)[None]
        share = (left if led else 1.0) * share * sampled(own, place)[0] * (1 - _stretched(at, pixel))
        left = left - share
        yield face.photo, at, share, led
    if grain is not None:
        yield *grain, left * bare_skin_of(mesh), True


def bare_skin_of(mesh: Mesh) -> torch.Tensor:
    """Where a drawn face has neither brows, eyes nor lips [S, S] 0..1."""
    return 1 - blurred(plane(features(mesh)), NEAR * len(mesh.index) / FRAME)[0, 0]


def faded(own: torch.Tensor) -> torch.Tensor:
    """How far a photo's own structure is drawn [S, S] 0..1, where it is the photo's own [S, S] bool: less towards the edge of
    that, which would be drawn as a line.
    """
    if own.all():
        return own.float()
    pixel = len(own) / FRAME
    return blurred(grow(plane(own), -EDGE * pixel), EDGE / 2 * pixel)[0, 0]


def _stretched(place: torch.Tensor, pixel: float) -> torch.Tensor:
    """Where a picture is drawn so much larger than it was that it would show as streaks [S, S] 0..1: by the smaller singular
    value of the derivative of `place` [1, 2, S, S].
    """
    low, high = STRETCHED
    return blurred(((high - _scales(place)[0]) / (high - low)).clamp(0, 1)[None], 1.5 * pixel)[0, 0]


def streaked(place: torch.Tensor, pixel: float) -> torch.Tensor:
    """Where a picture is drawn much larger in one direction than in the other [S, S] 0..1, and highlights become streaks."""
    least, most = _scales(place)
    low, high = EVEN
    return blurred(((high - least / most.clamp_min(1e-3)) / (high - low)).clamp(0, 1)[None], 1.5 * pixel)[0, 0]


def _scales(place: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The smaller and the larger singular value of the derivative of `place` [1, 2, S, S]: [1, S, S] each."""
    across, down = F.pad(place.diff(dim=-1), (0, 1)), F.pad(place.diff(dim=-2), (0, 0, 0, 1))
    total, area = (across**2 + down**2).sum(1), across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]
    root = (total**2 - 4 * area**2).clamp_min(0).sqrt()
    return (0.5 * (total - root)).clamp_min(0).sqrt(), (0.5 * (total + root)).sqrt()


def alike(one: torch.Tensor, other: torch.Tensor, where: torch.Tensor, pixel: float) -> torch.Tensor:
    """How far two drawings agree [1, h, w] 0..1, as logarithms of luma [1, h, w], but for their tone.

    Contrast and structure of the structural similarity (Wang et al. 2004), of what is finer than `STRUCTURE`.
    """
    both = torch.stack([one, other])  # [2, 1, h, w]
    around = blurred(where[None], STRUCTURE * pixel).clamp_min(1e-4)
    a, b = both - blurred(both * where, STRUCTURE * pixel) / around
    products = blurred(torch.stack([a * b, a * a + b * b]), NEAR * pixel)
    low, high = SAME
    return (((2 * products[0] + PLAIN) / (products[1] + PLAIN) - low) / (high - low)).clamp(0, 1)
