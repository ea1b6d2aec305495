"""Time and memory: ratios against the bare network, ComfyUI's own sampler and its own graph, with targets.

Everything is queued in the real host. What is compared is timed close together, so that a busy machine slows both alike.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import comfy.samplers
import torch

from dev.pack import ROOT

from ...modules.denoiser.midpoint import evaluations
from ...modules.host.conditioning import KEY
from ...modules.host.precision import bf16_unit
from ...modules.host.sampler import guider, midpoint_sampler, noise_for
from ...modules.labels import WORDS
from ..metrics.report import verdict, write_docs
from ..pipeline import Pipeline, timed
from . import layouts, memory
from .queues import AFTER, PLACE, WHO, WORD, Desk, drafts, long_queue, sheet

MARKS = "<!-- bench:begin -->", "<!-- bench:end -->"
PARTS = (WHO, WORD, PLACE, *AFTER)
SECONDS = 300.0  # of the long queue, at most
IMPORT = """
import time
from dev.host import Host

class Timed(Host):
    def _load_pack(self):
        start = time.perf_counter()
        super()._load_pack()
        print(time.perf_counter() - start)

Timed().load()
"""


@dataclass(frozen=True)
class Target:
    """A figure and the limit that it must not pass; without a limit it is only reported."""

    name: str
    value: float
    limit: float | None = None
    unit: str = ""

    def row(self) -> str:
        limit = "" if self.limit is None else f"{self.limit:g}{self.unit}"
        met = None if self.limit is None else self.value <= self.limit
        return f"| {self.name} | {self.value:.2f}{self.unit} | {limit} | {verdict(met)} |"


def import_seconds(times: int = 3) -> float:
    """Of the host's start-up, in a fresh process, those that go to this pack; the host's own nodes come first, as ever.

    The least of a few starts: what else the machine does can only add to it.
    """
    command = [sys.executable, "-c", IMPORT]
    done = (subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(times))
    return min(float(each.stdout.split()[-1]) for each in done)


def bare_seconds(desk: Desk, run) -> tuple[float, float]:
    """The calls of one run alone: of the UNet (both sides of the guidance in one batch), of the autoencoder (2 in, 1 out)."""
    positive, latent = desk.value(run, PLACE), desk.value(run, PLACE, 2)
    told, count = positive[0][1][KEY], 2 if desk.graph.get("sampler", "cfg") != 1 else 1
    model, vae = desk.value(run, "loader"), desk.value(run, "loader", 1)
    unet = model.model.diffusion_model
    weight = next(unet.parameters())
    many = lambda x: x.expand(count, *x.shape[1:]).to(weight).contiguous()  # noqa: E731
    inputs = torch.cat([latent["samples"], told.background, told.mask, told.warp], 1)
    x, times = many(inputs), torch.full((count,), 500.0, device=weight.device)
    tokens, seconds = {f"{name}_tokens": many(getattr(told, name)) for name in ("identity", "expression")}, {}
    with torch.inference_mode():
        with timed(seconds, "unet"):
            for _ in range(evaluations(desk.graph.get("sampler", "steps"), desk.graph.get("sampler", "reuse"))):
                answer = unet(x, times, **tokens)
            answer.sum().item()  # waits for a GPU
        picture = desk.value(run, "decode")
        with timed(seconds, "autoencoder"):
            for _ in range(2):
                latents = vae.encode(picture)
            vae.decode(latents)
    return seconds["unet"], seconds["autoencoder"]


def one_round(desk: Desk, number: int) -> dict[str, float]:
    """Seconds of three queues (all new, another word, another seed), of the bare calls, and by part of the first."""
    desk.new_pictures(number)
    desk.say("amazement")
    whole = _queued(desk, {WHO, PLACE, *AFTER}, {"loader"} if number else set())
    unet, autoencoder = bare_seconds(desk, whole)
    desk.say("cheerfulness")
    word = _queued(desk, {WORD, PLACE, *AFTER}, {"loader", WHO, "background", "selfie"})
    desk.graph.set("sampler", "seed", desk.graph.get("sampler", "seed") + 1)
    seed = _queued(desk, set(AFTER), {"loader", WHO, WORD, PLACE, "background", "selfie"})
    bare = {"whole": whole.seconds, "word": word.seconds, "seed": seed.seconds, "unet": unet, "autoencoder": autoencoder}
    return {**bare, **{f"part {name}": whole.parts.get(name, 0.0) for name in PARTS}}


def _queued(desk: Desk, must: set[str], cached: set[str]):
    """One queue in which the nodes `must` run and the nodes `cached` do not."""
    run = desk.queue()
    if missing := must - set(run.ran):
        raise AssertionError(f"did not run: {sorted(missing)}")
    if again := cached & set(run.ran):
        raise AssertionError(f"ran again: {sorted(again)}")
    return run


def overhead(desk: Desk, run, calls: int = 21, rounds: int = 6) -> dict[str, float]:
    """Seconds of one evaluation with all around it, over those of the host's euler, at equal evaluations.

    What is around it is timed apart from the network's own seconds, which are the same for all: a busy machine matters little.
    """
    (positive, negative), latent = (desk.value(run, PLACE, k) for k in (0, 1)), desk.value(run, PLACE, 2)["samples"]
    model, inside = desk.value(run, "loader").clone(), {}

    def timed_call(apply, args):
        with timed(inside, "network"):
            return apply(args["input"], args["timestep"], **args["c"])

    model.set_model_unet_function_wrapper(timed_call)
    solvers = {"euler": (comfy.samplers.sampler_object("euler"), calls), "reuse": (midpoint_sampler(True), calls - 1),
               "plain": (midpoint_sampler(False), (calls + 1) // 2)}  # fmt: skip
    around, network = {name: [] for name in solvers}, []
    noise = noise_for(latent, 0, None)
    for _ in range(rounds):
        for name, (solver, steps) in solvers.items():
            sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "karras", steps)
            inside["network"], start = 0.0, time.perf_counter()
            guide = guider(model, positive, negative, 1.0, 1.0)
            guide.sample(noise, latent, solver, sigmas, seed=0, disable_pbar=True)
            around[name].append((time.perf_counter() - start - inside["network"]) / calls)
            network.append(inside["network"] / calls)
    one = statistics.median(network)
    total = {name: one + statistics.median(values[1:]) for name, values in around.items()}
    return {name: total[name] / total["euler"] for name in ("reuse", "plain")}


def detail_seconds(desk: Desk, number: int, rounds: int) -> float:
    """Seconds of a whole graph with the detail of the selfie's own pixels over those without, in a large background."""
    kept, took = dict(desk.pictures), {0.0: [], 1.0: []}
    desk.enlarge(memory.LARGE)
    for _ in range(rounds):
        for share, seconds in took.items():
            number += 1
            desk.new_pictures(number)
            desk.graph.set("composite", "detail", share)
            seconds.append(_queued(desk, {WHO, PLACE, *AFTER}, set()).seconds)
    desk.pictures = kept
    return statistics.median(sharp / soft for soft, sharp in zip(*took.values(), strict=True))


