"""Which expressions the synthetic pictures show: the 135 words, mixes of them, near-neutral faces."""

import numpy as np

from ...modules.labels import WORDS, prototype


def random_code(rng: np.random.Generator, strong: bool) -> np.ndarray:
    """[52] in 0..1. `strong` codes are meant as targets; the others dress the selfie, which is mostly calm."""
    if not strong and rng.random() < 0.45:
        return np.zeros(52, np.float32)
    word = lambda: prototype(str(rng.choice(WORDS)), rng.uniform(0.5, 1.15), int(rng.integers(0, 1000)))  # noqa: E731
    code = word()
    if rng.random() < 0.35:
        mix = rng.uniform(0.3, 0.7)
        code = mix * code + (1 - mix) * word()
    if rng.random() < 0.3:  # single coefficients on top, so that they are not only seen together
        extra = np.zeros(52, np.float32)
        extra[rng.choice(np.arange(1, 52), 3, replace=False)] = rng.uniform(0.1, 0.6, 3)
        code = np.maximum(code, extra)
    return np.clip(code if strong else code * rng.uniform(0.3, 0.9), 0, 1).astype(np.float32)
