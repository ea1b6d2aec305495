"""Hands drawn over a face: fingers of three bones, a thumb, the back of the hand, a forearm or a sleeve."""

import numpy as np

from .canvas import Body, Layer, cloth, colour, grid, light_from, noise, outline, soft

BONES = (0.44, 0.31, 0.25)  # of a finger's length
LONG = (0.92, 1.05, 1.0, 0.8)  # fingers of a hand, the forefinger first
POSES = ("spread", "closed", "fist", "pointing", "two", "fingers", "cup")


def hand(size: int, rng: np.random.Generator, skin: np.ndarray, target) -> Layer:
    """A hand with its fingertips about `target`. skin [3]: its colour in plain light."""
    pose, width = str(rng.choice(POSES)), rng.uniform(0.2, 0.36)
    body, tips, joints, pads = Body(size), [], [], []
    angle = rng.uniform(-np.pi * 0.9, -np.pi * 0.1) if rng.random() < 0.75 else rng.uniform(-np.pi, np.pi)
    way, across = _turned(angle), _turned(angle + np.pi / 2) * rng.choice((-1, 1))
    palm = np.asarray(target) - way * width * rng.uniform(0.6, 1.5)
    spread = {"spread": rng.uniform(0.12, 0.28), "closed": 0.02, "fist": 0.02}.get(pose, rng.uniform(0.03, 0.12))
    flat = rng.uniform(0.5, 0.9)
    for k in range(4):
        root = palm + way * width * (0.45 - 0.05 * abs(k - 1.2)) + across * width * (k - 1.5) * 0.255
        body.capsule(palm - way * width * 0.45 + across * width * (k - 1.5) * 0.17, root, 0.2 * width, 0.15 * width, 0, flat)
        shown = {"pointing": k == 0, "two": k < 2, "fist": False}.get(pose, True)
        length = width * LONG[k] * (rng.uniform(0.85, 1.1) if shown else rng.uniform(0.25, 0.45))
        bend = rng.normal(0, 0.08) if pose != "cup" else rng.uniform(0.1, 0.35)
        ends = _finger(body, root, way, across, spread * (k - 1.5), bend, length, width * rng.uniform(0.105, 0.128), flat)
        joints += [(p, width * 0.12) for p in ends[:-1]]
        pads.append(ends[-1])
        if shown:
            tips.append((ends[-1], ends[-1] - ends[-2], width * 0.085))
    if rng.random() < 0.8:
        lean = rng.uniform(0.3, 1.2)
        root = palm - across * width * 0.45 - way * width * 0.15
        ends = _finger(body, root, way, across, -lean, 0.15, width * rng.uniform(0.6, 0.85), width * 0.14, flat, BONES[:2])
        tips.append((ends[-1], ends[-1] - ends[-2], width * 0.1))
    body.capsule(palm - way * width * 0.4, palm - way * width * 4, 0.36 * width, 0.5 * width, -0.02, flat)
    picture = _skin(size, rng, body, skin, joints, pads)
    if rng.random() < 0.6:
        picture = _nails(picture, rng, tips)
    if rng.random() < 0.5:
        x, y = grid(size)
        along = (x - palm[0]) * way[0] + (y - palm[1]) * way[1]
        sleeve = soft((along < -width * rng.uniform(0.7, 1.6)).astype(np.float32), 0.004)[..., None]
        picture = picture * (1 - sleeve) + cloth(size, rng) * sleeve
    return Layer(picture, body.alpha, rng.uniform(0.2, 0.7))


def _turned(angle: float) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def _finger(body: Body, root, way, across, lean: float, bend: float, length: float, radius: float, flat: float, bones=BONES):
    """Draws a finger; the places of its root, joints and tip."""
    places, angle = [np.asarray(root)], lean
    for k, share in enumerate(bones):
        end = places[-1] + (way * np.cos(angle) + across * np.sin(angle)) * length * share
        thinner = 0.95 ** (k + 1) * (0.9 if k == len(bones) - 1 else 1)
        body.capsule(places[-1], end, radius * 0.95**k, radius * thinner, 0.006, flat)
        places.append(end)
        angle += bend
    return places


def _skin(size: int, rng: np.random.Generator, body: Body, skin: np.ndarray, joints, pads) -> np.ndarray:
    """Skin in light: redder at fingertips and knuckles, creased at joints, of uneven tone."""
    shade, gleam = body.lit(light_from(rng), rng.uniform(0.35, 0.75), rng.uniform(0, 0.25), rng.uniform(0.15, 0.5))
    x, y = grid(size)
    red, crease = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    for place, reach in joints:
        away = np.hypot(x - place[0], y - place[1]) / reach
        red += 0.5 * np.exp(-(away**2))
        crease += np.exp(-(away**2) * 2) * (0.5 + 0.5 * np.sin(60 * (x * rng.normal() + y * rng.normal()) / (reach * 8)))
    for place in pads:
        red += np.exp(-(np.hypot(x - place[0], y - place[1]) ** 2) / 0.0012)
    uneven = 1 + 0.04 * noise(size, 9, rng) + 0.02 * noise(size, 50, rng)
    shade = shade * uneven * (1 - rng.uniform(0, 0.25) * crease.clip(0, 1))
    tint = np.array([0.02, -0.05, -0.045], np.float32) * rng.uniform(0, 1.5)
    picture = skin * shade[..., None] ** np.array([0.85, 1.05, 1.15], np.float32) * rng.uniform(0.9, 1.25)
    return (picture + red.clip(0, 1)[..., None] * tint + gleam[..., None]).clip(0, 1)


def _nails(picture: np.ndarray, rng: np.random.Generator, tips) -> np.ndarray:
    size, polish = len(picture), rng.random() < 0.3
    paint = colour(rng) if polish else None
    for tip, way, reach in tips:
        way = way / max(np.linalg.norm(way), 1e-6)
        side, middle, t = way[::-1] * np.array([-1, 1]), tip - way * reach * 0.1, np.linspace(0, 2 * np.pi, 16)
        shape = middle + np.outer(np.cos(t), way) * reach * 0.75 + np.outer(np.sin(t), side) * reach * 0.6
        mask = outline(size, shape)[..., None]
        own = picture * 0.55 + np.array([0.5, 0.4, 0.38], np.float32) * 0.75 * picture.mean() ** 0.5
        picture = picture * (1 - 0.85 * mask) + 0.85 * mask * (paint if polish else own.clip(0, 1))
    return picture.astype(np.float32)
