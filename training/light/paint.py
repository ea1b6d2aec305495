"""Samples: a portrait in drawn light, in a picture of any quality, and the gain that takes that light away again."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from ...modules.faces.lights import FAINT, GAMMA
from ..front.marks import MARKS, coloured, gleams, shadow
from ..ladder import ill_aligned
from ..portrait import FRAME, MARGIN
from ..synth.degrade import jpeg, noisy, soft, toned
from . import lamps
from .people import Model

UNTOUCHED = 0.15  # share of portraits in their own light
OWN = [mark for mark in MARKS if mark not in (shadow, gleams, coloured)]  # what is no light: make-up, freckles, stubble, lines
MARKED = 0.15  # how often each is drawn
MOST = 2.5  # of the gain's logarithm that is asked for
BESIDE = 0.15  # what is a pixel beside the face counts


class Sample(NamedTuple):
    image: torch.Tensor  # [3, S, S] 0..1
    other: torch.Tensor  # [4, S, S]: the face as its mirror image shows it, and where it does
    place: torch.Tensor  # [3, S, S]
    gain: torch.Tensor  # [3, S, S] logarithm of the gain of linear light that makes light soft, its mean over the face 0
    weight: torch.Tensor  # [S, S]


class Painter:
    """Draws samples from models."""

    def __init__(self, models: list[Model], size: int):
        self.models, self.size = models, size

    def sample(self, rng: np.random.Generator, light=lamps.drawn, worn: bool = True, who: Model | None = None) -> Sample:
        """light: draws the field over a model; None: its own. worn: whether the picture's quality is reduced, too."""
        who = who or self.models[int(rng.integers(len(self.models)))]
        image = who.image.astype(np.float32) / 255
        for mark in OWN if worn else ():
            if rng.random() < MARKED:
                image = mark(image, rng, who.points).clip(0, 1)
        image = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float()
        if worn and rng.random() < 0.5:
            image = toned(image, rng, 0.5)
        face = torch.from_numpy(who.place[2].astype(np.float32))
        if light is None or (worn and rng.random() < UNTOUCHED):
            plain = seen = image
        else:
            plain, seen = exposed(image, light(who, rng), face, rng)
        gain = torch.log(plain**GAMMA + FAINT) - torch.log(seen**GAMMA + FAINT)
        seen = _worn(seen, rng) if worn else seen
        return self.framed(who, seen, gain, rng if worn else None)

    def framed(self, who: Model, image: torch.Tensor, gain: torch.Tensor, rng: np.random.Generator | None) -> Sample:
        """In the frame, ill aligned as by wrong landmarks, half of them mirrored; without rng as it is."""
        size, side, margin = self.size, len(who.image), MARGIN * self.size / FRAME
        place, at = torch.from_numpy(who.place.astype(np.float32)), torch.from_numpy(who.other.astype(np.float32))
        face = place[2:]
        if rng is not None:
            at = at + bent(side, rng, 2.0) * side / 352
        other = _read(image, at) * face
        linear, shift, flip = ill_aligned(size, margin, rng, 0.06)
        axis = torch.arange(size) + 0.5
        here = torch.stack([*torch.meshgrid(axis, axis, indexing="xy"), torch.ones(size, size)], 0)
        at = torch.tensor(np.concatenate([linear, shift[:, None]], 1), dtype=torch.float32) @ here.flatten(1)
        drawn = _read(torch.cat([image, other, face, place, gain]), at.view(2, size, size))
        place = drawn[7:10] * torch.tensor([flip, 1.0, 1.0])[:, None, None]
        face = (drawn[9] > 0.5).float()
        mean = (drawn[10:] * face).sum((1, 2), keepdim=True) / face.sum().clamp_min(1)
        near = F.max_pool2d(face[None], 3, 1, 1)[0]
        return Sample(drawn[:3], drawn[3:7], place, (drawn[10:] - mean).clamp(-MOST, MOST), BESIDE * near + (1 - BESIDE) * face)


def exposed(image: torch.Tensor, field: lamps.Field, face: torch.Tensor, rng: np.random.Generator):
    """The portrait [3, W, W] as it was and in drawn light, through one camera: [3, W, W] each.

    Light leaves the face about as bright as it was, or darker; what it burns is white, what it leaves out black.
    """
    linear = image**GAMMA
    gain, gleam = (torch.from_numpy(np.ascontiguousarray(x, np.float32)) for x in field)
    lit = linear * gain + gleam * 0.5
    weight = face / face.sum().clamp_min(1)
    level = lambda x: (torch.log(x.mean(0) + FAINT) * weight).sum()  # noqa: E731
    step = float(level(linear) - level(lit)) + rng.normal(-0.1, 0.4)
    for _ in range(2):  # what is nearly black makes the first guess too bright
        step += 0.7 * float(level(linear) + min(rng.normal(-0.1, 0.3), 0.4) - level((lit * np.exp(step)).clamp(0, 1)))
    lit = lit * float(np.exp(np.clip(step, -4, 4)))
    if rng.random() < 0.5:  # what is beside the face is dark
        around = F.avg_pool2d(face[None], 5, 1, 2)[0]
        lit = lit * torch.lerp(torch.tensor(float(np.exp(-rng.uniform(0, 3)))), torch.tensor(1.0), around)
    if rng.random() < 0.4:  # film: bright parts lose contrast in place of burning
        white = rng.uniform(1.0, 2.5)
        lit = lit * (1 + lit / white**2) / (1 + lit)
    lit, plain = lit.clamp(0, 1) ** (1 / GAMMA), image
    if rng.random() < 0.5:  # contrast and colours of the picture as a whole
        black, power, saturation = rng.uniform(-0.03, 0.06), np.exp(rng.normal(0, 0.15)), np.clip(rng.normal(1, 0.25), 0, 1.6)
        if rng.random() < 0.12:
            saturation = 0.0
        graded = []
        for x in (plain, lit):
            x = ((x - black) / (1 - black)).clamp(0, 1) ** float(power)
            graded.append(torch.lerp(x.mean(0, keepdim=True).expand_as(x), x, float(saturation)).clamp(0, 1))
        plain, lit = graded
    return plain, lit


def bent(size: int, rng: np.random.Generator, most: float) -> torch.Tensor:
    """How far landmarks are off [2, size, size], pixels of the 352 px picture: smooth."""
    field = torch.from_numpy(rng.standard_normal((1, 2, 4, 4)).astype(np.float32)) * float(rng.uniform(0, most))
    return F.interpolate(field, size=size, mode="bilinear", align_corners=False)[0]


def _read(fields: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """Fields [C, W, W] at places [2, S, S] in their pixels."""
    grid = (at.permute(1, 2, 0) * 2 / fields.shape[-1] - 1)[None]
    return F.grid_sample(fields[None], grid, padding_mode="border", align_corners=False)[0]


def _worn(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """In half of the cases as good as it was; else unsharp, noisy, compressed."""
    if rng.random() < 0.15:
        image = soft(image, rng.uniform(0.4, 0.8))
    if rng.random() < 0.25:
        image = noisy(image, float(np.exp(rng.uniform(np.log(0.005), np.log(0.05)))), rng)
    return jpeg(image, int(rng.uniform(50, 95))) if rng.random() < 0.15 else image
