"""The index of an expression library: one code for each picture, in an sqlite database beside the pictures.

As in the paper a word may stand for pictures of it instead of a prototype. Here is everything about the index but the making
of codes: which files are in the folders, what is known of them, which picture is nearest to a word's prototype. A library may
have a million pictures: only the rows of the words that are asked for are read.

Rows of other networks have a database of their own beside it: servers with different bundles may share a library.

Every change is one transaction, and a second writer waits for the first. The journal is sqlite's default one, not WAL, which
needs a folder that can be written even to read, and does not work on network shares.
"""

import hashlib
import json
import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from .nearest import gaps, packed, placed, unpacked
from .picture_folders import READ, SORTED, Picture, hints, pictures_of, scan, still_there

__all__ = [
    "READ", "SORTED", "Index", "Picture", "gaps", "hints", "load", "packed", "pictures_of", "placed", "save", "scan", "stamp",
    "still_there", "unpacked",
]  # fmt: skip

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
NAMED = 20  # rows in one warning
FROM_TABLE = "it was made from a table"
log = logging.getLogger(__name__)
try:
    import fcntl
except ImportError:  # Windows, where a file that somebody has open is not replaced
    fcntl = None


Row = tuple[Picture, bytes | str]  # with its code [52 + K] as float16, or why it is not used


@dataclass(frozen=True)
class Index:
    """What is known of one library, with the pictures of some words."""

    maker: str  # the networks that measured the codes
    fixed: bool = False  # made from a table: what lies in the folders says nothing about it
    unknown: tuple[str, ...] = ()  # folders whose names are no words
    pictures: dict[Picture, bytes | str] = field(default_factory=dict)  # see Row; a refused one is tried again when it changes


# --- the database ---------------------------------------------------------------------------------


def load(
    root: Path, words: Collection[str] = SORTED, width: int | None = None, maker: str | None = None
) -> Index | None:  # fmt: skip
    """The stored index with the pictures of these words; None where there is none that can be used. Raises nothing.

    maker: whose rows are wanted; those of others only where there are none of it. None: of whoever was first.
    A damaged or foreign file is set aside as `index.sqlite.unusable`. An index of version 2 is taken over, once. Rows whose
    code has another length than `width` (None: than most have) or holds what is no number are named and left out.
    """
    first = _load(root, FILE, words, width)
    if maker is None or first is None or first.maker == maker:
        return first
    own = _load(root, own_file(maker), words, width)
    return first if own is None else own


def own_file(maker: str) -> str:
    """The name of the database for networks other than those that `FILE` is of."""
    return f"index-{hashlib.sha256(maker.encode()).hexdigest()[:12]}.sqlite"


def _load(root: Path, name: str, words: Collection[str], width: int | None) -> Index | None:
    path = root / name
    seen, imported = _stamp(path), lambda: _imported(root, words, width) if name == FILE else None
    try:
        return (_read(path, words, width) if seen else None) or imported()
    except (sqlite3.DatabaseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, sqlite3.OperationalError) and "decode" not in str(error):
            # locked for too long, or a share that cannot lock: no fault of the file
            log.warning("The index %s cannot be read (%s)", path, error)
            return None
        log.warning("The index %s cannot be used (%s): it is kept as %s.unusable and made again", path, error, name)
        _set_aside(path, seen)
        return imported()


def stamp(root: Path) -> str:
    """Changes when a command has made another index from a table; "" for an index that follows what lies in the folders."""
    try:
        files = sorted({root / FILE, *root.glob("index-*.sqlite")})
    except OSError:
        return ""
    return "".join(f"{_stamp(path)}" for path in files if _is_fixed(path))


def _is_fixed(path: Path) -> bool:
    """Whether an index was made from a table."""
    if _stamp(path) is None:  # sqlite would make the file
        return False
    try:
        with closing(_connect(path)) as db, db:
            return _settings(db).get("fixed") == "1"
    except sqlite3.Error:
        return False


