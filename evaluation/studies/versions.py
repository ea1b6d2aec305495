"""The effect of each part of the model: the protocol on versions that lack one, as rows of one table.

    python -m evaluation versions --data DATA --trained "without losses on pictures=plain.safetensors" --write-docs

Without the coarse warp and without balance are the default bundle, changed as in `ablation.py`; versions that were trained
otherwise are bundles of their own. All versions paint on the coarse warps of the full model, which are drawn and measured
once: pair by pair, one version after the other. Pictures are kept of the full model alone.
"""

from dataclasses import replace
from pathlib import Path

import torch

from dev.pack import ROOT

from ...modules.errors import DiffSFSRError
from ...modules.host.conditioning import KEY, changed
from ...modules.pipeline.background import tokens_of
from ...modules.types import Expression, Identity
from ...training.perceptual import FILE
from ..metrics.drawn import rims
from ..metrics.evaluate import Study, changed_outside, check_page
from ..metrics.figures import MOVES
from ..metrics.perceptual import Stlpips
from ..metrics.protocol import BASELINE, read_pairs
from ..metrics.report import figure, write_docs
from ..metrics.rows import (
    Evidence,
    border_rows,
    ceiling_rows,
    distance_row,
    expression_rows,
    following_row,
    gain_rows,
    identity_rows,
    lite_rows,
    place_rows,
)
from ..pipeline import Pipeline
from . import truths
from .ablation import LOUD, Variant, painted

MARKS = "<!-- versions:begin -->", "<!-- versions:end -->"
LABELS = (BASELINE, *((word, 1.0) for word in MOVES))  # a family each: all words would take three times as long
FULL = "full model"
CHANGED = {
    "without the guide, from noise": (Variant("both"), False),
    "without balance: tokens three times as loud": (Variant("loud", bare={"identity": LOUD, "expression": LOUD}), True),
}
HEAD = (
    "cosine to the selfie", "closer to the selfie", "rank 1", "asked against measured", "nearest family", "face found", "pose",
    "distance to portraits", "the same minus the coarse warp's", "by EfficientNet-Lite0", "minus the coarse warp's", "mouths",
    "minus the coarse warp's", "seam", "tone step",
)  # fmt: skip


class Full(Pipeline):
    """The full model. The last condition is remembered, for all versions to paint on."""

    last = None, None

    def conditioned(self, *given) -> tuple:
        if self.last[0] is None or any(one is not other for one, other in zip(self.last[0], given, strict=True)):
            self.last = given, super().conditioned(*given)
        return self.last[1]


class Changed(Pipeline):
    """The full model with its conditioning changed in every picture."""

    def __init__(self, full: Full, name: str):
        self.model, self.vae, self.encoders, self.conditioned = full.model, full.vae, full.encoders, full.conditioned
        self.settings = {**full.settings, "version": name}
        self.variant, self.guide = CHANGED[name]

    def paint(self, positive: list, negative: list, latent: dict, **changed) -> dict:
        if changed:  # as `painted` asks for it
            return super().paint(positive, negative, latent, **changed)
        return painted(self, positive, negative, latent, self.variant, self.guide)


class Trained(Pipeline):
    """Another bundle's UNet and tokens, on the full model's coarse warps."""

    def __init__(self, full: Pipeline, bundle: str):
        super().__init__(bundle=bundle)
        self.settings["coarse warps"], self.full = full.encoders.id, full

    def conditioned(self, identity: Identity, background: torch.Tensor, expression: Expression) -> tuple:
        *sides, latent, place, drafts = self.full.conditioned(identity, background, expression)
        with torch.inference_mode():
            told = tokens_of(self.encoders, identity, expression.codes)
        return *(self.retold(*both) for both in zip(sides, told, strict=True)), latent, place, drafts

    def retold(self, side: list, tokens: tuple[torch.Tensor, torch.Tensor]) -> list:
        """One side of CONDITIONING with this bundle's tokens, of a person and of expressions."""
        ((text, extras),) = side
        count = len(extras[KEY].mask)
        who, feeling = (value.expand(count, -1, -1).cpu() for value in tokens)
        return [changed(text, extras, replace(extras[KEY], identity=who, expression=feeling, bundle=self.encoders.id))]


class Version(Study):
    """The study of one version. full: that of the full model, whose coarse warps it takes with their measures, or None."""

    full, held, rim = None, (None, None), (None, None)

    def given(self, selfie: str, background: str) -> tuple[Identity, torch.Tensor, Expression]:
        if self.held[0] != (selfie, background):
            self.held = (selfie, background), super().given(selfie, background)
        return self.held[1]

    def _make(self, selfie: str, background: str) -> dict:
        if self.full is None:
            return super()._make(selfie, background)
        drafts = self.full.pair(selfie, background)["drafts"]
        _, scene, expression = given = self.full.given(selfie, background)
        made = self.pipeline.render(*given)
        covered, own = self.full.rim_of(given)
        results = self._measured(made.images, made.mask, scene, made.place, own, covered)
        return {"results": results, "drafts": drafts, "asked": expression.codes, "outside": changed_outside(made, scene)}

    def rim_of(self, given: tuple) -> tuple[torch.Tensor, torch.Tensor]:
        """See `rims`; remembered for what is `given`."""
        if self.rim[0] is not given:
            self.rim = given, rims(self.pipeline.encoders, *given)
        return self.rim[1]


