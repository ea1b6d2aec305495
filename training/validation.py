"""Validation of a run on people that are not in its training set: columns of its curve, and the curve as a picture."""

from pathlib import Path

import torch
import torch.nn.functional as F
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import nn

from ..modules.denoiser.midpoint import sample_midpoint
from ..modules.encoders.identity import INPUT
from .estimators import midpoint
from .pictures import PictureLosses, Seen, clean_estimate, noise_of
from .runlog import Run, read_curve
from .velocity import conditions, importance, noised

LEVELS = (0.3, 1.0, 3.0)  # noise r = sigma / alpha at which the loss is taken
DECODED = 1.0  # the level from which a clean picture is estimated, by one midpoint step, whichever estimate the run itself uses
LOSSES = tuple(f"val_loss_{level:g}" for level in LEVELS)
COSINES = ("val_mobileface", "val_compact")  # of the estimate with the target, by both recognition networks
DISTANCES = ("val_code", "val_points")  # mean differences of coefficients, and of points in shares of the side
GROUP, SHOWN = 4, 4  # rows at a time, and on the sheet
# of what the sampler makes of a guide at the nodes' default settings, and of a worn guide, beside the decoded target
PATHS = tuple(f"val_{guide}_{name}" for guide in ("guide", "worn") for name in ("stlpips", "identity", "points"))
SIGMAS = 0.273, 0.1842, 0.1213, 0.0779, 0.0485, 0.0292, 0.0  # of denoise .3 in 6 steps of the scheduler karras
COLUMNS = (*LOSSES, *COSINES, *DISTANCES, *PATHS)


