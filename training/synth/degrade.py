"""Pictures of faces as they come from the world: small, soft, compressed, noisy, grey, badly lit, partly covered, ill aligned.

All take and give one picture [3, S, S] 0..1 in the canonical frame (eyes at .375 S and .625 S, .473 S down; mouth .75 S down).
"""

import io

import numpy as np
import torch
import torch.nn.functional as F
from kornia.geometry.transform import warp_affine
from PIL import Image

EYES, EYE_LINE, MOUTH_LINE = (0.375, 0.625), 0.473, 0.75
FACE = 0.56  # of S: how wide a face is
COVERS = ("bar", "hand", "hat", "sunglasses", "scarf")


def jpeg(image: torch.Tensor, quality: int) -> torch.Tensor:
    pixels, store = (image.clamp(0, 1).permute(1, 2, 0) * 255).round().byte().numpy(), io.BytesIO()
    Image.fromarray(pixels).save(store, "JPEG", quality=quality)
    return torch.from_numpy(np.asarray(Image.open(store)).copy()).permute(2, 0, 1).float() / 255


def resized(image: torch.Tensor, side: int, smooth: bool = True) -> torch.Tensor:
    mode = {"mode": "area"} if side < image.shape[-1] else {"mode": "bicubic" if smooth else "bilinear"}
    return F.interpolate(image[None], size=side, **mode)[0].clamp(0, 1)


def small(image: torch.Tensor, face: float, quality: int | None = None, smooth: bool = True) -> torch.Tensor:
    """As if the face had been `face` pixels wide, compressed at that size, and enlarged again."""
    side = max(8, round(face / FACE))
    if side < image.shape[-1]:
        low = resized(image, side)
        return resized(low if quality is None else jpeg(low, quality), image.shape[-1], smooth)
    return image if quality is None else jpeg(image, quality)


def soft(image: torch.Tensor, sigma: float, along: float | None = None) -> torch.Tensor:
    """Out of focus by `sigma` pixels, or moved by about three times that in the direction `along` (radians)."""
    reach = max(1, round((2.5 if along is None else 1.5) * sigma))
    step = torch.arange(-reach, reach + 1).float()
    x = F.pad(image[None], (reach,) * 4, mode="replicate").transpose(0, 1)
    if along is None:
        line = torch.exp(-((step / sigma) ** 2) / 2)
        line = line / line.sum()
        return F.conv2d(F.conv2d(x, line[None, None, :, None]), line[None, None, None])[:, 0]
    off = step[None] * np.sin(along) - step[:, None] * np.cos(along)
    kernel = (torch.exp(-((off / 0.6) ** 2)) * (step[None] ** 2 + step[:, None] ** 2 <= reach**2)).float()
    return F.conv2d(x, kernel[None, None] / kernel.sum())[:, 0]


def toned(image: torch.Tensor, rng: np.random.Generator, strength: float = 1.0) -> torch.Tensor:
    """Other exposure, contrast, colours; a quarter of them grey."""
    step = torch.linspace(0, 1, 256).expand(3, -1)  # a curve for each colour, applied by table: powers are slow
    step = step ** float(np.exp(rng.normal(0, 0.35 * strength)))
    step = (step - 0.5) * float(np.exp(rng.normal(0, 0.3 * strength))) + 0.5
    step = step * (1 + 0.12 * strength * torch.from_numpy(rng.normal(0, 1, (3, 1))).float())
    step = (step * float(np.exp(rng.normal(0, 0.2 * strength))) + rng.normal(0, 0.05 * strength)).clamp(0, 1)
    values = (image * 255).to(torch.int32)
    image = torch.stack([step[c][values[c]] for c in range(3)])
    saturation = 0.0 if rng.random() < 0.25 else float(np.clip(rng.normal(1, 0.35 * strength), 0, 2))
    grey = (0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2])[None]
    return torch.lerp(grey.expand_as(image), image, saturation).clamp(0, 1)


def noisy(image: torch.Tensor, sigma: float, rng: np.random.Generator) -> torch.Tensor:
    grain = rng.standard_normal((int(rng.choice((1, 3))), *image.shape[1:]), np.float32)
    return (image + sigma * torch.from_numpy(grain)).clamp(0, 1)


