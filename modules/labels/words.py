"""The 135 emotion words, their families and subclusters, and how a typed word is understood.

Source of the tree: Shaver, Schwartz, Kirson & O'Connor 1987, six families of 25 subclusters.
"""

import difflib
import json
from pathlib import Path

from ..errors import DiffSFSRError

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

# Everyday words that are not in the list, and the closest word that is. Only ever used to suggest:
# a word is never silently replaced by another one.
SYNONYMS: dict[str, str] = {
    "afraid": "fear", "alone": "loneliness", "amazed": "amazement", "angry": "anger",
    "annoyed": "annoyance", "anxious": "anxiety", "ashamed": "shame", "astonished": "astonishment",
    "awe": "amazement", "bitter": "bitterness", "blissful": "bliss", "bored": "gloom",
    "calm": "contentment", "cheerful": "cheerfulness", "content": "contentment", "cry": "grief",
    "crying": "grief", "depressed": "depression", "desperate": "despair", "disappointed": "disappointment",
    "disgusted": "disgust", "eager": "eagerness", "embarrassed": "embarrassment", "envious": "envy",
    "excited": "excitement", "frightened": "fright", "frustrated": "frustration", "furious": "fury",
    "glad": "gladness", "gloomy": "gloom", "grumpy": "grumpiness", "guilty": "guilt", "happy": "happiness",
    "hateful": "hate", "hatred": "hate", "homesick": "homesickness", "hopeful": "hope",
    "horny": "arousal", "hysterical": "hysteria", "insecure": "insecurity", "irritated": "irritation",
    "jealous": "jealousy", "jolly": "jolliness", "joyful": "joy", "laugh": "amusement",
    "laughing": "amusement", "lonely": "loneliness", "loving": "love", "mad": "anger",
    "melancholic": "melancholy", "miserable": "misery", "mourning": "grief", "nervous": "nervousness",
    "optimistic": "optimism", "outraged": "outrage", "panicked": "panic", "proud": "pride",
    "relaxed": "contentment", "relieved": "relief", "romantic": "love", "sad": "sadness",
    "satisfied": "satisfaction", "scared": "fear", "sexy": "desire", "shocked": "shock",
    "shy": "embarrassment", "smile": "cheerfulness", "smiling": "cheerfulness", "smirk": "contempt",
    "smug": "pride", "stressed": "tenseness", "surprised": "surprise", "tense": "tenseness",
    "terrified": "terror", "thrilled": "thrill", "triumphant": "triumph", "uneasy": "uneasiness",
    "unhappy": "unhappiness", "upset": "distress", "worried": "worry", "wow": "amazement",
    "yearning": "longing",
}
_WHERE = "Expression Label Encoder, input 'expression'"


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
    """Words of the list nearest to a typed text: known everyday words first, then similar spelling.

    Returns at most ``count`` words, best first; none where nothing is near.
    """
    key = _clean(text)
    found = [SYNONYMS[key]] if key in SYNONYMS else []
    for near in difflib.get_close_matches(key, WORDS + tuple(SYNONYMS), n=4 * count, cutoff=0.68):
        word = SYNONYMS.get(near, near)
        if word not in found:
            found.append(word)
    return tuple(found[:count])


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
        hint = f"Did you mean {_either(near)}? " if near else ""
        raise DiffSFSRError(
            f"'{raw.strip()}' is not one of the {len(WORDS)} emotion words", _WHERE,
            f"{hint}Choose a word from the list of the node.",
        )
    if colon and family != _PLACE[word][0]:
        raise DiffSFSRError(
            f"'{raw.strip()}' names a family that does not hold '{word}'", _WHERE,
            f"Write '{_PLACE[word][0]}: {word}', or '{word}' alone.",
        )
    return word


def _clean(text: str) -> str:
    """Lower case with all white space removed; no word of the list holds any."""
    return "".join(text.split()).lower()


def _either(words: tuple[str, ...]) -> str:
    quoted = [f"'{w}'" for w in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
