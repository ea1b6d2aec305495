"""What is finer than a crop: the selfie's own skin at the size that the face has in the picture.

A crop of S pixels that is enlarged is soft. So the coarse warp is drawn once more, from the pixels of the selfie and of the
background, and what it has beyond a crop of S pixels is multiplied onto the painted face:

    painted * exp(detail),  detail = sum over bands of gain * band

A band is the logarithm of the drawing's luma, smoothed at one size less smoothed at the next. A ratio takes the light and the
colour of the face that it meets.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F

from .. import affine
from ..affine import FRAME
from ..types import Face, FineSkin, PasteRegion, Photo
from .aperture import pixel_middles
from .coarse import keep_mask
from .eyes import EYES
from .forehead import Above, Foreheads, above, dark, drawn_wholly
from .light import luma
from .masks import blurred, feather, grow
from .mesh import POINTS, Mesh, sampled
from .mouth import MOUTH, lips_of
from .outline import surroundings_place
from .skin import Skin, from_mirror, hair_mask, put_on
from .unseen import gives_way, inside

LARGEST = 1536  # pixels to a side of the crop: what is finer is neither kept of a photo nor drawn
NOISE = 0.03  # luma below which a ratio is that of noise
SOFTER = 2.0  # times larger pixels of which a painted crop can be trusted: an autoencoder blurs the finest
STEEPEST = 1.0  # the most that detail may change a logarithm of luma
PORES = 0.12  # the most that it may darken where folds were taken away
BORDER = 4.0  # pixels of the 256 px crop over which the skin of a coarse warp fades into what is around it
STRUCTURE, NEAR = 8.0, 2.0  # the same: what is larger is tone, which may differ; over how far two drawings are compared
WINDOW = 8.0  # the same: over how far the energy of a band is averaged
PLAIN = 0.005  # variance of logarithms of luma below which there is no structure to compare
SAME = 0.3, 0.7  # structural similarity of two drawings from which on they count as alike, and from which on wholly
EVEN, STREAKED = (0.35, 0.7), 0.6  # of smaller over larger scale: lips all streaks, and none; what detail they lose by that
STRETCHED = 0.35, 0.6  # pixels of the photo's crop to one of the drawing: streaks, and none


class Layer(NamedTuple):
    """A picture that is drawn in a crop: where each pixel comes from, in the picture's own crop, and its weight."""

    photo: Photo
    place: torch.Tensor  # [1, 2, S, S]
    weight: torch.Tensor  # [S, S] 0..1


# --- the selfie's own pixels ----------------------------------------------------------------------


def photo_of(image: torch.Tensor, matrix: torch.Tensor, size: int) -> Photo:
    """What a crop of `size` pixels was cut from: picture [H, W, 3] and the matrix [2, 3] from its pixels to the crop's."""
    top, bottom, left, right = affine.extent(matrix[None], size, image.shape[:2])
    light = luma(image[top:bottom, left:right].permute(2, 0, 1))
    photo = Photo(light, affine.shifted(matrix[None], left, top)[0])
    return reduced(photo, affine.side(photo.matrix, size) / LARGEST)


def reduced(photo: Photo, step: float) -> Photo:
    """The photo with `step` of its pixels to each new one; as it is where that is hardly more than one."""
    if step <= 1.05:
        return photo
    height, width = photo.light.shape[-2:]
    small = _smaller((height, width), step)
    light = F.interpolate(photo.light[None], small, mode="bicubic", antialias=True)[0].clamp(0, 1)
    return Photo(light, photo.matrix * photo.matrix.new_tensor([[width / small[1], height / small[0], 1.0]]))


def how_much_coarser(region: PasteRegion) -> float:
    """How many pixels of a background there are for one of the selfie, the most of all faces larger than a crop; 0: of none."""
    found = [0.0]
    for fine, matrix in zip(region.fine or (), region.to_frame, strict=False):
        place = affine.side(matrix, region.size)
        if place > region.size and fine.share > 0:
            found.append(min(place, LARGEST) / affine.side(fine.face.photo.matrix, region.size))
    return max(found)


# --- a painted crop and its detail ----------------------------------------------------------------


def add_detail(
    painted: torch.Tensor,
    pixels: int,
    background: torch.Tensor,
    fine: FineSkin,
    mask: torch.Tensor,
    window: torch.Tensor,
    share: float,
) -> torch.Tensor:
    """A painted crop of so many pixels a side, where it is pasted [3, H, W], with `share` (0..1) of the detail that it lacks.

    background: the picture there [3, H, W]; mask [S, S] of what was repainted; window [1, 2, 3]: the matrix from H x W pixels
    to the S x S of the mask. A face that is no larger there than those stays as it is.
    """
    side = affine.side(window[0], len(mask))
    if side <= len(mask):
        return painted
    crop, picture = luma(painted), luma(background)
    if side > LARGEST:
        height, width = crop.shape[-2:]
        small = _smaller((height, width), side / LARGEST)
        crop, picture = _shrunk(crop, small), _shrunk(picture, small)
        window = window * window.new_tensor([[width / small[1], height / small[0], 1.0]])
    found = detail(crop, pixels, picture, fine, mask, window)
    return (painted * torch.exp(share * _enlarged(found, painted.shape[-2:]))).clamp(0, 1)


