"""Free text to words of the list and everyday faces: "a bit worried" is worry 0.5. Rules and lists, no model, no download.

Three rules, told in `docs/expressions.md`:

- Adverbs of degree multiply a feeling's intensity, at most up to 1.5. A number (0.7 or 70%) is taken as it stands.
- Feelings side by side: the last one leads, an adverb never ("happily surprised"): weight .8 to it, .6 to what shades it.
- Feelings joined by and, but, + or a comma weigh the same.

The squares of the weights add up to 1, so that a mix of unlike faces is about as strong as one of them.
"""

import re
import unicodedata
from dataclasses import dataclass, field

import numpy as np

from ..errors import DiffSFSRError
from .everyday import FACES, UNSEEN
from .prototypes import MAX_INTENSITY, affect
from .reading import Part, Reading
from .vocabulary import FILLERS, FORMS, JOINERS, MODIFIERS, NEGATIONS, NEUTRAL, SYNONYMS
from .words import FAMILIES, WORDS, either, family_of, suggest, suggest_among

FEELINGS = ("word", "form", "near", "adverb")  # the value of each is a word of the list, or the name of an everyday face
LEADING, SHADING, MAX_PARTS = 0.8, 0.6, 4
_TOKEN = re.compile(r"(?<![\w.])-?(?:\d+(?:[.,]\d+)?|\.\d+)%?|[^\W\d_]+(?:['-][^\W\d_]+)*|\S")
_QUOTES = str.maketrans("‘’“”«»", "''\"\"\"\"")
_NUMBER = re.compile(r"-?[\d.,]+%?")
_PLACED = re.compile(rf"\b({'|'.join(FAMILIES)})\s*:\s*([^\W\d_]+)")
_KNOWN: dict[str, tuple[str, object]] = {  # typed word or phrase -> kind and value
    **{t: ("filler", None) for t in FILLERS}, **{t: ("join", None) for t in JOINERS},
    **{t: ("not", None) for t in NEGATIONS}, **{t: ("neutral", None) for t in NEUTRAL},
    **{t: ("factor", f) for t, f in MODIFIERS.items()}, **{t: ("near", w) for t, w in SYNONYMS.items()},
    **{form: ("form", w) for w, forms in FORMS.items() for form in forms.split()}, **{w: ("word", w) for w in WORDS},
    **{form: ("form", name) for name, (forms, _) in FACES.items() for form in forms.split("|")},
    **{name: ("word", name) for name in FACES}, **{state: ("unseen", near) for state, near in UNSEEN.items()},
}  # fmt: skip
_LONGEST = max(len(phrase.split()) for phrase in _KNOWN)


def read(text: str) -> Reading:
    """Understands one text.

    Raises DiffSFSRError for an empty text, unknown words (with suggestions), negation, what no face shows ("hungry"), and more
    than four feelings.
    """
    typed = " ".join(str(text or "").split())
    tokens = _lexed(typed)
    _refuse_unknown([t for kind, _, t in tokens if kind == "unknown"], typed)
    _refuse_negation(tokens, typed)
    _refuse_unseen(tokens)
    groups = _grouped(tokens, typed)
    parts = _weighted([_shared(group) for group in groups])
    if len(parts) > MAX_PARTS:
        what = f"'{typed}' names {len(parts)} feelings"
        raise DiffSFSRError(what, f"Name at most {MAX_PARTS}: more of them cancel each other out")
    kinds = [kind for kind, _, _ in tokens if kind != "filler"]
    plain = len(parts) <= 1 and set(kinds) <= {"word", "number", "neutral"}
    return Reading(typed, parts, plain, tuple(dict.fromkeys(t for kind, _, t in tokens if kind == "near")))


def unknown(text: str) -> list[str]:
    """What in a text is no word that is understood, as typed."""
    return [typed for kind, _, typed in _lexed(text) if kind == "unknown"]


# --- words to kinds -------------------------------------------------------------------------------


def _lexed(typed: str) -> list[tuple[str, object, str]]:
    """(kind, value, as typed) for everything in the text."""
    plain = unicodedata.normalize("NFKC", typed).translate(_QUOTES).lower()
    plain = _PLACED.sub(_menu_entry, plain)
    pieces = [p for token in _TOKEN.findall(plain) for p in _pieces(token)]
    found, i = [], 0
    while i < len(pieces):
        length, kind, value = _longest(pieces, i)
        found.append((kind, value, " ".join(pieces[i : i + length])))
        i += length
    return found


