"""Training pairs: a target portrait, a selfie of the same person that differs from it, and what the nodes would make of both.

Targets are unmodified portraits first; re-expressed ones add expressions that photographs lack. The selfie is always another
rendering of the person: other expression, pose, light and quality. Guide and mask come from the code that runs in the nodes.

    python -m training pairs --data DATA --out runs/pairs --seed 0
"""

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from ..modules.encoders.expression import compound
from ..modules.faces.landmarker import landmarks_in_crop
from ..modules.faces.morphable import FaceShape, Fit, mirrored
from ..modules.faces.networks import FaceNetworks
from ..modules.labels import BLENDSHAPES
from ..modules.warp.coarse import Face, coarse_warp, face_mask
from ..modules.warp.masks import grow, silhouette
from ..modules.warp.mesh import Mesh
from ..modules.warp.mouth import MOUTH
from ..modules.warp.neutral import fit_neutral
from .cross_identity import asked, cross_pictures, placed_in
from .data import FRAME, MARGIN, Portrait, margin
from .shape import load_shape
from .synth.codes import random_code
from .synth.light import Light, relit
from .synth.reenact import moved_points, redraw_person
from .synth.render import SMEAR

REAL_PAIRS, SYNTHETIC_PAIRS, CROSS_PAIRS = 3, 2, 3
STRONG_SELFIES = 0.3  # share of selfies with a strong expression: people laugh at cameras
REST_NOISE = 0.05  # of the geometry: how far the neutral face measured on another photo is off
SELFIE = 128  # side of the selfie crop that the encoders see
MIRROR = [BLENDSHAPES.index(n.replace("Left", "#").replace("Right", "Left").replace("#", "Right")) for n in BLENDSHAPES]


@dataclass
class Picture:
    """A picture of one person in the canonical frame of S pixels."""

    image: torch.Tensor  # [3, S, S]
    points: torch.Tensor  # [478, 3]
    code: torch.Tensor  # [52 + K]: known where it was rendered, measured (not yet read, see `reader.py`) on the portrait
    mouth: torch.Tensor  # [S, S] 1 where the mouth interior was painted, not photographed

    def crop(self) -> Face:
        return Face(self.image, self.points, self.code[:52])


