"""Where the time goes: the whole graph against the bare network calls in it, and what the pack adds to start-up."""

import json
import statistics
import subprocess
import sys
import time

import torch

from dev.pack import ROOT

from ..modules.sampling.midpoint import evaluations
from ..nodes.face_draft import FaceDraft
from .pipeline import BackgroundCondition as Background
from .pipeline import Pipeline, call, timed

REPEATS = 3
IMPORT = """
import time, logging
from dev.pack import load_pack
logging.disable(logging.CRITICAL)
start = time.perf_counter(); load_pack(); entry = time.perf_counter() - start
from dev.bootstrap import bootstrap_comfy
bootstrap_comfy()
import comfy.samplers, comfy.sd, comfy_api.latest
start = time.perf_counter(); import diffsfsr.nodes
print(entry, time.perf_counter() - start)
"""


def bare_calls(pipeline: Pipeline, positive: list, latent: dict) -> float:
    """Seconds of the UNet forwards of one run, alone: both sides of the guidance in one batch, as the sampler has them."""
    told, count = positive[0][1]["diffsfsr"], 2 if pipeline.settings["cfg"] != 1 else 1
    unet = pipeline.model.model.diffusion_model
    weight = next(unet.parameters())
    many = lambda x: x.expand(count, *x.shape[1:]).to(weight).contiguous()  # noqa: E731
    x, times = many(torch.cat([latent["samples"], told["concat"]], 1)), torch.full((count,), 500.0, device=weight.device)
    tokens = {f"{name}_tokens": many(told[name]) for name in ("identity", "expression")}
    start = time.perf_counter()
    with torch.inference_mode():
        for _ in range(evaluations(pipeline.settings["steps"], pipeline.settings["reuse"])):
            answer = unet(x, times, **tokens)
        answer.sum().item()  # waits for a GPU
    return time.perf_counter() - start


def import_seconds() -> tuple[float, float]:
    """Seconds of the entry point, and of our nodes in a ComfyUI that has loaded its own parts; a fresh process."""
    done = subprocess.run([sys.executable, "-c", IMPORT], cwd=ROOT, capture_output=True, text=True, check=True)
    entry, nodes = done.stdout.split()[-2:]
    return float(entry), float(nodes)


def one_round(pipeline: Pipeline, picture: torch.Tensor) -> dict[str, float]:
    """Seconds by part of one picture, then of its bare parts, close in time so that a busy machine slows both alike."""
    parts: dict[str, float] = {}
    with timed(parts, "identity"):
        who, _ = pipeline.identity(picture)
    with timed(parts, "expression"):
        feels = pipeline.expression([("amazement", 1.0)])
    parts |= pipeline.render(who, picture.flip(2), feels).seconds
    parts["total"] = sum(parts.values())
    with timed(parts, "(autoencoder within condition)"):  # three pictures, as Background Condition encodes them
        pipeline.vae.encode(picture[:, :256, :256].expand(3, -1, -1, -1))
    with timed(parts, "(Face Draft on the selfie)"):
        call(FaceDraft, encoders=pipeline.encoders, identity=who, expression=feels)
    given = dict(encoders=pipeline.encoders, vae=pipeline.vae, image=picture, identity=who, expression=feels)
    positive, _, latent, *_ = call(Background, **given)
    parts["(bare network within sample)"] = bare_calls(pipeline, positive, latent)
    return parts


def measure(pipeline: Pipeline, picture: torch.Tensor) -> dict[str, float]:
    """Medians over rounds, after one that is not counted. `picture` [1, H, W, 3], mirrored, is the background too."""
    rounds = [one_round(pipeline, picture) for _ in range(REPEATS + 1)][1:]
    return {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}


def table(parts: dict[str, float], imports: tuple[float, float]) -> str:
    total, bare = parts["total"], parts["(bare network within sample)"]
    rows = [f"| {name} | {seconds:.3f} | {seconds / total:.0%} |" for name, seconds in parts.items()]
    return "\n".join([
        "| part | seconds | of the total |", "|---|---|---|", *rows, "",
        f"whole graph / bare network calls: {total / bare:.2f}",
        f"sampler / bare network calls: {parts['sample'] / bare:.2f}",
        f"pack at start-up: entry point {imports[0]:.3f} s, nodes {imports[1]:.2f} s beyond ComfyUI's own parts",
    ])  # fmt: skip


def bench(args) -> int:
    """The command."""
    from skimage.data import astronaut

    pipeline = Pipeline(bundle=args.bundle, steps=args.steps, seed=args.seed, cfg=args.cfg, scheduler=args.scheduler)
    parts = measure(pipeline, torch.from_numpy(astronaut())[None].float() / 255)
    imports = import_seconds()
    args.out.mkdir(parents=True, exist_ok=True)
    about = {**pipeline.settings, "id": pipeline.encoders.id, "threads": torch.get_num_threads(), "device": args.device}
    (args.out / "bench.json").write_text(json.dumps({**about, "seconds": parts, "imports": imports}, indent=1))
    print(f"bundle {about['id']}, {about['steps']} steps, cfg {about['cfg']}, {about['threads']} threads, {args.device}")
    print(table(parts, imports))
    return 0
