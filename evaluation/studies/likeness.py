"""Whether a person stays that person under a word: coarse warps of the evaluation's people in other people's pictures.

Selfies and pictures are those of the protocol. The coarse warps alone are judged: the model's results take
longer, and `evaluate` shows that they are recognised as often.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...modules.encoders.expression import encode_label
from ...modules.labels import FAMILIES, family_of
from ...modules.pipeline.encoders import Encoders
from ...modules.pipeline.face_draft import face_drafts
from ...modules.pipeline.identity import encode_identity
from ...modules.types import Expression
from ..metrics.figures import cosines, interval, ranks
from ..metrics.measure import Observer
from ..metrics.protocol import picture_file, portraits, read_pairs
from ..pictures import load

STRONG = ("contentment", "shame", "sorrow", "cheerfulness", "amazement", "disgust", "terror", "rage")
EACH, MEAN = 0.80, 0.90  # targets of rank 1
INTENSITIES = (0.3, 1.0, 1.5)


@dataclass(frozen=True, eq=False)
class Drawn:
    """What one person's selfie was drawn as, and how it looks: vectors [n, 1024] of the n words, found [n]."""

    person: str
    words: list[tuple[str, float]]
    own: np.ndarray  # [1024] of the selfie
    other: np.ndarray  # [1024] of the person in whose picture it is
    vectors: np.ndarray
    found: np.ndarray


def words_for(number: int) -> list[tuple[str, float]]:
    """(word, intensity): the strong words, and one word of each family at each intensity, another one for each person."""
    words = [[w for group in subclusters.values() for w in group] for subclusters in FAMILIES.values()]
    return [(w, 1.0) for w in STRONG] + [(each[number % len(each)], i) for each in words for i in INTENSITIES]


def draw(encoders: Encoders, data: Path, look: Observer, people: int) -> list[Drawn]:
    """The first people of the protocol, one picture each."""
    files, drawn = {i: picture_file(p) for i, p in portraits(data).items()}, []
    for number, (selfie, background) in enumerate(read_pairs(people)):
        photo, scene = (load(files[i], i) for i in (selfie, background))
        words = words_for(number)
        codes = torch.cat([encode_label(encoders.shape, encoders.id, word, amount, 0).codes for word, amount in words])
        expression = Expression(codes, tuple(word for word, _ in words), encoders.id)
        who = encode_identity(encoders, photo, "largest", 0, "error")[0]
        drafts, _ = face_drafts(encoders, who, expression, scene, "largest", 0)
        seen = look.look(drafts)
        own, other = (look.look(picture).vector[0] for picture in (photo, scene))
        drawn.append(Drawn(selfie, words, own, other, seen.vector, seen.found))
        print(f"  likeness: {number + 1} of {people} people", end="\r", flush=True)
    return drawn


def rows_of(drawn: list[Drawn]) -> list[dict]:
    """One for each drawn word: cosine to the selfie, whether that is more than to the background's person, and whether the
    selfie is the first among all. What has no face any more is like nobody."""
    gallery, rows = np.stack([d.own for d in drawn]), []
    for number, d in enumerate(drawn):
        to_own, to_other = (cosines(d.vectors, np.broadcast_to(v, d.vectors.shape)) for v in (d.own, d.other))
        first = ranks(d.vectors, gallery, np.full(len(d.vectors), number)) == 1
        for k, (word, amount) in enumerate(d.words):
            found = bool(d.found[k])
            rows.append({"person": d.person, "word": word, "family": family_of(word), "intensity": amount,
                         "strong": k < len(STRONG), "cosine": float(to_own[k]) if found else 0.0,
                         "closer": found and bool(to_own[k] > to_other[k]), "first": found and bool(first[k])})  # fmt: skip
    return rows


def table(rows: list[dict]) -> str:
    """Markdown: the strong words, then the families."""
    people = len({row["person"] for row in rows})
    strong = [row for row in rows if row["strong"]]
    lines = [
        "",
        f"{people} people of the evaluation in other people's pictures, coarse warps alone; "
        f"judged by faceres, rank 1 among {people}. Targets: rank 1 at least {EACH:.2f} for each, {MEAN:.2f} "
        "on the mean. Brackets: 95 % bootstrap interval over people.",
        "",
        "| word | closer to the selfie | rank 1 | cosine | met |",
        "|---|---|---|---|---|",
    ]
    for word in (*STRONG, None):
        chosen = [row for row in strong if word in (None, row["word"])]
        (closer, *_), (first, low, high), (cosine, *_) = (_share(chosen, name) for name in ("closer", "first", "cosine"))
        met = "yes" if first >= (EACH if word else MEAN) else "no"
        lines.append(f"| {word or '**mean**'} | {closer:.2f} | {first:.2f} ({low:.2f} to {high:.2f}) | {cosine:.2f} | {met} |")
    lines += [
        "",
        "By family and intensity, cosine / rank 1; each person has one word of each family, in turn, so all words are in it:",
        "",
        f"| family | {' | '.join(f'intensity {i:g}' for i in INTENSITIES)} |",
        "|---|---|---|---|",
    ]
    for family in FAMILIES:
        cells = []
        for amount in INTENSITIES:
            chosen = [r for r in rows if not r["strong"] and r["family"] == family and r["intensity"] == amount]
            cells.append(f"{_share(chosen, 'cosine')[0]:.2f} / {_share(chosen, 'first')[0]:.2f}")
        lines.append(f"| {family} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _share(rows: list[dict], name: str) -> tuple[float, float, float]:
    return interval([row[name] for row in rows], [row["person"] for row in rows])
