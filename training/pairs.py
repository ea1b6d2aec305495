"""Training pairs: a target portrait, a selfie of the same person that differs from it, and what the nodes would make of both.

Targets are unmodified portraits first; re-expressed ones add expressions that photographs lack. The selfie is always another
rendering of the person: other expression, pose, light and quality. Coarse warp and mask come from the code that runs in the
nodes.

    python -m training pairs --data DATA --out runs/pairs --seed 0
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ..modules.affine import mirrored
from ..modules.encoders.expression import compound
from ..modules.faces.landmarker import landmarks_in_crop
from ..modules.faces.morphable import FaceShape
from ..modules.faces.networks import FaceNetworks
from ..modules.labels import MIRROR
from ..modules.types import Face
from ..modules.warp.coarse import BackgroundFace
from ..modules.warp.long_beard import BELOW
from ..modules.warp.masks import grow
from ..modules.warp.mesh import Mesh
from ..modules.warp.mouth import MOUTH
from .cross_identity import COLOUR, asked, cross_pictures
from .drafts import drawn, mask_of, mesh_of, shaven
from .portrait import FRAME, MARGIN, Portrait, margin
from .shape import load_shape
from .synth.codes import random_code
from .synth.degrade import jpeg, noisy, resized
from .synth.light import Light, relit
from .synth.reenact import moved_points, redraw_person
from .synth.render import SMEAR
from .wear import Guide, worn

KINDS = 3, 2, 3  # of each person: pairs whose target is the portrait, a re-expressed one, and in somebody else's place
STRONG_SELFIES = 0.3  # share of selfies with a strong expression: people laugh at cameras
OFFSET_NOISE = 0.05  # of the geometry: how far the neutral face measured on another photo is off
TURNED = 15.0  # degrees between the heads of a person and of whom the place is
SELFIE = 128  # side of the selfie crop that the encoders see


@dataclass(frozen=True, eq=False)
class Rendering:
    """A face of one person in the canonical frame of S pixels, untouched or drawn."""

    face: Face
    code: torch.Tensor  # [52 + K]: known where it was drawn, measured (not yet regressed, see `regressor.py`) on the portrait
    mouth: torch.Tensor  # [S, S] 1 where the mouth interior was painted, not photographed


def read(portrait: Portrait, flip: bool, mirror: torch.Tensor, size: int = FRAME) -> tuple[torch.Tensor, ...]:
    """Wide picture, points and coefficients of a portrait for a frame of `size` pixels, mirrored if asked."""
    image = torch.from_numpy(portrait.wide(size).copy()).permute(2, 0, 1).float() / 255
    points, code = portrait.points() * (size / FRAME), torch.from_numpy(portrait.blendshapes).clone()
    code[0] = 0
    return (*mirrored(image, points, mirror), code[list(MIRROR)]) if flip else (image, points, code)


def degraded(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """A selfie as people have them: sometimes small, soft, noisy or compressed."""
    if rng.random() < 0.35:
        image, full = resized(image, int(rng.uniform(0.35, 0.9) * image.shape[-1])), image.shape[-1]
        image = resized(image, full, smooth=False)
    if rng.random() < 0.3:
        image = noisy(image, rng.uniform(0.005, 0.03), rng)
    return jpeg(image, int(rng.uniform(30, 85))) if rng.random() < 0.3 else image.clamp(0, 1)


class PairMaker:
    """`people`: whom the pairs are made of; `size`: pixels of the frame; `kinds`: see KINDS."""

    def __init__(
        self, people: list[Portrait], networks: FaceNetworks, shape: FaceShape, size: int = FRAME, kinds: tuple = KINDS
    ):
        self.networks, self.shape, self.people, self.topology, self.kinds = networks, shape, people, networks.topology, kinds
        self.other = torch.full((3, size, size), 0.5)  # the picture before, for worn guides to borrow from
        self.mirror, self.size, self.margin = networks.mirror, size, margin(size)
        self.pixel = size / FRAME  # lengths below are in pixels of a frame of 256
        self.offset = torch.tensor([self.margin, self.margin, 0.0])

    def renderings(self, image, points, fit, coefficients, rngs, selfie: bool) -> list[Rendering]:
        """The person of the wide picture [3, W, W] with each of the coefficients, [52] for each generator in `rngs`;
        selfies are turned and relit as well.
        """
        count = len(rngs)
        turns = [(rng.uniform(-18, 18), rng.uniform(-8, 8)) if selfie else (0.0, 0.0) for rng in rngs]
        yaw, pitch = torch.tensor(turns, dtype=torch.float64).unbind(1)
        codes = compound(self.shape, torch.stack(coefficients))
        image, points = image.expand(count, -1, -1, -1), points.expand(count, -1, -1)
        after = moved_points(self.shape, fit.expanded(count), points, codes[:, 52:], yaw, pitch)
        pictures, mesh = redraw_person(image, points, after, self.topology, self.margin, smear=SMEAR)
        if selfie:
            pictures = relit(pictures, mesh, Light.stack([Light.soft(rng) for rng in rngs]))
        mouths = MOUTH.inside(mesh)
        rows = zip(pictures, mesh.points, codes, mouths, strict=True)
        return [Rendering(Face(picture, at, code[:52]), code, mouth) for picture, at, code, mouth in rows]

    def selfie(self, rendering: Rendering, neutral: torch.Tensor, rng) -> Face:
        """The selfie as the Identity Encoder knows it: degraded, measured again, with nearly the offset that leads to the true
        neutral face [1, 478, 3]. Drawing and measuring each selfie would cost more than all the rest.
        """
        image = degraded(rendering.face.image, rng)
        points, _, code = landmarks_in_crop(self.networks, image[None])
        code = code[0].clone()
        code[0] = 0
        face = self.shape.face(image, points[0], code)
        offset = self.shape.geometry_of(neutral - self.shape.neutral(face.fit))
        offset = offset + torch.from_numpy(rng.normal(0, OFFSET_NOISE, offset.shape))
        return replace(face, fit=replace(face.fit, neutral_offset=offset))

    def background(self, face: Face, below: torch.Tensor | None = None) -> BackgroundFace:
        """below [3, h, S]: of the face's picture, below its frame."""
        return BackgroundFace.of(self.shape.face(face.image, face.points, face.code), self.topology, below)

    def mask(self, background: BackgroundFace, mesh: Mesh, rng) -> torch.Tensor:
        """Grown by a random amount, often joined with a stranger's silhouette, so that its outline does not tell the face."""
        mask = mask_of(background, mesh, rng.uniform(4, 16))
        if rng.random() < 0.6:
            other = self.people[int(rng.integers(len(self.people)))]
            points = other.points() - torch.tensor([MARGIN, MARGIN, 0.0])
            shifted = (points + torch.tensor([*rng.uniform(-4, 4, 2), 0.0]).float()) * self.pixel
            extra = Mesh.of(shifted, self.topology, self.size).covered.float()
            mask = torch.maximum(mask, grow(extra[None, None], rng.uniform(0, 10) * self.pixel)[0, 0])
        return mask

    def pair(self, target: Rendering, shown: Rendering, neutral, person: int, synthetic: bool, rng) -> dict:
        """`shown`: the rendering that becomes the selfie. `synthetic`: the target is a rendering, not the portrait.

        The guide is drawn on the target's own points: what it shows stands where it stands in the target.
        """
        background, selfie = self.background(target.face), self.selfie(shown, neutral, rng)
        mask = self.mask(background, background.mesh, rng)
        how = {"colour": rng.uniform(0.4, 1.0), "border": rng.uniform(3, 9)}
        guides = self.guides(selfie, background, background.mesh, mask, target.code[52:], rng, how)
        pictures = {"target": target.face.image, **guides, "doubtful": target.mouth * float(synthetic)}
        return self.row(pictures, mask, target.code, selfie, shown, person, synthetic)

    def guides(self, selfie: Face, background: BackgroundFace, mesh: Mesh, mask, geometry, rng, how: dict) -> dict:
        """"warp": a coarse warp of the selfie as the nodes draw it; "worn": the same, or one drawn otherwise, with faults."""
        warp = drawn(self.shape, selfie, background, mesh, mask, geometry, **how)
        other = warp
        if rng.random() < 0.5:
            changed = {"colour": rng.uniform(0, 1), "rim": bool(rng.integers(2)), "wrinkles": rng.uniform(0, 0.7)}
            other = drawn(self.shape, selfie, background, mesh, mask, geometry, **{**how, **changed})
        guide, self.other = Guide(other, mesh, mask, self.other), background.face.image
        return {"warp": warp, "worn": worn(guide, rng)}

    def cross(self, own: Rendering, shown: Rendering, neutral, person: int, yaw: float, rng) -> dict:
        """The person in the place of another one of training, see `cross_identity.py`; `shown` becomes the selfie."""
        selfie = self.selfie(shown, neutral, rng)
        background = shaven(selfie, self.stranger(person, yaw, rng))
        code = asked(self.shape, rng)
        mesh = mesh_of(self.shape, selfie, background, code[52:])
        mask = self.mask(background, mesh, rng)
        pictures = cross_pictures(self.shape, own.face, background, mesh, mask, code[52:])
        how = {"colour": rng.uniform(*COLOUR), "border": rng.uniform(3, 9)}
        pictures |= self.guides(selfie, background, mesh, mask, code[52:], rng, how)
        return self.row(pictures, mask, code, selfie, shown, person, True)

    def stranger(self, person: int, yaw: float, rng) -> BackgroundFace:
        """Somebody else of these people, the head turned about as far: what a photo does not show is no target."""
        flip = bool(rng.integers(2))
        others = [k for k in range(len(self.people)) if k != person]
        near = [k for k in others if abs(self.people[k].yaw * (-1 if flip else 1) - yaw) < TURNED] or others
        wide, points, code = read(self.people[int(rng.choice(near))], flip, self.mirror, self.size)
        below = wide[:, self.margin + self.size :, self.margin : self.margin + self.size]
        return self.background(Face(self.inner(wide), points - self.offset, code), below[:, : round(BELOW * self.pixel)])

    def inner(self, wide: torch.Tensor) -> torch.Tensor:
        """[3, W, W] -> the frame [3, S, S]."""
        return wide[:, self.margin : self.margin + self.size, self.margin : self.margin + self.size]

    def row(self, pictures, mask, code, selfie: Face, shown: Rendering, person, synthetic) -> dict[str, torch.Tensor]:
        """What is stored of a pair; pictures as bytes. `pictures`: "target", "warp", "worn", "doubtful": where the target is
        not to be believed.
        """
        byte = lambda x: (x.clamp(0, 1) * 255).round().byte()  # noqa: E731
        return {
            "target": byte(pictures["target"]),
            "warp": byte(pictures["warp"]),
            "worn": byte(pictures["worn"]),
            "mask": byte(mask),
            "painted": byte(F.avg_pool2d(pictures["doubtful"][None, None], 8)[0, 0]),
            "selfie": byte(F.interpolate(selfie.image[None], size=SELFIE, mode="area")[0]),
            "code": code.float(),
            "person": torch.tensor(person),
            "synthetic": torch.tensor(synthetic),
            "selfie_code": shown.code[:52].float(),
            "selfie_measured": torch.cat([selfie.code, self.shape.own_geometry(selfie.fit)[0].float()]),
        }

    def person(self, number: int, flip: bool, seed: list[int]) -> list[dict[str, torch.Tensor]]:
        """The pairs of one person; each has random numbers of its own, from `seed` and its place among them."""
        wide, points, measured = read(self.people[number], flip, self.mirror, self.size)
        inner, blank = self.inner(wide), torch.zeros(self.size, self.size)
        face = self.shape.face(inner, points - self.offset, measured)
        fit = self.shape.fit(points[None], measured[None])
        own = Rendering(face, torch.cat([measured, self.shape.own_geometry(fit)[0].float()]), blank)
        neutral = self.shape.neutral(fit)
        code = lambda rng, strong: torch.from_numpy(random_code(rng, strong))  # noqa: E731
        real, synthetic, crossed = self.kinds
        rngs = [np.random.default_rng([*seed, k]) for k in range(sum(self.kinds))]
        drawn_from = rngs[real : real + synthetic]
        codes = [code(rng, True) for rng in drawn_from]
        targets = self.renderings(wide, points, fit, codes, drawn_from, False) if synthetic else []
        codes = [code(rng, rng.random() < STRONG_SELFIES) for rng in rngs]
        selfies = self.renderings(wide, points, fit, codes, rngs, True)
        if synthetic:
            selfies[real] = own  # once the untouched portrait is the selfie
        rows = zip([own] * real + targets, selfies, rngs, strict=False)
        pairs = [self.pair(aim, shown, neutral, number, k >= real, rng) for k, (aim, shown, rng) in enumerate(rows)]
        there = range(real + synthetic, real + synthetic + crossed)
        yaw = self.people[number].yaw * (-1 if flip else 1)
        return pairs + [self.cross(own, selfies[k], neutral, number, yaw, rngs[k]) for k in there]


def main(
    people: list[Portrait],
    out: Path,
    networks: Path,
    shape_file: Path,
    seed: int,
    first: int = 0,
    last: int = 10**6,
    size: int = FRAME,
    kinds: tuple[int, int, int] = KINDS,
) -> None:
    """Writes one shard for every 32 people; a shard that exists is kept, so an interrupted run goes on."""
    maker = PairMaker(people, FaceNetworks.load(networks), load_shape(shape_file), size, kinds)
    out.mkdir(parents=True, exist_ok=True)
    for start in range(first, min(last, len(maker.people)), 32):
        file = out / f"pairs_{seed}_{start:04d}.pt"
        if file.exists():
            continue
        rows = []
        for number in range(start, min(start + 32, len(maker.people), last)):
            with torch.inference_mode():
                rows += maker.person(number, bool(seed % 2), [seed, number])
        torch.save({k: torch.stack([r[k] for r in rows]) for k in rows[0]}, file)
        print(f"{file.name}: {len(rows)} pairs", flush=True)