def _menu_entry(entry: re.Match) -> str:
    """"joy: amusement" -> "amusement"; after a family's name anything but words of the list stays as it is."""
    family, word = entry.groups()
    if word not in WORDS:
        return entry[0]
    if family_of(word) != family:
        remedy = f"Write '{family_of(word)}: {word}', or '{family}, {word}' for a mix"
        raise DiffSFSRError(f"'{entry[0]}' names a family that does not hold '{word}'", remedy)
    return word


def _pieces(token: str) -> list[str]:
    """A token, or what it is put together from: "sad-looking", "she's", "isn't"."""
    if token in _KNOWN or len(token) == 1 or _NUMBER.fullmatch(token):
        return [token]
    if token.endswith("n't"):
        return ["not"]
    token = re.sub(r"'(s|m|re|ve|ll|d)$", "", token)
    return token.split("-") if "-" in token and token not in _KNOWN else [token]


def _longest(pieces: list[str], i: int) -> tuple[int, str, object]:
    for length in range(min(_LONGEST, len(pieces) - i), 0, -1):
        phrase = " ".join(pieces[i : i + length])
        if phrase in _KNOWN:
            return length, *_KNOWN[phrase]
    return 1, *_single(pieces[i])


def _single(token: str) -> tuple[str, object]:
    if _NUMBER.fullmatch(token) and any(c.isdigit() for c in token):
        return "number", _number(token)
    for stem in _stems(token):
        kind, value = _KNOWN.get(stem, ("", None))
        if kind in ("form", "near", "word"):
            return ("adverb" if token.endswith("ly") else kind), value
    for bare in (token.removeprefix("un"), token.removesuffix("less")):
        kind, value = _KNOWN.get(bare, ("", None))
        if bare != token and kind in ("form", "near", "word"):
            return "not", value
    return "unknown", None


def _number(token: str) -> float:
    value = float(token.rstrip("%").replace(",", "."))
    return value / 100 if token.endswith("%") else value


def _stems(token: str) -> list[str]:
    """Adjectives an adverb or a noun may come from: sadly, happily, gently, hysterically, angriness, pitiably."""
    if token.endswith("ness"):
        return [token[:-4], token[:-5] + "y"]
    if token.endswith("ly"):
        return [token[:-2], token[:-3] + "y", token[:-1] + "e", token[:-4], token[:-2] + "l", token[:-1]]
    return []


def _refuse_unknown(unknown: list[str], typed: str) -> None:
    if not unknown:
        return
    near = list(dict.fromkeys(w for token in unknown for w in (*suggest(token, 2), *_faces_like(token))))
    hint = f"Did you mean {either(tuple(near[:3]))}? " if near else ""
    names = ", ".join(f"'{token}'" for token in dict.fromkeys(unknown))
    what = f"{names} {'is' if len(set(unknown)) == 1 else 'are'} not understood"
    what += f" in '{typed}'" if names != f"'{typed}'" else ""
    remedy = f"{hint}Use words of the list of the Expression Label Encoder, in any form: a bit worried, happily surprised."
    raise DiffSFSRError(what, remedy)


def _faces_like(token: str) -> list[str]:
    """Everyday faces of which a form is spelt like it."""
    forms = {form: name for name, (listed, _) in FACES.items() for form in (name, *listed.split("|"))}
    return [forms[form] for form in suggest_among(token, forms)[:1]]


def _refuse_negation(found: list[tuple[str, object, str]], typed: str) -> None:
    at = next((i for i, (kind, _, _) in enumerate(found) if kind == "not"), None)
    if at is None:
        return
    denied = next((value for kind, value, _ in found[at:] if kind in (*FEELINGS, "not") and value), None)
    hint = f", for instance {either(opposites(denied))}" if denied in WORDS else ""
    what = f"'{typed}' says what the face does not feel"
    raise DiffSFSRError(what, f"Write what it does feel{hint}, or 'neutral'.")


