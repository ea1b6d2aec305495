"""Perceptual networks as judges: no gradient, pictures [B, 3, H, W] 0..1 in float32."""

import torch

from ...training.perceptual import Stlpips as Network


class Stlpips(Network):
    """`training.perceptual.Stlpips` for evaluation. Where it was a loss, that is said beside its figures."""

    @torch.inference_mode()
    def __call__(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return super().__call__(a, b)
