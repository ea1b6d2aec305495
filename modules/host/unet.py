"""Our UNet on the host's UNetModel: the host's blocks, attention back ends and casting, with our cross-attention."""

import comfy.ops
import torch
from comfy.ldm.modules.attention import BasicTransformerBlock, optimized_attention
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.patcher_extension import WrappersMP

from ..denoiser.attention import BalancedCrossAttention
from ..denoiser.config import UNetConfig
from ..denoiser.timestep import SteadySteps
from .conditioning import KEY

CPU_ROWS = 16  # in one call: more leave a processor's cache, 135 take 8 % more each
PATCHED = ("patches", "patches_replace", "callbacks")  # of transformer_options: they may count the rows


class DiffSFSRUNet(UNetModel):
    """The host's UNetModel whose second attention reads identity and expression tokens, beside text or instead of it."""

    def __init__(
        self,
        *,
        context_dim,
        token_width=None,
        text_width=0,
        step_window=0.0,
        dtype=torch.float32,
        device=None,
        operations=comfy.ops.disable_weight_init,
        **config,
    ):
        super().__init__(context_dim=context_dim, dtype=dtype, device=device, operations=operations, **config)
        if step_window:
            self.time_embed = SteadySteps(self.time_embed, self.model_channels, step_window)
        for block in self.modules():
            if isinstance(block, BasicTransformerBlock):
                block.attn2 = BalancedCrossAttention(
                    block.attn2.to_q.in_features,
                    token_width or context_dim,
                    block.n_heads,
                    block.d_head,
                    operations,
                    optimized_attention,
                    dtype,
                    device,
                    text_width,
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
        """x [B, 3 C + 1, h, w], timesteps [B], tokens [B, N, D] each -> what is predicted [B, C, h, w]."""
        options, strengths = transformer_options or {}, (identity_strength, expression_strength)
        patched = control or counted(options)
        if len(x) > CPU_ROWS and x.device.type == "cpu" and not patched:
            rows = (x, timesteps, context, y, identity_tokens, expression_tokens)
            parts = zip(*(in_parts(value, len(x)) for value in rows), strict=True)
            return torch.cat([self.forward(*p[:4], None, options, *p[4:], *strengths, **kwargs) for p in parts])
        ours = attention_options(identity_tokens, expression_tokens, *strengths)
        return super().forward(x, timesteps, context, y, control, {**options, KEY: ours}, **kwargs)


def counted(options: dict) -> bool:
    """Whether something that was put into the model may count the rows; what is around the whole sampling does not."""
    inner = (value for kind, value in options.get("wrappers", {}).items() if kind != WrappersMP.OUTER_SAMPLE)
    return any(options.get(name) for name in PATCHED) or any(inner)


def in_parts(value: torch.Tensor | None, count: int) -> list:
    """A tensor with `count` rows in parts of `CPU_ROWS`; anything else (None, one row for all) as it is for each part."""
    parts = -(-count // CPU_ROWS)
    return list(value.split(CPU_ROWS)) if value is not None and len(value) == count else [value] * parts


def attention_options(identity, expression, identity_strength=None, expression_strength=None) -> dict:
    """What the cross-attention reads under `transformer_options["diffsfsr"]`, see `GroupAttention.groups`."""
    strength = {"identity": identity_strength, "expression": expression_strength}
    strength = {name: 1.0 if value is None else value for name, value in strength.items()}
    return {"identity": identity, "expression": expression, "strength": strength}


def build_unet(config: UNetConfig, **kwargs) -> DiffSFSRUNet:
    """A UNet without values in its weights (the host's layers leave them unset): load or initialise them."""
    return DiffSFSRUNet(**config.arguments(), **kwargs)
