"""What a training step on Stable Diffusion 1.5 costs, at its true shapes with random weights, and what 100,000 of them take.

    python -m training costs [--precision bf16] [--checkpointing]

Time and memory are measured on the device at hand, at batch 1; the arithmetic is counted. The hours on other machines follow
from the count, by a stated share of a chip's speed: a projection, not a measurement.
"""

import contextlib
import resource
import time

import torch
from comfy.ldm.modules.diffusionmodules.model import Decoder
from torch.utils.flop_counter import FlopCounterMode

from ..modules.denoiser.config import UNetConfig
from ..modules.encoders.tokens import TokenConfig
from .denoiser import Denoiser
from .scope import limit, recompute
from .unet import CONFIG
from .velocity import LOSS

SD15 = {
    "out_channels": 4, "model_channels": 320, "channel_mult": (1, 2, 4, 4), "num_res_blocks": (2, 2, 2, 2), "context_dim": 768,
    "transformer_depth": (1, 1, 1, 1, 1, 1, 0, 0), "transformer_depth_output": (1,) * 9 + (0,) * 3,
    "transformer_depth_middle": 1,
}  # fmt: skip
LATENT = 64  # side at 512 px
CHIP, SHARE = 989e12, 0.38  # an H100 SXM's dense bfloat16 products a second (its data sheet), and what training reaches of it
STEPS, BATCH = 100_000, 64
LOOKED = LOSS["pictures_of"] * CONFIG["pictures_every"]  # rows of which one is judged as a picture


def model_of(train: str) -> Denoiser:
    config = UNetConfig.from_host(SD15, TokenConfig().width)
    model = Denoiser(config, TokenConfig(), torch.zeros(1, 77, config.text_width))
    limit(model, train, config.latent_channels)
    return model


def inputs(device: str) -> tuple[torch.Tensor, ...]:
    """One row, as `Denoiser.forward` takes it."""
    draw = lambda *shape: torch.randn(1, *shape, device=device)  # noqa: E731
    noisy = draw(4, LATENT, LATENT), draw(9, LATENT, LATENT), torch.tensor([500], device=device)
    return *noisy, draw(256), draw(3, 128, 128), draw(52), torch.zeros(1, 3, dtype=torch.bool, device=device)


def products(train: str, backward: bool) -> float:
    """Floating point operations of a row, with the backward pass if asked (a product and a sum are two): counted, not run."""
    with torch.device("meta"):
        model, rows = model_of(train), inputs("meta")
        with FlopCounterMode(display=False) as counter, contextlib.nullcontext() if backward else torch.no_grad():
            out = model(*rows)
            if backward:
                out.mean().backward()
    return float(counter.get_total_flops())


def decoder_products() -> float:
    """Of decoding one latent, forward and backward, which a loss on pictures needs besides the UNet. Convolutions alone."""
    with torch.device("meta"):
        decoder = Decoder(
            ch=128, out_ch=3, ch_mult=(1, 2, 4, 4), num_res_blocks=2, attn_resolutions=[], in_channels=3, resolution=8 * LATENT,
            z_channels=4, attn_op=lambda *_, **__: torch.nn.Identity(),
        ).requires_grad_(False)  # fmt: skip
        latent = torch.zeros(1, 4, LATENT, LATENT, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        decoder(latent).mean().backward()
    return float(counter.get_total_flops())


def step(model: Denoiser, rows: tuple[torch.Tensor, ...], device: str, precision: str) -> float:
    """Seconds of a forward and backward pass; the optimiser's own work is small beside it."""
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    with torch.autocast(device, kind, enabled=kind is not None):
        start = time.perf_counter()
        model(*rows).float().square().mean().backward()
    if device == "cuda":
        torch.cuda.synchronize()
    took = time.perf_counter() - start
    model.zero_grad(set_to_none=True)
    return took


def memory(device: str) -> float:
    """GiB at the highest so far."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(device: str, precision: str, train: str, checkpointing: bool) -> None:
    """Prints one line of a table."""
    torch.manual_seed(0)
    model = model_of(train).to(device)
    whole, learned = (sum(p.numel() for p in model.parameters() if p.requires_grad or k) / 1e6 for k in (True, False))
    rows = inputs(device)
    forward, both = products(train, False), products(train, True)
    if checkpointing:
        recompute(model.unet)
    seconds = min(step(model, rows, device, precision) for _ in range(2))
    # each row once; one row of 16 is looked at, which is another call and a decoded picture (docs/training.md)
    a_row = (both + (forward if checkpointing else 0)) * (1 + 1 / LOOKED) + decoder_products() / LOOKED
    hours = a_row * STEPS * BATCH / (CHIP * SHARE) / 3600
    what = f"{train}{', checkpointing' if checkpointing else ''}, {precision}, {device}"
    print(f"| {what} | {whole:.0f} M | {learned:.0f} M | {forward / 1e12:.2f} | {both / 1e12:.2f} | {seconds:.1f} s | "
          f"{memory(device):.1f} GiB | {hours:.0f} h | {hours / 8:.0f} h |")  # fmt: skip
