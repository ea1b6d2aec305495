"""The network that is trained: the host's UNet with our cross-attention, and the token encoder."""

from functools import partial
from pathlib import Path

import torch
from torch import nn

from ..modules.bundle import load_bundle
from ..modules.denoiser.attention import BalancedCrossAttention, plain_attention
from ..modules.denoiser.config import UNetConfig
from ..modules.encoders.tokens import TokenConfig, TokenEncoder
from ..modules.host.unet import build_unet


def initialise(unet: nn.Module) -> None:
    """Torch's defaults for every layer (the host's layers come without values); last layers of residual parts start at 0."""
    for module in unet.modules():
        if isinstance(module, nn.Conv2d):
            nn.modules.conv._ConvNd.reset_parameters(module)
        elif isinstance(module, nn.Linear):
            nn.Linear.reset_parameters(module)
        elif isinstance(module, nn.GroupNorm | nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    for name, module in unet.named_modules():
        if name.endswith(("out_layers.3", "proj_out", "out.2")):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
        if ".gate_" in name:
            nn.init.ones_(module.weight)


PLAIN = 1024  # tokens, up to which a whole table of attention is kept for the gradient


def trainable_attention(function, q, k, v, heads, *rest, **options):
    """Attention as plain products on a CPU: in bfloat16, with its gradient, three times faster than torch's fused one."""
    if q.is_cuda:
        return function(q, k, v, heads, *rest, **options)
    if q.shape[1] > PLAIN:
        return plain_attention(q, k, v, heads)
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    weight = torch.softmax((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2), -1)
    return (weight @ v).transpose(1, 2).flatten(2)


class Denoiser(nn.Module):
    """UNet and token encoder together, as they are trained and averaged.

    empty: text tokens [1, T, W] of the empty prompt, for a UNet that reads text: for rows without any, and for dropped ones.
    """

    def __init__(self, unet: UNetConfig, tokens: TokenConfig, empty: torch.Tensor | None = None):
        super().__init__()
        self.unet, self.tokens = build_unet(unet), TokenEncoder(tokens)
        self.register_buffer("empty", empty, persistent=False)
        initialise(self.unet)
        self.options = {"optimized_attention_override": trainable_attention}
        for module in self.unet.modules():
            if isinstance(module, BalancedCrossAttention):
                module.attention = partial(trainable_attention, module.attention)

    def forward(self, z, concat, t, vector, selfie, code, drop, text=None):
        """drop [B, 2 or 3]: which of identity, expression, text are left out. Returns what is predicted [B, C, h, w]."""
        identity, expression = self.tokens.identity_tokens(vector, selfie), self.tokens.expression_tokens(code)
        nothing = self.tokens.null(len(z))
        identity = torch.where(drop[:, 0, None, None], nothing[0].to(identity.dtype), identity)
        expression = torch.where(drop[:, 1, None, None], nothing[1].to(expression.dtype), expression)
        return self.unet(
            torch.cat([z, concat], 1),
            t,
            self._text(text, drop),
            identity_tokens=identity,
            expression_tokens=expression,
            transformer_options=dict(self.options),
        )

    def _text(self, text: torch.Tensor | None, drop: torch.Tensor) -> torch.Tensor | None:
        if self.empty is None or text is None:
            return None if self.empty is None else self.empty.expand(len(drop), -1, -1)
        return torch.where(drop[:, 2, None, None], self.empty.to(text.dtype), text)


def load_start(model: Denoiser, path: Path, only_tokens: bool = False) -> None:
    """Begins with the weights of a bundle. Where a layer here reads more values than there, the new ones begin at 0; where
    it reads fewer, as of an expression without the directions of true ones, the others are left out.
    """
    parts, own = load_bundle(path).parts, model.state_dict()
    for name in own:
        part, _, key = name.partition(".")
        if only_tokens and part != "tokens":
            continue
        old = parts[part][key].float()
        if own[name].shape != old.shape:
            wider = torch.zeros_like(own[name])
            both = tuple(slice(min(n, m)) for n, m in zip(own[name].shape, old.shape, strict=True))
            wider[both] = old[both]
            old = wider
        own[name] = old
    model.load_state_dict(own)