class Validation:
    """Measures on some pairs (`Samples.some`) of validation people; all conditions are given, and the noise is always the same.

    every: steps between two validations. judges: their networks compare every estimate with its target: decoded, or by `photo`,
    see `Samples.photos_from`, the picture that it was made of.
    """

    def __init__(
        self,
        rows: dict[str, torch.Tensor],
        judges: PictureLosses,
        identity: nn.Module,
        alpha_bar: torch.Tensor,
        every: int = 500,
        prediction: str = "v",
        photo=None,
    ):
        self.rows, self.judges, self.identity, self.alpha_bar, self.every = rows, judges, identity, alpha_bar, every
        self.prediction, self.photo = prediction, photo
        self.noise = torch.randn(rows["target"].shape, generator=torch.Generator().manual_seed(0))
        self.targets = None  # their measurements, kept from the first validation on

    @torch.no_grad()
    def look(self, model: nn.Module, accelerator, folder: Path | None = None, step: int = 0) -> dict[str, float]:
        """The averaged model -> a mean for each of COLUMNS. place: the accelerator, for device and precision.

        folder: where a sheet of the first rows is written, with the step in its name.
        """
        rows = {name: value.to(accelerator.device) for name, value in self.rows.items()}
        target, levels = rows["target"].float(), (1 / self.alpha_bar - 1).sqrt()
        told = conditions(rows, torch.zeros(len(target), 3, dtype=torch.bool, device=accelerator.device))

        predict_told = predict_with(model, accelerator)
        predict = lambda z, t: predict_told(z, t, told)  # noqa: E731
        found = {}
        for name, level in zip(LOSSES, LEVELS, strict=True):
            t = (levels - level).abs().argmin().expand(len(target)).to(accelerator.device)
            z, v = noised(target, self.noise.to(accelerator.device), self.alpha_bar.to(accelerator.device)[t])
            got, weight = predict(z, t), importance(rows)
            aim = v if self.prediction == "v" else self.noise.to(accelerator.device)
            found[name] = (((got - aim) ** 2 * weight).mean() / weight.mean()).item()
            if level == DECODED:
                estimates = clean_estimate(midpoint, predict, z, got, t, self.alpha_bar, self.prediction)
                found |= self._judged(estimates, target)
                if folder is not None:
                    self._show(estimates, rows, folder / f"look_{step:06d}.jpg")
        for kind, guide in (("guide", "warp"), ("worn", "worn")):
            if guide in rows:
                ends = self.sampled(predict_with(model, accelerator), rows, guide)
                found |= {f"val_{kind}_{name}": value for name, value in self._apart(ends).items()}
                if folder is not None:
                    self._show(ends, {**rows, "warp": rows[guide]}, folder / f"{kind}_{step:06d}.jpg")
        return {name: found.get(name) for name in COLUMNS}

    def sampled(self, predict, rows: dict[str, torch.Tensor], guide: str) -> torch.Tensor:
        """Latents that the midpoint sampler makes of the noised guides, as the nodes do it below full denoising."""
        start, levels = rows[guide].float(), (1 / self.alpha_bar - 1).sqrt().to(rows[guide].device)
        told = conditions({**rows, "warp": start}, torch.zeros(len(start), 3, dtype=torch.bool, device=start.device))
        noise = noise_of(lambda z, t: predict(z, t, told), self.alpha_bar.to(start.device), self.prediction)
        clean = lambda y, r: y - r[:, None, None, None] * noise(y, r)  # noqa: E731
        sigmas = torch.tensor(SIGMAS, device=start.device)
        begin = start + sigmas[0] * self.noise.to(start.device)
        ends = sample_midpoint(clean, begin, sigmas, reuse=True, least=float(levels[0]))
        return ends * rows["mask"] + rows["target"].float() * (1 - rows["mask"])

    def _apart(self, ends: torch.Tensor) -> dict[str, float]:
        """Means of what the losses on pictures find between the ends and their decoded targets."""
        known = [true for true, _ in self.targets]
        each = [self.judges.between(self.judges.seen(end[None]), true) for end, true in zip(ends, known, strict=True)]
        return {name: torch.stack([one[name] for one in each]).mean().item() for name in each[0] if name != "code"}

    def _show(self, estimates: torch.Tensor, rows: dict[str, torch.Tensor], file: Path) -> None:
        """A line for each of the first rows: background, coarse warp, estimate, target."""
        shown = (rows["background"], rows["warp"], estimates, rows["target"])
        lines = [
            torch.cat([self.judges.decoder(latents[k : k + 1].float())[0].clamp(0, 1).cpu() for latents in shown], -1)
            for k in range(min(SHOWN, len(estimates)))
        ]
        pixels = (torch.cat(lines, -2).movedim(0, -1) * 255).round().byte().numpy()
        Image.fromarray(pixels).save(file, quality=90)

    def _judged(self, estimates: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
        """One picture at a time, for the same reason."""
        if self.targets is None:
            numbers = self.rows["number"].tolist() if self.photo is not None else [None] * len(targets)
            self.targets = [self._true(latent[None], number) for latent, number in zip(targets, numbers, strict=True)]
        rows = []
        for latent, (true, whom) in zip(estimates, self.targets, strict=True):
            made, who = self._seen(latent[None])
            between = self.judges.between(made, true)
            cosines = (1 - between["identity"], F.cosine_similarity(who, whom))
            rows.append(torch.cat([*cosines, between["code"], between["points"]]))
        return dict(zip((*COSINES, *DISTANCES), torch.stack(rows).mean(0).tolist(), strict=True))

    def _seen(self, latent: torch.Tensor) -> tuple[Seen, torch.Tensor]:
        return self._with_vector(self.judges.seen(latent))

    def _true(self, latent: torch.Tensor, number: int | None) -> tuple[Seen, torch.Tensor]:
        """A target: the picture that it was made of, where that is there."""
        return self._seen(latent) if number is None else self._with_vector(self.judges.measured(self.photo(number)[None]))

    def _with_vector(self, seen: Seen) -> tuple[Seen, torch.Tensor]:
        return seen, self.identity(F.interpolate(seen.pictures, size=INPUT, mode="area"))


def predict_with(model: nn.Module, accelerator):
    """predict(z, t, told) of many rows, a few at a time: more leave a CPU's cache."""

    def predict(z, t, told):
        with accelerator.autocast():
            parts = zip(z.split(GROUP), t.split(GROUP), *(value.split(GROUP) for value in told), strict=True)
            return torch.cat([model(z, first, t, *rest).float() for z, t, first, *rest in parts])

    return predict


PANELS = {
    "loss": ("loss", *LOSSES),
    "identity: cosine with the target": COSINES,
    "expression: coefficients": DISTANCES[:1],
    "expression: points": DISTANCES[1:],
    "from guides: STLPIPS, identity": tuple(name for name in PATHS if not name.endswith("points")),
}


def draw(run: Run) -> None:
    """Writes `curve.png` beside `curve.csv`: losses, identity, expression. Columns without a value are left out."""
    if not run.writes or not (rows := read_curve(run.folder / "curve.csv")):
        return
    figure = Figure(figsize=(19, 3.6), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, names) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        for name in names:
            points = [(row["step"], row[name]) for row in rows if name in row]
            if points:
                axes.plot(*zip(*points, strict=True), marker="." if len(points) < 60 else "", linewidth=1.2, label=name)
        axes.set(title=title, xlabel="step", xlim=(0, None))
        axes.grid(alpha=0.25, linewidth=0.5)
        if axes.lines:
            axes.legend(fontsize="small")
    figure.savefig(run.folder / "curve.png")
