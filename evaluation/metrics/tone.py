"""Tone at the rim of a drawn face: the step of light from inside to outside, and the gradient there, over the background's."""

import math

import torch
from kornia.filters import spatial_gradient

from ...modules.affine import FRAME
from ...modules.warp.light import GAMMA
from ...modules.warp.masks import blurred, grow
from ...modules.warp.rim import is_skin

BAND = 2.0, 10.0  # pixels of the 256 px crop from the line, on both sides, between which light is compared
SECTORS = 24  # of the directions from the middle of the face, from left over up, right and down; each is compared by itself
PARTS = {"tone_step": range(SECTORS), "step_forehead": range(3, 9), "step_jaw": range(15, 21)}  # the latter: 45 degrees aside
SKIN = 20.0  # CIELAB distance from the middle of a face up to which it is skin here, whatever the drawing takes for skin
LEAST = 24  # skin pixels of the 256 px crop that a sector needs on both sides
DARK = 0.01  # linear light that is added to both sides, so that noise of the darkest skin is no step
FLOOR = 0.05  # a log step that is not seen: smaller ones count as this much


def rim_measures(pictures: torch.Tensor, own: torch.Tensor, covered: torch.Tensor) -> dict[str, torch.Tensor]:
    """Crops [n, 3, S, S] 0..1 of faces drawn where covered [n, S, S] 0..1, into backgrounds own [n, 3, S, S] of the same shape.

    tone_step [n]: mean over the rim's sectors of the log step of linear light from inside to outside, over that of the
    background's own picture across the same line; step_forehead, step_jaw [n]: of the sectors above and below the middle.
    rim_gradient [n]: the same of the mean gradient of log light along the line. All on skin alone; NaN where no sector has
    skin on both sides. 1 is a rim as in the background's own picture.
    """
    rows = [_one(*(x[None] for x in each)) for each in zip(pictures, own, covered[:, None], strict=True)]
    return {name: torch.tensor([row[name] for row in rows]) for name in rows[0]}


def _one(picture: torch.Tensor, own: torch.Tensor, covered: torch.Tensor) -> dict[str, float]:
    covered = (covered > 0.5).float()
    pixel = covered.shape[-1] / FRAME
    low, high = (edge * pixel for edge in BAND)
    skin = is_skin(own, covered, SKIN) * is_skin(picture, covered, SKIN)
    face = skin * is_skin(picture, grow(covered, -high), SKIN)
    inside, outside = (grow(covered, -low) - grow(covered, -high)) * face, (grow(covered, high) - grow(covered, low)) * skin
    sectors, steps = _sectors(covered), {}
    for k in range(SECTORS):
        within, beyond = ((part * (sectors == k))[0, 0] > 0 for part in (inside, outside))
        if min(within.sum(), beyond.sum()) >= LEAST * pixel**2:
            steps[k] = [_step(image[0], within, beyond) for image in (picture, own)]
    over = {name: _over([steps[k] for k in part if k in steps]) for name, part in PARTS.items()}
    if not steps:
        return {**over, "rim_gradient": math.nan}
    line = ((grow(covered, pixel) - grow(covered, -high)) * face)[0, 0] > 0
    steep = torch.tensor([_gradient(image, line, pixel) for image in (picture, own)]).clamp_min(FLOOR / high * pixel)
    return {**over, "rim_gradient": float(steep[0] / steep[1])}


def _over(steps: list[list[float]]) -> float:
    """Mean step of a drawing over the mean of the background's own; NaN of none."""
    if not steps:
        return math.nan
    made, usual = torch.tensor(steps).mean(0).clamp_min(FLOOR)
    return float(made / usual)


def _sectors(covered: torch.Tensor) -> torch.Tensor:
    """The direction of each pixel from the middle of [1, 1, S, S], in SECTORS parts: [1, 1, S, S]."""
    y, x = covered[0, 0].nonzero(as_tuple=True)
    axis = torch.arange(covered.shape[-1], dtype=covered.dtype)
    angle = torch.atan2(axis[:, None] - y.float().mean(), axis[None, :] - x.float().mean())
    return ((angle / (2 * math.pi) + 0.5) * SECTORS).long().clamp_max(SECTORS - 1)[None, None]


def _step(image: torch.Tensor, inside: torch.Tensor, outside: torch.Tensor) -> float:
    """Mean over the channels of the log ratio of linear light (medians) of two parts of [3, S, S], without sign."""
    one, other = (image[:, part].clamp(0, 1).pow(GAMMA).median(1).values + DARK for part in (inside, outside))
    return float((one / other).log().abs().mean())


def _gradient(image: torch.Tensor, where: torch.Tensor, pixel: float) -> float:
    """Mean gradient of log linear light, for a pixel of the 256 px crop, of what is coarser than 2 of them."""
    light = torch.log(blurred(image.clamp(0, 1), 2 * pixel).pow(GAMMA) + DARK)
    return float(spatial_gradient(light).norm(dim=2).mean(1)[0, where].mean() * pixel)
