"""Hard and coloured light as gains of linear light over a face: lamps, the shadows that a face throws on itself, and what
stands in a lamp's way.

Fields are [W, W] float32 over a portrait; x to the right, y down in shares of W, directions x right, y up, z to the viewer.
"""

from typing import NamedTuple

import numpy as np

from .people import Model

STEPS = 18  # along a ray from the skin to the lamp
PATTERNS = {"half": 0.24, "brim": 0.16, "bars": 0.14, "leaves": 0.2, "strands": 0.1, "blobs": 0.1, "window": 0.06}
WARM, COLD = (1.0, 0.72, 0.45), (0.6, 0.8, 1.0)


class Field(NamedTuple):
    """Where light falls: `gain` [3, W, W] of what the skin gives back, and `gleam` [3, W, W] that is added."""

    gain: np.ndarray
    gleam: np.ndarray


def drawn(model: Model, rng: np.random.Generator) -> Field:
    """One, two or three lamps over a rest of light from all around."""
    normal, height = model.normal.astype(np.float32), model.height.astype(np.float32)
    rest = float(np.exp(rng.uniform(np.log(0.01), np.log(0.4))))
    way = direction(rng)
    around = rest * colour(rng, 0.5)[:, None, None] * (1 + 0.5 * np.tensordot(way, normal, 1)).clip(0.3)
    gain, gleam = around, np.zeros_like(around)
    for _ in range(int(rng.choice((1, 2, 3), p=(0.55, 0.37, 0.08)))):
        way, tint = direction(rng), colour(rng)[:, None, None] * rng.uniform(0.5, 1.5)
        facing = np.tensordot(way, normal, 1)
        wrap = rng.uniform(0, 0.35) * (rng.random() < 0.5)
        falls = ((facing + wrap) / (1 + wrap)).clip(0) if rng.random() < 0.85 else np.ones_like(facing)
        if rng.random() < 0.75:
            falls = falls * seen_from(way, height, rng)
        if rng.random() < 0.6:
            falls = falls * behind(str(rng.choice(list(PATTERNS), p=list(PATTERNS.values()))), way, height, rng)
        gain = gain + tint * falls
        gleam = gleam + tint * falls * gleams(way, normal, rng)
    return Field(gain, gleam)


def direction(rng: np.random.Generator) -> np.ndarray:
    """Towards a lamp [3]: most often from a side and from above."""
    across, up = rng.uniform(-1.5, 1.5), rng.normal(0.35, 0.5)
    way = np.array([np.sin(across) * np.cos(up), np.sin(up), np.cos(across) * np.cos(up)], np.float32)
    return way / np.linalg.norm(way)


