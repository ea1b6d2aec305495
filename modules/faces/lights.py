"""A small network of our own that tells the hard and coloured light on a face from its skin, hair and make-up.

The file ships in `weights/`; `python -m training light` makes it.
"""

import torch

from .ladder import Ladder

POINTS = 468  # of the face mesh, without the irises
SIDE = 64  # pixels of the crop that it looks at
GAMMA, FAINT = 2.2, 0.01  # of pictures, and linear light that is added, so that black has a logarithm


class LightNetwork(Ladder):
    """Crop [B, 3, S, S] 0..1, the face as its mirror image shows it [B, 4, S, S] (colours, and where it does), where on a face
    the pixels are [B, 3, S, S] -> the logarithm of the gain of linear light [B, 3, S, S] that brings the face to soft light,
    each channel's mean over the face 0; S is a multiple of 16.

    Faces are alike on both sides, light seldom is. The gain is a share of the picture's own light and what is smooth: so its
    edges are where those of shadows are, also in a larger picture (He et al. 2013).
    """

    FORMAT, FORMAT_VERSION = "diffsfsr.hard_light", 2
    FILE, NAME = "hard_light.safetensors", "The network for hard light"
    GIVEN, MADE = 12, 6
    WAYS = 24  # in which faces in soft light differ

    def __init__(self, norm: bool = False):
        super().__init__(norm)
        # log light at the points of faces in soft light: the mean, and how they differ from it, one standard deviation each
        self.register_buffer("usual", torch.zeros(POINTS, 3))
        self.register_buffer("ways", torch.zeros(self.WAYS, POINTS, 3))

    def forward(self, image: torch.Tensor, other: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        share, rest = self.shares(image, other, place)
        return level(share * logs(image) + rest, place[:, 2:])

    def shares(self, image: torch.Tensor, other: torch.Tensor, place: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The gain's share of the log light, and the rest of it but for a constant, [B, 3, S, S] each."""
        face, known = place[:, 2:], other[:, 3:]
        own, theirs = logs(image), logs(other[:, :3])
        mean = ((own * face).sum((2, 3)) / face.sum((2, 3)).clamp_min(1))[..., None, None]
        ends = image.amax(1, keepdim=True) - 0.5, image.amin(1, keepdim=True) - 0.5  # what is burnt or black says less
        share, rest = self.climbed(torch.cat([own - mean, (theirs - mean) * known, known, *ends, place], 1)).float().split(3, 1)
        return share, rest - share * mean


def logs(image: torch.Tensor) -> torch.Tensor:
    """Of the linear light of pictures [*, 3, H, W]."""
    return torch.log(image.clamp(0, 1) ** GAMMA + FAINT)


def level(gain: torch.Tensor, face: torch.Tensor) -> torch.Tensor:
    """A gain [B, 3, S, S] less its mean over the face [B, 1, S, S] 0..1."""
    return gain - ((gain * face).sum((2, 3)) / face.sum((2, 3)).clamp_min(1))[..., None, None]
