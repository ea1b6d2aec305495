"""Learn from real faces how far a code moves them, and the light that comes with it: `FaceShape.movement`, `.light`.

    python -m training movement --data DATA        # from DATA/expressions; adds to runs/shape/shape.safetensors

The people of `expressions` show one neutral face and fifteen others. What moved, with pose and identity taken out, and how the
light on the skin changed with it, is learnt: the movement of a label belongs to the code of the word that stands for it, and to
codes as far as they are like it, beside a share of the rig; the light is regressed on what moved. What is inside a mouth comes
from the morphable model, see `mouth.py`.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from ..modules.faces.landmarker import find_faces, landmarks_in_crop
from ..modules.faces.morphable import OPTIONAL, FaceShape, likeness
from ..modules.faces.networks import FaceNetworks
from ..modules.images import open_picture
from ..modules.labels import BLENDSHAPES, MIRROR, prototype, prototype_matrix
from ..modules.types import Face, Topology
from ..modules.warp.eyeball import EYES, carried
from ..modules.warp.masks import blurred, grow
from ..modules.warp.mesh import Mesh
from ..modules.warp.mouth import MOUTH
from ..modules.warp.paste import cut
from .data import manifest_hash
from .mouth import learn_cavity, make_interior
from .runlog import Run
from .shape import load_shape

NEUTRAL = "Neutral"
# the word of the 135 that stands for a label, in training and in `python -m evaluation expressions`
WORDS = {
    "Happy": "happiness", "Sad": "sadness", "Angry": "anger", "Surprised": "surprise", "Disgusted": "disgust", "Scared": "fear",
    "Shocked": "shock", "Smug": "pride", "Flirty": "desire", "Confused": "uneasiness",
}  # fmt: skip
OPEN = "Surprised", "Shocked"  # labels with a dropped jaw
CONFIG = {
    "size": 512,  # of the crops that are measured
    "gain": 0.45,  # of the rig's shapes, before real faces are looked at: real expressions measure .2 to .6
    "ridge": 0.05,  # of the corrections
    "directions": 40,  # of geometry, beyond the face model's
    "frame": 256,  # side of the frontal frame in which light is kept
    "axes": 16,  # principal directions of movement that light follows
    "light_ridge": 0.1,  # in units of the mean variance of those
}
# of the rig's shapes too: lids close wholly, and follow the gaze in part (the rig's nearly close when it looks down)
LIDS = {"eyeBlink": 1.15, "eyeLookUp": 0.9, "eyeLookDown": 0.55, "eyeLookIn": 0.3, "eyeLookOut": 0.3}
# an eyeball's radius in units of the face model, and the degrees that a gaze coefficient of 1 turns it: irises of real faces
# move by .6 (sideways) and .55 (down) of a unit for a measured 1
BALL, TURN = 1.2, 30.0
MIRRORED = torch.tensor([-1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Shown:
    """One person with one expression."""

    person: str
    label: str
    face: Face


def read_faces(folder: Path, shape: FaceShape, networks: FaceNetworks) -> list[Shown]:
    """The cells of the sheets without a hand before the face, aligned and measured as any picture is."""
    return [Shown(row["person"], row["label"], face_of(cell(folder, row), shape, networks)) for row in cells(folder)]


def cells(folder: Path) -> list[dict]:
    """The rows of expressions.jsonl without a hand before the face."""
    rows = map(json.loads, (folder / "expressions.jsonl").read_text().splitlines())
    return [row for row in rows if not row["hand"]]


def cell(folder: Path, row: dict) -> torch.Tensor:
    """The square round one face of a sheet [H, W, 3] 0..1, as far as its cell reaches."""
    x0, y0, x1, y1 = row["face"]
    half, x, y = 0.95 * max(x1 - x0, y1 - y0), (x0 + x1) / 2, (y0 + y1) / 2
    left, top, right, bottom = row["cell"]
    box = (max(x - half, left), max(y - half, top), min(x + half, right), min(y + half, bottom))
    part = open_picture(folder / row["file"]).crop(tuple(int(v) for v in box))
    return torch.from_numpy(np.asarray(part).copy()).float() / 255


@torch.inference_mode()
def face_of(picture: torch.Tensor, shape: FaceShape, networks: FaceNetworks) -> Face:
    crop, _ = cut(picture, find_faces(networks, picture)[0].points, CONFIG["size"])
    points, _, code = landmarks_in_crop(networks, crop[None])
    code = code[0].clone()
    code[0] = 0
    return shape.face(crop, points[0], code)


# --- movement -------------------------------------------------------------------------------------


def displacements(faces: Iterable[Shown], shape: FaceShape) -> dict[tuple[str, str], torch.Tensor]:
    """(person, label) -> how the points moved from the person's neutral face [478, 3], pose taken out."""
    faces = list(faces)
    calm = {f.person: shape.upright(f.face.fit)[0] for f in faces if f.label == NEUTRAL}
    return {(f.person, f.label): shape.upright(f.face.fit)[0] - calm[f.person] for f in faces if f.label != NEUTRAL}


