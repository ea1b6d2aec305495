"""A prepared folder as the training stages read their data."""

import io
import json
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from safetensors import safe_open

from ..portrait import Portrait
from . import CHUNKS, PEOPLE, RECORD


@dataclass(frozen=True)
class Packed:
    """A picture inside a tar: where its bytes are."""

    tar: Path
    start: int
    length: int

    def open(self) -> io.BytesIO:
        with self.tar.open("rb") as file:
            file.seek(self.start)
            return io.BytesIO(file.read(self.length))


def is_prepared(folder: Path) -> bool:
    return (Path(folder) / RECORD).exists()


def load_prepared(folder: Path, part: str) -> list[Portrait]:
    """The portraits of one part; landmarks and coefficients stay in their files until they are looked at."""
    folder = Path(folder)
    if not (folder / PEOPLE).exists():
        raise SystemExit(f"training: {folder} is not finished; run `python -m training prepare` with it once more")
    rows = [json.loads(line) for line in (folder / PEOPLE).read_text().splitlines()]
    return [portrait(folder, row) for row in rows if row["verdict"] == "kept" and row["part"] == part]


def portrait(folder: Path, row: dict) -> Portrait:
    base = folder / CHUNKS / f"{row['chunk']:06d}"
    marks, shapes = measures(base.with_suffix(".safetensors"))
    place, age = row["row"], row["age"]
    file = Packed(base.with_suffix(".tar"), *members(base.with_suffix(".tar"))[place])
    return Portrait(
        row["id"], "prepared", file, None, marks[place].numpy(), shapes[place].numpy(), row["yaw"], row["pitch"], "P",
        float("nan") if age is None else age, row["caption"],
    )  # fmt: skip


@cache
def measures(file: Path):
    with safe_open(file, "pt") as handle:
        return handle.get_tensor("landmarks"), handle.get_tensor("blendshapes")


@cache
def members(file: Path) -> list[tuple[int, int]]:
    with tarfile.open(file) as tar:
        return [(member.offset_data, member.size) for member in tar]
