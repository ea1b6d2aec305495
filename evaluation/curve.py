"""How near a sampler comes to the converged picture for how many model evaluations: ours beside the host's, on the bundle."""

import json
from dataclasses import dataclass

import comfy.samplers
import numpy as np
import torch
from skimage.data import astronaut

from dev.pack import ROOT

from ..modules.host.sample import guider, midpoint_sampler, noise_for
from ..modules.images import read_picture
from ..nodes.background_condition import BackgroundCondition
from .demo import BACKGROUND
from .pipeline import Pipeline, call
from .report import write_docs

MARKS = "<!-- curve:begin -->", "<!-- curve:end -->"
REFERENCE = 128  # steps of the plain midpoint, 255 evaluations: twice as many change its end by less than any row here
WORDS = ("amazement", "sorrow")


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


class Study:
    """One person and one place, some words, many seeds; ends are compared inside the mask only."""

    def __init__(self, pipeline: Pipeline, seeds: int, cfg: float):
        self.model = pipeline.model.clone()
        self.model.set_model_unet_function_wrapper(self.counted)
        self.evaluations = 0
        who, _ = pipeline.identity(torch.from_numpy(astronaut())[None].float() / 255)
        each = pipeline.expression([(word, 1.0) for word in WORDS])
        self.sides = call(BackgroundCondition, encoders=pipeline.encoders, vae=pipeline.vae, identity=who, expression=each,
                          image=read_picture(BACKGROUND, "curve"))[:3]  # fmt: skip
        self.seeds, self.cfg = seeds, cfg
        self.mask = self.sides[0][0][1]["diffsfsr"]["concat"][:, self.sides[2]["samples"].shape[1]] > 0.5

    def counted(self, apply, args):
        self.evaluations += 1
        return apply(args["input"], args["timestep"], **args["c"])

    def ends(self, make, steps: int, scheduler: str) -> tuple[torch.Tensor, int]:
        """Latents [seeds, words, C, h, w] and the evaluations of one run."""
        positive, negative, latent = self.sides
        sigmas = comfy.samplers.calculate_sigmas(self.model.get_model_object("model_sampling"), scheduler, steps)
        ends = []
        for seed in range(self.seeds):
            self.evaluations = 0
            noise = noise_for(latent["samples"], 1000 * seed, None)
            guide = guider(self.model, positive, negative, self.cfg, self.cfg, "curve")
            ends.append(guide.sample(noise, latent["samples"], make(), sigmas, seed=seed, disable_pbar=True))
        return torch.stack(ends), self.evaluations

    @torch.no_grad()
    def errors(self, ends: torch.Tensor, reference: torch.Tensor) -> np.ndarray:
        """Root mean square over the masked latent [seeds * words]."""
        square = ((ends - reference) ** 2).mean(2)
        each = [float(end[mask].mean().sqrt()) for row in square for end, mask in zip(row, self.mask, strict=True)]
        return np.array(each)


def curve(args) -> int:
    """The command."""
    pipeline = Pipeline(bundle=args.bundle)
    tables = []
    for cfg in args.cfgs:
        study, found = Study(pipeline, args.seeds, cfg), {}
        reference, count = study.ends(METHODS["midpoint"].make, REFERENCE, "karras")
        print(f"cfg {cfg:g}: reference of {count} evaluations", flush=True)
        for name, method in METHODS.items():
            for budget in args.budgets:
                ends, count = study.ends(method.make, method.steps(budget), "karras")
                found[name, budget] = (*np.percentile(study.errors(ends, reference), (25, 50, 75)), count)
            print(name, *(f"{found[name, b][3]}: {found[name, b][1]:.4f}" for b in args.budgets), flush=True)
        tables.append(table(found, args.budgets, cfg, pipeline.encoders.id, args.seeds))
        args.out.mkdir(parents=True, exist_ok=True)
        plain = {f"{name}, {budget}": value for (name, budget), value in found.items()}
        (args.out / f"curve_{cfg:g}.json").write_text(json.dumps(plain, indent=1))
    text = "\n".join(tables)
    if args.write_docs:
        write_docs(text, ROOT / "docs" / "results.md", MARKS)
    print(text)
    return 0


def table(found: dict, budgets: tuple[int, ...], cfg: float, bundle: str, seeds: int) -> str:
    """Median and quartiles; the best of each budget in bold. Methods of two evaluations a step use one less than the budget."""
    lines = [
        f"Bundle `{bundle}`, cfg {cfg:g}, karras, {seeds} seeds of {len(WORDS)} words: distance to the converged end (root "
        "mean square of the latent inside the mask), median (quartiles).", "",
        "| sampler | " + " | ".join(f"{b} evaluations" for b in budgets) + " |", "|---|" + "---|" * len(budgets),
    ]  # fmt: skip
    names = dict.fromkeys(name for name, _ in found)
    best = {b: min(found[name, b][1] for name in names) for b in budgets}
    for name in names:
        cells = []
        for b in budgets:
            low, middle, high, _ = found[name, b]
            text = f"{middle:.3f} ({low:.3f} to {high:.3f})"
            cells.append(f"**{text}**" if middle == best[b] else text)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])