def _grid(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    axis = (torch.arange(size) + 0.5) / size
    return axis[:, None], axis[None]


def cover(kind: str, size: int, rng: np.random.Generator) -> torch.Tensor:
    """Where something hides the picture: [S, S] bool."""
    y, x = _grid(size)
    u = rng.uniform
    if kind == "bar":
        angle, middle = u(0, np.pi), (u(0.25, 0.75), u(0.3, 0.85))
        off = (x - middle[0]) * np.sin(angle) - (y - middle[1]) * np.cos(angle)
        return off.abs() < u(0.03, 0.1)
    if kind == "hand":
        side = rng.choice((u(0.15, 0.35), u(0.65, 0.85)))
        place, spots = (side, u(0.5, 0.85)), torch.zeros(size, size, dtype=torch.bool)
        for _ in range(int(rng.integers(2, 6))):
            cx, cy, a, b = place[0] + u(-0.08, 0.08), place[1] + u(-0.12, 0.12), u(0.03, 0.12), u(0.06, 0.16)
            spots |= ((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 < 1
        return spots
    if kind == "hat":
        return y < u(0.2, 0.4) + u(-0.15, 0.15) * (x - 0.5) + u(0, 0.4) * (x - 0.5) ** 2
    if kind == "sunglasses":
        a, b, power = u(0.08, 0.13), u(0.05, 0.09), rng.choice((2, 4))
        lens = [((x - e) / a).abs() ** power + ((y - EYE_LINE - 0.015) / b).abs() ** power < 1 for e in EYES]
        bridge = ((y - EYE_LINE + 0.02).abs() < 0.012) & ((x - 0.5).abs() < 0.35)
        return lens[0] | lens[1] | bridge
    top = u(0.6, 0.72)  # a scarf, or a mask over mouth and nose
    return y > top + u(0, 0.6) * (x - 0.5) ** 2


def covered(image: torch.Tensor, rng: np.random.Generator, other: torch.Tensor | None = None, kind: str | None = None):
    """The picture with something before it: plain, grainy, or cut from another picture [3, S, S]."""
    kind = kind or str(rng.choice(COVERS, p=(0.25, 0.25, 0.15, 0.2, 0.15)))
    where = cover(kind, image.shape[-1], rng)
    colour = torch.from_numpy(rng.uniform(0, 0.25 if kind == "sunglasses" else 1, (3, 1, 1))).float()
    if kind == "hand":  # about the colour of skin, most often
        colour = (image.flatten(1).median(1).values[:, None, None] * rng.uniform(0.7, 1.3)).clamp(0, 1)
    fill = colour.expand_as(image)
    if other is not None and rng.random() < 0.4:
        fill = other.roll(tuple(int(v) for v in rng.integers(-40, 40, 2)), (1, 2))
    elif rng.random() < 0.6:
        fill = noisy(fill, rng.uniform(0.02, 0.1), rng)
    glass = rng.uniform(0.7, 1) if kind == "sunglasses" else 1.0
    return torch.where(where, fill * glass + image * (1 - glass), image)


def worn(image: torch.Tensor, rng: np.random.Generator, other: torch.Tensor | None = None) -> torch.Tensor:
    """A random mixture of all of it, for training; one picture in eight is left as it is."""
    if rng.random() < 0.125:
        return image
    if rng.random() < 0.3:
        image = covered(image, rng, other)
    if rng.random() < 0.7:
        image = toned(image, rng)
    if rng.random() < 0.2:
        along = rng.uniform(0, np.pi) if rng.random() < 0.4 else None
        image = soft(image, rng.uniform(0.5, 2.0) * image.shape[-1] / 128, along)
    if rng.random() < 0.3:
        image = noisy(image, rng.uniform(0.01, 0.1), rng)
    quality = int(rng.uniform(12, 80)) if rng.random() < 0.45 else None
    if rng.random() < 0.45:
        return small(image, float(np.exp(rng.uniform(np.log(20), np.log(60)))), quality, rng.random() < 0.6)
    return image if quality is None else jpeg(image, quality)


def askew(images: torch.Tensor, rng: torch.Generator, strength: float = 1.0) -> torch.Tensor:
    """Pictures [B, 3, S, S] as wrong landmarks would align them, half of them mirrored."""
    b, size = len(images), images.shape[-1]
    n = lambda *s: torch.randn(*s, generator=rng) * strength  # noqa: E731
    angle, scale, move = n(b) * 0.05, torch.exp(n(b) * 0.04), n(b, 2) * 0.014 * size
    flip = torch.where(torch.rand(b, generator=rng) < 0.5, 1.0, -1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    linear = torch.stack([torch.stack([cos * flip, -sin], 1), torch.stack([sin * flip, cos], 1)], 1)
    centre = torch.tensor([0.5 * size, 0.56 * size])[None, :, None].expand(b, 2, 1)
    shift = centre - linear @ centre + move[..., None]
    return warp_affine(images, torch.cat([linear, shift], 2), (size, size), padding_mode="border")
