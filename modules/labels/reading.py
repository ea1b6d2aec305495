"""What a text means: feelings with their shares, and the coefficients that they ask for together."""

from dataclasses import dataclass

import numpy as np

from .actions import BLENDSHAPES
from .prototypes import MAX_INTENSITY, asked


@dataclass(frozen=True)
class Part:
    """One feeling of a text, a word of the list or an everyday face.

    Its share is `weight` (0..1) times the face of `word` at `intensity` (0..1.5).
    """

    word: str
    weight: float
    intensity: float


@dataclass(frozen=True)
class Reading:
    """What a text means. No parts: a neutral face."""

    text: str
    parts: tuple[Part, ...]
    plain: bool  # one word of the list as it stands: nothing was read into it
    near: tuple[str, ...]  # typed words that only come near a word of the list

    def name(self, intensity: float = 1.0) -> str:
        """"worry 0.5", "happiness 0.6 + surprise 0.8": each word with its share. intensity: of the whole."""
        shares = [p.weight * min(p.intensity * intensity, MAX_INTENSITY) for p in self.parts]
        return " + ".join(f"{p.word} {s:.2g}" for p, s in zip(self.parts, shares, strict=True)) or "neutral"

    def told(self) -> str:
        return f"'{self.text}' is read as {self.name()}"


def coefficients(reading: Reading, intensity: float = 1.0, variation: int = 0) -> np.ndarray:
    """The coefficients [52] float32 that a reading asks for, see `prototypes.asked`: the weighted sum of its words'.

    The sum stops at 1, and where a word is asked for above 1 at its intensity, 1.5 at most. intensity 0..1.5 and variation 0..
    hold for the whole; check them before, see `prototypes.checked_intensity`.
    """
    code, most = np.zeros(len(BLENDSHAPES), np.float32), 1.0
    for part in reading.parts:
        amount = min(part.intensity * intensity, MAX_INTENSITY)
        code = code + np.float32(part.weight) * asked(part.word, amount, variation)
        most = max(most, amount)
    return np.clip(code, 0.0, most).astype(np.float32)
