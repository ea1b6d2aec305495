"""From an emotion word to its expression code, and from there to variants and neighbours.

The prototypes are reasoned: ``docs/expressions.md`` says from what. Where a drawn face could not show what was asked, they
were mended by rules ("What can be seen" there; ``python -m evaluation seen`` looks again).
"""

import hashlib
import numbers
from collections.abc import Callable
from functools import cache

import numpy as np

from ..errors import DiffSFSRError
from .actions import encode
from .everyday import FACES
from .words import TABLE, WORDS, parse_choice

MAX_INTENSITY = 1.5
# Two codes nearer than this (Euclidean, 52 coefficients of 0..1) count as the same face. Our own
# convention: it is one left/right pair of coefficients changed by 0.085 each.
JUST_NOTICEABLE = 0.12

# A variant multiplies the word's units and may add a little of what leaves the meaning alone: parted
# lips, lowered lids, a turn of the eyes. The order is part of the contract: seed 1 is "soft".
VARIANTS: tuple[str, ...] = ("soft", "strong", "open", "closed", "uneven")
_MOUTH_OPEN = ("25", "26", "27")
_SIDEWAYS = ("61", "62")
_PAIRED = frozenset({"2", "6", "7", "9", "10", "12", "14", "15", "20"})
_MOUTH_SHUT = frozenset({"23", "24", "28"})

_UNITS: dict[str, dict[str, float]] = {}
_AFFECT: dict[str, tuple[float, float, float]] = {}
for _subclusters in TABLE.values():
    for _entry in _subclusters.values():
        for _word, _row in _entry["words"].items():
            _UNITS[_word] = _row["units"]
            _AFFECT[_word] = tuple(_row["affect"])


def action_units(word: str) -> dict[str, float]:
    """Action units of a word's base prototype: number (``"14R"``: right side alone) to intensity 0..1."""
    return dict(_UNITS[parse_choice(word)])


def affect(word: str) -> tuple[float, float, float]:
    """Valence, arousal and dominance of a word, each -1..1. Own estimates, not ratings of people."""
    return _AFFECT[parse_choice(word)]


def prototype(word: str, intensity: float = 1.0, variation: int = 0) -> np.ndarray:
    """Expression code of a word.

    Parameters
    ----------
    word : str
        One of the 135 words, or a menu entry such as ``"joy: amusement"``.
    intensity : float
        0..1.5. Scales all coefficients; 0 is exactly the neutral face, above 1 they stop at 1.
    variation : int
        0 is the base prototype. Any other non-negative seed gives another, repeatable telling of the
        same word: ``VARIANTS[(seed - 1) % 5]`` with small changes drawn from the seed.

    Returns
    -------
    ndarray, [52] float32, 0..1
        In the order of ``BLENDSHAPES``; position 0 (``_neutral``) is always 0.

    Raises
    ------
    DiffSFSRError
        Unknown word, intensity outside 0..1.5, or a variation that is no non-negative whole number.
    """
    return np.clip(asked(word, intensity, variation), 0.0, 1.0)


def asked(word: str, intensity: float = 1.0, variation: int = 0) -> np.ndarray:
    """As `prototype`, also of an everyday face; above intensity 1 the coefficients go on past 1, up to 1.5: so far a caricature
    moves.
    """
    word = word if word in FACES else parse_choice(word)
    amount = checked_intensity(intensity)
    seed = checked_variation(variation)
    units = _units_of(word) if seed == 0 else _vary(word, seed)
    return (encode(units) * np.float32(amount)).astype(np.float32)


def _units_of(word: str) -> dict[str, float]:
    """Action units of a word of the list, or of an everyday face."""
    return FACES[word][1] if word in FACES else _UNITS[word]


def prototype_matrix(intensity: float = 1.0, variation: int = 0) -> np.ndarray:
    """Codes of all words in the order of ``WORDS``: [135, 52] float32, 0..1; arguments as in ``prototype``."""
    return np.stack([prototype(word, intensity, variation) for word in WORDS])


@cache
def _base_matrix() -> np.ndarray:
    """`prototype_matrix()`, made once; never written to."""
    return prototype_matrix()


def distance_matrix() -> np.ndarray:
    """Euclidean distances between the base prototypes, order of ``WORDS``: [135, 135] float64, >= 0."""
    codes = prototype_matrix().astype(np.float64)
    return np.sqrt(((codes[:, None] - codes[None]) ** 2).sum(-1))


def nearest_word(code: np.ndarray) -> tuple[str, float]:
    """Word whose base prototype is nearest to a code ([52], 0..1), and its Euclidean distance."""
    return nearest_words(code, 1)[0]


