"""Samples: a bare face, perhaps marked, with things drawn before it, in a picture of any quality, and where they are."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from ...modules.affine import FRAME
from ..ladder import ill_aligned
from ..portrait import MARGIN
from ..synth.degrade import jpeg, noisy, small, toned
from ..synth.degrade import soft as unsharp
from . import clothes, hands, strands, things
from .canvas import Layer, soft
from .marks import marked
from .people import Sitter

KINDS = {  # how often each is drawn
    "hand": 0.24, "microphone": 0.07, "phone": 0.05, "food": 0.06, "stick": 0.05, "shape": 0.08, "glasses": 0.12, "dark": 0.05,
    "mask": 0.05, "scarf": 0.04, "brim": 0.05, "strands": 0.12, "fringe": 0.06, "lock": 0.04, "curtain": 0.04, "cut": 0.05,
}  # fmt: skip
UNSEEN = ("cup", "flower")  # never drawn in training: does it find what it does not know?
BARE, SECOND = 0.3, 0.2  # share of faces with nothing before them, and of the others with two things
WHERE = (13, 152, 205, 425, 4, 9, 159, 386, 61, 291, 50, 280)  # face points about which things are held
CHEEKS = (50, 280, 205, 425, 117, 346, 36, 266)
LEFT_OF = 0.06  # what is outside the face counts in the loss, and
THIN = 3.0  # what is up to six pixels wide counts so much more
RIM = 0.3  # what is near its border, where hair begins


class Sample(NamedTuple):
    image: torch.Tensor  # [3, S, S] 0..1
    place: torch.Tensor  # [3, S, S], see `people.place_map`, as landmarks of a covered face would put it
    label: torch.Tensor  # [S, S] 0..1 what is in front
    weight: torch.Tensor  # [S, S]
    face: torch.Tensor  # [S, S] bool, the true place


class Painter:
    """Draws samples from sitters: bare ones are painted over, all give textures, hair of the others is laid over."""

    def __init__(self, sitters: list[Sitter], size: int, mirror: torch.Tensor):
        """mirror [478]: each face point's like on the other side."""
        self.size, self.all, self.mirror = size, sitters, mirror.numpy()
        self.bare = [s for s in sitters if s.bare]
        often = np.array([s.often for s in self.bare])
        self.often = often / often.sum()
        self.haired = [s for s in sitters if not s.bare and s.doubt.sum() > 0.01 * s.doubt.size]

    def sample(self, rng: np.random.Generator, kinds: tuple[str, ...] | None = None, worn: bool = True) -> Sample:
        """kinds: what is drawn, in this order; None: by chance. worn: whether the picture's quality is, too."""
        image, place, doubt, points = self.seen(self.bare[int(rng.choice(len(self.bare), p=self.often))], rng)
        seen_as = _misplaced(place, rng)
        image = marked(image, rng, points)
        if kinds is None:
            count = 0 if rng.random() < BARE else 1 + (rng.random() < SECOND)
            chance = np.array(list(KINDS.values()))
            kinds = tuple(rng.choice(list(KINDS), count, p=chance / chance.sum()))
        label, known = np.zeros((self.size, self.size), np.float32), np.ones((self.size, self.size), bool)
        for kind in kinds:
            layer = self.layer(str(kind), rng, image, points)
            image, mine = _over(image, layer, rng), layer.alpha if layer.label is None else layer.label
            label = np.maximum(np.where(mine < 0, label, mine), label * (1 - layer.alpha))
            known &= mine >= 0
        picture = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float()
        face = torch.from_numpy(place[2] > 0.5)
        unnamed = torch.from_numpy((doubt & (label < 0.5)) | ~known)
        weight = _weight(face, torch.from_numpy(label)) * ~unnamed
        picture = _worn(picture, rng) if worn else picture
        return Sample(picture, torch.from_numpy(seen_as), torch.from_numpy(label), weight, face)

    def seen(self, who: Sitter, rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """A sitter in the frame, ill aligned as by wrong landmarks, half of them mirrored: picture, place, doubt, points in
        shares of the side. Without rng as it is.
        """
        size, side, margin = self.size, len(who.image), MARGIN * self.size / FRAME
        linear, shift, flip = ill_aligned(size, margin, rng, 0.05)
        theta = torch.tensor(np.concatenate([linear, shift[:, None]], 1), dtype=torch.float32)
        axis = torch.arange(size) + 0.5
        here = torch.stack([*torch.meshgrid(axis, axis, indexing="xy"), torch.ones(size, size)], -1)
        at = (here @ theta.T) * 2 / side - 1
        picture = torch.from_numpy(who.image).permute(2, 0, 1).float() / 255
        place = torch.from_numpy(who.place).float()
        both = torch.cat([picture, place, torch.from_numpy(who.doubt)[None].float()])[None]
        drawn = F.grid_sample(both, at[None], padding_mode="border", align_corners=False)[0].numpy()
        drawn[3] *= flip
        points = (who.points - shift) @ np.linalg.inv(linear).T / size
        points = points if flip > 0 else points[self.mirror]
        return drawn[:3].transpose(1, 2, 0), drawn[3:6], drawn[6] > 0.5, points

    def layer(self, kind: str, rng: np.random.Generator, image: np.ndarray, points: np.ndarray) -> Layer:
        size, target = self.size, points[int(rng.choice(WHERE))] + rng.normal(0, 0.05, 2)
        if kind in ("hand", "microphone", "phone", "food", "stick"):
            if kind == "hand":
                return hands.hand(size, rng, self.skin(rng, image, points), target)
            return getattr(things, kind)(size, rng, target)
        if kind in UNSEEN:
            return getattr(things, kind)(size, rng, points[13] + rng.normal(0, 0.06, 2))
        if kind in ("glasses", "dark"):
            return clothes.glasses(size, rng, points, kind == "dark")
        if kind == "mask":
            return clothes.mask(size, rng, points)
        if kind in ("strands", "fringe", "lock", "curtain"):
            own = np.median(_around(image, points[10] - [0, 0.08], 0.03), 0)
            if kind == "strands":
                return strands.strands(size, rng, points, own)
            return strands.bundle(size, rng, points, own, kind)
        if kind == "cut" and self.haired:
            picture, _, found, _ = self.seen(self.haired[int(rng.integers(len(self.haired)))], None)
            turn = slice(None, None, int(rng.choice((-1, 1))))
            return strands.cut(size, picture[:, turn], found[:, turn].astype(np.float32))
        other = self.seen(self.all[int(rng.integers(len(self.all)))], None)[0]
        if kind == "scarf":
            return clothes.scarf(size, rng, points, other)
        if kind == "brim":
            return clothes.brim(size, rng, points, other)
        return things.shape(size, rng, target, other)

    def skin(self, rng: np.random.Generator, image: np.ndarray, points: np.ndarray) -> np.ndarray:
        """The colour of the person's own skin [3], or another's."""
        if rng.random() < 0.3:
            image, _, _, points = self.seen(self.bare[int(rng.integers(len(self.bare)))], None)
        return np.quantile(np.concatenate([_around(image, points[k], 0.02) for k in CHEEKS]), rng.uniform(0.4, 0.8), 0)


def _around(image: np.ndarray, at: np.ndarray, reach: float) -> np.ndarray:
    """Pixels [N, 3] about a place."""
    size = len(image)
    x, y, r = int(at[0] * size), int(at[1] * size), max(1, int(reach * size))
    x, y = min(max(x, r), size - r - 1), min(max(y, r), size - r - 1)
    return image[y - r : y + r + 1, x - r : x + r + 1].reshape(-1, 3)


def _over(image: np.ndarray, layer: Layer, rng: np.random.Generator) -> np.ndarray:
    """A layer over a picture, with the shadow that it throws."""
    dark = np.roll(layer.alpha, tuple(rng.integers(-6, 9, 2)), (0, 1))
    dark = soft(dark, rng.uniform(0.008, 0.05))[..., None] * layer.shadow * 0.8
    alpha = layer.alpha[..., None]
    return image * (1 - dark) * (1 - alpha) + layer.colour * alpha


def _misplaced(place: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The place map as landmarks of a covered face would put it: moved, scaled, and bent a little."""
    size = place.shape[-1]
    field = torch.from_numpy(rng.standard_normal((1, 2, 4, 4)).astype(np.float32)) * float(rng.choice((0.5, 1.5, 3.0)))
    bent = F.interpolate(field, size=size, mode="bicubic", align_corners=False)[0].permute(1, 2, 0)
    axis = torch.arange(size) + 0.5
    here = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    middle, scale = size * torch.tensor([0.5, 0.56]), torch.from_numpy(np.exp(rng.normal(0, 0.025, 2))).float()
    at = (here - middle) * scale + middle + bent
    return F.grid_sample(torch.from_numpy(place)[None], (at * 2 / size - 1)[None], align_corners=False)[0].numpy()


def _weight(face: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """How much each pixel counts: the inner face fully, its rim and what is beside it less; what is thin, and few, more."""
    inner = -F.max_pool2d(-face[None, None].float(), 9, 1, 4)[0, 0]
    free = torch.where(inner > 0, 1.0, torch.where(face, RIM, LEFT_OF))
    there = (label > 0.3).float()[None, None]
    thin = there - F.max_pool2d(-F.max_pool2d(-there, 7, 1, 3), 7, 1, 3)
    return torch.where(label > 0.5, torch.where(face, 1.0, 0.25), free) * (1 + THIN * thin[0, 0].clamp(0, 1))


def _worn(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """In half of the cases as good as it was; else toned, unsharp, noisy, small, compressed."""
    if rng.random() < 0.4:
        image = toned(image, rng, 0.6)
    if rng.random() < 0.15:
        along = rng.uniform(0, np.pi) if rng.random() < 0.4 else None
        image = unsharp(image, rng.uniform(0.4, 1.5), along)
    if rng.random() < 0.15:
        image = noisy(image, rng.uniform(0.01, 0.06), rng)
    if rng.random() < 0.15:
        image = small(image, float(np.exp(rng.uniform(np.log(40), np.log(105)))))
    return (jpeg(image, int(rng.uniform(25, 92))) if rng.random() < 0.4 else image).clamp(0, 1)