def _refuse_unseen(found: list[tuple[str, object, str]]) -> None:
    for kind, near, state in found:
        if kind == "unseen":
            what = f"'{state}' does not show in a face"
            raise DiffSFSRError(what, f"Write what the face does, for instance {either(near)}.")


def opposites(word: str, count: int = 3) -> tuple[str, ...]:
    """Words of a mildly opposite affect, for suggestions alone."""
    wanted = -0.6 * np.array(affect(word))
    gaps = {w: float(np.linalg.norm(np.array(affect(w)) - wanted)) for w in WORDS}
    return tuple(sorted(WORDS, key=gaps.get)[:count])


# --- kinds to weights -----------------------------------------------------------------------------


@dataclass
class _Feeling:
    word: str
    adverb: bool
    factor: float
    number: float | None = None


@dataclass
class _Group:
    """Feelings without a joiner between them, and what waits for the next one."""

    feelings: list[_Feeling] = field(default_factory=list)
    factor: float = 1.0
    number: float | None = None


def _grouped(tokens, typed: str) -> list[list[_Feeling]]:
    """Feelings between joiners, each with its degree: words of degree belong to the next feeling, or to the last."""
    done, group, neutral = [], _Group(), False
    for kind, value, _ in tokens:
        neutral |= kind == "neutral"
        if kind == "factor":
            group.factor *= value
        elif kind == "number":
            _give_number(group, checked_number(value, typed))
        elif kind in FEELINGS:
            group.feelings.append(_Feeling(value, kind == "adverb", group.factor, group.number))
            group.factor, group.number = 1.0, None
        elif kind == "join" and group.feelings:  # "very, very happy" is one
            done.append(_closed(group))
            group = _Group()
    done += [_closed(group)] if group.feelings else []
    if neutral and done:
        raise DiffSFSRError(f"'{typed}' is neutral and something else", "Use 'a bit' or a lower intensity instead")
    if not neutral and not done:
        what = f"No feeling is named in '{typed}'" if typed else "The text is empty"
        raise DiffSFSRError(what, "Write one of the 135 words, or something like: a bit worried")
    return done


def _give_number(group: _Group, value: float) -> None:
    if group.feelings and group.feelings[-1].number is None:
        group.feelings[-1].number = value
    else:
        group.number = value


def _closed(group: _Group) -> list[_Feeling]:
    """What still waits at the end belongs to the last feeling: "worried a bit"."""
    last = group.feelings[-1]
    last.factor *= group.factor
    last.number = group.number if group.number is not None else last.number
    return group.feelings


def checked_number(number: float | str, typed: str) -> float:
    """A typed amount (0.7, "0,7", "70%") inside 0..1.5."""
    value = _number(number) if isinstance(number, str) else number
    if not 0 <= value <= MAX_INTENSITY:
        what = f"The number {value:g} in '{typed}' is outside 0 to {MAX_INTENSITY}"
        raise DiffSFSRError(what, "Write 0.5 or 50% for half of a feeling, 1 for all of it")
    return value


def _shared(group: list[_Feeling]) -> list[tuple[_Feeling, float]]:
    """Weights inside a group: the last feeling that is no adverb leads."""
    if len(group) == 1:
        return [(group[0], 1.0)]
    leader = next((f for f in reversed(group) if not f.adverb), group[-1])
    shade = SHADING / (len(group) - 1) ** 0.5
    return [(f, LEADING if f is leader else shade) for f in group]


def _weighted(groups: list[list[tuple[_Feeling, float]]]) -> tuple[Part, ...]:
    """Parts with their final weights; a word named twice counts once, as strong as it was named strongest."""
    strongest: dict[str, Part] = {}
    for feeling, weight in (pair for group in groups for pair in group):
        weight = 1.0 if feeling.number is not None else weight / len(groups) ** 0.5
        intensity = min(feeling.factor * (1.0 if feeling.number is None else feeling.number), MAX_INTENSITY)
        part, before = Part(feeling.word, weight, intensity), strongest.get(feeling.word)
        if before is None or weight * intensity > before.weight * before.intensity:
            strongest[feeling.word] = part
    if len(strongest) == 1:  # "sad and unhappy" stays two; "sad, very sad" is one, and whole
        (only,) = strongest.values()
        return (Part(only.word, 1.0, only.intensity),)
    return tuple(strongest.values())
