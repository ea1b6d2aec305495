"""The tone of skin, of low order and robust: what goes on beyond where skin is seen takes no shadow and no gleam along."""

import torch
import torch.nn.functional as F

from ..affine import FRAME
from .masks import blurred, fill
from .rim import robust_fit

GRID = 64  # pixels a side of the grid on which it is fitted
COARSE = 128  # and of that on which it is averaged
SCALE = 0.12  # of the Cauchy weights on log light: shadows and gleams differ by more
STIFF = 0.0, 0.02, 0.3  # ridge on 1, x, xx, for each pixel
WIDE = 0.05, 0.95  # quantiles of the columns that are seen, beyond which it goes on as it is there
DARK = 0.02  # that is added, so that black has a logarithm
NEAR, FAR = 8.0, 0.1  # pixels of the 256 px crop, over which what the fit leaves goes on; weight that speaks for none of it


def tone_field(image: torch.Tensor, skin: torch.Tensor, smooth: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Of a picture [3, S, S] the log of its tone where it shows skin [S, S] 0..1, gone on everywhere; and what that leaves of
    the picture averaged over `smooth` pixels, gone on near the skin: [3, S, S] each.

    The tone changes across the picture alone, as light from one side does: towards a hairline it would lead a gleam or a shadow
    on.
    """
    size, pixel = len(skin), len(skin) / FRAME
    small = F.interpolate(torch.cat([image * skin, skin[None]])[None], (GRID, GRID), mode="area")[0]
    rows, columns = (small[3] > 0.5).nonzero(as_tuple=True)
    if len(rows) < 16:
        return torch.log(fill((image * skin)[None], skin[None, None])[0] + DARK), torch.zeros_like(image)
    logs = torch.log(small[:3, rows, columns] / small[3, rows, columns] + DARK).T
    found = robust_fit(_terms(columns.to(image)), logs, SCALE, STIFF)[0]
    low, high = torch.quantile(columns.to(image), image.new_tensor(WIDE))
    axis = (torch.arange(size, device=image.device) + 0.5) * GRID / size - 0.5
    tone = (_terms(axis.clamp(low, high)) @ found).T[:, None, :].expand(-1, size, -1)
    both = blurred(torch.cat([image * skin, skin[None]])[None], smooth)[0]
    left = torch.log(both[:3] / both[3:].clamp_min(1e-3) + DARK) - tone
    seen = (both[3:] > 0.05) * skin
    near = blurred(torch.cat([left * seen, seen])[None], NEAR * pixel)[0]
    around = near[:3] / (near[3:] + FAR)
    return tone, torch.lerp(around, left, skin * (both[3] > 0.05))


def averaged(values: torch.Tensor, where: torch.Tensor, pixels: float) -> torch.Tensor:
    """Values [3, S, S] averaged over a region [S, S] bool, over so many pixels [3, S, S]; many, so a coarse grid will do."""
    size = len(where)
    small = F.interpolate(torch.cat([values * where, where[None].to(values)])[None], (COARSE, COARSE), mode="area")
    both = blurred(small, pixels * COARSE / size)
    return F.interpolate(both[:, :3] / both[:, 3:].clamp_min(1e-3), (size, size), mode="bilinear", align_corners=False)[0]


def tone_of(logs: torch.Tensor) -> torch.Tensor:
    """The picture of such logs [3, S, S]."""
    return torch.exp(logs) - DARK


def _terms(columns: torch.Tensor) -> torch.Tensor:
    """1, x, xx of columns [N] of the grid, which is -1..1: [N, 3]."""
    x = 2 * (columns + 0.5) / GRID - 1
    return torch.stack([torch.ones_like(x), x, x * x], -1)
