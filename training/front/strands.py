"""Hair before a face: strands, locks, a fringe, hair that hangs over the cheeks. points [478, 2], in shares of the side."""

import numpy as np

from .canvas import Layer, curve, noise, soft, strokes

TONES = ((0.05, 0.04, 0.035), (0.16, 0.1, 0.07), (0.33, 0.22, 0.13), (0.62, 0.47, 0.3), (0.55, 0.25, 0.12), (0.7, 0.7, 0.7))
HAIRLINE = (127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356)
CHEEKS = (234, 227, 116), (454, 447, 345)


def tone(rng: np.random.Generator, own: np.ndarray | None) -> np.ndarray:
    """A hair's colour: the person's own, a usual one, or dyed."""
    if own is not None and rng.random() < 0.5:
        return (own * rng.uniform(0.6, 1.3)).astype(np.float32)
    if rng.random() < 0.85:
        return (np.array(TONES[int(rng.integers(len(TONES)))]) * rng.uniform(0.7, 1.3)).clip(0, 1).astype(np.float32)
    return rng.uniform(0.05, 0.9, 3).astype(np.float32)


def strands(size: int, rng: np.random.Generator, points: np.ndarray, own: np.ndarray | None) -> Layer:
    """One to thirty thin strands from the hairline over the face."""
    roots = points[rng.choice(HAIRLINE, int(rng.integers(1, 4)))]
    lines, widths = [], []
    for root in roots:
        way, bend = rng.normal(0, 0.16), rng.normal(0, 0.15)
        length = rng.uniform(0.12, 0.6)
        for _ in range(int(rng.choice((1, 2, 4, 10)))):
            start = root + rng.normal(0, 0.012, 2) - [0, 0.05]
            end = root + [way * 2 * length + rng.normal(0, 0.03), length + rng.normal(0, 0.05)]
            lines.append(curve(start, end, bend + rng.normal(0, 0.05), wave=rng.normal(0, 0.02)))
            widths.append(float(rng.choice((0.004, 0.006, 0.009, 0.014))))
    return _hair(size, rng, lines, widths, tone(rng, own), rng.uniform(0.5, 1))


def bundle(size: int, rng: np.random.Generator, points: np.ndarray, own: np.ndarray | None, kind: str) -> Layer:
    """Many strands: a fringe over the forehead to the brows or the eyes, a lock, or a curtain over one or both cheeks."""
    if kind == "fringe":
        left, right = points[[54, 284]][:, 0] + rng.uniform(-0.04, 0.12, 2) * (1, -1)
        foot = points[[105, 334]][:, 1].mean() + rng.uniform(-0.09, 0.06)
        slant, arch = rng.normal(0, 0.15), rng.uniform(-0.3, 0.6)
        xs = rng.uniform(left, right, int(rng.integers(80, 200)))
        low = foot + arch * (xs - 0.5) ** 2 + rng.normal(0, 0.02, len(xs))
        ends = np.stack([xs + rng.normal(0, 0.015, len(xs)) + slant * 0.3, low], 1)
        high = np.full(len(xs), points[10][1] - rng.uniform(0.1, 0.2))
        starts = np.stack([0.5 + (xs - 0.5) * rng.uniform(0.3, 0.9) - slant, high], 1)
    elif kind == "lock":
        root = points[int(rng.choice(HAIRLINE))] - [0, 0.06]
        end = np.array([rng.uniform(0.28, 0.72), rng.uniform(0.4, 0.85)])
        count = int(rng.integers(15, 50))
        spread = rng.uniform(0.01, 0.035)
        starts, ends = root + rng.normal(0, spread, (count, 2)), end + rng.normal(0, spread * 0.8, (count, 2))
    else:
        parts = []
        sides = (0, 1) if rng.random() < 0.4 else (int(rng.integers(2)),)
        for k in sides:
            x0 = points[CHEEKS[k][0]][0]
            inner = points[list(CHEEKS[k])][:, 0].mean() + (1, -1)[k] * rng.uniform(0, 0.09)
            xs = rng.uniform(min(x0, inner) - 0.08 * (1 - k), max(x0, inner) + 0.08 * k, 120)
            parts.append((xs, k))
        xs = np.concatenate([p[0] for p in parts])
        starts = np.stack([0.5 + (xs - 0.5) * rng.uniform(0.5, 1), np.full(len(xs), points[10][1] - 0.08)], 1)
        ends = np.stack([xs + rng.normal(0, 0.02, len(xs)), rng.uniform(0.75, 1.1, len(xs))], 1)
    bend = rng.normal(0, 0.12)
    lines = [curve(s, e, bend + rng.normal(0, 0.03), wave=rng.normal(0, 0.015)) for s, e in zip(starts, ends, strict=True)]
    return _hair(size, rng, lines, [float(rng.choice((0.004, 0.007, 0.011))) for _ in lines], tone(rng, own), 1.0)


def _hair(size: int, rng: np.random.Generator, lines, widths, base: np.ndarray, dense: float) -> Layer:
    """Strands in three brightnesses over each other, shining somewhere along their way."""
    order, alpha = rng.permutation(len(lines)), np.zeros((size, size), np.float32)
    picture = np.zeros((size, size, 3), np.float32)
    shine = 1 + rng.uniform(0, 0.6) * noise(size, int(rng.integers(3, 8)), rng).clip(-1, 1.5)
    for part, bright in zip(np.array_split(order, 3), (0.55, 0.85, 1.25), strict=True):
        if len(part):
            drawn = strokes(size, [lines[k] for k in part], [widths[k] for k in part])
            picture = picture * (1 - drawn[..., None]) + drawn[..., None] * (base * bright) * shine[..., None]
            alpha = np.maximum(alpha, drawn)
    shown = picture / np.maximum(alpha, 0.05)[..., None] * (1 + 0.12 * noise(size, 60, rng))[..., None]
    return Layer(shown.clip(0, 1).astype(np.float32), alpha * dense, rng.uniform(0, 0.5))


def cut(size: int, picture: np.ndarray, found: np.ndarray) -> Layer:
    """Hair of another portrait [S, S, 3], where it was found before that face [S, S]: its own pixels."""
    return Layer(picture, soft(found, 0.004), 0.3)