def read(
    portrait: Portrait, flip: bool, mirror_points: torch.Tensor, size: int = FRAME
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Wide picture, points and code of a portrait for a frame of `size` pixels, mirrored if asked."""
    image = torch.from_numpy(portrait.wide(size).copy()).permute(2, 0, 1).float() / 255
    points, code = torch.from_numpy(portrait.landmarks).float(), torch.from_numpy(portrait.blendshapes).clone()
    points = points * (size / FRAME)
    code[0] = 0
    if not flip:
        return image, points, code
    return *mirrored(image, points, mirror_points), code[MIRROR]


def repeated(fit: Fit, count: int) -> Fit:
    """A fit of one picture for a batch of `count`."""
    return Fit(**{name: value.expand(count, *value.shape[1:]) for name, value in vars(fit).items()})


def degraded(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """A selfie as people have them: sometimes small, soft, noisy or compressed."""
    if rng.random() < 0.35:
        side = int(rng.uniform(0.35, 0.9) * image.shape[-1])
        full = image.shape[-1]
        image = F.interpolate(image[None], size=side, mode="area")
        image = F.interpolate(image, size=full, mode="bilinear")[0]
    if rng.random() < 0.3:
        image = image + torch.from_numpy(rng.normal(0, rng.uniform(0.005, 0.03), image.shape)).float()
    image = image.clamp(0, 1)
    if rng.random() < 0.3:
        pixels, store = (image.permute(1, 2, 0) * 255).byte().numpy(), io.BytesIO()
        Image.fromarray(pixels).save(store, "JPEG", quality=int(rng.uniform(30, 85)))
        image = torch.from_numpy(np.asarray(Image.open(store)).copy()).permute(2, 0, 1).float() / 255
    return image


class PairMaker:
    """`people`: whom the pairs are made of; `size`: pixels of the frame."""

    def __init__(
        self, people: list[Portrait], networks: FaceNetworks, shape: FaceShape, triangles: torch.Tensor, size: int = FRAME
    ):
        self.networks, self.shape, self.triangles, self.people = networks, shape, triangles, people
        self.mirror, self.size, self.margin = networks.mirror, size, margin(size)
        self.pixel = size / FRAME  # lengths below are in pixels of a frame of 256
        self.offset = torch.tensor([self.margin, self.margin, 0.0])

    def renderings(self, image, points, fit, coefficients, rngs, selfie: bool) -> list[Picture]:
        """The person of the wide picture [3, W, W] with each of the coefficients, [52] for each generator in `rngs`;
        selfies are turned and relit as well.
        """
        count = len(rngs)
        turns = [(rng.uniform(-18, 18), rng.uniform(-8, 8)) if selfie else (0.0, 0.0) for rng in rngs]
        yaw, pitch = torch.tensor(turns, dtype=torch.float64).unbind(1)
        codes = compound(self.shape, torch.stack(coefficients))
        image, points = image.expand(count, -1, -1, -1), points.expand(count, -1, -1)
        after = moved_points(self.shape, repeated(fit, count), points, codes[:, 52:], yaw, pitch)
        pictures, drawn = redraw_person(image, points, after, self.triangles, self.margin, smear=SMEAR)
        after = after - self.offset
        if selfie:
            pictures = relit(pictures, after, self.triangles, drawn, Light.stack([Light.soft(rng) for rng in rngs]))
        mouths = MOUTH.inside(drawn.index, self.triangles)
        return [Picture(*one) for one in zip(pictures, after, codes, mouths, strict=True)]

    def selfie_crop(self, picture: Picture, rng) -> Face:
        """The selfie as a node sees it: degraded, measured again by the landmark network."""
        image = degraded(picture.crop().image, rng)
        points, _, code = landmarks_in_crop(self.networks, image[None])
        code = code[0].clone()
        code[0] = 0
        return Face(image, points[0], code)

    def mask(self, target: Face, placed: Mesh, rng) -> torch.Tensor:
        """Grown by a random amount, often joined with a stranger's silhouette, so that its outline does not tell the face."""
        mask = face_mask(target, placed, self.triangles, rng.uniform(4, 16) * self.pixel)
        if rng.random() < 0.6:
            other = self.people[int(rng.integers(len(self.people)))]
            points = torch.from_numpy(other.landmarks).float() - torch.tensor([MARGIN, MARGIN, 0.0])
            shifted = (points + torch.tensor([*rng.uniform(-4, 4, 2), 0.0]).float()) * self.pixel
            extra = grow(silhouette(shifted, self.triangles, self.size)[None, None], rng.uniform(0, 10) * self.pixel)[0, 0]
            mask = torch.maximum(mask, extra)
        return mask

    def selfie_fit(self, selfie: Face, neutral: torch.Tensor, rng) -> Fit:
        """What the Identity Encoder would know of the selfie: its fit, and nearly the `rest` that leads to the true neutral
        face [1, 478, 3]. Drawing and measuring each selfie would cost more than all the rest.
        """
        fit = selfie.fit(self.shape)
        rest = self.shape.geometry_of(neutral - self.shape.neutral(fit))
        return replace(fit, rest=rest + torch.from_numpy(rng.normal(0, REST_NOISE, rest.shape)))

    def pair(self, target: Picture, shown: Picture, neutral, person: int, synthetic: bool, rng) -> dict[str, torch.Tensor]:
        """`shown`: the rendering that becomes the selfie. `synthetic`: the target is a rendering, not the portrait."""
        crop, selfie = target.crop(), self.selfie_crop(shown, rng)
        who = self.selfie_fit(selfie, neutral, rng)
        placed = placed_in(self.shape, who, crop, target.code, self.triangles)
        mask = self.mask(crop, placed, rng)
        warp = coarse_warp(selfie, crop, placed, mask, self.triangles, rng.uniform(0.4, 1.0), rng.uniform(3, 9), self.mirror)
        pictures = {"target": crop.image, "warp": warp, "doubtful": target.mouth * float(synthetic)}
        return self.row(pictures, mask, target.code, selfie, who, shown, person, synthetic)

    def cross(self, own: Picture, shown: Picture, neutral, person: int, rng) -> dict[str, torch.Tensor]:
        """The person in the place of another one of training, see `cross.py`; `shown` becomes the selfie."""
        there, selfie = self.stranger(person, rng), self.selfie_crop(shown, rng)
        who, code = self.selfie_fit(selfie, neutral, rng), asked(self.shape, rng)
        placed = placed_in(self.shape, who, there, code, self.triangles)
        mask = self.mask(there, placed, rng)
        pictures = cross_pictures(own.crop(), selfie, there, placed, mask, self.triangles, self.mirror, rng)
        return self.row(pictures, mask, code, selfie, who, shown, person, True)

    def stranger(self, person: int, rng) -> Face:
        """Somebody else of these people."""
        others = [k for k in range(len(self.people)) if k != person]
        wide, points, measured = read(self.people[int(rng.choice(others))], bool(rng.integers(2)), self.mirror, self.size)
        return Face(self.inner(wide), points - self.offset, measured)

    def inner(self, wide: torch.Tensor) -> torch.Tensor:
        """[3, W, W] -> the frame [3, S, S]."""
        return wide[:, self.margin : self.margin + self.size, self.margin : self.margin + self.size]

    def row(self, pictures, mask, code, selfie: Face, who: Fit, shown: Picture, person, synthetic) -> dict[str, torch.Tensor]:
        """What is stored of a pair; pictures as bytes. `pictures`: "target", "warp", and "doubtful", where the target is not
        to be believed.
        """
        byte = lambda x: (x.clamp(0, 1) * 255).round().byte()  # noqa: E731
        return {
            "target": byte(pictures["target"]),
            "warp": byte(pictures["warp"]),
            "mask": byte(mask),
            "painted": byte(F.avg_pool2d(pictures["doubtful"][None, None], 8)[0, 0]),
            "selfie": byte(F.interpolate(selfie.image[None], size=SELFIE, mode="area")[0]),
            "code": code.float(),
            "person": torch.tensor(person),
            "synthetic": torch.tensor(synthetic),
            "selfie_code": shown.code[:52].float(),
            "selfie_measured": torch.cat([selfie.code, self.shape.own_geometry(who)[0].float()]),
        }

    def person(self, number: int, flip: bool, seed: list[int]) -> list[dict[str, torch.Tensor]]:
        """The pairs of one person; each has random numbers of its own, from `seed` and its place among them."""
        wide, points, measured = read(self.people[number], flip, self.mirror, self.size)
        inner, offset = self.inner(wide), self.offset
        blank = torch.zeros(inner.shape[1:])
        fit = self.shape.fit(points[None], measured[None])
        crop = Face(inner, points - offset, measured)
        fit = replace(fit, rest=fit_neutral(self.shape, self.networks, crop, crop.fit(self.shape))[None].double())
        own = Picture(inner, points - offset, torch.cat([measured, self.shape.own_geometry(fit)[0].float()]), blank)
        neutral = self.shape.neutral(fit)
        code = lambda rng, strong: torch.from_numpy(random_code(rng, strong))  # noqa: E731
        rngs = [np.random.default_rng([*seed, k]) for k in range(REAL_PAIRS + SYNTHETIC_PAIRS + CROSS_PAIRS)]
        drawn = rngs[REAL_PAIRS:-CROSS_PAIRS]
        targets = self.renderings(wide, points, fit, [code(rng, True) for rng in drawn], drawn, False)
        codes = [code(rng, rng.random() < STRONG_SELFIES) for rng in rngs]
        selfies = self.renderings(wide, points, fit, codes, rngs, True)
        selfies[REAL_PAIRS] = own  # once the untouched portrait is the selfie
        rows = enumerate(zip([own] * REAL_PAIRS + targets, selfies, rngs, strict=False))
        pairs = [self.pair(*row[:2], neutral, number, k >= REAL_PAIRS, row[2]) for k, row in rows]
        crossed = zip(selfies[-CROSS_PAIRS:], rngs[-CROSS_PAIRS:], strict=True)
        return pairs + [self.cross(own, selfie, neutral, number, rng) for selfie, rng in crossed]


def main(
    people: list[Portrait],
    out: Path,
    networks: Path,
    shape_file: Path,
    seed: int,
    first: int = 0,
    last: int = 10**6,
    size: int = FRAME,
) -> None:
    """Writes one shard for every 32 people; a shard that exists is kept, so an interrupted run goes on."""
    from safetensors.torch import load_file

    shape = load_shape(shape_file)
    nets = FaceNetworks.load(networks)
    maker = PairMaker(people, nets, shape, load_file(networks)["mesh.triangles"], size)
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