def nearest_words(code: np.ndarray, count: int = 3) -> list[tuple[str, float]]:
    """The words whose base prototypes are nearest to a code ([52], 0..1), nearest first, with their Euclidean distances."""
    gaps = np.linalg.norm(_base_matrix() - np.asarray(code, np.float32), axis=1)
    return [(WORDS[i], float(gaps[i])) for i in gaps.argsort(kind="stable")[:count]]


def neighbours(word: str, count: int = 3) -> list[tuple[str, float]]:
    """The words that look most alike: ``(word, Euclidean distance)``, nearest first, without the word itself."""
    word = parse_choice(word)
    row = distance_matrix()[WORDS.index(word)]
    return [(WORDS[i], float(row[i])) for i in row.argsort(kind="stable") if WORDS[i] != word][:count]


def _draws(word: str, seed: int) -> Callable[[str], float]:
    """Repeatable numbers in 0..1, one per key. A hash, so they never change with a library's generator."""

    def draw(key: str) -> float:
        digest = hashlib.sha256(f"{word}/{seed}/{key}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

    return draw


def _vary(word: str, seed: int) -> dict[str, float]:
    """Action units of a variant. None of the base is lost; brows, lids, cheeks, nose and lip corners
    keep at least 0.6 of their amount on the weaker side, so the word stays what it is."""
    base, kind, draw = _units_of(word), VARIANTS[(seed - 1) % len(VARIANTS)], _draws(word, seed)
    gain = {"soft": 0.82, "strong": 1.22}.get(kind, 1.0)
    units = {u: a * gain * _jitter(draw(u)) for u, a in base.items()}
    if kind == "open":
        _open_mouth(units, draw)
    elif kind == "closed":
        for u in _MOUTH_OPEN:
            if u in units:
                units[u] *= 0.55 + 0.2 * draw("shut")
        if "5" not in units:  # wide eyes are part of the meaning where they are asked for
            units["43"] = units.get("43", 0.0) + 0.1
    elif kind == "uneven":
        units = _uneven(units, draw)
    _turn_gaze(units, base, draw)
    return {u: min(1.0, a) for u, a in units.items()}


def _jitter(x: float) -> float:
    """Factor 0.88..0.94 or 1.06..1.12 from a draw in 0..1: never near 1, so that every seed can be seen."""
    step = 0.06 + 0.06 * (2 * x % 1.0)
    return 1.0 - step if x < 0.5 else 1.0 + step


def _open_mouth(units: dict[str, float], draw: Callable[[str], float]) -> None:
    """Parts the lips a little more, in place; pressed lips give way by as much as they must."""
    for u in _MOUTH_SHUT & units.keys():
        units[u] *= 0.7
    shut = any(u in units for u in _MOUTH_SHUT)
    units["25"] = units.get("25", 0.0) + (0.1 if shut else 0.2 + 0.1 * draw("part"))
    if not shut:
        units["26"] = units.get("26", 0.0) + 0.1 + 0.1 * draw("drop")


def _uneven(units: dict[str, float], draw: Callable[[str], float]) -> dict[str, float]:
    """Two-sided units with one side, drawn from the seed, up to 0.3 weaker; one-sided ones stay."""
    weak, strong = ("L", "R") if draw("side") < 0.5 else ("R", "L")
    loss = 0.15 + 0.15 * draw("loss")
    out = {}
    for u, a in units.items():
        if u in _PAIRED:
            out[u + strong], out[u + weak] = a, a * (1.0 - loss)
        else:
            out[u] = a
    return out


def _turn_gaze(units: dict[str, float], base: dict[str, float], draw: Callable[[str], float]) -> None:
    """Small turn of the eyes to one side, in place; where the word itself looks aside, it looks less far."""
    for u in _SIDEWAYS:
        if u in base:
            units[u] *= 0.45 + 0.2 * draw("turn")
            return
    side = "61" if draw("gaze") < 0.5 else "62"
    units[side] = 0.1 + 0.2 * draw("turn")


def checked_intensity(value: float) -> float:
    """An intensity inside 0..1.5."""
    amount = float(value) if isinstance(value, numbers.Real) else -1.0
    if not 0.0 <= amount <= MAX_INTENSITY:  # also catches NaN
        raise DiffSFSRError(
            f"the intensity {value} is outside 0 to {MAX_INTENSITY}",
            f"Set a value from 0 (neutral face) to {MAX_INTENSITY} (strongest).",
            "input 'intensity'",
        )
    return amount


def checked_variation(value: int) -> int:
    """A variation from 0 up."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 0:
        raise DiffSFSRError(
            f"the variation {value} is not a whole number from 0 up",
            "Set 0 for the standard expression, or 1, 2, 3 ... for others of the same word.",
            "input 'variation'",
        )
    return int(value)
