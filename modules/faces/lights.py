"""A small network of our own that tells the hard and coloured light on a face from its skin, hair and make-up.

The file ships in `weights/`; `python -m training light` makes it.
"""

import torch

from .ladder import Ladder

SIDE = 128  # pixels of the crop that it looks at
GAMMA, FAINT = 2.2, 0.01  # of pictures, and linear light that is added, so that black has a logarithm


class LightNetwork(Ladder):
    """Crop [B, 3, S, S] 0..1, the face as its mirror image shows it [B, 4, S, S] (colours, and where it does), where on a face
    the pixels are [B, 3, S, S] -> the logarithm of the gain of linear light [B, 3, S, S] that brings the face to soft light,
    each channel's mean over the face 0; S is a multiple of 16.

    Faces are alike on both sides, light seldom is.
    """

    FORMAT, FILE, NAME = "diffsfsr.hard_light", "hard_light.safetensors", "The network for hard light"
    GIVEN, MADE = 12, 3

    def forward(self, image: torch.Tensor, other: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        face, known = place[:, 2:], other[:, 3:]
        weight = face / face.sum((2, 3), keepdim=True).clamp_min(1)
        own, theirs = (torch.log(x.clamp(0, 1) ** GAMMA + FAINT) for x in (image, other[:, :3]))
        mean = (own * weight).sum((2, 3), keepdim=True)
        ends = image.amax(1, keepdim=True) - 0.5, image.amin(1, keepdim=True) - 0.5  # what is burnt or black says less
        gain = self.climbed(torch.cat([own - mean, (theirs - mean) * known, known, *ends, place], 1)).float()
        return gain - (gain * weight).sum((2, 3), keepdim=True)
