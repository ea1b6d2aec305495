"""What is worn before a face: glasses, masks, scarves, brims and bands. points [478, 2]: the face's, in shares of the side."""

import numpy as np

from .canvas import Layer, cloth, colour, grid, noise, outline, soft, strokes

EYES = (33, 133), (362, 263)
TEMPLES = (127, 234), (356, 454)
BRIDGE, NOSE, CHIN, TOP = 168, 2, 152, 10
MASK = (234, 117, 6, 346, 454, 361, 397, 378, 152, 149, 172, 132)
STRAPS = (1, 127), (3, 356), (10, 234), (6, 454)  # from which corner of a mask to which point
USUAL = (0.62, 0.78, 0.88), (0.92, 0.93, 0.95), (0.05, 0.05, 0.06)  # colours of masks


def glasses(size: int, rng: np.random.Generator, points: np.ndarray, dark: bool) -> Layer:
    """Frames thin or thick, whole or half, round to square; clear lenses hide nothing, dark ones do."""
    middle = [points[list(pair)].mean(0) for pair in EYES]
    apart = np.linalg.norm(middle[1] - middle[0])
    level = (middle[1] - middle[0]) / apart
    down = np.array([-level[1], level[0]])
    rx, ry = apart * rng.uniform(0.3, 0.46), apart * rng.uniform(0.2, 0.42)
    thick = rng.choice((rng.uniform(0.005, 0.011), rng.uniform(0.011, 0.032)))
    power, drop = rng.choice((2.0, 2.5, 3.5, 6.0)), apart * rng.uniform(-0.02, 0.16)
    t, rings = np.linspace(0, 2 * np.pi, 60), []
    shape = (np.abs(np.cos(t)) ** power + np.abs(np.sin(t)) ** power) ** (-1 / power)
    slant = rng.uniform(-0.15, 0.15)
    for k, eye in enumerate(middle):
        out = (-1, 1)[k]
        x, y = shape * np.cos(t) * rx * (0.97 if rng.random() < 0.5 else 1), shape * np.sin(t) * ry
        y = y * (1 + slant * np.cos(t) * out)
        rings.append(eye + down * drop + np.outer(x + out * apart * 0.02, level) + np.outer(y, down))
    lens = outline(size, *rings)
    half = rng.random() < 0.2
    drawn = [ring[(t > np.pi * 0.97)] if half else ring for ring in rings]
    widths = [thick] * len(drawn)
    frame = strokes(size, [np.concatenate([d, d[:2]]) if not half else d for d in drawn], widths)
    inner = [ring[np.argmin(((ring - other) @ level) * s)] for ring, other, s in zip(rings, middle[::-1], (-1, 1), strict=True)]
    arch = (inner[0] + inner[1]) / 2 - down * apart * rng.uniform(0, 0.06)
    lines = [np.array([inner[0], arch, inner[1]])]
    if rng.random() < 0.15:
        lines.append(np.array([ring[np.argmin(ring @ down)] for ring in rings]))  # a second bridge, above
    for ring, s, pair in zip(rings, (1, -1), TEMPLES, strict=True):
        edge = ring[np.argmin(ring @ level * s)]
        lines.append(np.array([edge, points[list(pair)].mean(0) - np.array([0, rng.uniform(0, 0.03)])]))
    frame = np.maximum(frame, strokes(size, lines, thick * rng.uniform(0.7, 1.1)))
    tone = colour(rng) if rng.random() < 0.45 else np.full(3, rng.uniform(0.01, 0.2), np.float32)
    picture = np.broadcast_to(tone, (size, size, 3)) * (1 + 0.3 * noise(size, 12, rng))[..., None]
    if rng.random() < 0.5:  # metal or gloss
        picture = picture + (frame * (noise(size, 24, rng) > 0.8))[..., None] * rng.uniform(0.1, 0.7)
    return _dark(rng, picture, frame, lens, middle[0][1]) if dark else _clear(size, rng, picture, frame, lens)


def _dark(rng: np.random.Generator, picture: np.ndarray, frame: np.ndarray, lens: np.ndarray, level: float) -> Layer:
    """Dark lenses, some brighter below the level of the eyes, some mirrors: all of a lens is before the face."""
    size = len(picture)
    _, y = grid(size)
    tint = colour(rng, 0.01, 0.3) + (y - level)[..., None] * rng.uniform(-0.5, 1.5) * colour(rng) * (rng.random() < 0.5)
    if rng.random() < 0.35:  # a mirrored world
        world = soft((noise(size, int(rng.integers(3, 9)), rng) > 0.3).astype(np.float32), 0.01)
        tint = tint + world[..., None] * colour(rng) * 0.8
    cover = lens * rng.uniform(0.75, 1) * (1 - rng.uniform(0, 0.35) * ((y - level) / 0.1).clip(0, 1))
    share = frame[..., None]
    picture = picture * share + np.broadcast_to(tint, picture.shape).clip(0, 1) * (1 - share)
    shadow, label = rng.uniform(0.1, 0.6), np.maximum(frame, lens)
    return Layer(picture.clip(0, 1).astype(np.float32), np.maximum(frame, cover), shadow, label)


