"""`python -m training expressions`: the index of a large expression library, by several processes, in one's own time.

A word a folder, as the node has it, or a table: a CSV with the columns "file" (relative to the folder) and "word". What the
table calls a word may be anything that the lexicon understands as one of the 135; the rest is listed. The index lies beside the
pictures (models/diffsfsr/expressions, or a folder that is put there). Every process stores what it has measured after each
batch, so that a run that was cut off goes on; the index can be used meanwhile.
"""

import csv
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from itertools import groupby
from pathlib import Path
from zlib import crc32

from ..modules.bundle import load_bundle
from ..modules.encoders import library
from ..modules.encoders.library import Picture
from ..modules.errors import DiffSFSRError
from ..modules.labels import WORDS, read
from ..modules.pipeline.encoders import Encoders, build_encoders
from ..modules.pipeline.library import maker_of, measured_file

TOGETHER = 200  # pictures of a batch
ROOT = Path(__file__).resolve().parents[1]


def index(folder: Path, table: Path | None, bundle: Path, workers: int) -> None:
    """Measures what is new in `folder`, into its index."""
    maker = maker_of(build_encoders(load_bundle(bundle)))
    stored = library.load(folder, (), maker=maker)
    if stored is not None and stored.fixed and table is None:
        remedy = f"Name the table with --table, or delete {library.FILE} for an index of the folders"
        raise DiffSFSRError("This index was made from a table, which would be lost", remedy, str(folder))
    # read before the folder is scanned: a picture that a node takes in meanwhile must not count as gone
    before = [picture for word in library.SORTED for picture in known(folder, maker, word)]
    pictures, left_out, notes = listed(folder, table)
    for note in notes:
        print(note, flush=True)
    if not pictures:
        remedy = "Name a folder that has one for each word in it, or a table"
        raise DiffSFSRError("There are no pictures of the 135 words", remedy, str(table or folder))
    gone = {*before} - library.still_there(before, pictures, left_out)
    store(folder, maker, left_out.items(), gone, (), table is not None)
    new = missing(folder, maker, pictures)
    print(f"{len(pictures)} pictures, {len(new)} to be measured, {workers} processes", flush=True)
    in_processes(folder, table, bundle, workers)
    report(folder, maker)


# --- what is to be measured --------------------------------------------------------------------------------------------


def listed(folder: Path, table: Path | None) -> tuple[list[Picture], dict[Picture, str], list[str]]:
    """The pictures, sorted; those that cannot be used, and why; and a line for each word or folder that is left out."""
    if table is not None:
        return from_table(folder, table)
    try:
        present, other, unknown = library.scan(folder)
    except OSError as error:
        raise DiffSFSRError(f"The folder cannot be read ({error.strerror})", "Name another folder", str(folder)) from error
    return present, other, [f"folder {hint}: not one of the 135 words" for hint in library.hints(unknown)]


def from_table(folder: Path, table: Path) -> tuple[list[Picture], dict[Picture, str], list[str]]:
    """The rows of a table whose word is understood and whose file is there."""
    with table.open(newline="", encoding="utf-8-sig") as handle:
        reader = csv.DictReader(handle)
        if not {"file", "word"} <= set(reader.fieldnames or ()):
            remedy = "Name its columns so; others may stand beside them"
            raise DiffSFSRError("The table has no columns 'file' and 'word'", remedy, str(table))
        rows = [(row["file"], (row["word"] or "").strip()) for row in reader]
    words = {said: understood(said) for said in dict.fromkeys(word for _, word in rows)}
    counts = Counter(said for _, said in rows)
    notes = [f"'{said}' is none of the 135 words ({counts[said]} rows left out)" for said in words if words[said] is None]
    pictures, absent = [], {}
    for file, said in rows:
        if words[said] is None:
            continue
        path = (folder / file).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            absent[Picture(words[said], file, 0, 0)] = "there is no such file in the folder"
            continue
        stat = path.stat()
        pictures.append(Picture(words[said], file, stat.st_size, stat.st_mtime_ns))
    return sorted(set(pictures)), absent, notes


def understood(said: str) -> str | None:
    """The one word of the 135 that is meant, if there is one."""
    try:
        parts = read(said).parts
    except DiffSFSRError:
        return None
    return parts[0].word if len(parts) == 1 and parts[0].word in WORDS else None


# --- measuring ---------------------------------------------------------------------------------------------------------


def known(folder: Path, maker: str, word: str) -> dict[Picture, bytes | str]:
    """What these networks made of the pictures of one word: a code, or why it is not used."""
    stored = library.load(folder, (word,), maker=maker)
    return stored.pictures if stored is not None and stored.maker == maker else {}


def missing(folder: Path, maker: str, pictures: list[Picture]) -> list[Picture]:
    """Those of the sorted pictures that were never measured, or have changed since. Read by word: they may be a million."""
    new = []
    for word, rows in groupby(pictures, lambda picture: picture.word):
        before = known(folder, maker, word)
        new += [picture for picture in rows if picture not in before]
    return new


def in_processes(folder: Path, table: Path | None, bundle: Path, workers: int) -> None:
    if workers <= 1:
        share(folder, table, bundle, 0, 1)
        return
    words = ["expressions", "--pictures", folder, "--start", bundle, "--threads", 1, *(["--table", table] if table else [])]
    command = [sys.executable, "-m", "training", *map(str, words)]
    running = [subprocess.Popen([*command, "--share", str(k), str(workers)], cwd=ROOT) for k in range(workers)]
    if any([process.wait() for process in running]):
        raise SystemExit("expressions: a process ended early, see above; start again with the same words to go on")


def share(folder: Path, table: Path | None, bundle: Path, number: int, of: int) -> None:
    """What one of several processes measures: told by the files' names, so that it does not matter what others have done."""
    encoders = build_encoders(load_bundle(bundle))
    maker, start = maker_of(encoders), time.perf_counter()
    new = missing(folder, maker, listed(folder, table)[0])
    mine = [picture for picture in new if crc32(os.fsencode(picture.file)) % of == number]
    for done in range(0, len(mine), TOGETHER):
        batch(encoders, folder, maker, mine[done : done + TOGETHER], table is not None)
        count = min(done + TOGETHER, len(mine))
        rate = count / (time.perf_counter() - start)
        print(f"{count} of {len(mine)}: {rate:.1f} pictures a second in this process", flush=True)


def batch(encoders: Encoders, folder: Path, maker: str, pictures: list[Picture], fixed: bool) -> None:
    """Measures some pictures and stores them together; what an interruption leaves is stored too."""
    found = {}
    try:
        for picture in pictures:
            try:
                found[picture] = library.packed(measured_file(encoders, folder / picture.file))
            except DiffSFSRError as error:
                found[picture] = error.what
    finally:
        store(folder, maker, found.items(), fixed=fixed)


def store(folder: Path, *what, **how) -> None:
    """`library.save`, with an error for people."""
    try:
        library.save(folder, *what, **how)
    except sqlite3.Error as error:
        remedy = f"See that the folder can be written and the disk has room: what is stored so far is kept in {library.FILE}"
        raise DiffSFSRError(f"The index cannot be written ({error})", remedy, str(folder)) from error


def report(folder: Path, maker: str) -> None:
    rows = [row for word in library.SORTED for row in known(folder, maker, word).values()]
    reasons = Counter(why.split(" (")[0] for why in rows if isinstance(why, str))
    print(f"{len(rows) - reasons.total()} pictures in the index; {reasons.total()} not used:", flush=True)
    for why, count in reasons.most_common():
        print(f"  {count}: {why}", flush=True)
