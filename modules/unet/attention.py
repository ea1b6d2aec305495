"""Balanced cross-attention: identity and expression each with their own keys and values, summed with learned gates.

DiffSFSR, figure 4 (its caption shows separate attention for both conditions; gates and normalisation are our choice).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

GROUPS = ("identity", "expression")


def plain_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, heads: int, **_) -> torch.Tensor:
    """[B, N, heads * d] each -> [B, N, heads * d]: torch's scaled dot product."""
    q, k, v = (rearrange(x, "b n (h d) -> b h n d", h=heads) for x in (q, k, v))
    return rearrange(F.scaled_dot_product_attention(q, k, v), "b h n d -> b n (h d)")


class BalancedCrossAttention(nn.Module):
    """Stands where the host's transformer blocks have their cross-attention, and is called as it is.

    The tokens come through `transformer_options["diffsfsr"]`: {"identity": [B, N, D], "expression": [B, N, D],
    "strength": {"identity": float, "expression": float}}. `operations` gives the layer classes (the host's casting ones).
    """

    def __init__(
        self,
        query_dim: int,
        token_dim: int,
        heads: int,
        dim_head: int,
        operations=nn,
        attention: Callable = plain_attention,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
    ):
        super().__init__()
        inner, made = heads * dim_head, {"dtype": dtype, "device": device}
        self.heads, self.dim_head, self.attention = heads, dim_head, attention
        self.to_q = operations.Linear(query_dim, inner, bias=False, **made)
        for group in GROUPS:
            self.add_module(f"norm_{group}", operations.LayerNorm(token_dim, **made))
            self.add_module(f"to_k_{group}", operations.Linear(token_dim, inner, bias=False, **made))
            self.add_module(f"to_v_{group}", operations.Linear(token_dim, inner, bias=False, **made))
            # one factor a head, as a layer and not a parameter, so that the host casts it like any other weight
            self.add_module(f"gate_{group}", operations.Linear(1, heads, bias=False, **made))
        self.to_out = nn.Sequential(operations.Linear(inner, query_dim, **made), nn.Dropout(0.0))

    def forward(self, x, context=None, value=None, mask=None, transformer_options=None):
        told = transformer_options["diffsfsr"]
        q, total = self.to_q(x), 0
        one = torch.ones(1, 1, dtype=x.dtype, device=x.device)
        for group in GROUPS:
            strength = told["strength"][group]
            if strength == 0:
                continue
            tokens = getattr(self, f"norm_{group}")(told[group].to(x.dtype))
            k, v = getattr(self, f"to_k_{group}")(tokens), getattr(self, f"to_v_{group}")(tokens)
            gate = getattr(self, f"gate_{group}")(one) * strength
            total = total + self.attention(q, k, v, self.heads) * gate.repeat_interleave(self.dim_head, -1)
        if isinstance(total, int):  # both strengths are zero: no condition, but the layer's bias stays
            total = torch.zeros_like(q)
        return self.to_out(total)
