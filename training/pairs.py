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

from ..modules.conditioning.guide import Crop, draft, face_mask, mouth_interior
from ..modules.conditioning.rest import find_rest
from ..modules.encoders.expression import compound
from ..modules.faces.landmarker import landmarks_in_crop
from ..modules.faces.mask import grow, silhouette
from ..modules.faces.networks import FaceNetworks
from ..modules.faces.shape import FaceShape, Fit, place
from ..modules.labels import BLENDSHAPES
from .data import MARGIN, Portrait, load_part
from .shape import load_shape
from .synth.codes import random_code
from .synth.vary import moved_points, redraw_person, relit

REAL_PAIRS, SYNTHETIC_PAIRS = 4, 3
STRONG_SELFIES = 0.3  # share of selfies with a strong expression: people laugh at cameras
REST_NOISE = 0.05  # of the geometry: how far the neutral face measured on another photo is off
SELFIE = 128  # side of the selfie crop that the encoders see
MIRROR = [BLENDSHAPES.index(n.replace("Left", "#").replace("Right", "Left").replace("#", "Right")) for n in BLENDSHAPES]


@dataclass
class Picture:
    """A rendering of one person on the wide frame."""

    image: torch.Tensor  # [3, 352, 352]
    points: torch.Tensor  # [478, 3]
    code: torch.Tensor  # [52 + K]: known where it was rendered, measured (not yet read, see `reader.py`) on the portrait
    mouth: torch.Tensor  # [352, 352] 1 where the mouth interior was painted, not photographed

    def crop(self) -> Crop:
        offset = torch.tensor([MARGIN, MARGIN, 0.0])
        return Crop(self.image[:, MARGIN:-MARGIN, MARGIN:-MARGIN], self.points - offset, self.code[:52])