def detail(
    painted: torch.Tensor, pixels: int, background: torch.Tensor, fine: FineSkin, mask: torch.Tensor, window: torch.Tensor
) -> torch.Tensor:
    """The logarithm of the gain [1, H, W] that gives a painted crop its detail: see `add_detail`, here with luma [1, H, W]."""
    size, shape = len(mask), painted.shape[-2:]
    side = affine.side(window[0], size)
    layers = _layers(fine, Photo(background, window[0]), mask)
    where, drawn = _drawn(layers, painted, window, side)
    logs, small = [_log(x) for x in (drawn, painted, background)], _smaller(shape, side / size)
    warp = _shrunk(affine.sample(_log(luma(fine.warp))[None], window, shape)[0], small)
    agreement = _alike(_shrunk(logs[1], small), warp, _shrunk(where, small), size / FRAME)
    found = where * _enlarged(agreement, shape) * missing(*logs, where, side / size, side / pixels, WINDOW * size / FRAME)
    if fine.gone is None:
        return found
    most = STEEPEST + (PORES - STEEPEST) * affine.sample(fine.gone[None, None].float(), window, shape, "zeros")[0]
    return torch.maximum(found, -most)


def missing(
    drawn: torch.Tensor,
    painted: torch.Tensor,
    background: torch.Tensor,
    where: torch.Tensor,
    factor: float,
    pixel: float,
    reach: float,
) -> torch.Tensor:
    """What has to be added [1, H, W] to a painted crop, all of logarithms of luma [1, H, W]; where [1, H, W] 0..1 is known.

    All is finer than `SOFTER` times `factor` pixels, in bands of at most an octave. Of the drawn band w and the painted band
    c: the gain g >= 0 for which the energy of c + g w is that of w, or less by as much as the background has less of in the
    same place, which may be out of focus. Energies are means over `reach` times `factor` pixels. What is finer than `pixel`,
    a pixel of the painted crop, is not its own but from its enlargement.
    """
    shape, small = where.shape[-2:], _smaller(where.shape[-2:], factor)
    around = blurred(_shrunk(where, small)[None], reach)[0].clamp_min(1e-4)
    mean = lambda x: blurred(_shrunk(x * where, small)[None], reach)[0] / around  # noqa: E731
    count, result = max(1, math.ceil(math.log2(factor))), torch.zeros_like(where)
    left = drawn, painted, background
    for step in (*(factor ** (k / count) for k in range(1, count + 1)), SOFTER * factor):
        lower = [_enlarged(_shrunk(x, _smaller(shape, step)), shape) for x in left]
        (w, c, b), left = (x - y for x, y in zip(left, lower, strict=True)), lower
        gain = ((b * b * where).sum() / (w * w * where).sum().clamp_min(1e-8)).clamp(max=1)
        if step > 1.05 * pixel:
            energy = mean(w * w).clamp_min(1e-8)
            along, own = mean(w * c) / energy, mean(c * c) / energy
            gain = _enlarged(((along**2 + gain - own).clamp_min(0).sqrt() - along).clamp(0, 1), shape)
        else:
            gain = gain.sqrt()
        result = result + gain * w
    return result.clamp(-STEEPEST, STEEPEST)


# --- the coarse warp from the pictures' own pixels ------------------------------------------------


def _layers(fine: FineSkin, background: Photo, mask: torch.Tensor) -> list[Layer]:
    """The selfie's skin and the background's surroundings, where a coarse warp shows them as they were photographed: not where
    one fades into the other, behind hair, in place of what hid the face, stretched to streaks, or painted.
    """
    mesh, pixel = Mesh.of(fine.target, fine.topology, len(mask)), len(mask) / FRAME
    skin = Skin(fine.skin, fine.face.points, shown=fine.face.shown)
    image, covered = put_on(skin, mesh, complete=True)
    openings = torch.stack([aperture.soft(mesh)[0] for aperture in (MOUTH, *(eye for eye, _ in EYES))]).amax(0)
    way = gives_way(skin, mesh)
    place = surroundings_place(fine.old if fine.outline is None else fine.outline, mesh, mask)
    photo, hair = covered * (1 - way), hair_mask(image, covered, mesh)
    covered = torch.maximum(photo * (1 - hair), openings)
    soft, top, face = feather((covered * mask)[None, None], BORDER * pixel)[0, 0], None, mesh.covered
    if fine.foreheads is not None:
        photo = photo * (1 - dark(hair, image, photo))
        top = above(skin, mesh, image, photo, *Foreheads(*fine.foreheads).beside(place))
        soft, face = torch.maximum(soft, drawn_wholly(top, covered, mask, BORDER)[0, 0]), face | (top.share > 0.5)
    painted = openings * (1 - _alike(_log(luma(image)), _log(luma(fine.warp)), covered[None], pixel)[0])
    known = soft * (1 - painted) * grow((face * mask)[None, None], -2 * pixel)[0, 0]
    places = _skin_places(skin, mesh, fine.face, top)
    lips = lips_of(mesh) * STREAKED
    found = [Layer(fine.face.photo, at, known * share * fine.share * (1 - lips * _streaked(at, pixel))) for at, share in places]
    if fine.mouth is not None:
        middles = pixel_middles(mask)
        here = torch.stack(torch.meshgrid(middles, middles, indexing="xy"))[None]
        within = MOUTH.cover(mesh.points, len(mask), 2 * pixel, -pixel) * mask * painted
        found.append(Layer(fine.mouth, here, within * fine.share))
    own = mesh.interpolate(fine.old[:POINTS, :2])  # the skin of the face that was there, below full strength of identity
    found.append(Layer(background, own.movedim(-1, 0)[None], known * (1 - fine.share)))
    keep = sampled(keep_mask(Mesh.of(fine.old, fine.topology, len(mask)))[None], place)[0]
    keep = torch.maximum(keep, way)
    found.append(Layer(background, place.movedim(-1, 0)[None], keep * mask * (1 - soft)))
    found = [layer for layer in found if layer.weight.any()]
    return [layer._replace(weight=layer.weight * (1 - _stretched(layer.place, pixel))) for layer in found]


