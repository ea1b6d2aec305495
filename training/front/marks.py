"""What is the face's own and looks as if it were not: hard shadow, gleams, freckles, make-up, stubble, lines, coloured light.

image [S, S, 3] 0..1, points [478, 2] in shares of the side; gives a new picture.
"""

import numpy as np

from .canvas import colour, curve, grid, noise, outline, soft, strokes

LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
LIDS = (33, 246, 161, 160, 159, 158, 157, 173, 133), (263, 466, 388, 387, 386, 385, 384, 398, 362)
ABOVE = (70, 63, 105, 66, 107), (300, 293, 334, 296, 336)
JAW = (132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 425, 2, 205)
FOLDS = (48, 61), (278, 291), (33, 127), (263, 356), (9, 8), (234, 61), (105, 104), (334, 333)


def shadow(image: np.ndarray, rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """An edge across the face, a blob, or bars: dark or bright."""
    size, kind = len(image), rng.choice(("edge", "blob", "bars"))
    x, y = grid(size)
    angle, at = rng.uniform(0, 2 * np.pi), points[4] + rng.normal(0, 0.12, 2)
    off = (x - at[0]) * np.cos(angle) + (y - at[1]) * np.sin(angle) + rng.uniform(0, 0.04) * noise(size, 5, rng)
    if kind == "edge":
        mask = off > 0
    elif kind == "blob":
        mask = noise(size, int(rng.integers(3, 7)), rng) > 0.3
    else:
        mask = np.sin(off * 2 * np.pi * rng.uniform(2, 9)) > rng.uniform(-0.5, 0.7)
    share = soft(np.broadcast_to(mask, (size, size)).astype(np.float32), float(rng.choice((0.002, 0.006, 0.02))))[..., None]
    tint = rng.uniform(0.2, 0.8) * (1 + rng.normal(0, 0.08, 3))
    return image * (1 - share * (1 - tint))


def gleams(image: np.ndarray, rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    share = soft((noise(len(image), int(rng.integers(8, 30)), rng) > 1.3).astype(np.float32), rng.uniform(0.003, 0.012))
    return image + (rng.uniform(0.1, 0.7) * share * noise(len(image), 4, rng).clip(0, 1))[..., None]


def freckles(image: np.ndarray, rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    size, dots = len(image), int(rng.choice((3, 60, 200)))
    places = points[rng.integers(0, 468, dots)] + rng.normal(0, 0.012, (dots, 2))
    wide = [float(w) for w in rng.uniform(0.004, 0.01 if dots > 10 else 0.02, dots)]
    mask = soft(strokes(size, [[p, p + w * 0.3] for p, w in zip(places, wide, strict=True)], wide), 0.002)[..., None]
    return image * (1 - mask * (1 - np.array([0.7, 0.5, 0.4]) * rng.uniform(0.6, 1.2)))


def make_up(image: np.ndarray, rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    size = len(image)
    lips = (outline(size, points[list(LIPS)]) - outline(size, points[list(INNER)])).clip(0, 1)
    image = _tinted(image, soft(lips, 0.003), rng, 0.8)
    if rng.random() < 0.6:
        both = [(points[list(lid)], points[list(brow)][::-1]) for lid, brow in zip(LIDS, ABOVE, strict=True)]
        lids = outline(size, *map(np.concatenate, both))
        image = _tinted(image, soft(lids, 0.01), rng, 0.6)
    if rng.random() < 0.4:
        line = strokes(size, [points[list(a)] for a in LIDS], rng.uniform(0.005, 0.015))[..., None]
        image = image * (1 - 0.85 * line)
    return image


def _tinted(image: np.ndarray, share: np.ndarray, rng: np.random.Generator, most: float) -> np.ndarray:
    share, light = (share * rng.uniform(0.2, most))[..., None], image.mean(-1, keepdims=True)
    return image * (1 - share) + share * light * colour(rng, 0.1) * 2


def stubble(image: np.ndarray, rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    size = len(image)
    share = soft(outline(size, points[list(JAW)]), 0.02) - outline(size, points[list(LIPS)])
    grain = (rng.uniform(0.3, 0.8) + rng.uniform(0, 0.3) * noise(size, size, rng)).clip(0, 1)
    return image * (1 - rng.uniform(0.2, 0.75) * (share.clip(0, 1) * grain)[..., None])


def lines(image: np.ndarray, rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """Folds and scars: faint, soft to one side."""
    size, drawn = len(image), []
    for _ in range(int(rng.integers(1, 8))):
        a, b = FOLDS[int(rng.integers(len(FOLDS)))] if rng.random() < 0.7 else rng.integers(0, 468, 2)
        start, end = points[a] + rng.normal(0, 0.02, 2), points[b] + rng.normal(0, 0.02, 2)
        drawn.append(curve(start, start + (end - start) * rng.uniform(0.4, 1), rng.normal(0, 0.12)))
    mask = soft(strokes(size, drawn, rng.uniform(0.004, 0.01)), rng.uniform(0.002, 0.006))[..., None]
    return image * (1 - rng.uniform(0.1, 0.4) * mask) + 0.1 * np.roll(mask, 2, 0) * image


def coloured(image: np.ndarray, rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """Light of two colours, from two sides."""
    size = len(image)
    x, y = grid(size)
    share = 1 / (1 + np.exp(-((x - points[4][0]) * rng.normal(0, 14) + (y - points[4][1]) * rng.normal(0, 6))))
    return image * (colour(rng, 0.3, 1.3) * share[..., None] + colour(rng, 0.3, 1.3) * (1 - share[..., None])) * 1.2


MARKS = {shadow: 0.2, gleams: 0.06, freckles: 0.06, make_up: 0.1, stubble: 0.06, lines: 0.1, coloured: 0.03}


def marked(image: np.ndarray, rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    for mark, chance in MARKS.items():
        if rng.random() < chance:
            image = mark(image, rng, points).clip(0, 1)
    return image.astype(np.float32)
