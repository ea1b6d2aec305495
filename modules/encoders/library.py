"""The index of an expression library: one code for each picture, in one safetensors file beside the pictures.

As in the paper a word may stand for pictures of it instead of a prototype. Here is everything about the index but the making
of codes: what lies in the folders, what of it is new, which picture a word's prototype leads to. Rows are sorted by word, so
that a word is one slice of a memory-mapped matrix and retrieval one matrix product. A library may have a million pictures:
nothing here looks at more than the words it is asked about, but the making of the index itself.
"""

import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..labels import WORDS, suggest
from .expression import COEFFICIENTS
from .files import EMPTY, FileList

FILE, VERSION = "index.safetensors", "2"
READ = frozenset({".png", ".jpg", ".jpeg", ".webp"})
OTHER_PICTURES = frozenset({".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".jfif", ".jxl"})  # said, not silently left out
# both blocks of a code say much in their own unit: so the 135 prototypes have about the same length in each of them
GEOMETRY_SCALE = 0.18
BLOCK = 2048  # rows made single precision at a time
SORTED = tuple(sorted(WORDS))
_PLACE = {word: i for i, word in enumerate(SORTED)}


@dataclass(frozen=True, order=True)
class Picture:
    """A file of the library as it lies there: its name relative to the library, bytes, time of change in ns."""

    word: str
    file: str
    size: int
    changed: int


@dataclass(frozen=True)
class Index:
    """What is known of one library. Row i of `codes` [N, 52 + K] float16 is file i of `files`, sorted by word and name."""

    codes: torch.Tensor
    lengths: torch.Tensor  # [N], see `lengths_of`
    files: FileList
    starts: torch.Tensor  # [136] first row of each of SORTED, and the number of rows
    refused: dict[Picture, str]  # why a picture is not used; not tried again until the file changes
    unknown: tuple[str, ...]  # folders whose names are no words
    maker: str  # the networks that measured the codes
    fixed: bool = False  # made from a table: what lies in the folders says nothing about it

    def rows(self, word: str) -> slice:
        first, last = self.starts[_PLACE[word] : _PLACE[word] + 2].tolist()
        return slice(first, last) if last > first else slice(0, 0)

    def of(self, word: str) -> list[Picture]:
        return [Picture(word, *entry) for entry in self.files[self.rows(word)]]

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """All of them: only for small libraries."""
        return tuple(picture for word in SORTED for picture in self.of(word))


def empty(maker: str) -> Index:
    starts = torch.zeros(len(SORTED) + 1, dtype=torch.int64)
    return Index(torch.zeros(0, 0, dtype=torch.float16), torch.zeros(0), EMPTY, starts, {}, (), maker)


# --- folders --------------------------------------------------------------------------------------


def scan(root: Path, words: Collection[str] = SORTED) -> tuple[list[Picture], dict[Picture, str], tuple[str, ...]]:
    """What lies in a library now of these words: pictures to read, pictures of other formats; and folders that are no word."""
    pictures, other, unknown = [], {}, []
    for folder in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")):
        word = folder.name.strip().lower()
        if word not in _PLACE:
            unknown.append(folder.name)
        if word not in words or word not in _PLACE:
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
            refused = {Picture(*row[:-1]): row[-1] for row in json.loads(told["refused"])}
            codes, lengths, starts, *columns = (
                file.get_tensor(name) for name in ("codes", "lengths", "starts", "names", "ends", "sizes", "changed")
            )
        files = FileList(*(column.numpy() for column in columns))
        counted = len(starts) == len(SORTED) + 1 and starts[0] == 0 and bool((starts.diff() >= 0).all())
        fits = codes.ndim == 2 and len(codes) == len(lengths) == len(files) and counted and starts[-1] == len(codes)
        if not fits or not files.sound():
            return None
        unknown, fixed = tuple(json.loads(told["unknown"])), told["fixed"] == "1"
        return Index(codes, lengths, files, starts, refused, unknown, told["maker"], fixed)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def save(index: Index, root: Path) -> None:
    """Writes the index beside the pictures, whole or not at all. The old file must not be mapped any more (Windows)."""
    told = {
        "version": VERSION, "maker": index.maker, "unknown": json.dumps(index.unknown), "fixed": str(int(index.fixed)),
        "refused": json.dumps([[p.word, p.file, p.size, p.changed, why] for p, why in index.refused.items()]),
    }  # fmt: skip
    columns = {name: torch.from_numpy(value.copy()) for name, value in vars(index.files).items()}
    tensors = {"codes": index.codes.contiguous(), "lengths": index.lengths.contiguous(), "starts": index.starts, **columns}
    part = root / f"{FILE}.{os.getpid()}.part"
    try:
        save_file(tensors, part, told)
        os.replace(part, root / FILE)
    finally:
        part.unlink(missing_ok=True)


# --- what is new ----------------------------------------------------------------------------------


def known(index: Index, words: Collection[str]) -> set[Picture]:
    """The pictures of these words that were measured, or refused."""
    return {picture for word in words for picture in index.of(word)} | {p for p in index.refused if p.word in words}


def missing(index: Index, pictures: list[Picture]) -> list[Picture]:
    """Those that were never measured, or have changed since."""
    before = known(index, {picture.word for picture in pictures})
    return [p for p in pictures if p not in before]


def updated(
    index: Index, present: list[Picture], measured: dict[Picture, torch.Tensor], refused: dict[Picture, str],
    unknown: tuple[str, ...], words: Collection[str] = SORTED,
) -> Index:  # fmt: skip
    """The index of what is `present` of these words now: rows that still hold, new ones measured [52 + K], what was refused.

    Rows of other words stay as they are.
    """
    here, blocks = set(present), []
    for word in SORTED:
        rows = index.rows(word)
        if word in words:
            blocks.append(renewed(index, word, [p for p in present if p.word == word], measured))
        else:
            blocks.append((index.codes[rows], index.lengths[rows], index.files.part(rows)))
    width = max((codes.shape[1] for codes, *_ in blocks if len(codes)), default=0)
    starts = torch.tensor([0, *(len(codes) for codes, *_ in blocks)]).cumsum(0)
    nothing = torch.zeros(0, width, dtype=torch.float16)
    codes = torch.cat([nothing, *(codes for codes, *_ in blocks if len(codes))])
    kept = {p: why for p, why in index.refused.items() if p in here or p.word not in words}
    files = FileList.joined([files for *_, files in blocks])
    return Index(codes, torch.cat([lengths for _, lengths, _ in blocks]), files, starts, kept | refused, unknown, index.maker)


def renewed(index: Index, word: str, present: list[Picture], measured: dict) -> tuple[torch.Tensor, torch.Tensor, FileList]:
    """Codes, lengths and files of one word: what was known of those that are there, and what is new."""
    rows = index.rows(word)
    before = dict(zip(index.of(word), index.codes[rows], strict=True))
    found = {p: measured[p].half() if p in measured else before[p] for p in sorted(present) if p in measured or p in before}
    codes = torch.stack(list(found.values())) if found else torch.zeros(0, 0, dtype=torch.float16)
    lengths = lengths_of(codes) if found else torch.zeros(0)
    return codes, lengths, FileList.of([(p.file, p.size, p.changed) for p in found])


# --- retrieval ------------------------------------------------------------------------------------


def _scale(width: int) -> torch.Tensor:
    """Weights [52 + K] of squared differences: coefficients 1, geometry so that both blocks count alike."""
    scale = torch.full((width,), GEOMETRY_SCALE**2)
    scale[:COEFFICIENTS] = 1.0
    return scale


def lengths_of(codes: torch.Tensor) -> torch.Tensor:
    """Codes [N, 52 + K] -> weighted squared lengths [N]; stored, so that retrieval reads each code once."""
    scale = _scale(codes.shape[1])
    return torch.cat([(part.float() ** 2) @ scale for part in codes.split(BLOCK)]) if len(codes) else torch.zeros(0)


def gaps(codes: torch.Tensor, lengths: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Codes [n, 52 + K] -> [n], ordered as their distances to the wanted code.

    |c - w|^2 = |c|^2 - 2 c w + |w|^2, the last of which is the same for all rows.
    """
    way = 2 * _scale(len(wanted)) * wanted
    return lengths - torch.cat([part.float() @ way for part in codes.split(BLOCK)])


def placed(gaps: torch.Tensor, place: int) -> int:
    """The row whose gap is number `place` (0: the nearest) of all [n]; n >= 1."""
    return int(gaps.argmin() if place == 0 else gaps.argsort(stable=True)[place])
