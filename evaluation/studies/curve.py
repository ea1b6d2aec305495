"""The distance of samplers to the converged picture against model evaluations: ours beside the host's, on the bundle.

One person, one background. Row k has the k-th of four words in turn and noise of its own; all rows of a run are one batch. Two
uses: denoise below 1, as in the node, from the coarse warp; and 1, from noise alone. All runs of a use begin at the same level,
that of the node's default steps: by itself the host begins a little higher or lower with other steps, which would be another
problem with another end. What was measured is kept in `--out`, so that a run that was cut short goes on.
"""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

import comfy.k_diffusion.sampling
import comfy.samplers
import numpy as np
import torch
from safetensors.torch import load_file, save_file

from dev.pack import ROOT

from ...modules.host.conditioning import KEY, changed
from ...modules.host.sampler import guider, midpoint_sampler, noise_for, schedule
from ...nodes.background_condition import BackgroundCondition
from ...nodes.midpoint_sampler import MidpointSampler
from ..demo import BACKGROUND, SELFIE, WORDS
from ..media import plots
from ..metrics.report import write_docs
from ..pictures import painted
from ..pipeline import Pipeline, call, defaults
from .judge import Judge

MARKS = "<!-- curve:begin -->", "<!-- curve:end -->"
REFERENCE = 256  # steps of the plain midpoint, 511 evaluations; the tables say how far twice as many move its end
LOOKED = 8  # rows whose pictures are looked at, of these methods
SHOWN = ("midpoint, reusing", "midpoint", "euler", "dpmpp_2m")


@dataclass(frozen=True)
class Method:
    """A sampler of the host or of ours; `steps` for a budget of evaluations."""

    make: object
    single: bool  # one evaluation a step; else two, and one in the last

    def steps(self, budget: int) -> int:
        return budget if self.single else (budget + 1) // 2


class Reusing(Method):
    def steps(self, budget: int) -> int:
        return budget - 1


def of_host(name: str, **options):
    return lambda: comfy.samplers.ksampler(name, options) if options else comfy.samplers.sampler_object(name)


METHODS = {
    "midpoint, reusing": Reusing(lambda: midpoint_sampler(True), True),
    "midpoint": Method(lambda: midpoint_sampler(False), False),
    "euler": Method(of_host("euler"), True),
    "ddim": Method(of_host("ddim"), True),
    "heun": Method(of_host("heun"), False),
    "dpm_2": Method(of_host("dpm_2"), False),
    "dpmpp_2m": Method(of_host("dpmpp_2m"), True),
    "dpmpp_2s_ancestral, eta 0": Method(of_host("dpmpp_2s_ancestral", eta=0.0), False),
    "uni_pc": Method(of_host("uni_pc"), True),
    "res_multistep": Method(of_host("res_multistep"), True),
    "ipndm": Method(of_host("ipndm"), True),
    "deis": Method(of_host("deis"), True),
}


class Scene:
    """The person on the background with the word of each row, as CONDITIONING and LATENT: the same for every use."""

    def __init__(self, pipeline: Pipeline, rows: int):
        self.words = [WORDS[k % len(WORDS)] for k in range(rows)]
        self.selfie = painted(*SELFIE)
        who, _ = pipeline.identity(self.selfie)
        each = pipeline.expression([(word, 1.0) for word in self.words])
        positive, negative, latent, *_ = call(BackgroundCondition, encoders=pipeline.encoders, vae=pipeline.vae, identity=who,
                                              expression=each, image=painted(*BACKGROUND))  # fmt: skip
        self.sides, self.latent = (positive, negative), latent["samples"]
        self.mask = positive[0][1][KEY].mask[:, 0] > 0.5  # [rows, h, w]

    def only(self, rows: slice) -> list:
        """Both sides of the guidance for some of the rows."""
        sides = []
        for ((text, extras),) in self.sides:
            sides.append([changed(text, extras, extras[KEY].rows(rows))])
        return sides


