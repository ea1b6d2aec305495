"""The effect of each condition, and of balance: the default bundle with parts of its conditioning changed or left out.

Without guidance by default (cfg 1): guidance would bring the null tokens back into every row.
"""

from dataclasses import dataclass, field, replace

import torch

from dev.pack import ROOT

from ...modules.denoiser.attention import GROUPS, BalancedCrossAttention
from ...modules.host.conditioning import KEY, changed
from ...nodes.background_condition import BackgroundCondition
from ..metrics.evaluate import Study
from ..metrics.measure import Observer
from ..metrics.protocol import LABELS, WORDS, picture_file, portraits, read_pairs
from ..metrics.report import figure, write_docs
from ..metrics.rows import Evidence, expression_rows, following_row, identity_rows, place_rows
from ..pipeline import Pipeline, call

MARKS = "<!-- ablation:begin -->", "<!-- ablation:end -->"
LOUD = 3.0
SAME = 1e-3  # of latents of about unit size: rounding, not a difference that could be seen


@dataclass(frozen=True)
class Variant:
    """One row, by group (identity, expression). `bare`: the size of the tokens reaches the attention past its LayerNorm."""

    name: str
    null: tuple[str, ...] = ()
    norm: dict[str, float] = field(default_factory=dict)
    strength: dict[str, float] = field(default_factory=dict)
    bare: dict[str, float] = field(default_factory=dict)
    another: bool = False  # identity tokens of the background person


VARIANTS = (
    Variant("both"),
    Variant("identity only", null=("expression",)),
    Variant("expression only", null=("identity",)),
    Variant("neither", null=("identity", "expression")),
    Variant("identity tokens x3", norm={"identity": LOUD}),
    Variant("expression tokens x3", norm={"expression": LOUD}),
    Variant("identity tokens x3, not normalised", bare={"identity": LOUD}),
    Variant("expression tokens x3, not normalised", bare={"expression": LOUD}),
    Variant("identity strength 3", strength={"identity": LOUD}),
    Variant("expression strength 3", strength={"expression": LOUD}),
)
GUIDES = {"guide on": True, "guide off": False}


def told(
    positive: list, negative: list, variant: Variant, guide: bool, another: torch.Tensor | None = None
) -> tuple[list, list]:
    """The CONDITIONING pair of Background Condition, changed as the variant says. another: somebody else's tokens [1, N, D]."""
    null, sides = negative[0][1][KEY], []
    for text, extras in (positive[0], negative[0]):
        given = extras[KEY]
        groups = {group: getattr(null if group in variant.null else given, group) for group in GROUPS}
        groups |= {group: groups[group] * factor for group, factor in variant.norm.items()}
        if variant.another and not sides:
            groups["identity"] = another.expand_as(groups["identity"])
        given = replace(given, **groups, strength=replace(given.strength, **variant.strength))
        if not guide:  # as the node does it
            given = replace(given, warp=torch.zeros_like(given.warp))
        sides.append([changed(text, extras, given)])
    return sides[0], sides[1]


def unnormalised(model, variant: Variant):
    """The MODEL with the group's normalised tokens times a factor before scale and offset are learned: what tokens of that size
    would be if the LayerNorm divided by the usual size instead of their own. With factor 1 it is the trained network.
    """
    if not variant.bare:
        return model
    changed = model.clone()
    for name, module in model.model.named_modules():
        if isinstance(module, BalancedCrossAttention):
            for group, factor in variant.bare.items():
                weight = getattr(module, f"norm_{group}").weight.detach().clone()
                changed.add_patches({f"{name}.norm_{group}.weight": (weight,)}, factor - 1.0)
    return changed


def painted(
    pipeline: Pipeline, positive: list, negative: list, latent: dict, variant: Variant, guide: bool = True, another=None
) -> dict:
    """The LATENT that the pipeline paints with its conditioning changed as the variant says, with guide on or off."""
    positive, negative = told(positive, negative, variant, guide, another)
    changed = {"model": unnormalised(pipeline.model, variant)}
    if not guide:
        changed["denoise"] = 1.0  # else the path would start at the coarse warp
        latent = {**latent, "samples": torch.zeros_like(latent["samples"])}
    return pipeline.paint(positive, negative, latent, **changed)


