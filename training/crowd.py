"""Whether results look like real pictures as a crowd, where no single picture says what is right: faces, and mouths that open.

The witness of the kernel distance of two sets (maximum mean discrepancy, Gretton et al. 2012), in features of the network of
STLPIPS that stay as they are: results are pulled to where real pictures are and results are not. Unlike a critic it learns
nothing, so that some hundred pictures and some hundred steps are enough.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F

from ..modules.labels import index
from .perceptual import Stlpips

FACE = 0.23, 0.16, 0.69  # top, left and side of a face in the canonical frame
MOUTH = 0.62, 0.33, 0.34  # likewise of a mouth
OPEN_JAW, SMILE = 0.12, 0.5  # coefficients from which on a mouth is open or smiles
SIDES = {"crowd": (FACE, None), "mouths": (MOUTH, 128)}  # boxes, and the pixels that they are enlarged to
WIDTHS = 0.5, 2.0  # of the kernels, over the median squared distance of real pictures
KEPT, LEAST = 192, 24  # results that are remembered, and from how many on they count
MOST = 160  # real pictures


def opened(codes: torch.Tensor) -> torch.Tensor:
    """Which mouths [B] of coefficients [B, >= 52] are open, or smile."""
    smile = codes[:, [index("mouthSmileLeft"), index("mouthSmileRight")]].mean(1)
    return (codes[:, index("jawOpen")] > OPEN_JAW) | (smile > SMILE)


def part_of(pictures: torch.Tensor, box: tuple[float, float, float]) -> torch.Tensor:
    """The part [..., h, h] of pictures [..., S, S] in the canonical frame; box: top, left and side in shares of it."""
    top, left, side = (round(share * pictures.shape[-1]) for share in box)
    return pictures[..., top : top + side, left : left + side]


class Crowd:
    """real: features [R, D] of real pictures; results are remembered as they are looked at."""

    def __init__(self, real: torch.Tensor):
        self.real, self.made = real, real[:0]
        apart = torch.cdist(real, real)[~torch.eye(len(real), dtype=torch.bool, device=real.device)]
        self.scale = apart.pow(2).median()

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """How much nearer results with features [B, D] are to other results than to real pictures: [B], with its gradient."""
        near = lambda them: sum(torch.exp(-(torch.cdist(features, them) ** 2) / (w * self.scale)).mean(1) for w in WIDTHS)  # noqa: E731
        value = near(self.made) - near(self.real) if len(self.made) >= LEAST else features.sum(1) * 0
        self.made = torch.cat([self.made, features.detach()])[-KEPT:]
        return value


class Crowds:
    """Of faces and of mouths. near: the network; pictures: real ones [3, S, S] with their coefficients [52]."""

    def __init__(self, near: Stlpips, pictures: Iterable[tuple[torch.Tensor, torch.Tensor]]):
        self.near, found = near, {name: [] for name in SIDES}
        with torch.no_grad():
            for picture, code in pictures:
                for name in SIDES if opened(code[None]).any() else ("crowd",):
                    if len(found[name]) < MOST:
                        found[name].append(self.features(picture[None], name))
        self.crowds = {name: Crowd(torch.cat(rows)) for name, rows in found.items() if len(rows) > 1}

    def features(self, pictures: torch.Tensor, name: str) -> torch.Tensor:
        """[B, D] of pictures [B, 3, S, S] 0..1: mean and spread of each map, each of unit length."""
        box, size = SIDES[name]
        part = part_of(pictures, box)
        if size is not None:
            part = F.interpolate(part, size=size, mode="bilinear", align_corners=False)
        maps = [x.flatten(2) for x in self.near.maps(part)]
        return torch.cat([F.normalize(y, dim=1) for x in maps for y in (x.mean(2), (x.var(2) + 1e-6).sqrt())], 1)

    def __call__(self, pictures: torch.Tensor, codes: torch.Tensor) -> dict[str, torch.Tensor]:
        """Results [B, 3, S, S] with the coefficients [B, >= 52] that they were asked for -> [B] of "crowd" and "mouths"."""
        found = {name: crowd(self.features(pictures, name)) for name, crowd in self.crowds.items() if name == "crowd"}
        if "mouths" in self.crowds:
            some = opened(codes)
            value = pictures.new_zeros(len(pictures))
            if some.any():
                value = value.masked_scatter(some, self.crowds["mouths"](self.features(pictures[some], "mouths")))
            found["mouths"] = value
        return found