def _skin_places(skin: Skin, mesh: Mesh, face: Face, top: Above | None):
    """Where the skin comes from in the photo's crop [1, 2, S, S], and the share [S, S] that it has from there: as the photo
    shows it, as a mirror does, and above the mesh; none where the skin is not that of the photo.
    """
    own = (skin.image == face.image).all(0).float()[None]
    if face.shown is not None:  # the image is continued beyond the photo
        own = own * inside(face.photo.matrix, face.size, tuple(face.photo.light.shape[-2:]))
    other = skin.mirrored(mesh.topology)
    mirror = from_mirror(skin, other, mesh)
    here, there = (mesh.interpolate(s.points[:POINTS, :2]) for s in (skin, other))
    there = torch.stack([own.shape[-1] - there[..., 0], there[..., 1]], -1)
    places = [(here, 1 - mirror), (there, mirror)]
    if top is not None:
        here, seen = top.own
        places = [(here, seen * (1 - mirror)), (there, seen * mirror), top.lower]
    for place, share in places:
        yield place.movedim(-1, 0)[None], share * sampled(own, place)[0]


def _stretched(place: torch.Tensor, pixel: float) -> torch.Tensor:
    """Where a picture is drawn so much larger than it was that it would show as streaks [S, S] 0..1: by the smaller singular
    value of the derivative of `place` [1, 2, S, S].
    """
    low, high = STRETCHED
    return blurred(((high - _scales(place)[0]) / (high - low)).clamp(0, 1)[None], 1.5 * pixel)[0, 0]


def _streaked(place: torch.Tensor, pixel: float) -> torch.Tensor:
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


def _drawn(layers: list[Layer], painted: torch.Tensor, window: torch.Tensor, side: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The layers in a window where the crop is `side` pixels large: where they are known [1, H, W] 0..1, and their luma
    [1, H, W], that of `painted` where they are not.
    """
    shape = painted.shape[-2:]
    known, total = torch.zeros_like(painted), 1e-3 * painted
    for photo, place, weight in layers:
        weight = affine.sample(weight[None, None], window, shape, "zeros")[0]
        photo = reduced(photo, affine.side(photo.matrix, place.shape[-1]) / side)
        there = affine.apply(affine.invert(photo.matrix[None]), affine.sample(place, window, shape)[0].flatten(1).T[None])
        total = total + weight * sampled(photo.light, there[0].view(*shape, 2), "bicubic").clamp(0, 1)
        known = known + weight
    return known, total / (known + 1e-3)


def _alike(one: torch.Tensor, other: torch.Tensor, where: torch.Tensor, pixel: float) -> torch.Tensor:
    """How far two drawings agree [1, h, w] 0..1, as logarithms of luma [1, h, w], but for their tone.

    Contrast and structure of the structural similarity (Wang et al. 2004), of what is finer than `STRUCTURE`.
    """
    both = torch.stack([one, other])  # [2, 1, h, w]
    around = blurred(where[None], STRUCTURE * pixel).clamp_min(1e-4)
    a, b = both - blurred(both * where, STRUCTURE * pixel) / around
    products = blurred(torch.stack([a * b, a * a + b * b]), NEAR * pixel)
    low, high = SAME
    return (((2 * products[0] + PLAIN) / (products[1] + PLAIN) - low) / (high - low)).clamp(0, 1)


def _log(light: torch.Tensor) -> torch.Tensor:
    return (light.clamp(0, 1) + NOISE).log()


def _smaller(shape: tuple[int, int], factor: float) -> list[int]:
    return [max(1, round(n / factor)) for n in shape]


def _shrunk(x: torch.Tensor, size: list[int]) -> torch.Tensor:
    """[1, H, W] -> [1, h, w], each pixel the mean of those that it stands for."""
    return F.interpolate(x[None], size, mode="bilinear", antialias=True)[0]


def _enlarged(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """[1, h, w] -> [1, H, W]."""
    return F.interpolate(x[None], size, mode="bilinear")[0]
