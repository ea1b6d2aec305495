"""What a face does, in the words of a prompt: "terrified, wide eyes, raised brows, open mouth".

Image models were trained on captions, which name a feeling and what is plain to see, not coefficients. The feeling is the word
of the 135 whose prototype points the same way; which coefficients make which phrase is our own reading.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from .actions import BLENDSHAPES, index
from .prototypes import prototype_matrix
from .vocabulary import FORMS
from .words import WORDS

NEUTRAL = "neutral expression"
CALM = 0.25  # length of a code below which a face is neutral
WEAK, STRONG = 0.45, 1.35  # times as long as the word's prototype: slightly, extremely
MOST = 6  # phrases behind the feeling
ADJECTIVES = {  # where the first of the word's forms is no adjective for a person's face
    "caring": "caring", "dislike": "disdainful", "desire": "longing", "dread": "full of dread", "enjoyment": "joyful",
    "hurt": "hurt", "gaiety": "cheerful", "liking": "friendly", "loathing": "loathing", "longing": "longing",
    "suffering": "suffering", "rage": "enraged", "revulsion": "disgusted", "despair": "desperate",
}  # fmt: skip


class Sign(NamedTuple):
    """A phrase for a mean of coefficients ("*" stands for both sides) from `least` on; `strong` from `much` on."""

    coefficients: tuple[str, ...]
    least: float
    phrase: str
    much: float = 2.0
    strong: str = ""


# of each part of the face the first that fits
PARTS: tuple[tuple[Sign, ...], ...] = (
    (
        Sign(("eyeBlink*",), 0.35, "half-closed eyes", 0.75, "closed eyes"),
        Sign(("eyeWide*",), 0.3, "wide eyes", 0.75, "wide open eyes"),
        Sign(("eyeSquint*",), 0.45, "narrowed eyes"),
    ),
    (
        Sign(("browInnerUp", "browOuterUp*", "browDown*"), 0.35, "raised and knitted brows"),
        Sign(("browInnerUp", "browDown*"), 0.4, "knitted brows"),
        Sign(("browInnerUp", "browOuterUp*"), 0.35, "raised brows"),
        Sign(("browDown*",), 0.3, "furrowed brows"),
        Sign(("browInnerUp",), 0.35, "inner brows drawn up"),
        Sign(("browOuterUp*",), 0.4, "raised brows"),
        Sign(("browOuterUpLeft",), 0.4, "one raised brow"),
        Sign(("browOuterUpRight",), 0.4, "one raised brow"),
    ),
    (Sign(("noseSneer*",), 0.3, "wrinkled nose"),),
    (
        Sign(("mouthSmile*",), 0.25, "smile", 0.65, "broad smile"),
        Sign(("mouthSmileLeft",), 0.25, "lopsided smile"),
        Sign(("mouthSmileRight",), 0.25, "lopsided smile"),
        Sign(("mouthDimpleLeft",), 0.35, "smirk"),
        Sign(("mouthDimpleRight",), 0.35, "smirk"),
        Sign(("mouthFrown*",), 0.3, "downturned mouth"),
        Sign(("mouthPucker",), 0.4, "puckered lips"),
        Sign(("mouthFunnel",), 0.4, "rounded lips"),
        Sign(("mouthPress*",), 0.4, "pressed lips"),
        Sign(("mouthRollLower",), 0.5, "bitten lip"),
        Sign(("mouthStretch*",), 0.35, "stretched lips"),
        Sign(("mouthUpperUp*",), 0.45, "raised upper lip"),
        Sign(("mouthShrugLower",), 0.5, "raised chin"),
    ),
    (
        Sign(("jawOpen",), 0.25, "open mouth", 0.65, "wide open mouth"),
        Sign(("mouthUpperUp*", "mouthLowerDown*"), 0.25, "parted lips, teeth showing"),
    ),
    (Sign(("cheekPuff",), 0.4, "puffed cheeks"),),
    (
        Sign(("eyeLookUp*",), 0.35, "looking up"),
        Sign(("eyeLookDown*",), 0.35, "looking down"),
        Sign(("eyeLookOutLeft", "eyeLookInRight"), 0.35, "looking to the side"),
        Sign(("eyeLookInLeft", "eyeLookOutRight"), 0.35, "looking to the side"),
    ),
)


def in_prompt(code: np.ndarray) -> str:
    """The feeling and what the face does, for coefficients [52] 0..1 in the order of `BLENDSHAPES`."""
    if np.linalg.norm(code) < CALM:
        return NEUTRAL
    found = [said for part in PARTS if (said := next(filter(None, (_phrase(code, sign) for sign in part)), None))]
    return ", ".join([_feeling(code), *found[:MOST]])


def adjective(word: str) -> str:
    """How a face with that feeling is called: "terror" -> "terrified"."""
    return ADJECTIVES.get(word, FORMS[word].split()[0])


def _feeling(code: np.ndarray) -> str:
    """The word of the 135 whose prototype points the same way as the code [52], as an adjective, and how strong it is."""
    known = _matrix()
    along = known @ code / (np.linalg.norm(known, axis=1) * np.linalg.norm(code))
    best = int(along.argmax())
    amount = float(np.linalg.norm(code) / np.linalg.norm(known[best]))
    degree = "slightly " if amount < WEAK else "extremely " if amount > STRONG else ""
    return degree + adjective(WORDS[best])


@cache
def _matrix() -> np.ndarray:
    return prototype_matrix()


def _phrase(code: np.ndarray, sign: Sign) -> str | None:
    """All coefficients of a sign have to reach half of what their mean does: one brow that is up does not raise both."""
    values = [code[index(name)] for pattern in sign.coefficients for name in _names(pattern)]
    mean = float(np.mean(values))
    if mean < sign.least or min(values) < 0.5 * sign.least:
        return None
    return sign.strong if mean >= sign.much else sign.phrase


def _names(pattern: str) -> tuple[str, ...]:
    names = tuple(pattern.replace("*", side) for side in ("Left", "Right")) if "*" in pattern else (pattern,)
    assert set(names) <= set(BLENDSHAPES)
    return names