def measure(args, desk: Desk) -> tuple[list[Target], dict]:
    """The targets, and all figures for the record."""
    rounds = [one_round(desk, number) for number in range(args.rounds + 1)][1:]  # the first one loads
    middle = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
    share = lambda a, *b: statistics.median(r[a] / sum(r[x] for x in b) for r in rounds)  # noqa: E731
    print("bench: queues done", flush=True)
    run = desk.queue()
    slower = overhead(desk, run)
    print("bench: samplers done", flush=True)
    words = WORDS[: args.words]
    before = one_round(desk, args.rounds + 1)
    a_word = sheet(desk, list(words)) / len(words)
    after = one_round(desk, args.rounds + 2)  # a sheet takes minutes: the single pictures beside it on both sides
    single = {name: (before[name] + after[name]) / 2 for name in ("whole", "word")}
    preview = drafts(desk, list(words))
    print("bench: sheet and drafts done", flush=True)
    queue = long_queue(desk, args.prompts, SECONDS)
    print("bench: long queue done", flush=True)
    sharper = detail_seconds(desk, args.rounds + 2, args.rounds)
    peak, start = memory.peaks(), import_seconds()
    targets = [
        Target("whole graph / bare UNet calls, models loaded", share("whole", "unet"), 1.25),
        Target("the same, another word (identity known)", share("word", "unet"), 1.25),
        Target("the same, another seed (all encoders known)", share("seed", "unet"), 1.25),
        Target("whole graph / bare calls of UNet and autoencoder (7 and 3)", share("whole", "unet", "autoencoder")),
        Target("lowest that the first can be: bare UNet and autoencoder / bare UNet", 1 + share("autoencoder", "unet")),
        Target("an evaluation of our sampler / of the host's euler, reuse", slower["reuse"], 1.03),
        Target("the same, plain form", slower["plain"], 1.03),
        Target("second queue, another word / first queue with models loaded", share("word", "whole"), 0.8),
        Target(f"a picture of a batch of {len(words)} words / a single picture", a_word / single["whole"], 0.6),
        Target("the same / a single picture whose identity is known", a_word / single["word"]),
        Target("a Face Draft of another word / a single picture whose identity is known", preview / single["word"], 0.1),
        Target("seconds this pack adds to ComfyUI's start", start, 0.3, " s"),
        Target("peak memory / a plain graph of ComfyUI with the same UNet", peak["ours"]["peak"] / peak["plain"]["peak"], 1.1),
        Target(f"whole graph with detail / without, background of {memory.LARGE} pixels", sharper, 1.6),
        Target("the same, megabytes more at most", peak["sharp"]["peak"] - peak["soft"]["peak"], 250),
        Target(f"memory after {queue['prompts']} queued prompts / before", queue["last"] / queue["first"], 1.01),
    ]
    shapes = layouts.ratios(Pipeline(bundle=args.bundle), args.compiled)
    return targets, {"id": desk.value(run, "loader", 2).id, "seconds": middle, "memory": peak, "queue": queue, "forms": shapes}


