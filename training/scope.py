"""Which weights of a denoiser on a Stable Diffusion base are trained, and how to hold fewer numbers while they are.

adapter: our attention, our input channels and the token encoder; unet: the base's own weights; both: all of it.
"""

from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ..modules.denoiser.adapter import FIRST, OWN

SCOPES = ("adapter", "unet", "both")


def is_adapter(name: str) -> bool:
    """By the name of a weight of `Denoiser`."""
    return name.startswith("tokens.") or any(part in name for part in OWN)


def limit(model: nn.Module, scope: str, channels: int) -> None:
    """Freezes what the scope leaves out. The first convolution holds both: its other columns get no gradient.

    channels: of the noisy latent, the base's own columns.
    """
    for name, weight in model.named_parameters():
        if name == f"unet.{FIRST}":
            if scope != "both":
                columns = torch.arange(weight.shape[1]) < channels
                kept = (columns if scope == "unet" else ~columns).float()[None, :, None, None]
                weight.register_hook(lambda grad, kept=kept: grad * kept.to(grad))
        elif scope != "both":
            weight.requires_grad_(is_adapter(name) == (scope == "adapter"))


def groups(model: nn.Module, decay: float) -> list[dict]:
    """For the optimiser: no decay on the first convolution, which would shrink what is to stay."""
    named = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    first = [weight for name, weight in named if name == f"unet.{FIRST}"]
    rest = [weight for name, weight in named if name != f"unet.{FIRST}"]
    return [{"params": rest, "weight_decay": decay}, {"params": first, "weight_decay": 0.0}]


def recompute(unet: nn.Module) -> None:
    """Gradient checkpoints: each residual block and transformer keeps its input alone and computes the rest again."""
    from comfy.ldm.modules.attention import SpatialTransformer
    from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock

    for module in unet.modules():
        if isinstance(module, ResBlock | SpatialTransformer):
            module.forward = partial(checkpoint, module.forward, use_reentrant=False)


def optimiser_of(kind: str, parameters: list[dict], rate: float, decay: float) -> torch.optim.Optimizer:
    """"adamw", or "adamw8bit" by bitsandbytes, whose states take a quarter of the memory (CUDA only)."""
    settings = {"lr": rate, "betas": (0.9, 0.98), "weight_decay": decay}
    if kind == "adamw":
        return torch.optim.AdamW(parameters, **settings)
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise SystemExit("training: adamw8bit needs bitsandbytes; install it, or take --optimizer adamw") from error
    if not torch.cuda.is_available():
        raise SystemExit("training: adamw8bit needs a CUDA device; take --optimizer adamw")
    return AdamW8bit(parameters, **settings)
