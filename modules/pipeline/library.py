"""What the Expression Label Encoder does: a word to its prototype, or to a picture of it from the expression library."""

import hashlib
import logging
import os
import sqlite3
from collections.abc import Collection
from pathlib import Path

import torch

from ..encoders import library
from ..encoders.expression import COEFFICIENTS, encode_label, encode_reading, scaled, tell
from ..encoders.library import Index, Picture, Row
from ..errors import DiffSFSRError, at
from ..host import folders
from ..host.progress import steps
from ..images import checked_image, read_picture
from ..labels import CHOICES, Reading, checked_intensity, checked_variation, chosen, word_of
from ..types import Expression
from .encoders import Encoders, face_networks
from .expression import expression_of_picture

SOURCES = ("built-in prototype", "library: nearest to the prototype", "library: by variation")
WHERE, SHOWN = "Expression Label Encoder", 20
MOST = 500  # pictures that are measured inside the graph: about three minutes of a CPU core
COMMAND = "python -m training expressions --pictures FOLDER"
log = logging.getLogger(__name__)


@at(WHERE)
def encode_word(
    encoders: Encoders, choice: str, intensity: float, variation: int, source: str, text: str = ""
) -> Expression:
    """An entry of the list, or free text instead; intensity 0..1.5, variation 0.., one of SOURCES -> one code [1, 52 + K]."""
    if source not in SOURCES:
        raise DiffSFSRError(f"'{source}' is no source", f"Choose one of: {', '.join(SOURCES)}", "source")
    reading = chosen(choice, text)
    if text.strip() or choice not in CHOICES:  # an entry says itself what it means: "scared (fear)"
        tell(reading)
    if source != SOURCES[0]:
        return _from_library(encoders, reading, checked_intensity(intensity), checked_variation(variation), source)
    word = word_of(reading)
    if word is None:
        return encode_reading(encoders.shape, encoders.id, reading, intensity, variation)
    return encode_label(encoders.shape, encoders.id, word, intensity, variation)


def _from_library(encoders: Encoders, reading: Reading, amount: float, number: int, source: str) -> Expression:
    word, by_place = word_of(reading), source == SOURCES[2]
    if word is None:
        what = f"The expression library holds pictures of the 135 words, '{reading.text}' is none of them alone"
        raise DiffSFSRError(what, f"Choose one of the words, or '{SOURCES[0]}'", "source")
    wanted = encode_label(encoders.shape, encoders.id, word, 1.0, 0 if by_place else number).codes[0]
    code, file = _exemplar(encoders, word, wanted, number if by_place else 0)
    return Expression(scaled(code, amount)[None], (f"{word} {amount:g} ({Path(file).name})",), encoders.id)


def stamp(choice: str | None, source: str | None, text: str | None = "") -> str:
    """Changes when the pictures that a word is looked for in change, by stat alone, or an index that was made from a table.

    None: comes over a wire, may be any.
    """
    if source == SOURCES[0]:
        return ""
    word = None if None in (choice, text) else _named(choice, text)
    digest = hashlib.sha256()
    for root in filter(os.path.isdir, folders.expression_folders()):
        digest.update(library.stamp(root).encode())
        try:
            found = library.scan(root, library.SORTED if word is None else (word,))[:2]
        except OSError as error:
            found = error.strerror
        digest.update(repr((str(root), found)).encode())
    return digest.hexdigest()


def _named(choice: str, text: str) -> str | None:
    """The word of the list that is meant; None where it is not one, which the node itself will say."""
    try:
        return word_of(chosen(choice, text))
    except DiffSFSRError:
        return None


def _exemplar(encoders: Encoders, word: str, wanted: torch.Tensor, place: int) -> tuple[torch.Tensor, str]:
    """The code [52 + K] of the word's picture number `place`, counted from the one nearest to `wanted`; and its name."""
    found = [row for root in folders.expression_folders() if os.path.isdir(root) for row in current(encoders, root, word)]
    used = [(picture.file, code) for picture, code in found if isinstance(code, bytes)]
    if not used:
        raise _nothing(word, [f"{picture.file}: {why}" for picture, why in found])
    if place >= len(used):
        log.info("%s: '%s' has %d pictures; variation %d is number %d", WHERE, word, len(used), place, place % len(used))
    codes = library.unpacked([code for _, code in used])
    row = library.placed(library.gaps(codes, wanted), place % len(used))
    log.info("%s: '%s' is shown by %s", WHERE, word, used[row][0])
    return codes[row].float(), used[row][0]


def _nothing(word: str, refused: list[str]) -> DiffSFSRError:
    searched = ", ".join(str(root / word) for root in folders.expression_folders())
    if refused:
        what = f"None of the {len(refused)} pictures for '{word}' can be used ({'; '.join(refused[:SHOWN])})"
    else:
        what = f"The expression library has no pictures for '{word}'; searched: {searched}"
    remedy = f"Put pictures of faces into {searched}, or choose '{SOURCES[0]}'"
    return DiffSFSRError(what, remedy, "source")


# --- the index, brought up to date ----------------------------------------------------------------


