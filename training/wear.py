"""Worn guides: coarse warps with faults put in on purpose, so that a network must mend them and read what it is told.

What a blanked mouth, a hidden half or a face of 40 pixels does not show is in the tokens alone: who it is, and what it feels.
Pictures are [3, S, S] 0..1 in the canonical frame; lengths are in pixels of a frame of 256.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ..modules.affine import FRAME
from ..modules.warp.light import gained
from ..modules.warp.masks import blurred, fill, grow
from ..modules.warp.mesh import Mesh
from .synth.degrade import small

LIPS = (61, 291, 0, 17)
EYES = ((33, 133, 159, 145), (362, 263, 386, 374))
MIDDLE = 10, 152  # top of the forehead, chin
COUNTS = (0.5, 0.3, 0.2)  # shares of guides with one, two and three faults
SMALLEST, WIDEST = 40.0, 130.0  # pixels of a face that is blurred
GREY = 0.3  # share of blanked parts that are plain grey; in the others their surroundings go on


@dataclass(frozen=True, eq=False)
class Guide:
    """A coarse warp, the face in it, what is repainted [S, S], and another picture [3, S, S] to borrow from."""

    image: torch.Tensor
    mesh: Mesh
    mask: torch.Tensor
    other: torch.Tensor

    @property
    def pixel(self) -> float:
        return len(self.mask) / FRAME

    @property
    def face(self) -> torch.Tensor:
        """Where the face is [S, S], 0 or 1."""
        return self.mesh.covered.float()

    def soft(self, region: torch.Tensor, pixels: float) -> torch.Tensor:
        """A region [S, S] with a soft edge, inside the mask."""
        return blurred(region[None, None], max(pixels * self.pixel, 0.5))[0, 0] * self.mask

    def oval(self, points: tuple[int, ...], reach: float) -> torch.Tensor:
        """An oval [S, S], 0 or 1, round face points, as wide and high as they are times `reach`."""
        at = self.mesh.points[list(points), :2]
        middle, half = (at.amax(0) + at.amin(0)) / 2, (at.amax(0) - at.amin(0)) / 2
        half = torch.maximum(half, 0.35 * half.amax()) * reach
        return (((self.places() - middle) / half) ** 2).sum(-1).lt(1).float()

    def places(self) -> torch.Tensor:
        """x, y of all pixels [S, S, 2]."""
        axis = torch.arange(len(self.mask)) + 0.5
        return torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)

    def blanked(self, region: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """The picture without a region [S, S] 0..1: grey there, or its surroundings smoothly continued."""
        inside = torch.full_like(self.image, 0.5)
        if rng.random() >= GREY:
            inside = fill(self.image[None], (1 - region)[None, None])[0]
        return torch.lerp(self.image, inside, region)


def no_mouth(guide: Guide, rng: np.random.Generator) -> torch.Tensor:
    return guide.blanked(guide.soft(guide.oval(LIPS, rng.uniform(1.1, 1.6)), 2), rng)


def no_eyes(guide: Guide, rng: np.random.Generator) -> torch.Tensor:
    """One or both."""
    chosen = EYES if rng.random() < 0.6 else EYES[int(rng.integers(2)) :][:1]
    region = torch.stack([guide.oval(eye, rng.uniform(1.3, 2.2)) for eye in chosen]).amax(0)
    return guide.blanked(guide.soft(region, 2), rng)


def one_half(guide: Guide, rng: np.random.Generator) -> torch.Tensor:
    """The other side of a line from forehead to chin is missing."""
    top, chin = guide.mesh.points[list(MIDDLE), :2]
    way, off = chin - top, guide.places() - top
    side = off[..., 0] * way[1] - off[..., 1] * way[0]
    sign, aside = (1.0 if rng.random() < 0.5 else -1.0), rng.uniform(0, 0.25) * way.norm() * guide.face.sum().sqrt()
    return guide.blanked(guide.soft((side * sign > aside).float() * guide.face, 3), rng)


def tone_border(guide: Guide, rng: np.random.Generator) -> torch.Tensor:
    """The face in another tone than its surroundings, with an edge."""
    region = guide.soft(grow(guide.face[None, None], rng.uniform(-12, 6) * guide.pixel)[0, 0], rng.uniform(1, 5))
    gain = np.exp(rng.normal(0, 0.3) + rng.normal(0, 0.08, 3))
    return gained(guide.image, torch.from_numpy(gain).float()[:, None, None] ** region)


def wrong_light(guide: Guide, rng: np.random.Generator) -> torch.Tensor:
    """Light from one side."""
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.8)
    way = torch.tensor([np.cos(angle), np.sin(angle)]).float() * strength
    across = ((guide.places() / len(guide.mask) - 0.5) * 3).clamp(-1, 1) @ way
    return gained(guide.image, torch.exp(across * guide.soft(guide.face, 4)))


def blots(guide: Guide, rng: np.random.Generator) -> torch.Tensor:
    """Spots of a neighbouring colour, or of another picture."""
    image, inside = guide.image, guide.face.nonzero()
    for _ in range(int(rng.integers(1, 4))):
        y, x = inside[int(rng.integers(len(inside)))].tolist()
        size = torch.from_numpy(rng.uniform(5, 24, 2)).float() * guide.pixel
        spot = (((guide.places() - torch.tensor([x, y])) / size) ** 2).sum(-1).lt(1).float()
        share = guide.soft(spot, rng.uniform(1, 5)) * rng.uniform(0.4, 1)
        colour = guide.other if rng.random() < 0.3 else image[:, y, x, None, None] * rng.uniform(0.5, 1.4)
        image = torch.lerp(image, colour.expand_as(image).clamp(0, 1), share)
    return image


def blur(guide: Guide, rng: np.random.Generator) -> torch.Tensor:
    """As if the selfie's face had been 40 to 130 pixels wide."""
    face = float(np.exp(rng.uniform(np.log(SMALLEST), np.log(WIDEST))))
    return torch.lerp(guide.image, small(guide.image, face), guide.soft(guide.mask, 3))


