"""What a picture as a whole is like, beside its light: a black-and-white or toned palette, and an exposure that hardly shows
anything. Both are found in the crop around a face. Ordinary pictures have neither, and are left bit for bit as they are.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from kornia.color import lab_to_rgb, rgb_to_lab

from .light import GAMMA, LUMINANCE, gained

SMALL = 64  # pixels a side at which a palette is read: less noise, and less time
# CIELAB distance (rms) of a crop's colours from a palette of one colour for each lightness, up to which it has one, and from
# which on it has none. Of 478 portraits the seven in grey or sepia have .4 to 2.2, faded ones 2.2 to 2.9, the others more.
TONED = 2.0, 3.0
RANGE = 20.0, 35.0  # of lightness that must be seen to tell a tone from a crop of one colour; grey is told without
SEEN = 0.1  # CIELAB difference that is worth a change
BRIGHT = 60.0  # lightness of the brightest parts below which the same palette gives smaller distances
FACE = slice(0.23, 0.9), slice(0.27, 0.73)  # rows and columns of the crop that are mostly face
# Linear light of the brightest fiftieth of a face (eye whites, shine; skin of any colour) below which it begins to be too
# dark, and where it wholly is; of 478 portraits the darkest has .23. The same for the share of burnt pixels; the most is .17.
DARK, BURNT, WHITE = (0.2, 0.08), (0.2, 0.4), 0.97
USUAL = 0.18  # linear light of the middle of a face in usual light


class Palette(NamedTuple):
    """One colour for each lightness."""

    curve: torch.Tensor  # [4, 2]: a and b of CIELAB as polynomials of the lightness / 100
    brightest: float  # lightness / 100 up to which that was seen
    share: float  # 0..1, how far the picture keeps to it

    @classmethod
    def of(cls, crop: torch.Tensor) -> "Palette":
        """Of the crop [3, S, S] around a face."""
        lab = rgb_to_lab(F.adaptive_avg_pool2d(crop.float().clamp(0, 1)[None], SMALL))[0].flatten(1).T
        terms = _terms(lab[:, 0])
        ridge = 1e-5 * len(terms) * torch.eye(4)
        curve = torch.linalg.solve(terms.T @ terms + ridge, terms.T @ lab[:, 1:])
        darkest, brightest = lab[:, 0].quantile(lab.new_tensor([0.02, 0.98])).tolist()
        scale = min(max(brightest, 1.0) / BRIGHT, 1.0)
        off, chroma = (float(x.square().sum(1).mean().sqrt()) / scale for x in (lab[:, 1:] - terms @ curve, lab[:, 1:]))
        sure = max(between((brightest - darkest) / scale, RANGE), between(chroma, TONED[::-1]))
        return cls(curve, float(lab[:, 0].max()) / 100, sure * between(off, TONED[::-1]))

    def on(self, image: torch.Tensor) -> torch.Tensor:
        """A picture [3, H, W] in these colours, as bright as it was; without a palette the very same."""
        if self.share <= 0:
            return image
        lab = rgb_to_lab(image[None].clamp(0, 1))[0]
        own = (_terms((lab[0] / 100).clamp(max=self.brightest) * 100) @ self.curve).movedim(-1, 0)
        led = lab_to_rgb(torch.cat([lab[:1], torch.lerp(lab[1:], own, self.share)])[None])[0].clamp(0, 1)
        return torch.where((own - lab[1:]).abs().amax(0) > SEEN, led, image)  # what is in them already is not even rounded


class Exposure(NamedTuple):
    """How a face is exposed."""

    middle: float  # logarithm of the median of its linear light
    dark: float  # 0..1: too dark to be skin in any light
    burnt: float  # 0..1: white over large parts

    @classmethod
    def of(cls, crop: torch.Tensor) -> "Exposure":
        """Of the crop [3, S, S] around a face."""
        rows, columns = (slice(*(round(v * crop.shape[-1]) for v in (part.start, part.stop))) for part in FACE)
        face = crop[:, rows, columns].flatten(1).clamp(0, 1)
        light = crop.new_tensor(LUMINANCE) @ face**GAMMA
        burnt = float((face.amin(0) > WHITE).float().mean())
        middle = math.log(max(float(light.median()), 1e-5))
        return cls(middle, between(float(light.quantile(0.98)), DARK), between(burnt, BURNT))


def lit(crop: torch.Tensor) -> tuple[torch.Tensor, float]:
    """A crop [3, S, S] that is too dark to draw in, as bright as pictures usually are, and the logarithm of that gain of its
    linear light; any other as it is, and 0. What is drawn there is darkened by the same gain, teeth and eyes too.
    """
    exposure = Exposure.of(crop)
    gain = exposure.dark * max(math.log(USUAL) - exposure.middle, 0.0)
    return (exposed(crop, gain), gain) if gain > 0 else (crop, 0.0)


def exposed(image: torch.Tensor, gain: float) -> torch.Tensor:
    """A picture [*, 3, H, W] whose linear light has a gain, given as a logarithm."""
    return image if gain == 0 else gained(image, image.new_tensor(gain).exp())


def _terms(lightness: torch.Tensor) -> torch.Tensor:
    """[*, 4]: powers of lightness / 100."""
    return torch.stack([(lightness / 100) ** k for k in range(4)], -1)


def between(value: float, limits: tuple[float, float]) -> float:
    """0 at the first limit, 1 at the second and beyond."""
    none, whole = limits
    return min(max((value - none) / (whole - none), 0.0), 1.0)
