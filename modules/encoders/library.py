"""The index of an expression library: one code for each picture, in one safetensors file beside the pictures.

As in the paper a word may stand for pictures of it instead of a prototype. Here is everything about the index but the making
of codes: what lies in the folders, what of it is new, which picture a word's prototype leads to. Rows are sorted by word, so
that a word is one slice of a memory-mapped matrix and retrieval one matrix product.
"""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..labels import WORDS, suggest
from .expression import COEFFICIENTS

FILE, VERSION = "index.safetensors", "1"
READ = frozenset({".png", ".jpg", ".jpeg", ".webp"})
OTHER_PICTURES = frozenset({".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".jfif", ".jxl"})  # said, not silently left out
# both blocks of a code say much in their own unit: so the 135 prototypes have about the same length in each of them
GEOMETRY_SCALE = 0.18
_NUMBERS = {word: i for i, word in enumerate(WORDS)}


@dataclass(frozen=True, order=True)
class Picture:
    """A file of the library as it lies there: its name relative to the library, bytes, time of change in ns."""

    word: str
    file: str
    size: int
    changed: int


@dataclass(frozen=True)
class Index:
    """What is known of one library. Row i of `codes` [N, 52 + K] float32 is `pictures[i]`, sorted by word and file."""

    codes: torch.Tensor
    lengths: torch.Tensor  # [N], see `lengths_of`
    pictures: tuple[Picture, ...]
    refused: dict[Picture, str]  # why a picture is not used; not tried again until the file changes
    unknown: tuple[str, ...]  # folders whose names are no words
    maker: str  # the networks that measured the codes

    def rows(self, word: str) -> slice:
        return self._by_word.get(word, slice(0, 0))

    @cached_property
    def _by_word(self) -> dict[str, slice]:
        found: dict[str, slice] = {}
        for i, picture in enumerate(self.pictures):
            found[picture.word] = slice(found[picture.word].start if picture.word in found else i, i + 1)
        return found


def empty(maker: str) -> Index:
    return Index(torch.zeros(0, 0), torch.zeros(0), (), {}, (), maker)


# --- folders --------------------------------------------------------------------------------------


def scan(root: Path) -> tuple[list[Picture], dict[Picture, str], tuple[str, ...]]:
    """What lies in a library now: pictures to read, pictures of formats that are not read, folders that are no word."""
    pictures, other, unknown = [], {}, []
    for folder in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")):
        word = folder.name.strip().lower()
        if word not in _NUMBERS:
            unknown.append(folder.name)
            continue
        for picture in pictures_of(folder, word):
            if Path(picture.file).suffix.lower() in READ:
                pictures.append(picture)
            else:
                other[picture] = "this format is not read: save it as PNG, JPEG or WebP"
    return sorted(pictures), other, tuple(unknown)


def pictures_of(folder: Path, word: str) -> list[Picture]:
    """The picture files of one word's folder, by stat alone; other files are none of our business."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            suffix = Path(entry.name).suffix.lower()
            if suffix in READ | OTHER_PICTURES and not entry.name.startswith(".") and entry.is_file():
                stat = entry.stat()
                found.append(Picture(word, f"{folder.name}/{entry.name}", stat.st_size, stat.st_mtime_ns))
    return sorted(found)


def hints(unknown: tuple[str, ...]) -> list[str]:
    """For each folder that is no word, what may have been meant."""
    near = {name: suggest(name, 1) for name in unknown}
    return [f"'{name}'" + (f" (did you mean '{words[0]}'?)" if words else "") for name, words in near.items()]


# --- the file -------------------------------------------------------------------------------------


def load(root: Path) -> Index | None:
    """The stored index, its codes mapped from the file and not read; None where there is none that can be used."""
    try:
        with safe_open(root / FILE, "pt") as file:
            told = file.metadata() or {}
            if told.get("version") != VERSION:
                return None
            pictures = tuple(Picture(*row) for row in json.loads(told["pictures"]))
            refused = {Picture(*row[:-1]): row[-1] for row in json.loads(told["refused"])}
            codes, lengths, numbers = (file.get_tensor(name) for name in ("codes", "lengths", "words"))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    words = [_NUMBERS.get(p.word) for p in pictures]
    if codes.ndim != 2 or not len(codes) == len(lengths) == len(pictures) or numbers.tolist() != words:
        return None
    return Index(codes, lengths, pictures, refused, tuple(json.loads(told["unknown"])), told["maker"])


def save(index: Index, root: Path) -> None:
    """Writes the index beside the pictures, whole or not at all. The old file must not be mapped any more (Windows)."""
    told = {
        "version": VERSION, "maker": index.maker, "unknown": json.dumps(index.unknown),
        "pictures": json.dumps([_row(p) for p in index.pictures]),
        "refused": json.dumps([[*_row(p), why] for p, why in index.refused.items()]),
    }  # fmt: skip
    numbers = torch.tensor([_NUMBERS[p.word] for p in index.pictures], dtype=torch.int64)
    tensors = {"codes": index.codes.contiguous(), "lengths": index.lengths.contiguous(), "words": numbers}
    part = root / f"{FILE}.{os.getpid()}.part"
    try:
        save_file(tensors, part, told)
        os.replace(part, root / FILE)
    finally:
        part.unlink(missing_ok=True)


def _row(picture: Picture) -> list:
    return [picture.word, picture.file, picture.size, picture.changed]


# --- what is new ----------------------------------------------------------------------------------


def missing(index: Index, pictures: list[Picture]) -> list[Picture]:
    """Those that were never measured, or have changed since."""
    known = {*index.pictures, *index.refused}
    return [p for p in pictures if p not in known]


def updated(
    index: Index, present: list[Picture], measured: dict[Picture, torch.Tensor], refused: dict[Picture, str],
    unknown: tuple[str, ...],
) -> Index:  # fmt: skip
    """The index of what is `present` now: old rows that still hold, new ones measured [52 + K], and what was refused."""
    here = set(present)
    rows = {p: index.codes[i] for i, p in enumerate(index.pictures) if p in here} | measured
    order = tuple(sorted(rows))
    codes = torch.stack([rows[p].float() for p in order]) if order else torch.zeros(0, 0)  # a copy: nothing stays mapped
    lengths = lengths_of(codes) if order else torch.zeros(0)
    kept = {p: why for p, why in index.refused.items() if p in here}
    return Index(codes, lengths, order, kept | refused, unknown, index.maker)


# --- retrieval ------------------------------------------------------------------------------------


def _scale(width: int) -> torch.Tensor:
    """Weights [52 + K] of squared differences: coefficients 1, geometry so that both blocks count alike."""
    scale = torch.full((width,), GEOMETRY_SCALE**2)
    scale[:COEFFICIENTS] = 1.0
    return scale


def lengths_of(codes: torch.Tensor) -> torch.Tensor:
    """Codes [N, 52 + K] -> weighted squared lengths [N]; stored, so that retrieval reads each code once."""
    return (codes * codes) @ _scale(codes.shape[1])


def nearest(codes: torch.Tensor, lengths: torch.Tensor, wanted: torch.Tensor, place: int = 0) -> int:
    """The row of codes [n, 52 + K] that is number `place` (0: nearest) by distance to the wanted code; n >= 1.

    |c - w|^2 = |c|^2 - 2 c w + |w|^2, the last of which is the same for all rows.
    """
    gaps = lengths - codes @ (2 * _scale(len(wanted)) * wanted)
    return int(gaps.argmin() if place == 0 else gaps.argsort(stable=True)[place])