class Study:
    """One use: ends of samplers, and their distance inside the mask."""

    def __init__(self, pipeline: Pipeline, scene: Scene, cfg: float, denoise: float):
        self.model = pipeline.model.clone()
        self.model.set_model_unet_function_wrapper(self.counted)
        self.scene, self.cfg, self.evaluations = scene, cfg, 0
        self.start = float(schedule(self.model, "karras", defaults(MidpointSampler)["steps"], denoise)[0])
        self.low = float(self.model.get_model_object("model_sampling").sigma_min)

    def counted(self, apply, args):
        self.evaluations += 1
        return apply(args["input"], args["timestep"], **args["c"])

    def ends(self, make, steps: int, rows: slice = slice(None)) -> tuple[torch.Tensor, int]:
        """Latents [rows, C, h, w] after so many steps, and the evaluations they took."""
        sigmas = comfy.k_diffusion.sampling.get_sigmas_karras(steps, self.low, self.start)
        latent, self.evaluations = self.scene.latent[rows], 0
        noise = noise_for(latent, 0, [1000 * k for k in range(len(self.scene.latent))][rows])
        guide = guider(self.model, *self.scene.only(rows), self.cfg, self.cfg)
        return guide.sample(noise, latent, make(), sigmas, seed=0, disable_pbar=True), self.evaluations

    def errors(self, ends: torch.Tensor, reference: torch.Tensor, rows: slice = slice(None)) -> list[float]:
        """Root mean square over the masked latent, one value a row."""
        square = ((ends - reference[rows]) ** 2).mean(1)
        return [float(end[mask].mean().sqrt()) for end, mask in zip(square, self.scene.mask[rows], strict=True)]

    def checks(self, reference: torch.Tensor) -> dict[str, float]:
        """Of the first row: how far the reference is from twice as many evaluations and from Heun's method with as many, and
        the largest difference between the row alone and in its batch.
        """
        row, plain = slice(0, 1), METHODS["midpoint"].make
        apart = lambda make, steps: self.errors(self.ends(make, steps, row)[0], reference, row)[0]  # noqa: E731
        batch, alone = (self.ends(plain, 4, rows)[0][0] for rows in (slice(None), row))
        return {"twice": apart(plain, 2 * REFERENCE), "heun": apart(of_host("heun"), REFERENCE),
                "alone": float((batch - alone).abs().max())}  # fmt: skip


class Records:
    """The results of one use, in files of its own: errors by method and budget, the reference, the measures of pictures."""

    def __init__(self, folder: Path, cfg: float, denoise: float):
        self.folder, self.name = folder, f"cfg{cfg:g}_denoise{denoise:g}"
        folder.mkdir(parents=True, exist_ok=True)

    def kept(self, what: str, key: str, make):
        """The value of `key` in the file `what`, made and written when it is not there."""
        path = self.folder / f"{self.name}_{re.sub('[^a-z0-9]+', '_', what)}.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        if key not in known:
            known[key] = make()
            path.write_text(json.dumps(known, indent=1))
        return known[key]

    def reference(self, make) -> torch.Tensor:
        path = self.folder / f"{self.name}_reference_{REFERENCE}.safetensors"
        if not path.exists():
            save_file({"ends": make().contiguous()}, path)
        return load_file(path)["ends"]


def measured(study: Study, records: Records, budgets: list[int]) -> tuple[dict, dict]:
    """(method, budget) -> lower quartile, median, upper quartile, evaluations; and the checks of the reference."""
    start = time.perf_counter()
    reference = records.reference(lambda: study.ends(METHODS["midpoint"].make, REFERENCE)[0])
    checks = records.kept("checks", str(REFERENCE), lambda: study.checks(reference))
    print(f"{records.name}: reference and checks after {time.perf_counter() - start:.0f} s: {checks}", flush=True)

    def one(method: Method, budget: int) -> dict:
        ends, count = study.ends(method.make, method.steps(budget))
        return {"errors": study.errors(ends, reference), "evaluations": count}

    found = {}
    for name, method in METHODS.items():
        for budget in budgets:
            known = records.kept(name, str(budget), lambda m=method, b=budget: one(m, b))
            found[name, budget] = (*np.percentile(known["errors"], (25, 50, 75)), known["evaluations"])
        print(name, *(f"{found[name, b][3]}: {found[name, b][1]:.5f}" for b in budgets),
              f"({time.perf_counter() - start:.0f} s)", flush=True)  # fmt: skip
    return found, checks


def looked(study: Study, records: Records, budgets: list[int], judge: Judge) -> dict:
    """(method, budget) -> the judge's measures of the first rows; ("converged end", 0) and ("draft", 0) beside them."""
    rows = slice(0, LOOKED)
    words = study.scene.words[rows]
    reference = records.reference(lambda: study.ends(METHODS["midpoint"].make, REFERENCE)[0])
    seen = {
        ("the draft", 0): records.kept("looks of draft", "0", lambda: judge(study.scene.latent[rows], words)),
        ("converged end", 0): records.kept("looks of reference", str(REFERENCE), lambda: judge(reference[rows], words)),
    }
    for name in (name for name in SHOWN if name in METHODS):
        for b in budgets:
            make = lambda m=METHODS[name], b=b: judge(study.ends(m.make, m.steps(b), rows)[0], words)  # noqa: E731
            seen[name, b] = records.kept(f"looks of {name}", str(b), make)
    return seen


