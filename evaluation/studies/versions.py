"""The effect of each part of the model: the protocol on versions that lack one, as rows of one table.

    python -m evaluation versions --data DATA --trained "without losses on pictures=plain.safetensors" --write-docs

Without the coarse warp and without balance are the default bundle, changed as in `ablation.py`; versions that were trained
otherwise are bundles of their own.
"""

from dev.pack import ROOT

from ...modules.errors import DiffSFSRError
from ...training.perceptual import FILE
from ..metrics.evaluate import Study, check_page
from ..metrics.perceptual import Stlpips
from ..metrics.protocol import WORDS, read_pairs
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


class Changed(Pipeline):
    """The pipeline with its conditioning changed in every picture."""

    def __init__(self, name: str, **settings):
        super().__init__(**settings)
        self.variant, self.guide = CHANGED[name]
        self.settings["version"] = name

    def paint(self, positive: list, negative: list, latent: dict, **changed) -> dict:
        if changed:  # as `painted` asks for it
            return super().paint(positive, negative, latent, **changed)
        return painted(self, positive, negative, latent, self.variant, self.guide)


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
        f"kept out of training, {pairs * len(WORDS)} pictures a row, as in the table above. Brackets: 95 % bootstrap interval "
        f"over people; rank 1 is among {len(first.gallery)}.", "",
        f"| version | {' | '.join(HEAD)} |", f"|---|{'---|' * len(HEAD)}",
        f"| portraits through the autoencoder | {figure(cosine)} | | {figure(rank)} |{' |' * (len(HEAD) - 3)}",
        line("coarse warp alone", first, "drafts"),
        *(line(name, e) for name, e in versions.items()), "",
    ])  # fmt: skip


def versions(args) -> int:
    """The command."""
    check_page(args)
    others = trained(args.trained)
    pairs, found, settings, near = read_pairs(args.people, args.limit, args.part), {}, {}, {}
    true = (args.data / "expressions").exists() and (args.data / FILE).exists()
    makers = {FULL: lambda: Pipeline(bundle=args.bundle)}
    makers |= {name: lambda name=name: Changed(name, bundle=args.bundle) for name in CHANGED}
    makers |= {name: lambda bundle=bundle: Pipeline(bundle=bundle) for name, bundle in others.items()}
    for name, make in makers.items():
        print(f"versions: {name}", flush=True)
        study = Study.of(make(), args.data, args.part, args.out / folder_of(name))
        found[name], settings = study.evidence(pairs), settings or study.settings
        if true and name not in CHANGED:
            near[name] = study.kept_table("truths", lambda s=study: truths.measured(s.pipeline, args.data, Stlpips(args.data)))
    text = table(found, settings)
    if near:
        text += "\n" + truths.table(near)
        (args.out / "truths.md").write_text(truths.each_table(near[FULL]), encoding="utf-8")
    (args.out / "versions.md").write_text(text, encoding="utf-8")
    if args.write_docs:
        write_docs(text, ROOT / "docs" / "results.md", MARKS)
    print(text)
    return 0
