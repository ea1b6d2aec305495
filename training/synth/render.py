"""Pictures of people with everything known: who, which expression, pose, light; the points, the mask, what is painted.

All on any device and in batches. What is random is drawn on the CPU by `Scene.random` from a seed and the picture's number, so
that picture k is the same whatever stands beside it.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch

from ...modules.encoders.expression import compound
from ...modules.faces.morphable import FaceShape, retarget
from ...modules.types import Fit, Topology
from ...modules.warp.light import gained
from ...modules.warp.mesh import Mesh
from ...modules.warp.mouth import MOUTH
from ...modules.warp.plain_mouth import paint_plainly
from ..portrait import MARGIN, Portrait
from .codes import random_code
from .light import Light, change_of_light, light_of, normals, relit
from .reenact import fading, moved_points, redraw_person, turned
from .swap import blended, inner_face

YAW, PITCH = 25.0, 10.0  # degrees: heads are turned by up to so much from how they are
RELIT, SWAPPED = 0.6, 0.3  # share of the pictures in new light; with another person's face
TONE = 0.8  # share of the way that a swapped face's colours go to the head's
SMEAR = 2.5  # see `redraw_person`


@dataclass
class People:
    """Portraits on the wide frame: image [B, 3, 352, 352] 0..1, points [B, 478, >= 2] in its pixels, and their fit."""

    image: torch.Tensor
    points: torch.Tensor
    fit: Fit

    @classmethod
    def of(cls, portraits: list[Portrait], shape: FaceShape) -> "People":
        """On the device of the face model."""
        device = shape.mean.device
        image = torch.from_numpy(np.stack([p.wide() for p in portraits])).to(device).permute(0, 3, 1, 2).float() / 255
        points = torch.stack([p.points() for p in portraits]).to(device)
        measured = torch.from_numpy(np.stack([p.blendshapes for p in portraits])).to(device)
        measured[:, 0] = 0
        return cls(image, points, shape.fit(points, measured))

    def __getitem__(self, rows: torch.Tensor) -> "People":
        """Some of them, by a list of places or a mask."""
        rows = rows.to(self.image.device)
        return People(self.image[rows], self.points[rows], self.fit.rows(rows))


@dataclass
class Scene:
    """What is asked of B pictures, on the CPU."""

    person: torch.Tensor  # [B] whose head
    face: torch.Tensor  # [B] whose face is in it, the same number without a swap
    coefficients: torch.Tensor  # [B, 52] 0..1
    yaw: torch.Tensor  # [B] degrees, added to the head's own turn
    pitch: torch.Tensor  # [B]
    light: Light

    @classmethod
    def random(cls, seed: int, number: int, people: int) -> "Scene":
        """Picture `number` of a seed, of one of so many people."""
        rng = np.random.default_rng([seed, number])
        person, other = (int(k) for k in rng.integers(people, size=2))
        code = torch.from_numpy(random_code(rng, strong=True))
        yaw, pitch, swap, lit = rng.uniform(-YAW, YAW), rng.uniform(-PITCH, PITCH), rng.random(), rng.random()
        light = Light.any(rng) if lit < RELIT else Light.none()
        return cls.plain(person, code, yaw, pitch, light, other if swap < SWAPPED else None)

    @classmethod
    def numbers(cls, seed: int, numbers: range, people: int) -> "Scene":
        """Several pictures of a seed."""
        return cls.stack([cls.random(seed, k, people) for k in numbers])

    @classmethod
    def plain(
        cls, person: int, code: torch.Tensor, yaw=0.0, pitch=0.0, light: Light | None = None, face: int | None = None
    ) -> "Scene":
        """One picture, everything said."""
        number = lambda v: torch.tensor([v], dtype=torch.float64)  # noqa: E731
        who, whose = torch.tensor([person]), torch.tensor([person if face is None else face])
        return cls(who, whose, code[None], number(yaw), number(pitch), light or Light.none())

    @classmethod
    def stack(cls, scenes: list["Scene"]) -> "Scene":
        columns = {f.name: [getattr(s, f.name) for s in scenes] for f in fields(cls)}
        light = Light.stack(columns.pop("light"))
        return cls(**{name: torch.cat(column) for name, column in columns.items()}, light=light)


@torch.inference_mode()
def render(shape: FaceShape, topology: Topology, people: People, scene: Scene) -> dict[str, torch.Tensor]:
    """The pictures of a scene, in the canonical frame of the head as it was photographed, on the device of `people`; S is 256:

    "picture" [B, 3, S, S] 0..1; "points" [B, 478, 3] in its pixels, z towards the viewer; "code" [B, 52 + K], see `encoders/
    expression.py`; "mask" [B, S, S], 1 on the face; "mouth" [B, S, S], 1 between the lips, painted if they were closed.
    """
    head, swapped = people[scene.person], scene.face != scene.person
    code = compound(shape, scene.coefficients.to(people.image.device))
    calm = retarget(shape, head.fit, head.fit, shape.own_geometry(head.fit))
    before = torch.cat([head.points[..., :2], calm[..., 2:]], -1)
    after = moved_points(shape, head.fit, before, code[:, 52:], scene.yaw, scene.pitch)
    face, rows = people[scene.face[swapped]], swapped.nonzero()[:, 0].to(after.device)
    if len(rows):
        pose = turned(head[rows].fit, scene.yaw[swapped], scene.pitch[swapped])
        after[rows] = retarget(shape, face.fit, pose, code[rows, 52:])
    picture, mesh = redraw_person(head.image, before, after, topology, MARGIN, smear=SMEAR)
    light, normal = light_of(head.image, before, topology), normals(after, topology)
    gain = mesh.interpolate(change_of_light(light, normals(before, topology), light, normal) - 1)
    gain = 1 + fading(gain, mesh.covered, mesh.points[:, :468]).permute(0, 3, 1, 2)
    picture = gained(picture, gain)  # the light stays where it is when the head turns
    if len(rows):
        picture[rows] = with_face(picture[rows], face, mesh.rows(rows), light[rows], normal[rows], shape)
    return {
        "picture": relit(picture, mesh, scene.light),
        "points": mesh.points,
        "code": code,
        "mask": mesh.covered.to(picture.dtype),
        "mouth": MOUTH.inside(mesh),
    }


def with_face(
    picture: torch.Tensor, face: People, mesh: Mesh, light: torch.Tensor, normal: torch.Tensor, shape: FaceShape
) -> torch.Tensor:
    """The faces of other people drawn into the pictures [B, 3, S, S] where `mesh` says, in the light [B, 4] there.

    normal [B, 468, 3]: of the face as it is drawn.
    """
    own = torch.cat([face.points[..., :2], retarget(shape, face.fit, face.fit, shape.own_geometry(face.fit))[..., 2:]], -1)
    topology = mesh.topology
    gain = change_of_light(light_of(face.image, own, topology), normals(own, topology), light, normal)
    look = inner_face(picture.device).expand(len(picture), -1)
    return paint_plainly(blended(picture, mesh, face.image, own, look, TONE, gain, SMEAR), mesh, own)