def read(
    portrait: Portrait, flip: bool, mirror_points: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Picture, points and code of a portrait, mirrored if asked."""
    image = torch.from_numpy(portrait.wide().copy()).permute(2, 0, 1).float() / 255
    points, code = torch.from_numpy(portrait.landmarks).float(), torch.from_numpy(portrait.blendshapes).clone()
    code[0] = 0
    if not flip:
        return image, points, code
    points = points[mirror_points].clone()
    points[:, 0] = image.shape[-1] - points[:, 0]
    return image.flip(-1), points, code[MIRROR]


def mirrored_points(shape: FaceShape) -> torch.Tensor:
    """[478]: for each point the one on the other side of the face."""
    other = shape.mean * torch.tensor([-1.0, 1.0, 1.0])
    return torch.cdist(other, shape.mean).argmin(1)


def degraded(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """A selfie as people have them: sometimes small, soft, noisy or compressed."""
    if rng.random() < 0.35:
        side = int(rng.uniform(0.35, 0.9) * image.shape[-1])
        image = F.interpolate(image[None], size=side, mode="area")
        image = F.interpolate(image, size=256, mode="bilinear")[0]
    if rng.random() < 0.3:
        image = image + torch.from_numpy(rng.normal(0, rng.uniform(0.005, 0.03), image.shape)).float()
    image = image.clamp(0, 1)
    if rng.random() < 0.3:
        pixels, store = (image.permute(1, 2, 0) * 255).byte().numpy(), io.BytesIO()
        Image.fromarray(pixels).save(store, "JPEG", quality=int(rng.uniform(30, 85)))
        image = torch.from_numpy(np.asarray(Image.open(store)).copy()).permute(2, 0, 1).float() / 255
    return image


class PairMaker:
    def __init__(self, data: Path, networks: FaceNetworks, shape: FaceShape, triangles: torch.Tensor):
        self.networks, self.shape, self.triangles = networks, shape, triangles
        self.people = load_part(data, "train")
        self.mirror = mirrored_points(shape)

    def rendering(self, image, points, fit, coefficients, rng, selfie: bool) -> Picture:
        yaw, pitch = (rng.uniform(-18, 18), rng.uniform(-8, 8)) if selfie else (0.0, 0.0)
        code = compound(self.shape, coefficients[None])[0]
        after = moved_points(self.shape, fit, points, code[52:], yaw, pitch)
        drawn, index = redraw_person(image, points, after, self.triangles)
        if selfie:
            drawn = relit(drawn, after, self.triangles, rng)
        return Picture(drawn, after, code, mouth_interior(index, self.triangles))

    def selfie_crop(self, picture: Picture, rng) -> Crop:
        """The selfie as a node sees it: degraded, measured again by the landmark network."""
        image = degraded(picture.crop().image, rng)
        points, _, code = landmarks_in_crop(self.networks, image[None])
        code = code[0].clone()
        code[0] = 0
        return Crop(image, points[0], code)

    def mask(self, target: Crop, placed: torch.Tensor, rng) -> torch.Tensor:
        """Grown by a random amount, often joined with a stranger's silhouette, so that its outline does not tell the face."""
        mask = face_mask(target, placed, self.triangles, rng.uniform(4, 16))
        if rng.random() < 0.6:
            other = self.people[int(rng.integers(len(self.people)))]
            points = torch.from_numpy(other.landmarks).float() - torch.tensor([MARGIN, MARGIN, 0.0])
            shifted = points + torch.tensor([*rng.uniform(-4, 4, 2), 0.0]).float()
            extra = grow(silhouette(shifted, self.triangles, 256)[None, None], rng.uniform(0, 10))[0, 0]
            mask = torch.maximum(mask, extra)
        return mask

    def selfie_fit(self, selfie: Crop, neutral: torch.Tensor, rng) -> Fit:
        """What the Identity Encoder would know of the selfie: its fit, and nearly the `rest` that leads to the true neutral
        face [1, 478, 3]. Drawing and measuring each selfie would cost more than all the rest.
        """
        fit = selfie.fit(self.shape)
        rest = self.shape.geometry_of(neutral - self.shape.neutral(fit))
        return replace(fit, rest=rest + torch.from_numpy(rng.normal(0, REST_NOISE, rest.shape)))

    def pair(self, target: Picture, shown: Picture, neutral, person: int, synthetic: bool, rng) -> dict[str, torch.Tensor]:
        """`shown`: the rendering that becomes the selfie. `synthetic`: the target is a rendering, not the portrait."""
        crop, selfie = target.crop(), self.selfie_crop(shown, rng)
        who, geometry = self.selfie_fit(selfie, neutral, rng), target.code[None, 52:]
        placed = place(self.shape, who, crop.fit(self.shape), geometry)[0]
        mask = self.mask(crop, placed, rng)
        guide = draft(selfie, crop, placed, mask, self.triangles, rng.uniform(0.4, 1.0), rng.uniform(3, 9))
        byte = lambda x: (x.clamp(0, 1) * 255).round().byte()  # noqa: E731
        mouth = target.mouth[MARGIN:-MARGIN, MARGIN:-MARGIN] * float(synthetic)
        return {
            "target": byte(crop.image),
            "guide": byte(guide),
            "mask": byte(mask),
            "painted": byte(F.avg_pool2d(mouth[None, None], 8)[0, 0]),
            "selfie": byte(F.interpolate(selfie.image[None], size=SELFIE, mode="area")[0]),
            "code": target.code.float(),
            "person": torch.tensor(person),
            "synthetic": torch.tensor(synthetic),
            "selfie_code": shown.code[:52].float(),
            "selfie_measured": torch.cat([selfie.code, self.shape.own_geometry(who)[0].float()]),
        }

    def person(self, number: int, flip: bool, rng) -> list[dict[str, torch.Tensor]]:
        image, points, measured = read(self.people[number], flip, self.mirror)
        blank = torch.zeros(image.shape[1:])
        crop = Picture(image, points, measured, blank).crop()
        fit = self.shape.fit(points[None], measured[None])
        fit = replace(fit, rest=find_rest(self.shape, self.networks, crop, crop.fit(self.shape))[None].double())
        own = Picture(image, points, torch.cat([measured, self.shape.own_geometry(fit)[0].float()]), blank)
        neutral = self.shape.neutral(fit)
        code = lambda strong: torch.from_numpy(random_code(rng, strong))  # noqa: E731
        rows = []
        for k in range(REAL_PAIRS + SYNTHETIC_PAIRS):
            synthetic = k >= REAL_PAIRS
            target = self.rendering(image, points, fit, code(True), rng, False) if synthetic else own
            plain = synthetic and k == REAL_PAIRS  # once the untouched portrait is the selfie
            selfie = own if plain else self.rendering(image, points, fit, code(rng.random() < STRONG_SELFIES), rng, True)
            rows.append(self.pair(target, selfie, neutral, number, synthetic, rng))
        return rows


def main(data: Path, out: Path, networks: Path, shape_file: Path, seed: int, first: int = 0, last: int = 10**6) -> None:
    """Writes one shard for every 32 people; a shard that exists is kept, so an interrupted run goes on."""
    from safetensors.torch import load_file

    shape = load_shape(shape_file)
    nets = FaceNetworks.load(networks)
    maker = PairMaker(data, nets, shape, load_file(networks)["mesh.triangles"])
    out.mkdir(parents=True, exist_ok=True)
    for start in range(first, min(last, len(maker.people)), 32):
        file = out / f"pairs_{seed}_{start:04d}.pt"
        if file.exists():
            continue
        rows = []
        for number in range(start, min(start + 32, len(maker.people), last)):
            rng = np.random.default_rng([seed, number])
            with torch.inference_mode():
                rows += maker.person(number, bool(seed % 2), rng)
        torch.save({k: torch.stack([r[k] for r in rows]) for k in rows[0]}, file)
        print(f"{file.name}: {len(rows)} pairs", flush=True)