def folder_of(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def trained(words: list[str]) -> dict[str, str]:
    """"NAME=BUNDLE" words -> bundles by name."""
    named = [[part.strip() for part in word.split("=", 1)] for word in words]
    if bad := [word for word, parts in zip(words, named, strict=True) if len(parts) < 2 or not all(parts)]:
        raise DiffSFSRError(f"{bad[0]!r} names no bundle", 'Write "NAME=BUNDLE"', "--trained")
    names = [FULL, *CHANGED, *(name for name, _ in named)]
    if twice := [name for name in names if names.count(name) > 1]:
        raise DiffSFSRError(f"Two versions are called {twice[0]!r}", "Give each a name of its own", "--trained")
    return dict(named)


def line(name: str, e: Evidence, kind: str = "results") -> str:
    who, express, found = identity_rows(e, kind), expression_rows(e, kind), place_rows(e, kind)
    rows = [who[0], who[2], who[3], following_row(e, kind), express[-1], *found[:2], distance_row(e, kind)]
    gains = gain_rows(e) if kind == "results" else []
    cells = [figure(row) for row in rows] + [figure(gains[0]) if gains else ""]
    for k, distance in enumerate(lite_rows(e, kind) or [None, None]):
        cells += [figure(distance) if distance else "", figure(gains[2 + k]) if distance and gains else ""]
    border = border_rows(e, kind)
    return f"| {name} | {' | '.join([*cells, figure(border[0]), figure(border[3])])} |"


def table(versions: dict[str, Evidence], settings: dict) -> str:
    """Markdown: portraits, coarse warps, then each version. The first is the full model, which gives both and the settings."""
    first = next(iter(versions.values()))
    pairs, s = len(first.pairs), settings
    _, cosine, rank = ceiling_rows(first)[:3]
    return "\n".join([
        f"Bundle `{s['id']}`, {s['steps']} midpoint steps, cfg {s['cfg']:g}, denoise {s['denoise']:g}: {pairs} pairs of people "
        f"kept out of training, {pairs * len(first.words)} pictures a row ({', '.join(first.words)}), measured as those of the "
        f"table above. Brackets: 95 % bootstrap interval over people; rank 1 is among {len(first.gallery)}.", "",
        f"| version | {' | '.join(HEAD)} |", f"|---|{'---|' * len(HEAD)}",
        f"| portraits through the autoencoder | {figure(cosine)} | | {figure(rank)} |{' |' * (len(HEAD) - 3)}",
        line("coarse warp alone", first, "drafts"),
        *(line(name, e) for name, e in versions.items()), "",
    ])  # fmt: skip


def versions(args) -> int:
    """The command."""
    check_page(args)
    others, full = trained(args.trained), Full(bundle=args.bundle)
    pipelines = {FULL: full, **{name: Changed(full, name) for name in CHANGED}}
    pipelines |= {name: Trained(full, bundle) for name, bundle in others.items()}
    studies = {name: Version.of(p, args.data, args.part, args.out / folder_of(name), LABELS) for name, p in pipelines.items()}
    for name, study in studies.items():
        study.full = None if name == FULL else studies[FULL]
    pairs = read_pairs(args.people, args.limit, args.part)
    print(f"versions: {', '.join(studies)}", flush=True)
    for count, pair in enumerate(pairs, 1):
        for study in studies.values():
            study.pair(*pair)
        print(f"  {count} of {len(pairs)} pairs", flush=True)
    first = studies[FULL].evidence(pairs)  # people and places are the same for all
    text = table({name: replace(first, done=study.records(pairs)) for name, study in studies.items()}, studies[FULL].settings)
    if (args.data / "expressions").exists() and (args.data / FILE).exists():
        near = near_truth(studies, args.data)
        text += "\n" + truths.table(near)
        (args.out / "truths.md").write_text(truths.each_table(near[FULL]), encoding="utf-8")
    (args.out / "versions.md").write_text(text, encoding="utf-8")
    if args.write_docs:
        write_docs(text, ROOT / "docs" / "results.md", MARKS)
    print(text)
    return 0


def near_truth(studies: dict[str, Version], data: Path) -> dict[str, list[dict]]:
    """Distances to true pictures, of all bundles, each with its own people and coarse warps."""
    near, found = Stlpips(data), {}
    for name, study in studies.items():
        if name not in CHANGED:
            make = lambda s=study: truths.measured(Pipeline(bundle=s.settings["bundle"]), data, near)  # noqa: E731
            found[name] = study.kept_table("truths", make)
    return found
