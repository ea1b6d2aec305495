"""Training portraits: reading the data folder, and the split by identity.

The data folder is described in its own README; nothing of it is part of the pack. Every picture is a synthetic adult.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from .portrait import Portrait
from .prepare.read import is_prepared, load_prepared

SPLIT_FILE = Path(__file__).with_name("split.json")


def load_portraits(data: Path, tiers: str = "ABC") -> list[Portrait]:
    """All portraits of the data folder; tier D (unchecked generator terms) is left out by default."""
    data = Path(data)
    if not (data / "faces" / "faces.jsonl").exists():
        raise SystemExit(f"training data: {data} has no faces/faces.jsonl; name the data folder with --data")
    return _load_faces(data / "faces", tiers) + _load_scenes(data / "portraits")


def _load_faces(folder: Path, tiers: str) -> list[Portrait]:
    store = np.load(folder / "landmarks.npz")
    marks = dict(zip(store["ids"].tolist(), store["landmarks"], strict=True))
    rows = [json.loads(line) for line in (folder / "faces.jsonl").read_text().splitlines()]
    return [
        Portrait(
            r["id"],
            "faces",
            folder / r["file"],
            None,
            marks[r["id"]],
            _values(r),
            r["yaw"],
            r["pitch"],
            r["tier"],
            r["age_estimate"],
        )
        for r in rows
        if r["tier"] in tiers
    ]


def _load_scenes(folder: Path) -> list[Portrait]:
    store = np.load(folder / "landmarks.npz")
    marks = dict(zip(store["ids"].tolist(), store["aligned"] / 2, strict=True))  # 704 px picture: twice the frame
    rows = [json.loads(line) for line in (folder / "portraits.jsonl").read_text().splitlines()]
    return [
        Portrait(
            r["id"],
            "portraits",
            folder / r["aligned"],
            folder / r["scene"],
            marks[r["id"]],
            _values(r),
            r["yaw"],
            r["pitch"],
            "P",
            r["age_estimate"],
        )
        for r in rows
    ]


def _values(row: dict) -> np.ndarray:
    return np.array(list(row["blendshapes"].values()), np.float32)


def read_split() -> dict[str, list[str]]:
    """{"train": ids, "validation": ids, "evaluation": ids}: no identity, nor a look-alike of it, stands in two."""
    return json.loads(SPLIT_FILE.read_text())


def load_part(data: Path, part: str) -> list[Portrait]:
    """The portraits of one part of the split ("train", "validation", "evaluation"); also of a prepared folder."""
    if is_prepared(data):
        return load_prepared(data, part)
    wanted = set(read_split()[part])
    return [p for p in load_portraits(data) if p.id in wanted]


def manifest_hash(data: Path, *tables: str) -> str:
    """sha256 over tables of the data folder (all with ids, files, landmarks, if not told which): names the data of a run."""
    digest, prepared = hashlib.sha256(), Path(data) / "people.jsonl"
    own = ("faces/faces.jsonl", "faces/landmarks.npz", "portraits/portraits.jsonl", "portraits/landmarks.npz")
    for name in tables or ((prepared.name,) if prepared.exists() else own):
        digest.update((Path(data) / name).read_bytes())
    return digest.hexdigest()
