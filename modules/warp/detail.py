"""What is finer than a crop: the selfie's own skin at the size that the face has in the picture.

A crop of S pixels that is enlarged is soft. So the coarse warp is drawn once more, from the pixels of the selfie and of the
background, and what it has beyond a crop of S pixels is multiplied onto the painted face:

    painted * exp(detail),  detail = sum over bands of gain * band

A band is the logarithm of the drawing's luma, smoothed at one size less smoothed at the next. A ratio takes the light and the
colour of the face that it meets.
"""

import math

import torch
import torch.nn.functional as F

from .. import affine
from ..affine import FRAME
from ..types import FineSkin, PasteRegion, Photo
from .layers import Layer, alike, layers_of
from .light import NOISE, log_of, luma
from .masks import blurred
from .mesh import sampled

LARGEST = 1536  # pixels to a side of the crop: what is finer is neither kept of a photo nor drawn
SOFTER = 2.0  # times larger pixels of which a painted crop can be trusted: an autoencoder blurs the finest
STEEPEST = 1.0  # the most that detail may change a logarithm of luma
PORES = 0.12  # the most that it may darken where folds were taken away
WINDOW = 8.0  # pixels of the 256 px crop over which the energy of a band is averaged
LED, AROUND = 4.0, 4.0  # the same: what is smoother is tone, which skin of another place takes over; over how many of these

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
    layers = layers_of(fine, Photo(background, window[0]), mask)
    where, drawn = _drawn(layers, painted, window, side)
    logs, small = [log_of(x) for x in (drawn, painted, background)], _smaller(shape, side / size)
    warp = _shrunk(affine.sample(log_of(luma(fine.warp))[None], window, shape)[0], small)
    agreement = alike(_shrunk(logs[1], small), warp, _shrunk(where, small), size / FRAME)
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


# --- their drawing ---------------------------------------------------------------------------------


def _drawn(layers: list[Layer], painted: torch.Tensor, window: torch.Tensor, side: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The layers in a window where the crop is `side` pixels large: where they are known [1, H, W] 0..1, and their luma
    [1, H, W], that of `painted` where they are not.
    """
    shape, step = painted.shape[-2:], LED * side / FRAME
    known, total, small = torch.zeros_like(painted), 1e-3 * painted, _smaller(shape, step)
    weights = torch.stack([layer.weight for layer in layers])[None] if layers else painted.new_zeros(1, 0, 1, 1)
    weights = affine.sample(weights, window, shape, "zeros")[0]
    for (photo, place, _, led), weight in zip(layers, weights, strict=True):
        if not weight.any():
            continue
        part, moved = touched(weight, window, math.ceil(2 * step) if led else 0)  # many layers are small
        photo, here = reduced(photo, affine.side(photo.matrix, place.shape[-1]) / side), (slice(None), *part)
        light = _light(photo, place, moved, weight[part].shape)
        if led:
            whole = torch.zeros_like(painted)
            whole[here] = light
            aim, own = (_shrunk(x, small) for x in (painted, whole))
            aim = aim * _ratio(_shrunk(total, small), _shrunk(known * painted, small))
            light = light * _enlarged((aim + NOISE) / (own + NOISE), shape)[here]
        total[here] += weight[part] * light
        known[here] += weight[part]
    return known, total / (known + 1e-3)


def _light(photo: Photo, place: torch.Tensor, window: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """A photo's luma [1, h, w] in a window; place [1, 2, S, S]: where in the photo's crop each pixel of that before it lies."""
    there = affine.apply(affine.invert(photo.matrix[None]), place[0].flatten(1).T[None]).mT.view_as(place)
    return sampled(photo.light, affine.sample(there, window, shape)[0].movedim(0, -1), "bicubic").clamp(0, 1)


def touched(alpha: torch.Tensor, window: torch.Tensor, beyond: int = 0) -> tuple[tuple[slice, slice], torch.Tensor]:
    """The rows and columns of a soft mask [H, W] where it is above 0, and so many pixels beyond, and the matrix [1, 2, 3] of a
    window for these alone.
    """
    ends = (alpha.any(axis).nonzero()[[0, -1], 0].tolist() for axis in (1, 0))
    (top, bottom), (left, right) = ((max(first - beyond, 0), last + 1 + beyond) for first, last in ends)
    return (slice(top, bottom), slice(left, right)), affine.shifted(window, left, top)


def _ratio(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """How much lighter one is than the other [1, h, w] around each place, and where neither is, on the whole."""
    whole = one.sum() / other.sum().clamp_min(1e-3)
    near, like = (blurred(x[None], AROUND)[0] for x in (one, other))
    return (near + NOISE * whole) / (like + NOISE)


def _smaller(shape: tuple[int, int], factor: float) -> list[int]:
    return [max(1, round(n / factor)) for n in shape]


def _shrunk(x: torch.Tensor, size: list[int]) -> torch.Tensor:
    """[1, H, W] -> [1, h, w], each pixel the mean of those that it stands for."""
    return F.interpolate(x[None], size, mode="bilinear", antialias=True)[0]


def _enlarged(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """[1, h, w] -> [1, H, W]."""
    return F.interpolate(x[None], size, mode="bilinear")[0]
