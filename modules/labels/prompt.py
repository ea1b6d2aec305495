"""What a face does, in the words of a prompt: "terrified, wide eyes, raised brows, open mouth".

Image models were trained on captions, which name a feeling and what is plain to see, not coefficients. The feeling is the word
of the 135, or the everyday face, whose prototype points the same way; of a mix, both of two that make it up. Where none does,
only what is plain to see is said. Which coefficients make which phrase is our own reading.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from .actions import BLENDSHAPES, index
from .everyday import FACES
from .prototypes import MAX_INTENSITY, asked
from .vocabulary import FORMS
from .words import WORDS

NEUTRAL, FAINT = "neutral expression", "subtle expression"  # FAINT: a face that does something for which there is no phrase
CALM = 0.25  # length of a code below which a face is neutral
ALIKE = 0.75  # cosine to the nearest prototype below which no feeling is named: of mixes of two feelings 99 % are above
SURE, MIX, SHARE = 0.95, 0.97, 0.3  # cosine of one that needs no second; of two for both to be named; least length of the less
WEAK, STRONG = 0.45, 1.35  # times as long as the word's prototype: slightly, extremely
MOST = 6  # phrases behind the feeling
ADJECTIVES = {  # where the first of the word's forms is no adjective for a person's face
    "caring": "caring", "dislike": "disdainful", "desire": "longing", "dread": "full of dread", "enjoyment": "joyful",
    "hurt": "hurt", "gaiety": "cheerful", "liking": "friendly", "loathing": "loathing", "longing": "longing",
    "suffering": "suffering", "rage": "enraged", "revulsion": "disgusted", "despair": "desperate",
    # everyday faces: what somebody does
    "smirk": "smirking", "wink": "winking", "pout": "pouting", "kiss": "kissing", "grimace": "grimacing",
    "eye roll": "rolling the eyes", "forced smile": "smiling politely",
}  # fmt: skip
DONE = {"asleep", "yawning", "shouting", "screaming", "singing", "wink", "kiss", "eye roll"}  # nobody is slightly asleep


NAMED = (*WORDS, *FACES)


class Sign(NamedTuple):
    """A phrase for a mean of coefficients ("*" stands for both sides) from `least` on; `strong` from `much` on."""

    coefficients: tuple[str, ...]
    least: float
    phrase: str
    much: float = 2.0
    strong: str = ""


SIDES = ("Left", "Right")
# of each part of the face the first that fits
PARTS: tuple[tuple[Sign, ...], ...] = (
    (
        Sign(("eyeBlink*",), 0.35, "half-closed eyes", 0.75, "closed eyes"),
        Sign(("eyeWide*",), 0.3, "wide eyes", 0.75, "wide open eyes"),
        Sign(("eyeSquint*",), 0.45, "narrowed eyes"),
        Sign(("eyeBlinkLeft",), 0.5, "one closed eye"),
        Sign(("eyeBlinkRight",), 0.5, "one closed eye"),
        Sign(("eyeSquintLeft",), 0.5, "one narrowed eye"),
        Sign(("eyeSquintRight",), 0.5, "one narrowed eye"),
        Sign(("eyeWideLeft",), 0.5, "one wide eye"),
        Sign(("eyeWideRight",), 0.5, "one wide eye"),
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
        Sign(("browDownLeft",), 0.4, "one lowered brow"),
        Sign(("browDownRight",), 0.4, "one lowered brow"),
    ),
    (
        Sign(("noseSneer*",), 0.3, "wrinkled nose"),
        Sign(("noseSneerLeft",), 0.4, "nose wrinkled on one side"),
        Sign(("noseSneerRight",), 0.4, "nose wrinkled on one side"),
    ),
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
        Sign(("mouthRollUpper",), 0.5, "lips drawn in"),
        Sign(("mouthUpperUpLeft",), 0.45, "lip raised on one side"),
        Sign(("mouthUpperUpRight",), 0.45, "lip raised on one side"),
        *(Sign((f"mouth{what}{side}",), 0.4, "crooked mouth") for what in ("", "Frown", "Stretch", "Press") for side in SIDES),
    ),
    (
        Sign(("jawOpen",), 0.25, "open mouth", 0.65, "wide open mouth"),
        Sign(("mouthUpperUp*", "mouthLowerDown*"), 0.25, "parted lips, teeth showing"),
        Sign(("mouthLowerDown*",), 0.4, "lower teeth showing"),
        Sign(("mouthLowerDownLeft",), 0.4, "lower lip drawn down on one side"),
        Sign(("mouthLowerDownRight",), 0.4, "lower lip drawn down on one side"),
    ),
    (Sign(("jawForward",), 0.4, "jutting jaw"), *(Sign((f"jaw{side}",), 0.4, "jaw to one side") for side in SIDES)),
    (Sign(("cheekPuff",), 0.4, "puffed cheeks"),),
    (
        Sign(("eyeLookUp*",), 0.35, "looking up"),
        Sign(("eyeLookDown*",), 0.35, "looking down"),
        Sign(("eyeLookOutLeft", "eyeLookInRight"), 0.35, "looking to the side"),
        Sign(("eyeLookInLeft", "eyeLookOutRight"), 0.35, "looking to the side"),
    ),
)


def in_prompt(code: np.ndarray) -> str:
    """The feeling and what the face does, for coefficients [52] 0..1 in the order of `BLENDSHAPES`; never empty."""
    if np.linalg.norm(code) < CALM:
        return NEUTRAL
    found = [said for part in PARTS if (said := next(filter(None, (_phrase(code, sign) for sign in part)), None))]
    return ", ".join(filter(None, [_feeling(code), *found[:MOST]])) or FAINT


def adjective(word: str) -> str:
    """How a face with that feeling is called: "terror" -> "terrified"; also of an everyday face."""
    return ADJECTIVES.get(word) or (word if word in FACES else FORMS[word].split()[0])


def _feeling(code: np.ndarray) -> str:
    """The word whose prototype points the same way as the code [52], as an adjective, and how strong it is; "": none does."""
    usual, strongest, lengths = _known()
    length = float(np.linalg.norm(code))
    along = np.maximum(usual @ code, strongest @ code) / length
    best = int(along.argmax())
    if along[best] < SURE and (both := _mixed(usual, usual @ code / length)):
        return " and ".join(adjective(NAMED[i]) for i in both)
    if along[best] < ALIKE:
        return ""
    word, amount = NAMED[best], length / lengths[best]
    degree = "slightly " if amount < WEAK else "extremely " if amount > STRONG else ""
    return ("" if word in DONE else degree) + adjective(word)


def _mixed(known: np.ndarray, along: np.ndarray) -> tuple[int, int] | None:
    """The two of `known` directions [N, 52] whose weighted sum is the code, the stronger first; None: no two make it.

    along [N]: their cosines with the code. Least squares of every pair: the share a of the first is (p - g q) / (1 - g^2) for
    cosines p and q with the code and g with each other, and a p + b q is the square of the sum's cosine.
    """
    between = known @ known.T
    rest = 1 - between**2
    share = np.divide(along[:, None] - between * along, rest, out=np.zeros_like(between), where=rest > 1e-6)
    explained = share * along[:, None] + share.T * along
    explained[(share < SHARE) | (share.T < SHARE)] = 0
    i, j = np.unravel_index(explained.argmax(), explained.shape)
    if explained[i, j] < MIX**2:
        return None
    return (int(i), int(j)) if share[i, j] >= share[j, i] else (int(j), int(i))


@cache
def _known() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions of the prototypes of `NAMED` [N, 52], also at the highest intensity, where some coefficients stop at 1; and
    their lengths [N] at the usual one.
    """
    usual, most = (np.stack([asked(word, amount) for word in NAMED]).clip(0, 1) for amount in (1.0, MAX_INTENSITY))
    lengths, longest = (np.linalg.norm(known, axis=1) for known in (usual, most))
    return usual / lengths[:, None], most / longest[:, None], lengths


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
