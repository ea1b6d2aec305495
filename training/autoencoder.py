"""The f8 autoencoder of the default bundle, in the tiny layout that the host's VAE class loads by its keys.

It starts from TAEF2 (MIT): the same convolutions without its global-norm pooling, its 32 latent channels reduced to ours
by their principal components on training faces. Fine-tuning repairs what that cuts off.

    python -m training autoencoder --data DATA --out runs/autoencoder --steps 3000
"""

import copy
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from kornia.filters import spatial_gradient
from safetensors.torch import load_file, save_file

from .data import load_part, manifest_hash
from .portrait import crop_frame
from .runlog import Run

CONFIG = {"latent_channels": 16, "batch": 5, "crop": 128, "lr": 4e-4, "features": 0.1, "edges": 0.5, "seed": 0}
FEATURE_LAYERS = (5, 9)  # outputs at 1/2 and 1/4 of the picture, taken from the frozen starting encoder


def from_taef2(folder: Path, channels: int, faces: torch.Tensor):
    """The host's TAESD module started from TAEF2. `faces` [N, 3, H, W] 0..1 give the principal components."""
    from comfy.taesd.taesd import TAESD

    model = TAESD(latent_channels=channels)
    wide = TAESD(latent_channels=32)
    for part, name in ((wide.taesd_encoder, "encoder"), (wide.taesd_decoder, "decoder")):
        weights = load_file(folder / "taef2" / f"{name}.safetensors")
        part.load_state_dict({k: v.float() for k, v in weights.items() if ".pool." not in k}, strict=True)
    with torch.inference_mode():
        flat = torch.cat([wide.taesd_encoder(x[None]) for x in faces]).permute(0, 2, 3, 1).reshape(-1, 32)
    mean = flat.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov((flat - mean).T))
    basis, spread = vectors.flip(1)[:, :channels], values.flip(0)[:channels]
    scale = spread.pow(0.25)  # half-way whitening: quiet channels are not blown up to pure detail
    state = {k: v for k, v in wide.state_dict().items() if "encoder.14" not in k and "decoder.1." not in k}
    encoder, decoder = wide.taesd_encoder[14], wide.taesd_decoder[1]
    project = (basis / scale).T
    state["taesd_encoder.14.weight"] = torch.einsum("ko,oihw->kihw", project, encoder.weight)
    state["taesd_encoder.14.bias"] = project @ (encoder.bias - mean)
    state["taesd_decoder.1.weight"] = torch.einsum("oihw,ik->okhw", decoder.weight, basis * scale)
    state["taesd_decoder.1.bias"] = decoder.bias + torch.einsum("oihw,i->o", decoder.weight, mean)
    model.load_state_dict({k: v.clone() for k, v in state.items()}, strict=True)
    return model


def crops(pictures: torch.Tensor, count: int, size: int, rng: torch.Generator) -> torch.Tensor:
    """Random crops of uint8 pictures [N, 3, S, S] -> [count, 3, size, size] 0..1: scaled .7-1.4, flipped, recoloured."""
    out = []
    for _ in range(count):
        picture = pictures[torch.randint(len(pictures), (1,), generator=rng).item()].float() / 255
        u = torch.rand(5, generator=rng)
        side = min(int(size / (0.7 + 0.7 * u[0].item())), picture.shape[-1])
        x, y = (int(v * (picture.shape[-1] - side)) for v in (u[1].item(), u[2].item()))
        patch = F.interpolate(picture[None, :, y : y + side, x : x + side], size=(size, size), mode="bicubic")
        patch = patch.flip(-1) if u[3] < 0.5 else patch
        gamma = math.exp((u[4].item() - 0.5) * 0.8)
        gain = 1 + (torch.rand(1, 3, 1, 1, generator=rng) - 0.5) * 0.3
        out.append((patch.clamp(0, 1) ** gamma * gain).clamp(0, 1))
    return torch.cat(out)


def features(encoder: torch.nn.Sequential, x: torch.Tensor) -> list[torch.Tensor]:
    found = []
    for i, layer in enumerate(encoder[: max(FEATURE_LAYERS) + 1]):
        x = layer(x)
        if i in FEATURE_LAYERS:
            found.append(x)
    return found


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """Mean over pictures, in dB, values 0..1."""
    return (-10 * torch.log10(((a.float() - b.float()).clamp(-1, 1) ** 2).mean((1, 2, 3)))).mean().item()


def train(data: Path, out: Path, steps: int, device: str = "cpu", bf16: bool = True, minutes: float = 1e9) -> None:
    run, rng = Run(out, {**CONFIG, "steps": steps, "bf16": bf16}, manifest_hash(data)), torch.Generator().manual_seed(0)
    people, checked = load_part(data, "train"), load_part(data, "validation")
    wide = torch.stack([torch.from_numpy(p.wide().copy()).permute(2, 0, 1) for p in people])
    frames = torch.stack([torch.from_numpy(crop_frame(p.wide()).copy()).permute(2, 0, 1) for p in checked]) / 255
    model = from_taef2(data, CONFIG["latent_channels"], wide[::8, :, 48:304, 48:304].float() / 255)
    frozen = copy.deepcopy(model.taesd_encoder).requires_grad_(False)
    model, frozen = (m.to(device, memory_format=torch.channels_last) for m in (model, frozen))
    optimiser = torch.optim.AdamW(model.parameters(), CONFIG["lr"], betas=(0.9, 0.99), weight_decay=0.0)
    first, began = 0, time.time()
    if state := run.load():
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        first, began = state["step"], time.time() - state["elapsed"]
    last = math.nan
    for step in range(first, steps + 1):
        done = max(step / steps, (time.time() - began) / 60 / minutes)
        if step % 100 == 0 or done >= 1:
            with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=bf16):
                z = model.taesd_encoder(frames.to(device, memory_format=torch.channels_last))
                value = psnr(model.taesd_decoder(z), frames.to(device))
            run.log(
                step=step, psnr=value, latent_std=z.float().std().item(), loss=last
            )
            run.save(model=model.state_dict(), optimiser=optimiser.state_dict(), step=step, elapsed=time.time() - began)
            save_file(
                {k: v.contiguous() for k, v in model.state_dict().items()}, run.folder / "autoencoder.safetensors"
            )
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = CONFIG["lr"] * min(1, step / 50) * (0.5 + 0.5 * math.cos(math.pi * done) + 0.01)
        x = crops(wide, CONFIG["batch"], CONFIG["crop"], rng).to(device, memory_format=torch.channels_last)
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            z = model.taesd_encoder(x)
            noisy = z + 0.05 * torch.randn(z.shape, generator=rng).to(
                z
            )  # the decoder must bear a sampler's small errors
            y = model.taesd_decoder(noisy)
            got = features(frozen, y.clamp(-0.1, 1.1))
            with torch.no_grad():
                wanted = features(frozen, x)
        loss = F.l1_loss(y.float(), x)
        loss = loss + CONFIG["edges"] * F.l1_loss(spatial_gradient(y.float()), spatial_gradient(x))
        for a, b in zip(got, wanted, strict=True):
            loss = loss + CONFIG["features"] * F.l1_loss(a.float(), b.float()) / b.float().abs().mean().clamp_min(1e-3)
        # keep the latent near unit size without pulling single values
        loss = loss + 0.01 * (z.float().pow(2).mean((0, 2, 3)) - 1).relu().mean()
        last = loss.item()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
