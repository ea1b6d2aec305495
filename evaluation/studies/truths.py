"""Coarse warp and result beside true pictures: people whom the network was never shown, each feeling of theirs.

The selfie is one picture of a person, the place another one of the same person, and the expression is read from it: what should
be painted is what stands there, which the model does not see (its face is grey). Both go through the same Composite Face.
"""

from pathlib import Path

import numpy as np
import torch

from ...modules.types import Expression
from ...nodes.expression_from_image import ExpressionFromImage
from ...training.movement import NEUTRAL
from ...training.truths import HELD_OUT
from ..metrics.drawn import crops_of
from ..metrics.perceptual import Stlpips
from ..pipeline import Pipeline, call
from .expressions import PARTS, compared, part_compared, true_pictures


def couples(labels: list[str]) -> list[tuple[str, str]]:
    """From the neutral picture to each feeling, and back."""
    others = [label for label in labels if label != NEUTRAL]
    return [(NEUTRAL, label) for label in others] + [(label, NEUTRAL) for label in others]


def measured(pipeline: Pipeline, data: Path, near: Stlpips) -> list[dict]:
    """A row for each pair of pictures: person, from, to, and STLPIPS to the true picture of "draft" and "result", of the face
    and of its parts.
    """
    rows = []
    for person in HELD_OUT:
        shown = {label: picture[None] for label, picture in true_pictures(data / "expressions", person).items()}
        for selfie, aim in couples(list(shown)):
            rows.append({"person": person, "from": selfie, "to": aim, **_one(pipeline, shown, selfie, aim, near)})
        print(f"  {person}: {len(rows)} pairs", flush=True)
    return rows


@torch.inference_mode()
def _one(pipeline: Pipeline, shown: dict[str, torch.Tensor], selfie: str, aim: str, near: Stlpips) -> dict[str, dict]:
    who, _ = pipeline.identity(shown[selfie])
    calm = {"neutral": shown[NEUTRAL]}
    expression: Expression = call(ExpressionFromImage, encoders=pipeline.encoders, image=shown[aim], **calm)[0]
    made, found = pipeline.render(who, shown[aim], expression), {}
    drafts, _ = pipeline.pasted(made.drafts, made.place)
    truth = pipeline.identity(shown[aim])[0].face
    for name, pictures in (("draft", drafts), ("result", made.images)):
        crop = crops_of(pictures, made.place)[0]
        parts = {part: part_compared(*where, truth, crop, near) for part, where in PARTS.items()}
        found[name] = {"face": compared(truth, truth, crop, near), **parts}
    return found


def table(rows: dict[str, list[dict]]) -> str:
    """Markdown: for each version the means, and in how many pairs the result is nearer than the coarse warp."""
    names = ("face", *PARTS)
    first = next(iter(rows.values()))
    drawn = " | ".join(f"{_of(first, 'draft', name).mean():.4f}" for name in names)
    lines = [
        f"STLPIPS to true pictures of {', '.join(HELD_OUT)}, {len(first)} pairs; in brackets the pairs in which the "
        "result is nearer than the coarse warp. No interval: they are two people. STLPIPS may be a loss of a version.",
        "",
        f"| version | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
        f"| coarse warp alone | {drawn} |",
    ]
    for version, found in rows.items():
        cells = []
        for name in names:
            before, after = (_of(found, kind, name) for kind in ("draft", "result"))
            cells.append(f"{after.mean():.4f} ({int((after < before).sum())} of {len(after)})")
        lines.append(f"| {version} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def each_table(rows: list[dict]) -> str:
    """Markdown: each pair's figures of one version."""
    lines = ["| person | from | to | coarse warp | result |", "|---|---|---|---|---|"]
    told = lambda r, kind: f"{r[kind]['face']:.4f}"  # noqa: E731
    lines += [f"| {r['person']} | {r['from']} | {r['to']} | {told(r, 'draft')} | {told(r, 'result')} |" for r in rows]
    return "\n".join([*lines, ""])


def _of(rows: list[dict], kind: str, part: str) -> np.ndarray:
    return np.array([row[kind][part] for row in rows])
