"""Fine-tune the autoencoder's decoder with STLPIPS: fine skin is worth more to the eye than to the mean difference of pixels.

    python -m training decoder --data DATA --minutes 12      # after `latents`; writes runs/autoencoder, whose encoder stays

The encoder, and so every latent, stays as it is.
"""

import copy
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from kornia.filters import spatial_gradient
from safetensors.torch import save_file
from torch import nn

from .autoencoder import psnr
from .perceptual import Stlpips
from .runlog import Run
from .samples import Samples

CONFIG = {
    "batch": 2,
    "window": 20,  # cells of the latent that a step looks at
    "lr": 2e-4,
    "edges": 0.5,
    "stlpips": 1.0,
    "noise": 0.05,  # of the latents: the decoder must bear a sampler's small errors
    "average": 0.99,
    "checked": 12,  # pictures of validation people
    "every": 200,  # steps between two looks at them
    "seed": 0,
}
CELL = 8


def window(samples: Samples, photo, number: int, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A window of a target: latent [1, C, n, n] and picture [1, 3, 8 n, 8 n], at a random place."""
    latent, side = samples.rows(torch.tensor([number]))["target"].float(), CONFIG["window"]
    y, x = torch.randint(0, max(latent.shape[-1] - side, 0) + 1, (2,), generator=rng).tolist()
    part = (..., slice(CELL * y, CELL * (y + side)), slice(CELL * x, CELL * (x + side)))
    return latent[..., y : y + side, x : x + side], photo(number)[None][part]


def loss_of(made: torch.Tensor, true: torch.Tensor, near: Stlpips) -> torch.Tensor:
    """Of pictures [B, 3, S, S]."""
    plain = F.l1_loss(made, true) + CONFIG["edges"] * F.l1_loss(spatial_gradient(made), spatial_gradient(true))
    return plain + CONFIG["stlpips"] * near(made.clamp(0, 1), true).mean()


@torch.no_grad()
def look(decoder: nn.Module, checked: Samples, photo, near: Stlpips) -> dict[str, float]:
    """PSNR and STLPIPS of some decoded targets beside their pictures."""
    rows = checked.some(CONFIG["checked"])
    each = zip(rows["target"].float(), rows["number"].tolist(), strict=True)
    pairs = [(decoder(latent[None]).clamp(0, 1), photo(number)[None]) for latent, number in each]
    apart = [float(near(*pair)) for pair in pairs]
    return {"psnr": sum(psnr(*pair) for pair in pairs) / len(pairs), "stlpips": sum(apart) / len(apart)}


def train(
    model, samples: tuple[Samples, Samples], photos: tuple, near: Stlpips, out: Path, minutes: float, data_hash: str, bf16: bool
) -> None:
    """Both of training and of validation people. model: the host's TAESD, whose decoder learns; written to `out`."""
    run, decoder = Run(out, {**CONFIG, "minutes": minutes, "bf16": bf16}, data_hash), model.taesd_decoder
    average = copy.deepcopy(decoder).requires_grad_(False)
    optimiser = torch.optim.AdamW(decoder.parameters(), CONFIG["lr"], betas=(0.9, 0.99), weight_decay=0.0)
    began, step, done, rng = time.time(), 0, 0.0, torch.Generator().manual_seed(CONFIG["seed"])
    run.log(step=0, **look(average, samples[1], photos[1], near))
    while done < 1:
        optimiser.param_groups[0]["lr"] = CONFIG["lr"] * min(1, (step + 1) / 50) * (0.51 + 0.49 * math.cos(math.pi * done))
        numbers = torch.randint(len(samples[0]), (CONFIG["batch"],), generator=rng).tolist()
        latents, true = map(torch.cat, zip(*(window(samples[0], photos[0], n, rng) for n in numbers), strict=True))
        latents = latents + CONFIG["noise"] * torch.randn(latents.shape, generator=rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            made = decoder(latents.contiguous(memory_format=torch.channels_last))
        optimiser.zero_grad(set_to_none=True)
        loss_of(made.float(), true, near).backward()
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimiser.step()
        step, done = step + 1, (time.time() - began) / 60 / minutes
        torch._foreach_lerp_(list(average.parameters()), list(decoder.parameters()), 1 - CONFIG["average"])
        if step % CONFIG["every"] == 0 or done >= 1:
            run.log(step=step, **look(average, samples[1], photos[1], near))
            state = {**model.state_dict(), **{f"taesd_decoder.{name}": value for name, value in average.state_dict().items()}}
            save_file({name: value.contiguous() for name, value in state.items()}, out / "autoencoder.safetensors")
