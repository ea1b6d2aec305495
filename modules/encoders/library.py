"""The index of an expression library: one code for each picture, in an sqlite database beside the pictures.

As in the paper a word may stand for pictures of it instead of a prototype. Here is everything about the index but the making
of codes: which files are in the folders, what is known of them, which picture is nearest to a word's prototype. A library may
have a million pictures: only the rows of the words that are asked for are read.

Every change is one transaction, and a second writer waits for the first. The journal is sqlite's default one, not WAL, which
needs a folder that can be written even to read, and does not work on network shares.
"""

import json
import logging
import os
import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open

from ..labels import WORDS, suggest
from .expression import COEFFICIENTS

FILE, VERSION = "index.sqlite", "3"
OLD_FILE = "index.safetensors"  # of version 2
TIMEOUT = 30.0  # seconds that a writer waits for another one
SCHEMA = {
    "settings": "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    # a picture has a code or a reason why it is not used; WITHOUT ROWID keeps the rows of a word together
    "pictures": "CREATE TABLE pictures (word TEXT NOT NULL, file BLOB NOT NULL, size INTEGER NOT NULL,"
    " changed INTEGER NOT NULL, code BLOB, refused TEXT, PRIMARY KEY (word, file),"
    " CHECK ((code IS NULL) != (refused IS NULL))) WITHOUT ROWID",
}
READ = frozenset({".png", ".jpg", ".jpeg", ".webp"})
OTHER_PICTURES = frozenset({".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".jfif", ".jxl"})  # said, not silently left out
# both blocks of a code say much in their own unit: so the 135 prototypes have about the same length in each of them
GEOMETRY_SCALE = 0.18
BLOCK = 2048  # rows made single precision at a time
SORTED = tuple(sorted(WORDS))
log = logging.getLogger(__name__)


class Picture(NamedTuple):
    """A file of the library: its name relative to the library, bytes, time of change in ns."""

    word: str
    file: str
    size: int
    changed: int


Row = tuple[Picture, bytes | str]  # with its code [52 + K] as float16, or why it is not used


@dataclass(frozen=True)
class Index:
    """What is known of one library, with the pictures of some words."""

    maker: str  # the networks that measured the codes
    fixed: bool = False  # made from a table: what lies in the folders says nothing about it
    unknown: tuple[str, ...] = ()  # folders whose names are no words
    pictures: dict[Picture, bytes | str] = field(default_factory=dict)  # see Row; a refused one is tried again when it changes


# --- folders --------------------------------------------------------------------------------------


def scan(root: Path, words: Collection[str] = SORTED) -> tuple[list[Picture], dict[Picture, str], tuple[str, ...]]:
    """What lies in a library now of these words: pictures to read, pictures of other formats; and folders that are no word."""
    pictures, other, unknown = [], {}, []
    for folder in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")):
        word = folder.name.strip().lower()
        if word not in WORDS:
            unknown.append(folder.name)
        if word not in words:
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


# --- the database ---------------------------------------------------------------------------------


def load(root: Path, words: Collection[str] = SORTED) -> Index | None:
    """The stored index with the pictures of these words; None where there is none that can be used. Raises nothing.

    A damaged or foreign file is set aside as `index.sqlite.unusable`. An index of version 2 is taken over, once.
    """
    path = root / FILE
    try:
        return (_read(path, words) if path.exists() else None) or _imported(root, words)
    except sqlite3.OperationalError as error:  # locked for too long, or a share that cannot lock: no fault of the file
        log.warning("The index %s cannot be read (%s)", path, error)
        return None
    except (sqlite3.DatabaseError, ValueError, TypeError, AttributeError) as error:
        log.warning("The index %s cannot be used (%s): it is kept as %s.unusable and made again", path, error, FILE)
        with suppress(OSError):
            os.replace(path, path.with_name(f"{FILE}.unusable"))
        return _imported(root, words)


def save(
    root: Path, maker: str, rows: Iterable[Row], gone: Iterable[Picture] = (), unknown: tuple[str, ...] | None = None,
    fixed: bool | None = None, first: bool = False,
) -> None:  # fmt: skip
    """Adds `rows` and deletes the pictures `gone`, in one transaction; rows of another maker are all deleted.

    unknown None leaves it as it is. fixed None is for the node, which leaves an index alone that was made from a table;
    first leaves any index alone. Raises sqlite3.Error where the folder or the file cannot be written.
    """
    with closing(_connect(root / FILE)) as db, db:
        db.execute("BEGIN IMMEDIATE")
        stored = _settings(db)  # read under the lock: another process may have written since `load`
        if stored and first:
            return
        if fixed is None and stored.get("fixed") == "1":
            raise sqlite3.OperationalError("it was made from a table meanwhile")
        if not stored:
            for table in SCHEMA.values():
                db.execute(table)
        if stored.get("maker") != maker:
            db.execute("DELETE FROM pictures")
        folders = stored.get("unknown", "[]") if unknown is None else json.dumps(unknown)
        settings = {"version": VERSION, "maker": maker, "fixed": str(int(fixed or False)), "unknown": folders}
        db.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", settings.items())
        # a row that another process has renewed since has another size or time, and stays
        db.executemany("DELETE FROM pictures WHERE word = ? AND file = ? AND size = ? AND changed = ?", map(_columns, gone))
        new = ((*_columns(p), v if isinstance(v, bytes) else None, v if isinstance(v, str) else None) for p, v in rows)
        db.executemany("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?, ?)", new)


def _read(path: Path, words: Collection[str]) -> Index | None:
    """None: a database without tables, which another process is about to make."""
    with closing(_connect(path)) as db, db:
        db.execute("BEGIN")  # settings and rows of one moment
        stored = _settings(db)
        if not stored:
            return None
        asked = f"SELECT word, file, size, changed, code, refused FROM pictures WHERE word IN ({','.join('?' * len(words))})"
        pictures = {
            Picture(word, file.decode("utf-8", "surrogateescape"), size, changed): code if refused is None else refused
            for word, file, size, changed, code, refused in db.execute(asked, tuple(words))
        }
    if len({len(code) for code in pictures.values() if isinstance(code, bytes)}) > 1:
        raise ValueError("its codes differ in length")
    return Index(stored["maker"], stored["fixed"] == "1", tuple(json.loads(stored["unknown"])), pictures)


def _imported(root: Path, words: Collection[str]) -> Index | None:
    """Takes an index of version 2 over. Its file stays, and is not looked at again as long as there is a database."""
    old = _version_2(root / OLD_FILE)
    if old is None:
        return None
    try:
        save(root, old.maker, old.pictures.items(), unknown=old.unknown, fixed=old.fixed, first=True)
        return _read(root / FILE, words)
    except sqlite3.Error:  # a folder that cannot be written
        return replace(old, pictures={picture: value for picture, value in old.pictures.items() if picture.word in words})


def _version_2(path: Path) -> Index | None:
    """All of an index of version 2; None where there is none that can be used.

    Tensors of N rows sorted by word: `codes` [N, 52 + K] float16, `sizes`, `changed`, and `ends`, where each name ends in the
    bytes `names`; `starts` [136] is the first row of each word, and N.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            columns = ("codes", "names", "ends", "sizes", "changed", "starts")
            codes, names, ends, *columns = (file.get_tensor(name).numpy() for name in columns)
        sizes, changed, starts = (column.tolist() for column in columns)
        if metadata.get("version") != "2" or codes.dtype.str != "<f2" or codes.ndim != 2 or max(starts) != len(codes):
            return None
        files = [names[start:end].tobytes().decode("utf-8", "surrogateescape") for start, end in pairwise([0, *ends.tolist()])]
        of = [word for word, (start, end) in zip(SORTED, pairwise(starts), strict=True) for _ in range(start, end)]
        pictures = {Picture(*row): bytes(code) for *row, code in zip(of, files, sizes, changed, codes, strict=True)}
        pictures |= {Picture(*entry): str(why) for *entry, why in json.loads(metadata["refused"])}
        return Index(metadata["maker"], metadata["fixed"] == "1", tuple(json.loads(metadata["unknown"])), pictures)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def _columns(picture: Picture) -> tuple[str, bytes, int, int]:
    """The file's name as bytes: a name on a disk need not be text, which is all that sqlite would take."""
    return picture.word, picture.file.encode("utf-8", "surrogateescape"), picture.size, picture.changed


def _connect(path: Path) -> sqlite3.Connection:
    """Without Python's own transactions. A file that cannot be written is opened for reading by sqlite itself."""
    return sqlite3.connect(path, timeout=TIMEOUT, isolation_level=None)


def _settings(db: sqlite3.Connection) -> dict[str, str]:
    """Empty for a database without tables. Raises sqlite3.DatabaseError for one that is not ours."""
    tables = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    if tables not in ({}, SCHEMA):
        raise sqlite3.DatabaseError("it has other tables")
    stored = dict(db.execute("SELECT name, value FROM settings")) if tables else {}
    if tables and (stored.get("version") != VERSION or not stored.keys() >= {"maker", "fixed", "unknown"}):
        raise sqlite3.DatabaseError("it is of another version")
    return stored


# --- retrieval ------------------------------------------------------------------------------------


def packed(code: torch.Tensor) -> bytes:
    """Code [52 + K] -> as it is stored, in half precision."""
    return code.half().numpy().tobytes()


def unpacked(codes: Collection[bytes]) -> torch.Tensor:
    """Stored codes, at least one -> [n, 52 + K] float16."""
    return torch.frombuffer(bytearray(b"".join(codes)), dtype=torch.float16).view(len(codes), -1)


def gaps(codes: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Codes [n, 52 + K] -> [n], ordered as their distances to the wanted code.

    |c - w|^2 = |c|^2 - 2 c w + |w|^2, the last of which is the same for all rows. Coefficients weigh 1, geometry so that both
    blocks count alike.
    """
    scale = torch.full((len(wanted),), GEOMETRY_SCALE**2)
    scale[:COEFFICIENTS] = 1.0
    way = 2 * scale * wanted
    return torch.cat([(part**2) @ scale - part @ way for part in (block.float() for block in codes.split(BLOCK))])


def placed(gaps: torch.Tensor, place: int) -> int:
    """The row whose gap is number `place` (0: the nearest) of all [n]; n >= 1."""
    return int(gaps.argmin() if place == 0 else gaps.argsort(stable=True)[place])
