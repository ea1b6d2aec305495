"""Many expressions at once: one a line, with shorthands for all words, a family or a subcluster."""

import re

from ..errors import DiffSFSRError, at
from .lexicon import checked_number, read
from .reading import Part, Reading
from .words import FAMILIES, either, suggest_among

MAX_LINES = 200
_GROUP = re.compile(r"(all|family|subcluster)\b\s*(?::\s*(.*?))?\s*(-?[\d.,]+%?)?", re.IGNORECASE)


def read_lines(text: str) -> list[tuple[int, Reading]]:
    """The expressions of a text, each with the number of its line (from 1); a '#' starts a comment.

    `all`, `family: joy`, `subcluster: rage` stand for their words, in the order of the list; a number behind them is the
    intensity of each. Raises DiffSFSRError, naming the line, for whatever is not understood, and for more than MAX_LINES.
    """
    lines = [(i, line.partition("#")[0].strip()) for i, line in enumerate(str(text or "").splitlines(), 1)]
    lines = [(i, line) for i, line in lines if line]
    if not lines:
        raise DiffSFSRError("The text is empty", "Write one expression a line: a word, or 'a bit worried'")
    _check_count(len(lines))
    found = []
    for i, line in lines:
        with at(f"line {i}"):
            found += [(i, reading) for reading in _read_line(line)]
    _check_count(len(found))
    return found


def _read_line(line: str) -> list[Reading]:
    group = _GROUP.fullmatch(line)
    if group is None:
        return [read(line)]
    kind, name, number = group[1].lower(), (group[2] or "").strip().lower(), group[3]
    intensity = 1.0 if number is None else checked_number(number, line)
    return [Reading(word, (Part(word, 1.0, intensity),), True, ()) for word in _members(kind, name)]


def _members(kind: str, name: str) -> list[str]:
    """Words that a shorthand stands for."""
    subclusters = {name: words for family in FAMILIES.values() for name, words in family.items()}
    families = {family: [w for words in tree.values() for w in words] for family, tree in FAMILIES.items()}
    known = {"all": {"": [w for words in families.values() for w in words]}, "family": families, "subcluster": subclusters}
    if name in known[kind]:
        return list(known[kind][name])
    if kind == "all":
        raise DiffSFSRError(f"'all: {name}' is not understood", "Write 'all', 'family: joy' or 'subcluster: rage'")
    near = suggest_among(name, known[kind])
    hint = f"Did you mean {either(near)}? " if near else ""
    what = f"'{name}' is no {kind}" if name else f"The {kind} has no name"
    raise DiffSFSRError(what, f"{hint}There are: {', '.join(known[kind])}.")


def _check_count(count: int) -> None:
    if count > MAX_LINES:
        what = f"The text names {count} expressions, more than {MAX_LINES}"
        raise DiffSFSRError(what, "Use several nodes, or fewer lines")
