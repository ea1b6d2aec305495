"""Training portraits: reading, the canonical 256 px face frame, and the split by identity.

The data folder is described in its own README; nothing of it is part of the pack. Every picture is a synthetic adult.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

SPLIT_FILE = Path(__file__).with_name("split.json")
FRAME = 256  # side of the canonical face frame in pixels
MARGIN = 48  # context kept around the frame when a picture is warped, in frame pixels


def margin(size: int) -> int:
    """Context kept around a frame of `size` pixels, in its pixels."""
    return MARGIN * size // FRAME


@dataclass(frozen=True)
class Portrait:
    """One person of the data: where the picture is, and what is known of it.

    `landmarks` [478, 3] are in the pixels of the wide frame (352 px, faces) at scale 1, so that the canonical frame is
    `[48:304, 48:304]` for both sets.
    """

    id: str
    group: str  # "faces" or "portraits"
    file: Path  # or what has open(), as in `prepare/read.py`
    scene: Path | None
    landmarks: np.ndarray = field(repr=False)
    blendshapes: np.ndarray = field(repr=False)
    yaw: float
    pitch: float
    tier: str
    age: float
    caption: str = ""

    def wide(self, size: int = FRAME) -> np.ndarray:
        """The aligned picture with context for a frame of `size` pixels: uint8 RGB, of 352 pixels a side for 256."""
        file = self.file if isinstance(self.file, Path) else self.file.open()
        image, side = Image.open(file).convert("RGB"), size + 2 * margin(size)
        if image.width != side:
            image = image.resize((side, side), Image.Resampling.LANCZOS)
        return np.asarray(image)


def crop_frame(wide: np.ndarray) -> np.ndarray:
    """[352, 352, ...] -> the canonical frame [256, 256, ...]."""
    return wide[MARGIN : MARGIN + FRAME, MARGIN : MARGIN + FRAME]


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
    from .prepare.read import is_prepared, load_prepared

    if is_prepared(data):
        return load_prepared(data, part)
    wanted = set(read_split()[part])
    return [p for p in load_portraits(data) if p.id in wanted]


def manifest_hash(data: Path) -> str:
    """sha256 over the tables of the data folder (ids, files, landmarks): names the data a run was made from."""
    digest, prepared = hashlib.sha256(), Path(data) / "people.jsonl"
    own = ("faces/faces.jsonl", "faces/landmarks.npz", "portraits/portraits.jsonl", "portraits/landmarks.npz")
    for name in (prepared.name,) if prepared.exists() else own:
        digest.update((Path(data) / name).read_bytes())
    return digest.hexdigest()