def colour(rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Of a lamp [3], about 1 on the whole: white, warm, cold, or any."""
    kind = rng.random()
    if kind < 0.35:
        tint = np.exp(rng.normal(0, 0.06, 3))
    elif kind < 0.6:
        tint = np.array(WARM if rng.random() < 0.6 else COLD) ** rng.uniform(0.2, 2.0)
    else:
        tint = np.exp(rng.normal(0, 0.9, 3))
    tint = tint ** strength
    return (tint / tint.mean()).clip(0.03).astype(np.float32)


def seen_from(way: np.ndarray, height: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """0..1 where the face does not stand between skin and lamp: rays go out over its height."""
    side, over = np.hypot(way[0], way[1]), np.full_like(height, -9.0)
    if side < 0.05:
        return np.ones_like(height)
    for k in range(STEPS):
        t = 1.0 * 1.2**k
        x, y = (int(round(float(v))) for v in (way[0] / side * t, -way[1] / side * t))
        if x or y:
            there = moved(height, x, y)
            over = np.maximum(over, (there - height - np.hypot(x, y) * way[2] / side) / (1 + 0.08 * t))
    return 1 - sigmoid((over - rng.uniform(0.2, 0.8)) / rng.uniform(0.08, 0.5))


def moved(field: np.ndarray, x: int, y: int) -> np.ndarray:
    """What is seen so many pixels to the right and below; beyond the border as on it."""
    size = len(field)
    rows, columns = (np.arange(size) + y).clip(0, size - 1), (np.arange(size) + x).clip(0, size - 1)
    return field[rows][:, columns]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x.clip(-30, 30)))


def waves(x: np.ndarray, y: np.ndarray, many: float, rng: np.random.Generator, count: int = 6) -> np.ndarray:
    """Smooth noise of about unit spread with so many waves over the frame."""
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)
    for _ in range(count):
        angle, length = rng.uniform(0, 2 * np.pi), many * np.exp(rng.normal(0, 0.4))
        turn = 2 * np.pi * length * (x * np.cos(angle) + y * np.sin(angle)) + rng.uniform(0, 2 * np.pi)
        total += np.cos(turn, dtype=np.float32)
    return total * np.sqrt(2 / count)


def behind(kind: str, way: np.ndarray, height: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """0..1 where a lamp gets past what stands in its way, which the relief of the face bends."""
    size = len(height)
    axis = ((np.arange(size) + 0.5) / size).astype(np.float32)
    bend = height / size / max(float(way[2]), 0.35) * rng.uniform(0.3, 1.2)
    x, y = axis[None] - bend * way[0], axis[:, None] + bend * way[1]
    middle = np.array([0.5, 0.55]) + rng.normal(0, 0.07, 2)
    angle = rng.uniform(0, 2 * np.pi)
    along = (x - middle[0]) * np.cos(angle) + (y - middle[1]) * np.sin(angle)
    across = (y - middle[1]) * np.cos(angle) - (x - middle[0]) * np.sin(angle)
    off = PATTERN[kind](x - middle[0], y - middle[1], along, across, rng)
    clear = sigmoid(off / float(np.exp(rng.uniform(np.log(0.004), np.log(0.04)))))
    return 1 - (1 - clear) * (1.0 if rng.random() < 0.5 else rng.uniform(0.4, 1))


def _half(x, y, along, across, rng):
    if rng.random() < 0.6:  # upright, as nose and lamp make it
        along = x * rng.choice((-1, 1)) + rng.normal(0, 0.3) * y
    return along + rng.uniform(0, 0.035) * waves(x, y, 4, rng)


def _brim(x, y, along, across, rng):
    edge = rng.uniform(-0.2, 0.02) + rng.normal(0, 0.4) * x - rng.uniform(-0.5, 2.0) * x**2
    return y - edge + rng.uniform(0, 0.02) * waves(x, y, 5, rng)


def _bars(x, y, along, across, rng):
    many = rng.uniform(2, 10)
    return (np.sin(2 * np.pi * many * along) - rng.uniform(-0.6, 0.6)) / (2 * np.pi * many)


def _leaves(x, y, along, across, rng):
    many = float(np.exp(rng.uniform(np.log(1.5), np.log(8))))
    return (waves(x, y, many, rng) - rng.uniform(-0.8, 0.8)) / (2 * np.pi * many)


def _strands(x, y, along, across, rng):
    off = np.full(np.broadcast_shapes(x.shape, y.shape), 1.0, np.float32)
    for _ in range(int(rng.integers(1, 6))):
        line = along - rng.normal(0, 0.12) + rng.normal(0, 0.03) * np.sin(across * rng.uniform(4, 14) + rng.uniform(0, 6))
        off = np.minimum(off, np.abs(line) - rng.uniform(0.003, 0.02))
    return off


def _blobs(x, y, along, across, rng):
    off = np.full(np.broadcast_shapes(x.shape, y.shape), -1.0, np.float32)
    for _ in range(int(rng.integers(1, 5))):
        a, b, wide, high = *rng.normal(0, 0.15, 2), *rng.uniform(0.03, 0.15, 2)
        off = np.maximum(off, (1 - np.sqrt(((x - a) / wide) ** 2 + ((y - b) / high) ** 2)) * min(wide, high))
    return (off + 0.01 * waves(x, y, 6, rng)) * rng.choice((-1, 1))


def _window(x, y, along, across, rng):
    wide, high = rng.uniform(0.06, 0.2, 2)
    off = np.minimum(wide - np.abs(along), high - np.abs(across))
    return np.minimum(off, np.abs(along) - rng.uniform(0, 0.02)) if rng.random() < 0.5 else off


PATTERN = {name: globals()[f"_{name}"] for name in PATTERNS}


def gleams(way: np.ndarray, normal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How much a lamp is mirrored, [1, W, W] (Blinn 1977): skin is more or less oily."""
    if rng.random() < 0.4:
        return np.zeros_like(normal[:1])
    half = way + np.array([0, 0, 1], np.float32)
    half = half / np.linalg.norm(half)
    bright = np.tensordot(half, normal, 1).clip(0)[None] ** float(np.exp(rng.uniform(np.log(6), np.log(60))))
    axis = np.linspace(0, 1, normal.shape[-1], dtype=np.float32)
    oil = (1 + 0.4 * waves(axis[None], axis[:, None], 8, rng)).clip(0.1)
    return bright * oil * rng.uniform(0.02, 0.35)
