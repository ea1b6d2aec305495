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


class GroupAttention(nn.Module):
    """What one cross-attention layer needs to read both groups with queries that are made elsewhere.

    `operations` gives the layer classes (the host's casting ones), `attention` its way of computing.
    """

    def __init__(
        self,
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
        for group in GROUPS:
            self.add_module(f"norm_{group}", operations.LayerNorm(token_dim, **made))
            self.add_module(f"to_k_{group}", operations.Linear(token_dim, inner, bias=False, **made))
            self.add_module(f"to_v_{group}", operations.Linear(token_dim, inner, bias=False, **made))
            # one factor a head, as a layer and not a parameter, so that the host casts it like any other weight
            self.add_module(f"gate_{group}", operations.Linear(1, heads, bias=False, **made))

    def groups(self, q: torch.Tensor, conditioning: dict) -> torch.Tensor | None:
        """Queries [B, N, heads * d] -> the gated sum of both groups, of the same shape; None when both strengths are 0.

        conditioning: {"identity": [B, N, D], "expression": [B, N, D], "strength": {"identity": float, "expression": float}}.
        """
        total, one = None, torch.ones(1, 1, dtype=q.dtype, device=q.device)
        for group in GROUPS:
            strength = conditioning["strength"][group]
            if strength == 0:
                continue
            tokens = getattr(self, f"norm_{group}")(conditioning[group].to(q.dtype))
            k, v = getattr(self, f"to_k_{group}")(tokens), getattr(self, f"to_v_{group}")(tokens)
            gate = getattr(self, f"gate_{group}")(one) * strength
            attended = self.attention(q, k, v, self.heads) * gate.repeat_interleave(self.dim_head, -1)
            total = attended if total is None else total + attended
        return total


class BalancedCrossAttention(GroupAttention):
    """Stands where the host's transformer blocks have their cross-attention, and is called as it is.

    The tokens come through `transformer_options["diffsfsr"]`, see `GroupAttention.groups`. `text_dim`: the width of text
    tokens that are read as well, through the layer's own keys and values, as Stable Diffusion has them; 0: no text.
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
        text_dim: int = 0,
    ):
        super().__init__(token_dim, heads, dim_head, operations, attention, dtype, device)
        inner, made = heads * dim_head, {"dtype": dtype, "device": device}
        self.to_q = operations.Linear(query_dim, inner, bias=False, **made)
        if text_dim:
            self.to_k = operations.Linear(text_dim, inner, bias=False, **made)
            self.to_v = operations.Linear(text_dim, inner, bias=False, **made)
        self.to_out = nn.Sequential(operations.Linear(inner, query_dim, **made), nn.Dropout(0.0))

    def forward(self, x, context=None, value=None, mask=None, transformer_options=None):
        """x [B, N, C], text tokens `context` [B, T, text_dim] (`value`: others for the values) -> [B, N, C]."""
        q = self.to_q(x)
        total = self.groups(q, transformer_options["diffsfsr"])
        if hasattr(self, "to_k"):
            k, v = self.to_k(context), self.to_v(context if value is None else value)
            text = self.attention(q, k, v, self.heads)
            total = text if total is None else text + total
        if total is None:  # both strengths are zero: no condition, but the layer's bias stays
            total = torch.zeros_like(q)
        return self.to_out(total)