def table(about: dict, targets: list[Target], figures: dict) -> str:
    """The page's part: targets, parts, memory and forms."""
    seconds, peak = figures["seconds"], figures["memory"]
    parts = ", ".join(f"{name} {seconds[f'part {name}'] / seconds['whole']:.2f}" for name in PARTS)
    shapes = figures["forms"]
    names = list(dict.fromkeys(form for found in shapes.values() for form in found))
    return "\n".join([
        f"Bundle `{about['id']}`, {about['steps']} steps, cfg {about['cfg']:g}, {about['device']}, {about['threads']} thread, "
        f"{about['processor']}; medians of {about['rounds']} rounds.", "",
        "| figure | measured | at most | met |", "|---|---|---|---|", *(t.row() for t in targets), "",
        f"Shares of the {seconds['whole']:.2f} s of a whole graph: {parts}. Autoencoder alone (two pictures in, one out) "
        f"{seconds['autoencoder']:.2f} s, UNet alone {seconds['unet']:.2f} s.", "",
        f"Megabytes, before the graph and at most: plain {peak['plain']['idle']:.0f} and {peak['plain']['peak']:.0f}, ours "
        f"{peak['ours']['idle']:.0f} and {peak['ours']['peak']:.0f}. Long queue: {figures['queue']['first']:.0f} after the "
        f"warm-up, {figures['queue']['last']:.0f} at its end.", "",
        "Seconds of other forms of the same weights over those of the plain one (32-bit, channels first):", "",
        "| part | " + " | ".join(names) + " |", "|---|" + "---|" * len(names),
        *(f"| {part} | " + " | ".join(f"{found[n]:.2f}" if n in found else "" for n in names) + " |"
          for part, found in shapes.items()), "",
    ])  # fmt: skip


def processor() -> str:
    """What torch knows of the processor: results of half precision depend on it."""
    return torch.backends.cpu.get_cpu_capability() + (f" with {bf16_unit()}" if bf16_unit() else "")


def bench(args) -> int:
    """The command."""
    settings = {name: getattr(args, name) for name in ("bundle", "steps", "seed", "cfg", "scheduler")}
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), settings, args.device == "cpu")
        try:
            targets, figures = measure(args, desk)
        finally:
            desk.close()
    told = {name: desk.graph.get("sampler", name) for name in ("steps", "cfg", "scheduler")}
    about = {**told, "id": figures["id"], "threads": torch.get_num_threads(), "device": args.device, "rounds": args.rounds,
             "processor": processor()}  # fmt: skip
    text = table(about, targets, figures)
    args.out.mkdir(parents=True, exist_ok=True)
    record = {**about, "targets": [asdict(t) for t in targets], **figures}
    (args.out / "bench.json").write_text(json.dumps(record, indent=1))
    if args.write_docs:
        write_docs(text, ROOT / "docs" / "results.md", MARKS)
    print(text)
    return 0
