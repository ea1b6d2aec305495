"""What lies in the folders of an expression library, by stat alone: one folder a word."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from ..labels import WORDS, suggest

READ = frozenset({".png", ".jpg", ".jpeg", ".webp"})
OTHER_PICTURES = frozenset({".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".jfif", ".jxl"})  # said, not silently left out
SORTED = tuple(sorted(WORDS))
CLOSED = "/"  # end of the name of a folder that cannot be read, where a picture's would stand
NO_FILE = -1  # size of what is no plain file


class Picture(NamedTuple):
    """A file of the library: its name relative to the library, bytes, time of change in ns."""

    word: str
    file: str
    size: int
    changed: int


def scan(root: Path, words: Collection[str] = SORTED) -> tuple[list[Picture], dict[Picture, str], tuple[str, ...]]:
    """What lies in a library now of these words: pictures to read; what is not read, and why; and folders that are no word.

    Raises OSError where the library itself cannot be listed.
    """
    pictures, other, unknown = [], {}, []
    for folder in word_folders(root):
        word = folder.name.strip().lower()
        if word not in WORDS:
            unknown.append(folder.name)
        if word not in words:
            continue
        try:
            found = pictures_of(folder, word)
        except OSError as error:
            other[Picture(word, f"{folder.name}{CLOSED}", 0, 0)] = f"the folder cannot be read ({error.strerror})"
            continue
        for picture in found:
            if picture.size == NO_FILE:
                other[picture] = "it is no file that can be read"
            elif Path(picture.file).suffix.lower() in READ:
                pictures.append(picture)
            else:
                other[picture] = "this format is not read: save it as PNG, JPEG or WebP"
    return sorted(pictures), other, tuple(unknown)


def word_folders(root: Path) -> list[Path]:
    """The folders of a library, whether their names are words or not."""
    return sorted(path for path in root.iterdir() if not path.name.startswith(".") and os.path.isdir(path))


def pictures_of(folder: Path, word: str) -> list[Picture]:
    """The picture files of one word's folder; other files are none of our business. Raises OSError for a closed folder."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            suffix = Path(entry.name).suffix.lower()
            if suffix not in READ | OTHER_PICTURES or entry.name.startswith(".") or os.path.isdir(entry):
                continue
            size, changed = NO_FILE, 0  # a pipe, a link to itself or to nothing
            if os.path.isfile(entry):
                stat = entry.stat()
                size, changed = stat.st_size, stat.st_mtime_ns
            found.append(Picture(word, f"{folder.name}/{entry.name}", size, changed))
    return sorted(found)


def still_there(known: Collection[Picture], present: Collection[Picture], other: Collection[Picture]) -> set[Picture]:
    """What a scan has found, and what is known of the folders that are closed now: they may be opened again."""
    closed = tuple(picture.file for picture in other if picture.file.endswith(CLOSED))
    return {*present, *other, *(picture for picture in known if picture.file.startswith(closed))}


def hints(unknown: tuple[str, ...]) -> list[str]:
    """For each folder that is no word, what may have been meant."""
    near = {name: suggest(name, 1) for name in unknown}
    return [f"'{name}'" + (f" (did you mean '{words[0]}'?)" if words else "") for name, words in near.items()]
