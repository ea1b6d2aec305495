"""How unlike a face's own skin the colours in its picture are: shadows, gleams and the light from one side are skin."""

import torch

from ..affine import FRAME
from .light import GAMMA
from .masks import blurred
from .rim import DARK, robust_fit, terms

SPREAD = 0.5, 0.12  # of the Cauchy weights on log light and on log chroma
STIFF = 0.0, 0.02, 0.02, 0.1, 0.1, 0.1, 0.01, 0.02  # ridge on 1, x, y, xy, xx, yy, light and its square, for each pixel
USUAL = 0.1, 0.97  # quantiles of a skin's light between which its chroma follows from its light
LEAST = 0.25, 0.05  # spread of a skin's log light and log chroma that is always granted
DARKER, BRIGHTER, COLOUR = 2.5, 3.5, 2.5  # spreads that count as 1
RICHER = 0.4  # what a richer chroma counts: shadows on skin are redder


def logs_of(image: torch.Tensor) -> torch.Tensor:
    """A picture [3, S, S] -> log of linear light, and logs of red and of blue over green: [3, S, S]."""
    smooth = blurred(image[None].clamp(0, 1), 0.6 * image.shape[-1] / FRAME)[0]
    red, green, blue = torch.log(smooth**GAMMA + DARK)
    return torch.stack([(red + green + blue) / 3, red - green, blue - green])


def unlike_skin(logs: torch.Tensor, skin: torch.Tensor) -> torch.Tensor:
    """Distance [S, S] of colours, logs [3, S, S], from a face's skin, most of which is on `skin` [S, S] bool; 1 is doubtful.

    Light is compared with a field of second order in x and y; chroma with such a field that follows light, too: skin is redder
    in shadow and pale in a gleam.
    """
    axis = torch.arange(logs.shape[-1], device=logs.device)
    field = terms(axis[None, :], axis[:, None], len(axis))
    here = logs - logs[:, skin].median(1).values[:, None, None]
    light, spread = _beside(here[:1], field, skin, SPREAD[0])
    low, high = torch.quantile(light[0, skin], light.new_tensor(USUAL))
    usual = light[0].clamp(low, high)
    field = torch.cat([field, torch.stack([usual, usual**2], -1)], -1)
    chroma, own = _beside(here[1:], field, skin, SPREAD[1])
    light = light[0] / spread.clamp_min(LEAST[0])
    light = torch.where(light < 0, light / DARKER, light / BRIGHTER)
    red, blue = chroma / (COLOUR * own.clamp_min(LEAST[1]))[:, None, None]
    rich, hue = (red - blue) / 2**0.5, (red + blue) / 2**0.5
    return (light**2 + torch.where(rich > 0, RICHER * rich, rich) ** 2 + hue**2).sqrt()


def _beside(values: torch.Tensor, field: torch.Tensor, skin: torch.Tensor, spread: float) -> tuple[torch.Tensor, torch.Tensor]:
    """What a robust fit of values [C, S, S] by field [S, S, K], on `skin`, leaves: [C, S, S]; and how far skin spreads: [C]."""
    found, certain = robust_fit(field[skin], values[:, skin].T, spread, STIFF[: field.shape[-1]])
    left = values - (field @ found).movedim(-1, 0)
    return left, ((certain * left[:, skin].T ** 2).sum(0) / certain.sum()).sqrt()
