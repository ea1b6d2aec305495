"""Our UNet on the host's UNetModel: the host's blocks, attention back ends and casting, with our cross-attention."""

import comfy.ops
import torch
from comfy.ldm.modules.attention import BasicTransformerBlock, optimized_attention
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

from ..unet.attention import BalancedCrossAttention
from ..unet.config import UNetConfig


class DiffSFSRUNet(UNetModel):
    """The host's UNetModel whose second attention reads identity and expression tokens instead of text."""

    def __init__(
        self, *, context_dim, dtype=torch.float32, device=None, operations=comfy.ops.disable_weight_init, **config
    ):
        super().__init__(context_dim=context_dim, dtype=dtype, device=device, operations=operations, **config)
        for block in self.modules():
            if isinstance(block, BasicTransformerBlock):
                block.attn2 = BalancedCrossAttention(
                    block.attn2.to_q.in_features,
                    context_dim,
                    block.n_heads,
                    block.d_head,
                    operations,
                    optimized_attention,
                    dtype,
                    device,
                )

    def forward(
        self,
        x,
        timesteps=None,
        context=None,
        y=None,
        control=None,
        transformer_options=None,
        identity_tokens=None,
        expression_tokens=None,
        identity_strength=None,
        expression_strength=None,
        **kwargs,
    ):
        """x [B, 3 C + 1, h, w], timesteps [B], tokens [B, N, D] each -> v [B, C, h, w]."""
        strength = {
            "identity": 1.0 if identity_strength is None else identity_strength,
            "expression": 1.0 if expression_strength is None else expression_strength,
        }
        told = {"identity": identity_tokens, "expression": expression_tokens, "strength": strength}
        options = {**(transformer_options or {}), "diffsfsr": told}
        return super().forward(x, timesteps, context, y, control, options, **kwargs)


def build_unet(config: UNetConfig, **kwargs) -> DiffSFSRUNet:
    """A UNet without values in its weights (the host's layers leave them unset): load or initialise them."""
    return DiffSFSRUNet(**config.host_arguments(), **kwargs)