@torch.inference_mode()
def curve(args) -> int:
    """The command."""
    pipeline = Pipeline(bundle=args.bundle, weight_dtype="fp32")  # rounding would hide what is measured
    scene = Scene(pipeline, args.seeds)
    judge = Judge(pipeline, args.data, scene.selfie) if args.data else None
    usual, tables = defaults(MidpointSampler)["denoise"], []
    for denoise in args.denoises:
        for cfg in args.cfgs:
            study = Study(pipeline, scene, cfg, denoise)
            records = Records(args.out / pipeline.encoders.id / f"{args.seeds}_rows", cfg, denoise)
            found, checks = measured(study, records, args.budgets)
            about = f"Bundle `{pipeline.encoders.id}`, cfg {cfg:g}, denoise {denoise:g}, karras from {study.start:.2f}"
            tables.append(table(found, args.budgets, about, args.seeds, checks))
            if judge is not None:
                tables.append(looks_table(looked(study, records, args.budgets, judge), args.budgets, args.seeds))
            tail = f"{cfg:g}" + ("" if denoise == usual else f"_denoise_{denoise:g}")
            plain = {f"{name}, {budget}": value for (name, budget), value in found.items()}
            (args.out / f"curve_{tail}.json").write_text(json.dumps(plain, indent=1))
            if cfg == 1:
                start = {usual: "", 1: "_from_noise"}.get(denoise, f"_denoise_{denoise:g}")
                path = (ROOT / "docs" if args.write_docs else args.out) / f"sampler_curve{start}.png"
                draw(path, found, args.budgets, about.replace("`", ""))
    text = "\n".join(tables)
    if args.write_docs:
        write_docs(text, ROOT / "docs" / "results.md", MARKS)
    print(text)
    return 0


def draw(path: Path, found: dict, budgets: list[int], title: str) -> None:
    """Median and quartiles of every method against the evaluations that it really took."""
    curves = {}
    for name in dict.fromkeys(name for name, _ in found):
        low, middle, high, count = zip(*(found[name, b] for b in budgets), strict=True)
        curves[name] = (count, middle, low, high)
    plots.lines(path, curves, "model evaluations", "distance to the converged end (latent, inside the mask)", title,
                logx=True, logy=True)  # fmt: skip


def table(found: dict, budgets: list[int], about: str, seeds: int, checks: dict) -> str:
    """Median and quartiles; the best of each budget in bold. Methods of two evaluations a step use one less than the budget."""
    lines = [
        f"{about}, {seeds} seeds (words in turn: {', '.join(WORDS[:seeds])}): distance to the converged end (root mean square "
        f"of the latent inside the mask), median (quartiles). The reference, {2 * REFERENCE - 1} evaluations of the plain "
        f"midpoint, is {checks['twice']:.1e} from twice as many and {checks['heun']:.1e} from Heun's end.", "",
        "| sampler | " + " | ".join(f"{b} evaluations" for b in budgets) + " |", "|---|" + "---|" * len(budgets),
    ]  # fmt: skip
    names = dict.fromkeys(name for name, _ in found)
    best = {b: min(found[name, b][1] for name in names) for b in budgets}
    for name in names:
        cells = []
        for b in budgets:
            low, middle, high, _ = found[name, b]
            text = f"{middle:.5f} ({low:.5f} to {high:.5f})"
            cells.append(f"**{text}**" if middle == best[b] else text)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def looks_table(seen: dict, budgets: list[int], seeds: int) -> str:
    """Cosine to the selfie and correlation of asked and measured, for the methods looked at."""
    text = lambda s: f"{s['cosine']:.3f} / {s['follows']:.2f}"  # noqa: E731
    lines = [
        f"The same ends as pictures, the first {min(LOOKED, seeds)} seeds: cosine to the selfie (faceres) / correlation of "
        f"asked and measured. The coarse warp itself {text(seen['the draft', 0])}, the converged end "
        f"{text(seen['converged end', 0])}.", "",
        "| sampler | " + " | ".join(f"{b} evaluations" for b in budgets) + " |", "|---|" + "---|" * len(budgets),
    ]  # fmt: skip
    for name in dict.fromkeys(name for name, b in seen if b):
        lines.append(f"| {name} | " + " | ".join(text(seen[name, b]) for b in budgets) + " |")
    return "\n".join([*lines, ""])