class Ablation(Study):
    """The study of `metrics/evaluate.py`, with one record a pair that holds the measurements of every variant."""

    variants, guides = VARIANTS, GUIDES

    def _make(self, selfie: str, background: str) -> dict:
        expression = self.pipeline.expression(list(LABELS))
        positive, negative, latent, *_ = call(
            BackgroundCondition, encoders=self.pipeline.encoders, vae=self.pipeline.vae, image=self.picture(background),
            identity=self.identity(selfie), expression=expression,
        )  # fmt: skip
        latent, known = {**latent, "batch_index": [0] * len(LABELS)}, []
        seen = {}
        for guide, on in self.guides.items():
            for variant in self.variants:
                made = painted(self.pipeline, positive, negative, latent, variant, on)
                seen[f"{variant.name}, {guide}"] = self._look(made["samples"], known)
        return {"seen": seen, "asked": expression.codes[:, :52]}

    def _look(self, samples: torch.Tensor, known: list) -> dict[str, torch.Tensor]:
        """Measurements of the decoded crops; one that equals an earlier one up to rounding is not measured again."""
        rows = []
        for sample in samples:
            row = next((row for other, row in known if (other - sample).abs().max() < SAME), None)
            if row is None:
                row = self.observer.look(self.pipeline.vae.decode(sample[None])).as_dict()
                known.append((sample, row))
            rows.append(row)
        return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}


def line(name: str, e: Evidence) -> str:
    """One row of the table."""
    who, (way, *_), (found, *_) = identity_rows(e, "results"), expression_rows(e, "results"), place_rows(e, "results")
    follows = following_row(e)
    cells = [
        f"{who[0]['value']:.2f} ({who[0]['low']:.2f} to {who[0]['high']:.2f})", f"{who[1]['value']:.2f}",
        f"{who[2]['value']:.2f}", f"{figure(follows)}", f"{way['value']:.2f}",
        f"{found['value']:.2f}",
    ]  # fmt: skip
    return f"| {name} | {' | '.join(cells)} |"


def table(pairs: list, records: list[dict], people: dict, settings: dict) -> str:
    """Markdown: a row for each variant with the coarse warp and without."""
    head = [
        f"Bundle `{settings['id']}`, {settings['steps']} midpoint steps, cfg {settings['cfg']:g}, {settings['scheduler']}, "
        f"seed {settings['seed']}: {len(pairs)} pairs of people kept out of training, {len(WORDS)} words and the neutral face "
        "each. Brackets: 95 % bootstrap interval over people.", "",
        "| conditioning | cosine to selfie | to background person | closer to selfie | asked against measured | right way | "
        "face found |", "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    rows = []
    for name in records[0]["seen"]:
        done = [{"results": r["seen"][name], "asked": r["asked"]} for r in records]
        rows.append(line(name, Evidence(pairs, done, people, {})))
    return "\n".join([*head, *rows, ""])


def ablation(args) -> int:
    """The command."""
    if args.worn:
        from .worn import ablation_worn

        return ablation_worn(args)
    pairs, files = read_pairs()[: args.pairs], portraits(args.data)
    pipeline = Pipeline(bundle=args.bundle, steps=args.steps, seed=args.seed, cfg=args.cfg, scheduler=args.scheduler)
    key = {**pipeline.settings, "id": pipeline.encoders.id, "labels": LABELS, "variants": [str(v) for v in VARIANTS]}
    (args.out / "pairs").mkdir(parents=True, exist_ok=True)
    observer = Observer(args.data, pipeline.encoders.shape)
    study = Ablation(pipeline, observer, {i: picture_file(p) for i, p in files.items()}, args.out, key)
    print(f"ablation: bundle {key['id']}, {len(pairs)} pairs, {key['steps']} steps, cfg {key['cfg']}", flush=True)
    records = study.records(pairs, every=1)
    people = {i: study.person(i) for pair in pairs for i in pair}
    text = table(pairs, records, people, key)
    (args.out / "ablation.md").write_text(text, encoding="utf-8")
    if args.write_docs:
        write_docs(text, ROOT / "docs" / "results.md", MARKS)
    print(text)
    return 0
