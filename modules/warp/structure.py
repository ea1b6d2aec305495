"""The fine structure of skin, and where it comes from for a place that no photo shows."""

import torch

from ..affine import FRAME, apply, invert, side
from ..types import Photo
from .light import log_of
from .masks import blurred, grow, plane
from .mesh import POINTS, sampled
from .skin import COARSE, DARK

# lengths are pixels of the 256 px crop
FINE, STRUCTURE = 3.0, (0.92, 1.08)  # what is finer is structure, and the most and least of it as a factor
FOLD, HAIR = 0.1, 0.08  # share of the light around by which a fold differs, and the most by which skin that is none does
ISLAND = 3.0  # half the width of what is too narrow between folds for structure to come from
PATCHES, PATCH = (151, 50, 280), 12.0  # points in the middle of forehead and cheeks, and half the width of a patch there
AROUND, LEAST = 24.0, 60.0  # half the width of the patch that tells the grain of skin, and its calm pixels, at least
GRAIN = 512  # pixels to a side of the grain's picture
LESS = 0.75  # of it: towards its sides, where most of what is not seen lies, a face is smoother
MIDDLE, LOUDEST = 0.4, 0.3  # luma of that picture, and the most by which the logarithm of light differs from that


def structure_of(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What is finer than `FINE` in a picture [3, S, S], as a factor, and where it is that of skin without folds, strands and
    moles [S, S] 0..1.
    """
    pixel = image.shape[-1] / FRAME
    factor = (image + DARK) / (blurred(image[None], FINE * pixel)[0] + DARK)
    coarser = (image.mean(0) + DARK) / (blurred(image.mean(0)[None, None], COARSE * pixel)[0, 0] + DARK)
    even = ((coarser - 1).abs() < FOLD) & ((factor.mean(0) - 1).abs() < HAIR)
    calm = grow(grow(plane(even), -ISLAND * pixel), (ISLAND - FINE / 2) * pixel)
    return factor.clamp(*STRUCTURE), blurred(calm, FINE / 2 * pixel)[0, 0]


def over_and_over(points: torch.Tensor, straight: torch.Tensor, calm: torch.Tensor) -> torch.Tensor:
    """Places [S, S, 2] in a face's picture, whose points are [478, >= 2], that take the patch of it that is most `calm` [S, S]
    0..1 to and fro, where `straight` [S, S, 2] goes on.
    """
    reach, best = PATCH * len(calm) / FRAME, calmest(points, calm)
    return best + reach * wave((straight - best) / reach)


def calmest(points: torch.Tensor, calm: torch.Tensor) -> torch.Tensor:
    """The middle [2] of the patch of skin that is most calm [S, S] 0..1 in a face's picture, whose points are [478, >= 2]."""
    middles = points[:POINTS, :2][list(PATCHES)]
    return middles[sampled(blurred(calm[None, None], PATCH * len(calm) / FRAME)[0], middles[:, None])[0, :, 0].argmax()]


def grain_of(photo: Photo, points: torch.Tensor, calm: torch.Tensor) -> Photo | None:
    """The finest structure of a person's skin as a picture of its own, without a pattern however far it goes on: noise with the
    spectrum of what is calm [S, S] 0..1 around a patch of the photo (spot noise, van Wijk 1991; Galerne et al. 2011).

    points [478, >= 2]: of the face in the photo's crop. None where too little is calm to tell.
    """
    size = len(calm)
    pixels = side(photo.matrix, size) / size  # of the photo, for one of the crop
    count = min(GRAIN // 2, round(2 * AROUND * pixels * size / FRAME))
    axis = (torch.arange(count, device=calm.device) - count / 2 + 0.5) / pixels
    at = calmest(points, calm) + torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).to(points.dtype)
    weight = sampled(calm[None], at.to(calm))
    if weight.sum() < LEAST * (pixels * size / FRAME) ** 2:
        return None
    there = apply(invert(photo.matrix[None]), at.flatten(0, 1)[None])[0].view_as(at)
    light = log_of(sampled(photo.light, there.to(calm), "bicubic"))
    spot = light - blurred(light[None], FINE * pixels * size / FRAME)[0]
    spot = LESS * weight * (spot - (weight * spot).sum() / weight.sum()) / weight.square().sum().sqrt()
    noise = torch.randn(1, GRAIN, GRAIN, generator=torch.Generator().manual_seed(0)).to(calm)
    grain = torch.fft.irfft2(torch.fft.rfft2(noise) * torch.fft.rfft2(spot, (GRAIN, GRAIN)), (GRAIN, GRAIN))
    return Photo(MIDDLE * torch.exp(grain.clamp(-LOUDEST, LOUDEST)), photo.matrix.new_tensor([[1, 0, 0], [0, 1, 0]]) / pixels)


def grain_place(straight: torch.Tensor, grain: Photo) -> torch.Tensor:
    """Where in the crop of `grain_of` each of some places [S, S, 2] of a crop is, as far apart: to and fro."""
    middle = float(grain.matrix[0, 0]) * (GRAIN - 1) / 2
    return middle * (1 + wave(straight / middle))


def wave(x: torch.Tensor) -> torch.Tensor:
    """x from -1 to 1 as it is, farther out to and fro between those."""
    return 1 - ((x + 1) % 4 - 2).abs()
