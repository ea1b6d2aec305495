"""Tokens of the two conditions. Balance: both groups have the same number of tokens, each is normalised by itself in every
cross-attention, and each has its own learned null tokens, so that one can be left out without the other.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import nn

from ..bounds import whole

RULES = {  # what a file may say, see `bundle.py`
    "tokens": whole(17, 256), "width": whole(8, 4096), "recognition": whole(1, 240), "identity_width": whole(0, 8192),
    "code_width": whole(1, 4096), "selfie": whole(128, 128),
}  # fmt: skip


@dataclass(frozen=True)
class TokenConfig:
    """N tokens of width D for each group. Identity: `recognition` tokens say who, the others how the face looks.

    `code_width`: how many leading values of the expression code are read (52: the coefficients alone).
    """

    tokens: int = 20
    width: int = 192
    recognition: int = 4
    identity_width: int = 256
    code_width: int = 52
    selfie: int = 128


class TokenEncoder(nn.Module):
    def __init__(self, config: TokenConfig):
        super().__init__()
        self.config = config
        n, d = config.tokens, config.width
        self.recognition = nn.Sequential(nn.Linear(config.identity_width, d * config.recognition))
        self.appearance = nn.Sequential(
            *_down(3, 32), *_down(32, 64), *_down(64, 96), *_down(96, 160), nn.Conv2d(160, d, 3, 2, 1)
        )
        self.place = nn.Parameter(torch.randn(n - config.recognition, d) * 0.02)
        self.expression = nn.Sequential(nn.Linear(config.code_width, 192), nn.SiLU(), nn.Linear(192, n * d))
        self.null_identity = nn.Parameter(torch.randn(n, d) * 0.02)
        self.null_expression = nn.Parameter(torch.randn(n, d) * 0.02)

    def identity_tokens(self, vector: torch.Tensor, selfie: torch.Tensor) -> torch.Tensor:
        """Identity vector [B, 256] and selfie crop [B, 3, 128, 128] 0..1 -> [B, N, D]."""
        who = rearrange(
            self.recognition(vector * vector.shape[-1] ** 0.5), "b (n d) -> b n d", n=self.config.recognition
        )
        looks = rearrange(self.appearance(selfie * 2 - 1), "b d h w -> b (h w) d") + self.place
        return torch.cat([who, looks], 1)

    def expression_tokens(self, code: torch.Tensor) -> torch.Tensor:
        """Expression code [B, >= code_width] -> [B, N, D]. The zero code is the neutral face, not the null condition."""
        return rearrange(self.expression(code[:, : self.config.code_width] * 3), "b (n d) -> b n d", n=self.config.tokens)

    def null(self, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Learned tokens for 'nothing said' of identity and of expression: two times [B, N, D]."""
        return self.null_identity.expand(batch, -1, -1), self.null_expression.expand(batch, -1, -1)


def _down(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.GroupNorm(8, outputs), nn.SiLU()]
