"""Things held before a face: microphones, phones, food, cups, flowers, thin sticks, and shapes of any texture."""

import numpy as np

from .canvas import Body, Layer, cloth, colour, curve, grid, light_from, noise, outline, soft, strokes


def microphone(size: int, rng: np.random.Generator, target) -> Layer:
    """A round head of mesh or foam on a handle that comes from below."""
    body, radius, angle = Body(size), rng.uniform(0.05, 0.13), rng.uniform(0.2, np.pi - 0.2)
    way = np.array([np.cos(angle), np.sin(angle)], np.float32)
    foot = np.asarray(target) + way * 1.2
    body.capsule(target, foot, radius * rng.uniform(0.5, 0.8), radius * rng.uniform(0.35, 0.6))
    handle, _ = body.lit(light_from(rng), 0.3, 0, 0.4)
    head = Body(size)
    head.ball(target, radius, radius * rng.uniform(0.95, 1.4), angle=angle - np.pi / 2)
    shade, gleam = head.lit(light_from(rng), rng.uniform(0.25, 0.6), rng.uniform(0, 0.7), 0.4)
    x, y = grid(size)
    fine = rng.uniform(60, 140)
    mesh = 0.75 + 0.25 * np.sin(fine * (x + y) * 2) * np.sin(fine * (x - y) * 2)
    foam = 1 + 0.25 * noise(size, 70, rng)
    metal = colour(rng, 0.05, 0.75) if rng.random() < 0.6 else np.full(3, rng.uniform(0.02, 0.15), np.float32)
    stick = np.full(3, rng.uniform(0.02, 0.2), np.float32) if rng.random() < 0.7 else colour(rng)
    top = head.alpha[..., None]
    ball = metal * (shade * (mesh if rng.random() < 0.6 else foam))[..., None] + gleam[..., None]
    picture = stick * handle[..., None] * (1 - top) + ball.clip(0, 1) * top
    if rng.random() < 0.5:  # a ring below the head
        ring = strokes(size, [[target + way * radius * 0.95 + s * way[::-1] * [-1, 1] * radius * 0.8 for s in (-1, 1)]], 0.025)
        picture = picture * (1 - ring[..., None]) + ring[..., None] * colour(rng)
    return Layer(picture.astype(np.float32), np.maximum(body.alpha, head.alpha), rng.uniform(0.2, 0.7))


def phone(size: int, rng: np.random.Generator, target) -> Layer:
    """A flat box with round corners: a phone, a book, a card, a sheet."""
    wide, high, angle = rng.uniform(0.12, 0.3), rng.uniform(0.2, 0.5), rng.normal(0, 0.35)
    t = np.linspace(0, 2 * np.pi, 60)
    square = rng.choice((4, 8, 20))
    reach = (np.abs(np.cos(t)) ** square + np.abs(np.sin(t)) ** square) ** (-1 / square)
    shape = np.stack([reach * np.cos(t) * wide / 2, reach * np.sin(t) * high / 2], 1) @ _turn(angle) + target
    alpha = outline(size, shape)
    plain = np.broadcast_to(colour(rng, 0.02, 0.5 if rng.random() < 0.6 else 1), (size, size, 3))
    picture = plain * (1 + rng.uniform(0, 0.3) * noise(size, 2, rng))[..., None] if rng.random() < 0.7 else cloth(size, rng)
    for _ in range(int(rng.integers(0, 4))):  # lenses, labels
        at, far = rng.uniform(-0.4, 0.4, 2) * (wide, high) @ _turn(angle) + target, rng.uniform(0.008, 0.05)
        spot = outline(size, np.stack([np.cos(t), np.sin(t)], 1) * far + at)[..., None]
        picture = picture * (1 - spot) + colour(rng) * spot
    if rng.random() < 0.5:
        edge = (alpha - outline(size, (shape - target) * 0.93 + target)).clip(0, 1)[..., None]
        picture = picture * (1 - edge) + colour(rng) * edge
    return Layer(picture.clip(0, 1).astype(np.float32), alpha, rng.uniform(0.2, 0.7))


def food(size: int, rng: np.random.Generator, target) -> Layer:
    """Round things in light: fruit, buns, ice, balls; some of several pieces."""
    body, place = Body(size), np.asarray(target, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        rx, ry = rng.uniform(0.04, 0.16, 2)
        body.ball(place, rx, ry, rng.uniform(0, 0.03), rng.choice((2, 2, 3)), rng.uniform(0, np.pi))
        place = place + rng.uniform(-0.1, 0.1, 2)
    shade, gleam = body.lit(light_from(rng), rng.uniform(0.3, 0.7), rng.choice((0, 0.3, 0.9)), 0.3)
    base = colour(rng, 0.1) if rng.random() < 0.7 else cloth(size, rng)
    patch = colour(rng, 0.1) - base if rng.random() < 0.5 else 0
    picture = base + patch * soft((noise(size, int(rng.integers(3, 12)), rng) > 0.3).astype(np.float32), 0.01)[..., None]
    picture = picture * (shade * (1 + 0.06 * noise(size, 40, rng)))[..., None] + gleam[..., None]
    return Layer(picture.clip(0, 1).astype(np.float32), body.alpha, rng.uniform(0.2, 0.7))


def stick(size: int, rng: np.random.Generator, target) -> Layer:
    """Something thin and straight or slightly bent: a straw, a pen, a fork, a cable, a twig."""
    angle, width = rng.uniform(0, 2 * np.pi), rng.uniform(0.006, 0.035)
    end = np.asarray(target) + np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.3, 1)
    line = curve(target, end, rng.normal(0, 0.06))
    alpha, middle = strokes(size, [line], width), strokes(size, [line], width * 0.4)
    picture = colour(rng) * (1 + rng.uniform(-0.4, 0.8) * middle)[..., None]
    return Layer(picture.clip(0, 1).astype(np.float32), alpha, rng.uniform(0.1, 0.6))