def _clear(size: int, rng: np.random.Generator, picture: np.ndarray, frame: np.ndarray, lens: np.ndarray) -> Layer:
    """Clear lenses, which may gleam: whether a gleam is before the face nobody can say."""
    alpha, label = frame.copy(), frame.copy()
    if rng.random() < 0.35:
        gleam = soft((noise(size, int(rng.integers(3, 8)), rng) > 0.9).astype(np.float32), 0.006) * lens * rng.uniform(0.2, 0.8)
        alpha = np.maximum(alpha, gleam)
        picture = picture * frame[..., None] + (1 - frame[..., None]) * rng.uniform(0.7, 1)
        label = np.where((gleam > 0.05) & (frame < 0.5), -1, label)
    return Layer(picture.clip(0, 1).astype(np.float32), alpha, rng.uniform(0, 0.5), label)


def mask(size: int, rng: np.random.Generator, points: np.ndarray) -> Layer:
    """Over mouth and nose, or pulled down below the nose; pleated or plain, with straps."""
    edge = points[list(MASK)].copy()
    top = rng.choice((0.0, 0.0, 0.35, 0.6))
    edge[1:4] += (points[NOSE] - points[6]) * (top + rng.uniform(-0.05, 0.25))
    edge += rng.normal(0, 0.008, edge.shape)
    alpha = outline(size, edge)
    plain = colour(rng) if rng.random() < 0.5 else np.array(USUAL[int(rng.integers(3))], np.float32)
    picture = cloth(size, rng) if rng.random() < 0.35 else np.broadcast_to(plain, (size, size, 3))
    x, y = grid(size)
    middle = points[[234, 454]].mean(0)[0]
    picture = picture * (1 - rng.uniform(0, 0.5) * ((x - middle) / 0.3) ** 2).clip(0.3)[..., None]
    if rng.random() < 0.5:
        picture = picture * (1 + rng.uniform(0.03, 0.12) * np.sin(2 * np.pi * y * rng.uniform(12, 30)))[..., None]
    straps = [np.array([edge[k], points[j] + [0, rng.uniform(-0.05, 0.02)]]) for k, j in STRAPS]
    alpha = np.maximum(alpha, strokes(size, straps, rng.uniform(0.005, 0.012)))
    return Layer(picture.clip(0, 1).astype(np.float32), alpha, rng.uniform(0.1, 0.6))


def scarf(size: int, rng: np.random.Generator, points: np.ndarray, other: np.ndarray) -> Layer:
    """Cloth over the lower face from below, or around the face as a veil or a hood that reaches into it."""
    wave = np.cumsum(rng.normal(0, 0.01, 24))
    x = np.linspace(-0.1, 1.1, 24)
    if rng.random() < 0.5:
        middle, y0 = points[CHIN][0], points[NOSE][1] + rng.uniform(0, 0.17)
        edge = np.stack([x, y0 + rng.uniform(-0.4, 0.6) * (x - middle) ** 2 + wave], 1)
        alpha = outline(size, [*edge, (1.1, 1.1), (-0.1, 1.1)])
    else:
        box = points[[234, 454]][:, 0] + np.array([1, -1]) * rng.uniform(-0.02, 0.1, 2)
        t = np.linspace(0, 2 * np.pi, 24)
        top, foot = points[TOP][1] + rng.uniform(0, 0.08), points[CHIN][1] + rng.uniform(-0.06, 0.1)
        reach = (np.abs(np.cos(t)) ** 2.5 + np.abs(np.sin(t)) ** 2.5) ** (-1 / 2.5)
        across, down = box.mean() + reach * np.cos(t) * np.ptp(box) / 2, (top + foot) / 2 + reach * np.sin(t) * (foot - top) / 2
        hole = np.stack([across, down], 1)
        alpha = 1 - outline(size, hole + rng.normal(0, 0.004, hole.shape))
    return Layer(cloth(size, rng, other), alpha, rng.uniform(0.2, 0.8))


def brim(size: int, rng: np.random.Generator, points: np.ndarray, other: np.ndarray) -> Layer:
    """A hat, a cap, a band: from above down to the forehead or the brows, straight or bent; its shadow may lie far below."""
    x = np.linspace(-0.1, 1.1, 24)
    low = points[[105, 334]][:, 1].mean() - rng.uniform(-0.02, 0.16)
    edge = low + rng.uniform(-0.6, 0.6) * (x - 0.5) ** 2 + rng.normal(0, 0.12) * (x - 0.5) + np.cumsum(rng.normal(0, 0.002, 24))
    if rng.random() < 0.3:  # a band or a strap
        high = edge - rng.uniform(0.03, 0.14)
        alpha = outline(size, [*zip(x, edge, strict=True), *zip(x[::-1], high[::-1], strict=True)])
    else:
        alpha = outline(size, [*zip(x, edge, strict=True), (1.1, -0.1), (-0.1, -0.1)])
    return Layer(cloth(size, rng, other), alpha, rng.uniform(0.3, 0.9))