def current(encoders: Encoders, root: Path, word: str) -> list[Row]:
    """What is known of the word's pictures in one library. Only those that are new or have changed are measured.

    Other words are not looked at; but the first time all are, and so they are when the networks are others.
    """
    # read before the folder is scanned: a picture that another process takes in meanwhile must not count as gone
    maker = maker_of(encoders)
    index = library.load(root, (word,), width_of(encoders), maker)
    fresh = index is None or index.maker != maker
    if index is not None and fresh:
        log.info("%s: the index of %s is of another bundle or face model, one for this is made beside it", WHERE, root)
        if index.fixed:
            what = f"The index of {root} was made from a table, and with other networks"
            raise DiffSFSRError(what, f"Make it again: {COMMAND}", "source")
    unreadable = index is None and os.path.exists(root / library.FILE)  # a share that cannot lock
    everything = fresh and not unreadable and os.access(root, os.W_OK)  # else nothing would be kept of the other words
    index, words = Index(maker) if fresh else index, library.SORTED if everything else (word,)
    pictures = index.pictures if index.fixed else _renewed(encoders, root, index, word, words)
    return sorted(row for row in pictures.items() if row[0].word == word)


def _renewed(encoders: Encoders, root: Path, index: Index, word: str, words: Collection[str]) -> dict[Picture, bytes | str]:
    """The pictures of these words as they are now; `index` holds what it knows of them."""
    try:
        present, other, unknown = library.scan(root, words)
    except OSError as error:
        log.warning("%s: the folder %s cannot be read (%s): its index is used as it is", WHERE, root, error.strerror)
        return index.pictures
    if len(words) > 1 and len(present) > MOST:
        words = (word,)  # the others when they are asked for
        present, other, unknown = library.scan(root, words)
    new = sum(picture not in index.pictures for picture in present)
    if new > MOST:
        _too_many(index, root, word, new)
    elif index.pictures.keys() != library.still_there(index.pictures, present, other) or index.unknown != unknown:
        return _build(encoders, root, index, present, other, unknown)
    return index.pictures


def _too_many(index: Index, root: Path, word: str, count: int) -> None:
    """Nobody wants a node that measures for hours: the index as it is, or an error if it has nothing."""
    what = f"'{word}' has {count} pictures in {root} that are not in its index"
    if not any(isinstance(code, bytes) for code in index.pictures.values()):
        raise DiffSFSRError(what, f"Make the index first: {COMMAND}", "source")
    log.warning("%s: %s; those that are in it are used. %s takes them in", WHERE, what, COMMAND)


def maker_of(encoders: Encoders) -> str:
    """Fingerprint of all that a measured code depends on: the face model, the bundle's face shape and its reader."""
    digest = hashlib.sha256()
    face_model = folders.face_model()
    digest.update(face_model.read_bytes() if face_model.exists() else b"")
    for module in (encoders.shape, encoders.stack.patcher.model.reader):
        for name, tensor in sorted(module.state_dict().items()):
            digest.update(name.encode() + tensor.float().cpu().numpy().tobytes())
    return f"{digest.hexdigest()[:16]} {encoders.config.resolution}"


def width_of(encoders: Encoders) -> int:
    """Length 52 + K of a code."""
    return COEFFICIENTS + len(encoders.shape.basis)


def _build(encoders: Encoders, root: Path, index: Index, present, other, unknown) -> dict[Picture, bytes | str]:
    """Measures what is missing, with progress; what an interruption leaves is kept and taken up again."""
    face_networks()  # a damaged face model is no fault of the pictures
    todo = [picture for picture in present if picture not in index.pictures]
    here = library.still_there(index.pictures, present, other)
    refused = {picture: why for picture, why in other.items() if picture not in index.pictures}
    measured = {}
    try:
        for picture in steps(todo):
            try:
                measured[picture] = library.packed(measured_file(encoders, root / picture.file))
            except DiffSFSRError as error:
                refused[picture] = error.what
    finally:
        _store(root, index, measured | refused, index.pictures.keys() - here, unknown)
        _tell(root, len(measured), refused, tuple(name for name in unknown if name not in index.unknown))
    return {picture: value for picture, value in index.pictures.items() if picture in here} | measured | refused


def _store(root: Path, index: Index, rows: dict[Picture, bytes | str], gone: Collection[Picture], unknown) -> None:
    try:
        library.save(root, index.maker, rows.items(), gone, unknown)
    except sqlite3.Error as error:
        log.warning("%s: the index cannot be written into %s (%s); it will be made again next time", WHERE, root, error)


def _tell(root: Path, measured: int, refused: dict[Picture, str], unknown: tuple[str, ...]) -> None:
    """One line of what was done, one warning of all that is not used and why."""
    log.info("%s: expression library %s: %d pictures measured, %d not used", WHERE, root, measured, len(refused))
    faults = [f"{picture.file}: {why}" for picture, why in sorted(refused.items())]
    faults += [f"folder {hint}: not one of the 135 words" for hint in library.hints(unknown)]
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        log.warning("%s: not used of the expression library %s: %s%s", WHERE, root, "; ".join(faults[:SHOWN]), more)


# --- one picture ----------------------------------------------------------------------------------


@torch.inference_mode()
def measured_file(encoders: Encoders, path: Path) -> torch.Tensor:
    """The code [52 + K] of the largest face of a file."""
    with at(path.name):
        picture = checked_image(read_picture(path))[0]
        return expression_of_picture(encoders, picture, "largest", 0).float().cpu()