def fringe(guide: Guide, rng: np.random.Generator) -> torch.Tensor:
    """Hair that was cut off: a band over the forehead in the colour of what is above it, or of another picture."""
    top, chin = guide.mesh.points[list(MIDDLE), 1]
    at, low = guide.places(), top + rng.uniform(0.06, 0.24) * (chin - top)
    edge = low + 4 * guide.pixel * torch.sin(at[..., 0] / guide.pixel * rng.uniform(0.05, 0.5) + rng.uniform(0, 6))
    region = guide.soft((at[..., 1] < edge).float() * guide.face, rng.uniform(0.5, 3))
    row = max(int(top) - 6, 0)
    hair = guide.image[:, row : row + 6].mean((1, 2))[:, None, None].expand_as(guide.image)
    return torch.lerp(guide.image, guide.other if rng.random() < 0.4 else hair, region)


def other_rim(guide: Guide, rng: np.random.Generator) -> torch.Tensor:
    """Around the face, and at its rim, another picture."""
    inner = grow(guide.face[None, None], -rng.uniform(0, 9) * guide.pixel)[0, 0]
    return torch.lerp(guide.image, guide.other, guide.soft((1 - inner) * guide.mask, rng.uniform(1, 4)))


FAULTS = (no_mouth, no_eyes, one_half, tone_border, wrong_light, blots, blur, fringe, other_rim)


def worn(guide: Guide, rng: np.random.Generator) -> torch.Tensor:
    """The guide with one to three of the faults, drawn at random; nothing changes outside the mask."""
    count = 1 + int(rng.choice(len(COUNTS), p=COUNTS))
    for k in rng.choice(len(FAULTS), count, replace=False):
        image = torch.lerp(guide.image, FAULTS[int(k)](guide, rng), guide.mask)
        guide = Guide(image.clamp(0, 1), guide.mesh, guide.mask, guide.other)
    return guide.image
