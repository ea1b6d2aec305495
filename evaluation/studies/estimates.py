"""Estimates of the clean latent from a noisy one (`training/estimators.py`) on the bundle: distance of each to the end
of many steps and to the noised latent, and measurements of its picture.

One person in one place, four words in turn. What is noised are finished latents of the bundle itself. A small squared distance
to them says little: it is least for the mean of all pictures that could be meant, which is a blur, and the better a network is
the more so. So it stands beside the distance to the end of the path, and beside what is seen in the picture.
"""

import json
import statistics
from pathlib import Path

import comfy.k_diffusion.sampling
import comfy.samplers
import torch

from dev.pack import ROOT

from ...modules.denoiser.midpoint import sample_midpoint
from ...modules.host.sampler import guider, midpoint_sampler
from ...nodes.midpoint_sampler import MidpointSampler
from ...training import estimators
from ..media import plots
from ..metrics.report import write_docs
from ..pipeline import Pipeline, defaults
from .curve import Scene, Study
from .judge import Judge

MARKS = "<!-- estimates:begin -->", "<!-- estimates:end -->"
LEVELS = (0.1, 0.2, 0.3, 0.6, 1.0, 1.5)  # r, the host's sigma
END = 32  # steps of the plain midpoint to the end of the path, 63 evaluations
FINISHED = 12  # steps of ours from the coarse warp to the latents that are noised
KINDS = {
    "one step": estimators.one_step,
    "two steps (DDIM), c = 1/2": estimators.two_step,
    "explicit midpoint": estimators.midpoint,
    "Ralston, c = 2/3": estimators.ralston,
    "re-noised, c = 1/2": estimators.renoised,
}  # fmt: skip


class Paths:
    """All estimates of a batch of rows at one level, and the ends of their paths."""

    def __init__(self, study: Study, clean: torch.Tensor):
        self.study, self.clean = study, clean

    def at(self, r: float, steps: int = END) -> dict[str, torch.Tensor]:
        """By name of the estimate, and "end": latents [rows, C, h, w]. The same noise at every level."""
        found, low = {}, min(self.study.low, r / 2)
        fresh = _noise(self.clean, 500)

        def run(model, y, sigmas, extra_args=None, **_):
            def noise(y, r):
                return (y - model(y, r, **extra_args)) / r.view(-1, 1, 1, 1)

            r = sigmas[:1].expand(len(y))
            first = noise(y, r)
            for name, estimate in KINDS.items():
                more = {"fresh": fresh} if estimate is estimators.renoised else {}
                found[name] = estimate(noise, y, r, first, **more)
            found["end"] = sample_midpoint(model, y, sigmas, extra_args)
            return found["end"]

        sigmas = comfy.k_diffusion.sampling.get_sigmas_karras(steps, low, r)
        guide = guider(self.study.model, *self.study.scene.sides, 1.0, 1.0)
        guide.sample(_noise(self.clean, 0), self.clean, comfy.samplers.KSAMPLER(run), sigmas, seed=0, disable_pbar=True)
        return found

    def distances(self, one: torch.Tensor, other: torch.Tensor) -> float:
        return statistics.median(self.study.errors(one, other))


def _noise(like: torch.Tensor, seed: int) -> torch.Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))


def level(paths: Paths, r: float, judge: Judge | None) -> dict[str, dict[str, float]]:
    """By estimate: "end", distance to the end of the path; "clean", mean squared distance to the noised latent; measures."""
    found, words, told = paths.at(r), paths.study.scene.words, {}
    for name, latents in found.items():
        squares = [e**2 for e in paths.study.errors(latents, paths.clean)]
        told[name] = {"end": paths.distances(latents, found["end"]), "clean": statistics.mean(squares)}
        if judge is not None:
            told[name] |= judge(latents, words)
    return told


@torch.inference_mode()
def estimates(args) -> int:
    """The command."""
    pipeline = Pipeline(bundle=args.bundle, weight_dtype="fp32")  # rounding would hide what is measured
    scene = Scene(pipeline, args.seeds)
    judge = Judge(pipeline, args.data, scene.selfie) if args.data else None
    study = Study(pipeline, scene, 1.0, defaults(MidpointSampler)["denoise"])
    clean, _ = study.ends(lambda: midpoint_sampler(True), FINISHED)
    paths, found = Paths(study, clean), {}
    for r in LEVELS:
        found[r] = level(paths, r, judge)
        print(f"r {r:g}:", *(f"{name} {told['end']:.4f}" for name, told in found[r].items()), sep="  ", flush=True)
    moved = paths.distances(*(paths.at(LEVELS[-1], steps)["end"] for steps in (END, 2 * END)))  # where it is longest
    text = table(found, pipeline.encoders.id, args.seeds, moved, judge is not None)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "estimates.json").write_text(json.dumps({"bundle": pipeline.encoders.id, "levels": found}, indent=1))
    draw((ROOT / "docs" if args.write_docs else args.out) / "sampler_estimates.png", found, pipeline.encoders.id)
    if args.write_docs:
        write_docs(text, ROOT / "docs" / "results.md", MARKS)
    print(text)
    return 0


def draw(path: Path, found: dict, bundle: str) -> None:
    curves = {name: (list(found), [told[name]["end"] for told in found.values()]) for name in KINDS}
    plots.lines(path, curves, "r = sigma / alpha", "distance to the end of the path (latent, inside the mask)",
                f"Estimates of the clean latent, bundle {bundle}", logx=True, logy=True)  # fmt: skip


def table(found: dict, bundle: str, seeds: int, moved: float, judged: bool) -> str:
    """A row for each level and estimate, and for the end of the path."""
    head, cells = ["distance to the end", "squared distance to what was noised"], ["end", "clean"]
    if judged:
        head, cells = [*head, "cosine to the selfie", "asked against measured"], [*cells, "cosine", "follows"]
    lines = [
        f"Bundle `{bundle}`, cfg 1, {seeds} finished latents (four words in turn) with fresh noise of size r: distance to "
        f"the end of {2 * END - 1} evaluations of the plain midpoint (root mean square inside the mask, median; twice as "
        f"many move that by {moved:.1e}), mean squared distance to the latent that was noised"
        + (", and what is seen in the decoded estimate" if judged else "") + ". The squared distance ranks nothing by itself: "
        "it is least for the mean of all pictures that could be meant, and the exact end of the path is far from that.", "",
        "| r | estimate | " + " | ".join(head) + " |", "|---|---|" + "---|" * len(head),
    ]  # fmt: skip
    for r, told in found.items():
        best = min(told[name]["end"] for name in KINDS)
        for name, row in told.items():
            values = [f"{row[c]:.4f}" if c in ("end", "clean") else f"{row[c]:.3f}" for c in cells]
            values[0] = "" if name == "end" else f"**{values[0]}**" if row["end"] == best else values[0]
            lines.append(f"| {r:g} | {'end of the path' if name == 'end' else name} | " + " | ".join(values) + " |")
    return "\n".join([*lines, ""])
