"""The 135 emotion words, their families and subclusters, and how a typed word is understood.

Source of the tree: Shaver, Schwartz, Kirson & O'Connor 1987, six families of 25 subclusters.
"""

import difflib
import json
from pathlib import Path

from ..errors import DiffSFSRError
from .vocabulary import FORMS, SYNONYMS

TABLE: dict[str, dict[str, dict]] = json.loads(Path(__file__).with_name("table.json").read_text("utf-8"))

FAMILIES: dict[str, dict[str, tuple[str, ...]]] = {
    family: {name: tuple(entry["words"]) for name, entry in subclusters.items()}
    for family, subclusters in TABLE.items()
}
_PLACE: dict[str, tuple[str, str]] = {
    word: (family, name)
    for family, subclusters in FAMILIES.items()
    for name, words in subclusters.items()
    for word in words
}
WORDS: tuple[str, ...] = tuple(sorted(_PLACE))
MENU: tuple[str, ...] = tuple(f"{family}: {word}" for word, (family, _) in _PLACE.items())

_FORMS = {form: word for word, forms in FORMS.items() for form in forms.split()}
_WHERE = "input 'expression'"


def family_of(word: str) -> str:
    """Family of a word, one of love, joy, surprise, anger, sadness, fear (a menu entry is understood too)."""
    return _PLACE[parse_choice(word)][0]


def subcluster_of(word: str) -> str:
    """Subcluster of a word inside its family, as in ``FAMILIES`` (a menu entry is understood too)."""
    return _PLACE[parse_choice(word)][1]


def sources_of(word: str) -> tuple[str, ...]:
    """Literature the prototype of the word was reasoned from; it is kept per subcluster."""
    family, name = _PLACE[parse_choice(word)]
    return tuple(TABLE[family][name]["sources"])


def tree_distance(first: str, second: str) -> int:
    """Steps between two words in the tree: 0 same word, 1 same subcluster, 2 same family, 3 otherwise."""
    a, b = parse_choice(first), parse_choice(second)
    if a == b:
        return 0
    if _PLACE[a] == _PLACE[b]:
        return 1
    # compare the pair, not the name: "surprise" or "sadness" name a family and a subcluster at once
    return 2 if _PLACE[a][0] == _PLACE[b][0] else 3


def suggest(text: str, count: int = 3) -> tuple[str, ...]:
    """Words of the list nearest to a typed text: other forms and everyday words first, then similar spelling.

    Returns at most ``count`` words, best first; none where nothing is near. Only ever used to suggest: a word is never
    silently replaced by another one.
    """
    key, known = _clean(text), {**SYNONYMS, **_FORMS}
    found = [known[key]] if key in known else []
    for near in difflib.get_close_matches(key, (*WORDS, *known), n=4 * count, cutoff=0.68):
        word = known.get(near, near)
        if word not in found:
            found.append(word)
    return tuple(found[:count])


def suggest_among(text: str, names) -> tuple[str, ...]:
    """Up to three of `names` that are spelt like a typed text."""
    return tuple(difflib.get_close_matches(_clean(text), list(names), n=3, cutoff=0.6))


def parse_choice(text: str) -> str:
    """The word meant by a menu entry (``"joy: amusement"``) or a bare word; case and spaces do not matter.

    Raises
    ------
    DiffSFSRError
        Where the word is none of the 135, or stands under another family; names the nearest words.
    """
    raw = "" if text is None else str(text)
    head, colon, tail = raw.rpartition(":")
    family, word = _clean(head), _clean(tail)
    if word not in _PLACE:
        near = suggest(word)
        hint = f"Did you mean {either(near)}? " if near else ""
        what = f"'{raw.strip()}' is not one of the {len(WORDS)} emotion words"
        raise DiffSFSRError(what, f"{hint}Choose a word from the list of the node.", _WHERE)
    if colon and family != _PLACE[word][0]:
        what = f"'{raw.strip()}' names a family that does not hold '{word}'"
        raise DiffSFSRError(what, f"Write '{_PLACE[word][0]}: {word}', or '{word}' alone.", _WHERE)
    return word


def _clean(text: str) -> str:
    """Lower case with all white space removed; no word of the list holds any."""
    return "".join(text.split()).lower()


def either(words: tuple[str, ...]) -> str:
    """'a', 'b' or 'c'."""
    quoted = [f"'{w}'" for w in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
