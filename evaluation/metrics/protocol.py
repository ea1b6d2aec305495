"""The pairs of selfie and background, and the words: fixed once, by ids only, from the part kept out of training."""

import csv
from pathlib import Path

import numpy as np

from ...modules.errors import DiffSFSRError
from ...training.data import load_part, read_split
from ...training.portrait import Portrait

FILE = Path(__file__).with_name("protocol.csv")
PEOPLE, PLACES = 60, 1  # people as selfies; backgrounds for each
BASELINE = ("contentment", 0.0)  # intensity 0 is the neutral face, whatever the word
# Two of each of the six families, so that every channel of `metrics.CHANNELS` is asked for (a pucker is in three words only)
WORDS = (
    "amazement", "cheerfulness", "rage", "sorrow", "dread", "tenderness",
    "surprise", "euphoria", "grumpiness", "grief", "terror", "desire",
)  # fmt: skip
LABELS = (BASELINE, *((word, 1.0) for word in WORDS))


def make_pairs(part: str = "evaluation") -> list[tuple[str, str]]:
    """(selfie, background) ids: people of both groups in turn; as background others' scenes, drawn with seed 0."""
    ids = read_split()[part]
    faces, scenes = ([i for i in ids if i.startswith(letter)] for letter in "sp")
    people = [i for both in zip(faces, scenes, strict=True) for i in both][:PEOPLE]
    rng = np.random.default_rng(0)
    pairs = []
    for person in people:
        others = [i for i in scenes if i != person]
        pairs += [(person, others[k]) for k in rng.choice(len(others), PLACES, replace=False)]
    return pairs


def write_pairs(path: Path = FILE) -> None:
    path.write_text("selfie,background\n" + "".join(f"{s},{b}\n" for s, b in make_pairs()))


def read_pairs(people: int = PEOPLE, limit: int | None = None, part: str = "evaluation") -> list[tuple[str, str]]:
    """The pairs of the first `people` people, at most `limit`. Part "validation": people on whom settings may be chosen."""
    if part == "evaluation":
        with open(FILE, newline="", encoding="utf-8") as file:
            pairs = [(row["selfie"], row["background"]) for row in csv.DictReader(file)]
    else:
        pairs = make_pairs(part)
    wanted = list(dict.fromkeys(selfie for selfie, _ in pairs))[:people]
    return [pair for pair in pairs if pair[0] in wanted][:limit]


def portraits(data: Path, part: str = "evaluation") -> dict[str, Portrait]:
    """The people of one part of the data folder by id."""
    if not (data / "faces" / "faces.jsonl").exists():
        remedy = "Name the data folder with --data (make: DATA=...)"
        raise DiffSFSRError("There is no faces/faces.jsonl in the data folder", remedy, str(data))
    return {p.id: p for p in load_part(data, part)}


def picture_file(portrait: Portrait) -> Path:
    """The picture a person is shown by: the whole scene where there is one, else the aligned 352 px portrait."""
    return portrait.scene or portrait.file
