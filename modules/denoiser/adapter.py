"""An adapter: what DiffSFSR adds to a UNet of Stable Diffusion 1.5's shape, apart from it.

Two things are added, and both are zero before training, so that the UNet then is what it was: the attention to identity and
expression in each cross-attention layer, on the layer's own queries and before its own output projection; and a convolution of
the background's latent, the mask and the coarse warp's latent (`UNetConfig.extra_channels`), added to what the UNet's first
convolution gives (which is one convolution of all channels, written as two).
"""

from typing import NamedTuple

import torch
from torch import nn

from .attention import GROUPS, GroupAttention, plain_attention
from .config import UNetConfig

FIRST = "input_blocks.0.0.weight"  # of a UNet: [C_model, in, 3, 3]
OWN = tuple(f".attn2.{layer}_{group}." for group in GROUPS for layer in ("norm", "to_k", "to_v", "gate"))


class Layer(NamedTuple):
    """One cross-attention layer of a UNet: its module path up to and with `attn2`, heads and their width."""

    path: str
    heads: int
    dim_head: int


class Adapter(nn.Module):
    """`layers`: the cross-attention layers of the UNet that it is for. Weights have no values with the host's `operations`."""

    def __init__(
        self, config: UNetConfig, layers: list[Layer], operations=nn, attention=plain_attention, dtype=None, device=None
    ):
        super().__init__()
        made = {"dtype": dtype, "device": device}
        self.input = operations.Conv2d(config.extra_channels, config.model_channels, 3, padding=1, bias=False, **made)
        self.paths = [layer.path for layer in layers]
        for path, heads, width in layers:
            parent = self
            *above, name = path.split(".")
            for step in above:
                if not hasattr(parent, step):
                    parent.add_module(step, nn.Module())
                parent = getattr(parent, step)
            parent.add_module(
                name, GroupAttention(config.token_width, heads, width, operations, attention, **made)
            )

    def attention(self, path: str) -> GroupAttention:
        return self.get_submodule(path)


def adapter_of(unet: dict[str, torch.Tensor], config: UNetConfig) -> dict[str, torch.Tensor]:
    """The adapter's weights, cut out of those of a whole UNet that was trained with them."""
    own = {name: value for name, value in unet.items() if any(part in name for part in OWN)}
    return {**own, "input.weight": unet[FIRST][:, config.latent_channels :].contiguous()}
