"""The pictures that the identity network learns from, in shards on disk: training people, new people, and their views.

The clean picture of every person, new ones too, is shown to both teachers; what they say is the label of all its views.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ...modules.affine import mirrored
from ...modules.faces.morphable import FaceShape
from ...modules.labels import MIRROR
from ...modules.types import Face, Topology
from ..data import load_part, load_portraits, read_split
from ..portrait import MARGIN, Portrait, crop_frame
from ..teachers import Teachers
from .degrade import worn
from .people import new_person, view

SMALL = 128  # side of the stored crops, the identity network's input
LOOK_ALIKE = 0.8  # faceres cosine above which a training person is left out because of somebody held out
SHARD = 128
PLAIN_VIEWS, NEW_VIEWS, WATCHED_VIEWS = 4, 2, 6
FRONTAL = 22.0  # degrees: faces turned further are not mixed with others


def held_out() -> dict[str, list[str]]:
    """150 people: the split's 64 for evaluation and 20 for validation, and every seventh of its sorted training people."""
    split = read_split()
    return {**{k: split[k] for k in ("evaluation", "validation")}, "further": sorted(split["train"])[::7]}


def faces(portraits: list[Portrait], shape: FaceShape, mirror: torch.Tensor | None = None) -> list[Face]:
    """The portraits as faces; with `mirror` [478], see `Topology`, as a mirror shows them."""
    rows = []
    for p in portraits:
        image = torch.from_numpy(crop_frame(p.wide()).copy()).permute(2, 0, 1).float() / 255
        points, code = p.points() - torch.tensor([MARGIN, MARGIN, 0.0]), torch.from_numpy(p.blendshapes)
        if mirror is not None:
            (image, points), code = mirrored(image, points, mirror), code[list(MIRROR)]
        rows.append((image, points, code))
    fits = []
    for k in range(0, len(rows), 32):
        fit = shape.fit(*(torch.stack([row[column] for row in rows[k : k + 32]]) for column in (1, 2)))
        fits += [fit.rows(slice(i, i + 1)) for i in range(len(fit.identity))]
    return [Face(*row, fit) for row, fit in zip(rows, fits, strict=True)]


def byte(image: torch.Tensor) -> torch.Tensor:
    """Picture [3, S, S] 0..1 -> uint8 [3, 128, 128]."""
    if image.shape[-1] != SMALL:
        image = F.interpolate(image[None], size=SMALL, mode="area")[0]
    return (image.clamp(0, 1) * 255).round().byte()


class SyntheticIdentities:
    """Makes shards `plain_NNNN.pt` and `new_NNNN.pt` in a folder; one that exists is kept."""

    def __init__(self, data: Path, out: Path, shape: FaceShape, topology: Topology):
        self.out, self.shape, self.topology, self.teachers = out, shape, topology, Teachers(data / "teachers")
        out.mkdir(parents=True, exist_ok=True)
        portraits, held = load_portraits(data), {i for part in held_out().values() for i in part}
        away = [p for p in portraits if p.id in held]
        kept = [p for p in portraits if p.id not in held]
        like = self._alike(kept, away)
        self.people = [p for p, alike in zip(kept, like, strict=True) if not alike]
        print(f"{len(away)} people held out, {sum(like)} left out as their look-alikes, {len(self.people)} to learn from")
        self.faces = faces(self.people, shape) + faces(self.people, shape, topology.mirror)
        self.straight = [k for k in range(len(self.faces)) if abs(self.people[k % len(self.people)].yaw) < FRONTAL]

    def _alike(self, kept: list[Portrait], away: list[Portrait]) -> list[bool]:
        cache = self.out / "alike.pt"
        if not cache.exists():
            rows = [self._vector(p) for p in (*kept, *away)]
            both = torch.stack(rows)
            torch.save((both[: len(kept)] @ both[len(kept) :].T).amax(1) > LOOK_ALIKE, cache)
        return torch.load(cache, weights_only=True).tolist()

    def _vector(self, p: Portrait) -> torch.Tensor:
        image = torch.from_numpy(p.wide().copy()).permute(2, 0, 1)[None].float() / 255
        return self.teachers.faceres(image, p.points()[None, :, :2])[0]

    def told(self, people: list[Face]) -> dict[str, torch.Tensor]:
        images, points = torch.stack([p.image for p in people]), torch.stack([p.points[:, :2] for p in people])
        return {name: getattr(self.teachers, name)(images, points) for name in ("faceres", "mobileface")}

    def shard(self, people: list[Face], views: int, rng) -> dict[str, torch.Tensor]:
        """uint8 "clean" [N, 3, 128, 128] and "views" [N, V, 3, 128, 128], half "faceres" [N, 1024], "mobileface" [N, 256]."""
        see = lambda person: byte(view(person, SMALL, self.shape, self.topology, rng)[0])  # noqa: E731
        told = [self.told(people[k : k + 16]) for k in range(0, len(people), 16)]
        return {
            "clean": torch.stack([byte(p.image) for p in people]),
            "views": torch.stack([torch.stack([see(p) for _ in range(views)]) for p in people]),
            **{name: torch.cat([t[name] for t in told]).half() for name in ("faceres", "mobileface")},
        }

    def newcomer(self, rng: np.random.Generator) -> Face:
        chosen = [self.faces[k] for k in rng.choice(self.straight, int(rng.integers(2, 4)), replace=False)]
        return new_person(chosen[0], chosen[1:], self.shape, self.topology, rng)

    def make(self, count: int, seed: int) -> None:
        """All training people, mirrored too (with seed 0), then `count` new people; about a quarter of a second each."""
        for start in range(0, 0 if seed else len(self.faces), SHARD):
            members = self.faces[start : start + SHARD]
            self._keep(f"plain_{start:04d}.pt", lambda rng, m=members: self.shard(m, PLAIN_VIEWS, rng), [0, start, 0])
        for start in range(0, count, SHARD):
            made = lambda rng: self.shard([self.newcomer(rng) for _ in range(SHARD)], NEW_VIEWS, rng)  # noqa: E731
            self._keep(f"new_{seed}_{start:05d}.pt", made, [seed, start, 1])

    def validation(self, data: Path) -> None:
        """`watched.pt`: the validation people, their views, and the same views worn, to look at while training."""
        members = faces(load_part(data, "validation"), self.shape)

        def made(rng):
            rows = self.shard(members, WATCHED_VIEWS, rng)
            wear = lambda image: byte(worn(image.float() / 255, rng))  # noqa: E731
            rows["worn"] = torch.stack([torch.stack([wear(v) for v in person]) for person in rows["views"]])
            return rows

        self._keep("watched.pt", made, [0, 0, 2])

    @torch.inference_mode()
    def _keep(self, name: str, made, seed: list[int]) -> None:
        file = self.out / name
        if file.exists():
            return
        temporary = file.with_suffix(".tmp")
        torch.save(made(np.random.default_rng(seed)), temporary)
        temporary.replace(file)
        print(f"{name}", flush=True)
