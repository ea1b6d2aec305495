"""What occluders are drawn with: outlines with soft edges, rounded bodies in light, noise, cloth.

Arrays are [S, S] or [S, S, 3] float32 0..1; lengths are shares of the side S, places are (x, y) in such shares.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

FINER = 3  # times more pixels in which outlines are drawn


@dataclass(frozen=True, eq=False)
class Layer:
    """Something drawn: its colours, how much it covers, how dark a shadow it throws, and what counts (None: alpha)."""

    colour: np.ndarray  # [S, S, 3]
    alpha: np.ndarray  # [S, S]
    shadow: float = 0.5
    label: np.ndarray | None = None  # [S, S]; -1 where nobody can say


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """x [1, S] and y [S, 1] of the pixels' middles."""
    axis = ((np.arange(size) + 0.5) / size).astype(np.float32)
    return axis[None], axis[:, None]


def outline(size: int, *shapes) -> np.ndarray:
    """Polygons, lists of (x, y), filled: [S, S]."""
    return _drawn(size, lambda pen, k: [pen.polygon([(x * k, y * k) for x, y in shape], fill=255) for shape in shapes])


def strokes(size: int, lines, width) -> np.ndarray:
    """Lines, lists of (x, y), of one width or of one each: [S, S]."""
    widths = width if isinstance(width, list) else [width] * len(lines)

    def draw(pen, k):
        for line, thick in zip(lines, widths, strict=True):
            pen.line([(float(x) * k, float(y) * k) for x, y in line], fill=255, width=max(1, round(thick * k)), joint="curve")

    return _drawn(size, draw)


def _drawn(size: int, draw) -> np.ndarray:
    big = Image.new("L", (size * FINER, size * FINER))
    draw(ImageDraw.Draw(big), size * FINER)
    return np.asarray(big.reduce(FINER), np.float32) / 255


def soft(mask: np.ndarray, reach: float) -> np.ndarray:
    """A mask [S, S] blurred by a share of the side."""
    image = Image.fromarray((mask.clip(0, 1) * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(reach * len(mask))), np.float32) / 255


def noise(size: int, cells: int, rng: np.random.Generator, across: int | None = None) -> np.ndarray:
    """Smooth noise of about unit spread with so many cells a side: [S, S]."""
    small = rng.standard_normal((cells, across or cells)).astype(np.float32)
    return np.asarray(Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC))


def curve(start, end, bend: float, count: int = 12, wave: float = 0.0) -> np.ndarray:
    """Points [count, 2] from start to end, bent to one side by a share of the length, with a wave of that share."""
    start, end, t = np.asarray(start, np.float32), np.asarray(end, np.float32), np.linspace(0, 1, count)[:, None]
    side = (end - start)[::-1] * np.array([-1, 1])
    return start + (end - start) * t + side * (bend * 4 * t * (1 - t) + wave * np.sin(2 * np.pi * t))