def both_sides(moved: torch.Tensor, mirror: torch.Tensor) -> torch.Tensor:
    """Displacements [..., 478, 3] made alike on both sides."""
    return (moved + mirrored_back(moved, mirror)) / 2


def mirrored_back(moved: torch.Tensor, mirror: torch.Tensor) -> torch.Tensor:
    """Displacements [..., 478, 3] of a face that is seen in a mirror."""
    return moved[..., mirror, :] * MIRRORED.to(moved)


def typical(moved: dict[tuple[str, str], torch.Tensor], label: str, mirror: torch.Tensor) -> torch.Tensor:
    """The median over people of what a label moves [478, 3], alike on both sides."""
    rows = [value for (_, name), value in moved.items() if name == label]
    return both_sides(torch.stack(rows), mirror).median(0).values


def learn_movement(moved: dict, shape: FaceShape, mirror: torch.Tensor) -> dict[str, torch.Tensor]:
    """`movement`, `anchors` and `corrections`: the rig at the size of real expressions, and what the labels move otherwise.

    moved: see `displacements`. Ten labels do not tell 52 coefficients apart (regressed on them, a pucker became a smile), so
    what is learnt belongs to whole codes: radial interpolation, with a ridge.
    """
    kind = {"dtype": torch.float64}
    codes = torch.stack([torch.from_numpy(prototype(word)) for word in WORDS.values()]).to(**kind)
    gain = torch.tensor([next((LIDS[n] for n in LIDS if name.startswith(n)), CONFIG["gain"]) for name in BLENDSHAPES], **kind)
    rig = (shape.expression + mirrored_back(shape.expression[list(MIRROR)], mirror)) / 2  # one lid of the rig falls further
    found = {"movement": carried(gain[:, None, None] * rig) + turned(shape), "anchors": codes}
    wanted = torch.stack([typical(moved, label, mirror) for label in WORDS]).to(**kind)
    left = wanted - torch.einsum("ne,epc->npc", codes, found["movement"])
    ridge = CONFIG["ridge"] * torch.eye(len(codes), **kind)
    corrections = torch.linalg.solve(likeness(codes, codes) + ridge, left.flatten(1)).view_as(left)
    return {**found, "corrections": carried(corrections)}  # where five people looked is no part of an expression


def turned(shape: FaceShape) -> torch.Tensor:
    """What the gaze coefficients move of the irises: [52, 478, 3], 0 for the others."""
    moved = torch.zeros_like(shape.expression)
    for side, (_, iris), outwards in zip(("Right", "Left"), EYES, (-1.0, 1.0), strict=True):
        for way, x, y in (("Out", outwards, 0.0), ("In", -outwards, 0.0), ("Up", 0.0, 1.0), ("Down", 0.0, -1.0)):
            there = BALL * math.sin(math.radians(TURN)) * torch.tensor([x, y, 0.0])
            moved[BLENDSHAPES.index(f"eyeLook{way}{side}"), iris : iris + 5] = there.to(moved)
    return moved