def shape(size: int, rng: np.random.Generator, target, other: np.ndarray) -> Layer:
    """Any outline with any texture; `other` [S, S, 3] is cut from."""
    corners = int(rng.integers(3, 12))
    t = np.sort(rng.uniform(0, 2 * np.pi, corners)) if rng.random() < 0.4 else np.linspace(0, 2 * np.pi, 40)
    reach = rng.uniform(0.06, 0.25) * (1 + 0.35 * np.sin(t * rng.integers(1, 5) + rng.uniform(0, 6)) * rng.random())
    points = np.stack([np.cos(t) * reach * rng.uniform(0.4, 1.6), np.sin(t) * reach], 1) @ _turn(rng.uniform(0, 3)) + target
    alpha = outline(size, points)
    if rng.random() < 0.4:
        body = Body(size)
        body.height, body.rim = soft(alpha, 0.02) * 0.1 * (alpha > 0), 1 - soft(alpha, 0.02)
        shade, _ = body.lit(light_from(rng), 0.5)
    else:
        shade = 1 + rng.uniform(0, 0.2) * noise(size, 3, rng)
    return Layer((cloth(size, rng, other) * shade[..., None]).clip(0, 1).astype(np.float32), alpha, rng.uniform(0, 0.7))


def cup(size: int, rng: np.random.Generator, target) -> Layer:
    """A mug or a glass of one colour, wider above, with a handle, its rim seen from a little above. Not shown in training."""
    wide, high, taper = rng.uniform(0.16, 0.3), rng.uniform(0.18, 0.34), rng.uniform(0.7, 1.0)
    x0, y0, side = target[0], target[1], rng.choice((-1, 1))
    body = [(x0 - wide / 2, y0), (x0 + wide / 2, y0), (x0 + wide / 2 * taper, y0 + high), (x0 - wide / 2 * taper, y0 + high)]
    t = np.linspace(0, 2 * np.pi, 40)
    rim = np.stack([x0 + np.cos(t) * wide / 2, y0 + np.sin(t) * wide * 0.12], 1)
    loop = np.stack([x0 + side * (wide / 2 + np.sin(t / 2) * wide * 0.3), y0 + high * (0.2 + 0.5 * t / 2 / np.pi)], 1)
    alpha = np.maximum(outline(size, body, rim), strokes(size, [loop], 0.025))
    x, _ = grid(size)
    shade = 0.55 + 0.45 * np.sqrt((1 - ((x - x0 + rng.uniform(-0.05, 0.05)) / wide * 1.8) ** 2).clip(0))
    inner = soft(outline(size, (rim - [x0, y0]) * 0.9 + [x0, y0]), 0.003)[..., None]
    picture = (cloth(size, rng) if rng.random() < 0.3 else colour(rng)) * np.broadcast_to(shade, (size, size))[..., None]
    return Layer((picture * (1 - 0.5 * inner)).clip(0, 1).astype(np.float32), alpha, rng.uniform(0.2, 0.7))


def flower(size: int, rng: np.random.Generator, target) -> Layer:
    """Petals around a middle, on a stalk. Not shown in training."""
    count, far, body = int(rng.integers(5, 10)), rng.uniform(0.05, 0.13), Body(size)
    for k in range(count):
        angle = 2 * np.pi * k / count
        body.ball(np.asarray(target) + far * 0.6 * np.array([np.cos(angle), np.sin(angle)]), far * 0.6, far * 0.35, angle=angle)
    stalk = strokes(size, [curve(target, (rng.uniform(0.2, 0.8), 1.1), rng.normal(0, 0.1))], rng.uniform(0.01, 0.02))
    shade, _ = body.lit(light_from(rng), 0.5)
    t = np.linspace(0, 2 * np.pi, 30)
    heart = outline(size, np.stack([np.cos(t), np.sin(t)], 1) * far * 0.35 + target)[..., None]
    petal = body.alpha[..., None]
    picture = colour(rng, 0.2) * shade[..., None] * petal + np.array([0.2, 0.45, 0.15], np.float32) * (1 - petal)
    picture = picture * (1 - heart) + np.array([0.8, 0.6, 0.1], np.float32) * heart
    return Layer(picture.clip(0, 1).astype(np.float32), np.maximum(body.alpha, stalk), rng.uniform(0.2, 0.6))


def _turn(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], np.float32)