class Body:
    """Rounded bodies seen from the front, as a height [S, S]; where nothing is, it is below 0."""

    def __init__(self, size: int):
        self.size, self.height, self.rim = size, np.full((size, size), -1.0, np.float32), np.zeros((size, size), np.float32)

    def capsule(self, a, b, ra: float, rb: float, depth: float = 0.0, flat: float = 1.0) -> None:
        """A limb from a to b with radii ra and rb, `depth` nearer. flat: its thickness over its radius."""
        x, y = grid(self.size)
        way = np.array([b[0] - a[0], b[1] - a[1]], np.float32)
        t = (((x - a[0]) * way[0] + (y - a[1]) * way[1]) / max(float(way @ way), 1e-9)).clip(0, 1)
        radius = ra + (rb - ra) * t
        off = np.hypot(x - a[0] - t * way[0], y - a[1] - t * way[1]) / radius
        self._join(off, radius * flat, depth)

    def ball(self, middle, rx: float, ry: float, depth: float = 0.0, power: float = 2.0, angle: float = 0.0) -> None:
        x, y = grid(self.size)
        x, y = x - middle[0], y - middle[1]
        along, up = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        self._join((np.abs(along / rx) ** power + np.abs(up / ry) ** power) ** (1 / power), min(rx, ry), depth)

    def _join(self, off: np.ndarray, thick, depth: float) -> None:
        here = off < 1
        height = np.where(here, thick * np.sqrt((1 - off**2).clip(0)) + depth + 1e-3, -1)
        nearer = height > self.height
        self.rim = np.where(nearer & here, off, self.rim)
        self.height = np.maximum(self.height, height)

    @property
    def alpha(self) -> np.ndarray:
        mask = Image.fromarray(((self.height > 0) * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.6))
        return np.asarray(mask, np.float32) / 255

    def lit(self, light: np.ndarray, ambient: float = 0.5, gleam: float = 0.0, rim: float = 0.3):
        """Shade and gleam, [S, S] each. light [3] towards it; rim: how much darker the edges are."""
        height = soft_field(self.height.clip(0)) * self.size
        slope_y, slope_x = np.gradient(height)
        length = np.sqrt(slope_x**2 + slope_y**2 + 1)
        facing = ((-slope_x * light[0] - slope_y * light[1] + light[2]) / length).clip(0)
        shade = (ambient + (1 - ambient) * facing) * (1 - rim * self.rim**5)
        half = light + np.array([0, 0, 1], np.float32)
        half /= np.linalg.norm(half)
        bright = ((-slope_x * half[0] - slope_y * half[1] + half[2]) / length).clip(0) ** 40
        return shade, gleam * bright


def soft_field(values: np.ndarray) -> np.ndarray:
    """A field slightly smoothed, [S, S] of any range."""
    out = values.copy()
    for axis in (0, 1):
        out = (np.roll(out, 1, axis) + 2 * out + np.roll(out, -1, axis)) / 4
    return out


def light_from(rng: np.random.Generator) -> np.ndarray:
    """A direction [3]: x to the right, y down, z towards the viewer."""
    way = np.array([rng.normal(0, 0.6), rng.normal(-0.5, 0.4), 1.0], np.float32)
    return way / np.linalg.norm(way)


def colour(rng: np.random.Generator, low: float = 0.03, high: float = 0.95) -> np.ndarray:
    """Any colour [3], greys more often than chance."""
    base = rng.uniform(low, high)
    return (base + (rng.random() < 0.65) * rng.uniform(-0.4, 0.4, 3)).clip(low, high).astype(np.float32)


def cloth(size: int, rng: np.random.Generator, other: np.ndarray | None = None) -> np.ndarray:
    """A material [S, S, 3]: plain, grained, folded, striped, checked, or cut from another picture [S, S, 3]."""
    kind = rng.choice(["plain", "folds", "stripes", "checks", "spots", "other"], p=[0.25, 0.25, 0.12, 0.08, 0.1, 0.2])
    base = np.broadcast_to(colour(rng), (size, size, 3)).copy()
    if kind == "other" and other is not None:
        base = np.roll(other, tuple(rng.integers(-size // 2, size // 2, 2)), (0, 1))
    elif kind in ("stripes", "checks"):
        x, y = grid(size)
        angle, many = rng.uniform(0, np.pi), rng.uniform(4, 30)
        wave = np.sin(2 * np.pi * many * (x * np.cos(angle) + y * np.sin(angle)) + rng.uniform(0, 3) * noise(size, 4, rng))
        if kind == "checks":
            wave = wave * np.sin(2 * np.pi * many * (y * np.cos(angle) - x * np.sin(angle)))
        base += ((wave > 0)[..., None]) * (colour(rng) - base[0, 0])
    elif kind == "spots":
        base += ((noise(size, int(rng.integers(6, 40)), rng) > 0.4)[..., None]) * (colour(rng) - base[0, 0])
    if kind == "folds" or rng.random() < 0.4:
        across = int(rng.integers(2, 10))
        base *= (1 + rng.uniform(0.05, 0.3) * noise(size, int(rng.integers(2, 10)), rng, across))[..., None]
    grain = rng.choice((0.0, 0.02, 0.06))
    return (base + grain * rng.standard_normal((size, size, 1))).clip(0, 1).astype(np.float32)