def _stamp(path: Path) -> tuple | None:
    """Which file it is and in what state; None if there is none, or where nobody may look."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _set_aside(path: Path, seen: tuple) -> None:
    """A damaged file with its journal, which would be played into the next one. Another process may have made that already:
    so only the very file that was `seen`, and one process at a time where the system can lock a file.
    """
    with suppress(OSError), open(path, "rb") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        if _stamp(path) != seen:
            return
        for end in ("-journal", ""):
            with suppress(FileNotFoundError):
                os.replace(f"{path}{end}", f"{path}.unusable{end}")


def save(
    root: Path, maker: str, rows: Iterable[Row], gone: Iterable[Picture] = (), unknown: tuple[str, ...] | None = None,
    fixed: bool | None = None, first: bool = False,
) -> None:  # fmt: skip
    """Adds `rows` and deletes the pictures `gone`, in one transaction; rows of another maker stay, in a database of their own.

    unknown None leaves it as it is. Only fixed True, rows of a table, goes into an index that was made from one; None, for the
    node, leaves `fixed` as it is. first leaves any index alone. Raises sqlite3.Error where folder or file cannot be written.
    """
    with closing(_connect(root / FILE)) as db, db:
        db.execute("BEGIN IMMEDIATE")
        stored = _settings(db)  # read under the lock: another process may have written since `load`
        if stored and first:
            return
        if stored.get("maker", maker) == maker:
            _write(db, stored, maker, rows, gone, unknown, fixed)
            return
        own = root / own_file(maker)
        if not fixed and stored["fixed"] == "1" and not own.exists():
            raise sqlite3.OperationalError(FROM_TABLE)
    with closing(_connect(own)) as db, db:
        db.execute("BEGIN IMMEDIATE")
        _write(db, _settings(db), maker, rows, gone, unknown, fixed)


def _write(
    db: sqlite3.Connection, stored: dict[str, str], maker: str, rows: Iterable[Row], gone: Iterable[Picture],
    unknown: tuple[str, ...] | None, fixed: bool | None,
) -> None:  # fmt: skip
    """`save` under the lock; `stored` are the settings as they are."""
    if not fixed and stored.get("fixed") == "1":
        raise sqlite3.OperationalError(FROM_TABLE)
    if not stored:
        for table in SCHEMA.values():
            db.execute(table)
    folders = stored.get("unknown", "[]") if unknown is None else json.dumps(unknown)
    settings = {"version": VERSION, "maker": maker, "fixed": str(int(fixed or False)), "unknown": folders}
    db.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", settings.items())
    # a row that another process has renewed since has another size or time, and stays
    db.executemany("DELETE FROM pictures WHERE word = ? AND file = ? AND size = ? AND changed = ?", map(_columns, gone))
    new = ((*_columns(p), v if isinstance(v, bytes) else None, v if isinstance(v, str) else None) for p, v in rows)
    db.executemany("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?, ?)", new)


def _read(path: Path, words: Collection[str], width: int | None) -> Index | None:
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
    _leave_out(path, pictures, width)
    return Index(stored["maker"], stored["fixed"] == "1", tuple(json.loads(stored["unknown"])), pictures)


def _leave_out(path: Path, pictures: dict[Picture, bytes | str], width: int | None) -> None:
    """Takes the rows out that have no whole code, and names them: the node measures such a picture again."""
    codes = {picture: code for picture, code in pictures.items() if isinstance(code, bytes)}
    counts = Counter(map(len, codes.values()))
    wanted = 2 * width if width is not None else max(counts, key=counts.get, default=0)
    if set(counts) <= {wanted} and _finite(b"".join(codes.values())):
        return
    bad = sorted(picture for picture, code in codes.items() if len(code) != wanted or not _finite(code))
    for picture in bad:
        del pictures[picture]
    more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
    names = ", ".join(picture.file for picture in bad[:NAMED])
    log.warning("The index %s has rows without a whole code, which are left out: %s%s", path, names, more)


def _finite(codes: bytes) -> bool:
    """Whether all half-precision values are numbers: else every bit of an exponent is set."""
    return len(codes) % 2 == 0 and not ((np.frombuffer(codes, np.uint16) & 0x7C00) == 0x7C00).any()


def _imported(root: Path, words: Collection[str], width: int | None = None) -> Index | None:
    """Takes an index of version 2 over. Its file stays, and is not looked at again as long as there is a database."""
    old = _version_2(root / OLD_FILE)
    if old is None:
        return None
    try:
        save(root, old.maker, old.pictures.items(), unknown=old.unknown, fixed=old.fixed, first=True)
        return _read(root / FILE, words, width)
    except sqlite3.Error:  # a folder that cannot be written
        return replace(old, pictures={picture: value for picture, value in old.pictures.items() if picture.word in words})


def _version_2(path: Path) -> Index | None:
    """All of an index of version 2; None where there is none that can be used.

    Tensors of N rows sorted by word: `codes` [N, 52 + K] float16, `sizes`, `changed`, and `ends`, where each name ends in the
    bytes `names`; `starts` [136] is the first row of each word, and N.
    """
    try:
        if not path.is_file():  # a pipe would be waited for, for ever
            return None
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
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):  # a pipe
        raise sqlite3.OperationalError("it is no plain file")
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