def gaze_directions(shape: FaceShape) -> torch.Tensor:
    """[4, 478, 3], orthonormal and so to `geometry`: with it they hold each iris's way sideways and up exactly."""
    ways = torch.zeros(4, *shape.mean.shape).to(shape.mean)
    for k, (_, iris) in enumerate(EYES):
        for axis in (0, 1):
            ways[2 * k + axis, iris : iris + 5, axis] = 1.0
    return torch.linalg.svd((ways - within(ways, shape.geometry)).flatten(1), full_matrices=False)[2].view_as(ways)


def more_directions(moved: Iterable[torch.Tensor], shape: FaceShape, count: int) -> torch.Tensor:
    """[count, 478, 3], orthonormal and so to `geometry`: gaze, and what real faces, coefficients and words move beyond both."""
    gaze, words = gaze_directions(shape), shape.movement_of_code(torch.from_numpy(prototype_matrix()).to(shape.mean))
    rows = torch.cat([torch.stack(list(moved)), shape.movement, words])
    beyond = rows - within(rows, torch.cat([shape.geometry, gaze]))
    _, _, axes = torch.linalg.svd(beyond.flatten(1), full_matrices=False)
    return torch.cat([gaze, axes[: count - len(gaze)].view(-1, *shape.mean.shape)])


