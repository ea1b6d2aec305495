"""A small network of our own that tells what stands before a face: hands, things that are held, glasses, hair, cloth.

The file ships in `weights/`; `python -m training front` makes it.
"""

import torch

from .ladder import Ladder

SIDE = 192  # pixels of the crop that it looks at
LEAST = 0.02  # spread of colours that is always granted


class CoverNetwork(Ladder):
    """Crop [B, 3, S, S] 0..1 and where on a face its pixels are [B, 3, S, S] -> logits [B, S, S]; S is a multiple of 16.

    It sees the picture beside its mirror image: faces are alike on both sides, hands and microphones are not.
    """

    FORMAT, FILE, NAME = "diffsfsr.in_front", "in_front.safetensors", "The network for what stands in front"
    GIVEN, MADE = 9, 1

    def forward(self, image: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        plain = beside_its_mean(image, place[:, 2:])
        return self.climbed(torch.cat([plain, plain.flip(-1), place], 1))[:, 0]


def beside_its_mean(image: torch.Tensor, face: torch.Tensor) -> torch.Tensor:
    """Pictures [B, 3, S, S] less the mean colour of their faces [B, 1, S, S] 0..1, over its spread, whatever skin and light."""
    weight = face / face.sum((2, 3), keepdim=True).clamp_min(1)
    mean = (image * weight).sum((2, 3), keepdim=True)
    spread = ((image - mean) ** 2 * weight).sum((1, 2, 3), keepdim=True).sqrt()
    return (image - mean) / (spread + LEAST)