def within(rows: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
    """The part of displacements [B, 478, 3] that an orthonormal basis [K, 478, 3] holds."""
    return torch.einsum("bk,kpc->bpc", torch.einsum("bpc,kpc->bk", rows, basis), basis)


def learn_resting(faces: Iterable[Face]) -> torch.Tensor:
    """Coefficients that calm faces are fitted with [52]: the median, both sides alike."""
    found = torch.stack([face.fit.expression[0] for face in faces])
    return torch.cat([found, found[:, MIRROR]]).median(0).values


# --- light ----------------------------------------------------------------------------------------


def skin_of(frame: Mesh) -> torch.Tensor:
    """1 on skin, 0 at eyes, mouth and border, soft: [U, U]."""
    pixel, hole = frame.index.shape[-1] / 256, MOUTH.inside(frame)
    for eye, _ in EYES:
        hole = torch.maximum(hole, eye.inside(frame))
    inside = 1 - grow(hole[None, None], 2 * pixel)
    border = 1 - grow((~frame.covered).float()[None, None], 10 * pixel)
    return (blurred(inside, 2 * pixel) * blurred(border, 6 * pixel))[0, 0]


def luminance(face: Face, frame: Mesh) -> torch.Tensor:
    """Linear luminance of a face in the frontal frame [1, 1, U, U], slightly blurred."""
    drawn, _ = frame.draw(face.image, face.points)
    grey = (drawn * torch.tensor([0.3, 0.59, 0.11])[:, None, None]).sum(0)[None, None]
    return blurred(grey.clamp(0.02, 1) ** 2.2, 1.0)


def log_ratio(calm: torch.Tensor, now: torch.Tensor, skin: torch.Tensor) -> torch.Tensor:
    """How the light on a face changed [U, U], without what changed over all of it."""
    ratio = torch.log((now + 0.01) / (calm + 0.01))
    return (ratio - blurred(ratio, 30.0 * len(skin) / 256)).clamp(-1.2, 1.2)[0, 0] * skin


def learn_light(faces: list[Shown], moved: dict, shape: FaceShape, topology: Topology) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps [L, U, U] and axes [L, K]: the log ratio of light is the sum of the maps, times what moved along the axes."""
    side = CONFIG["frame"]
    frame = Mesh.of(shape.frame(side), topology, side)
    skin = skin_of(frame)
    seen = {(f.person, f.label): luminance(f.face, frame) for f in faces}
    ratios, moves = [], []
    for (person, label), value in moved.items():
        ratio = log_ratio(seen[person, NEUTRAL], seen[person, label], skin)
        ratios += [ratio, ratio.flip(-1)]
        moves += [value, mirrored_back(value, topology.mirror)]
    geometry = shape.geometry_of(carried(torch.stack(moves)))  # the light on skin does not come from the gaze
    _, _, axes = torch.linalg.svd(geometry, full_matrices=False)
    axes = axes[: CONFIG["axes"]]
    amount = geometry @ axes.T
    ridge = CONFIG["light_ridge"] * amount.pow(2).mean() * len(amount) / 10 * torch.eye(len(axes)).to(amount)
    maps = torch.linalg.solve(amount.T @ amount + ridge, amount.T @ torch.stack(ratios).to(amount).flatten(1))
    return maps.view(-1, side, side).float(), axes


# --- the stage ------------------------------------------------------------------------------------


def learn(faces: list[Shown], shape: FaceShape, topology: Topology, teeth: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What `FaceShape` gets in addition, from these people; `teeth` of `mouth.make_interior`, or nothing."""
    moved = displacements(faces, shape)
    extras = learn_movement(moved, shape, topology.mirror)
    extras["geometry_more"] = more_directions(moved.values(), with_extras(shape, extras), CONFIG["directions"])
    extras["light_maps"], extras["light_axes"] = learn_light(faces, moved, with_extras(shape, extras), topology)
    extras["resting"] = learn_resting(f.face for f in faces if f.label == NEUTRAL)
    if teeth:
        extras["mouth_cavity"] = learn_cavity((f.face for f in faces if f.label in OPEN), topology)
    return {**extras, **teeth}


def with_extras(shape: FaceShape, extras: dict[str, torch.Tensor], kept: list[str] | None = None) -> FaceShape:
    """The face model, or what is `kept` of it, with these buffers in addition, in double precision."""
    state = shape.state_dict()
    state = {**{name: state[name] for name in kept or state}, **extras}
    wider = FaceShape.like(state)
    wider.load_state_dict(state)
    return wider.double()


def main(data: Path, out: Path, face_model: Path, shape_file: Path) -> None:
    """Learns from everybody and writes the buffers into the face model's file."""
    folder, networks, shape = Path(data) / "expressions", FaceNetworks.load(face_model), load_shape(shape_file)
    plain = strip(shape)
    faces = read_faces(folder, plain, networks)
    run = Run(out, CONFIG, manifest_hash(folder, "expressions.jsonl"))
    teeth = make_interior(np.load(Path(data) / "ict_facekit.npz"), plain.mean)
    extras = learn(faces, plain, networks.topology, teeth)
    moved = displacements(faces, plain)
    sizes = {label: distance(typical(moved, label, networks.mirror)) for label in WORDS}
    wider = with_extras(plain, extras)
    words = {label: distance(wider.movement_of_code(code_of(label)[None])[0]) for label in WORDS}
    run.log(faces=len(faces), **{f"size_{label}": words[label] / sizes[label] for label in WORDS})
    state = {**load_file(shape_file), **{name: value.float().contiguous() for name, value in extras.items()}}
    save_file(state, shape_file)
    print({name: tuple(value.shape) for name, value in extras.items()}, "->", shape_file)


def strip(shape: FaceShape) -> FaceShape:
    """The face model without what an earlier run of this stage added."""
    return with_extras(shape, {}, [name for name in shape.state_dict() if name not in OPTIONAL])


def code_of(label: str) -> torch.Tensor:
    return torch.from_numpy(prototype(WORDS[label])).double()


def distance(moved: torch.Tensor) -> float:
    """Mean displacement in the picture plane, in units of the face model: [478, 3] -> number."""
    return float(moved[..., :2].norm(dim=-1).mean())
