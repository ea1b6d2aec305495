"""Fit the bundle's linear face model (`modules/faces/morphable.py`) to the morphable model.

The morphable model has vertices for 396 of the 478 points. The others are affine combinations of their neighbours, learnt
from the landmarks of real portraits (each lip only from its own lip, so that an opening mouth opens).

    python -m training shape --data DATA --out runs/shape
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from ..modules.affine import apply, to_frame
from ..modules.faces.morphable import FaceShape, RigCalibration
from ..modules.labels import BLENDSHAPES, prototype_matrix
from .data import load_part

UPPER_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_LIP = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
LIP_BANDS = {  # points between the two contours of a lip follow that lip
    **{
        i: UPPER_LIP
        for i in (
            *UPPER_LIP,
            11,
            12,
            38,
            41,
            42,
            62,
            72,
            73,
            74,
            76,
            183,
            184,
            268,
            271,
            272,
            292,
            302,
            303,
            304,
            306,
            407,
            408,
        )
    },
    **{i: LOWER_LIP for i in (15, 16, 77, 85, 86, 89, 90, 96, 179, 180, 307, 315, 316, 319, 320, 325, 403, 404)},
    **{i: LOWER_LIP for i in LOWER_LIP if i not in (61, 291, 78, 308)},
}
NEIGHBOURS = 8
DIRECTIONS = 40  # of the geometry block: with them no word is off by more than two hundredths of its movement


def completion(known: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """[478, len(known)] weights (rows sum to 1) that give all points from the known ones.

    frames: [N, 478, 3] landmarks of real faces in the canonical frame.
    """
    column = {int(p): i for i, p in enumerate(known)}
    weights = np.zeros((frames.shape[1], len(known)), np.float32)
    mean = frames.mean(0)
    for point in range(frames.shape[1]):
        if point in column:
            weights[point, column[point]] = 1
            continue
        candidates = [p for p in LIP_BANDS.get(point, known) if p in column]
        candidates.sort(key=lambda p: np.linalg.norm(mean[p, :2] - mean[point, :2]))
        near = candidates[:NEIGHBOURS]
        # affine: regress the offset from the nearest neighbour on the offsets of the others
        base = frames[:, near[0]]
        x = np.stack([(frames[:, p] - base).reshape(-1) for p in near[1:]], 1)
        y = (frames[:, point] - base).reshape(-1)
        solved = np.linalg.solve(x.T @ x + np.eye(len(near) - 1) * 2.0 * len(frames), x.T @ y)
        for p, w in zip(near[1:], solved, strict=True):
            weights[point, column[p]] = w
        weights[point, column[near[0]]] = 1 - solved.sum()
    return weights


def expression_rows(names: list[str]) -> np.ndarray:
    """[52, 57]: which shapes of the morphable model make each of the 52 coefficients (two where it has left and right)."""
    rows = np.zeros((len(BLENDSHAPES), len(names)), np.float32)
    for k, wanted in enumerate(BLENDSHAPES):
        for j, name in enumerate(names):
            rows[k, j] = float(name == wanted or name in (f"{wanted}Left", f"{wanted}Right"))
    return rows


def real_frames(data: Path) -> np.ndarray:
    """Landmarks of the training portraits in the canonical frame: [N, 478, 3] pixels."""
    points = torch.stack([torch.from_numpy(p.landmarks) for p in load_part(data, "train")]).float()
    return apply(to_frame(points), points).numpy()


def geometry_basis(expression: np.ndarray, count: int = DIRECTIONS) -> np.ndarray:
    """[count, 478, 3], orthonormal: the principal directions in which the 135 words and each coefficient move the points.

    expression: [52, 478, 3]. Words count as they are, single coefficients (some are in no word) a little.
    """
    codes = np.concatenate([prototype_matrix(), 0.5 * np.eye(len(expression), dtype=np.float32)])
    moves = np.einsum("ne,epc->npc", codes, expression)
    _, _, axes = np.linalg.svd(moves.reshape(len(moves), -1), full_matrices=False)
    return axes[:count].reshape(count, *expression.shape[1:])


def make_shape(data: Path, modes: int = 40) -> dict[str, torch.Tensor]:
    """State of a FaceShape. Identity modes: principal components of the morphable model's own, at these points."""
    model = np.load(Path(data) / "ict_facekit.npz")
    known, vertex = model["corr_mesh478"], model["corr_vertex"]
    weights = completion(known, real_frames(data))
    points = lambda shapes: np.einsum("pk,...kc->...pc", weights, shapes[..., vertex, :].astype(np.float32))  # noqa: E731
    mean, identity = points(model["neutral"]), points(model["identity"])
    rows = expression_rows([str(n) for n in model["expression_arkit"]])
    expression = np.einsum("ke,epc->kpc", rows, points(model["expression"]))
    centre = mean.mean(0)
    flat = identity.reshape(len(identity), -1)
    _, size, axes = np.linalg.svd(flat, full_matrices=False)
    strength = np.zeros(len(mean), np.float32) + 0.3  # completed points count less
    strength[known] = model["corr_weight"]
    return {
        "mean": torch.from_numpy(mean - centre).float(),
        "identity": torch.from_numpy((size[:modes, None] * axes[:modes]).reshape(modes, -1, 3)).float(),
        "expression": torch.from_numpy(expression).float(),
        "weight": torch.from_numpy(strength).float(),
        "geometry": torch.from_numpy(geometry_basis(expression)).float(),
        **{f"drive.{k}": v for k, v in RigCalibration().state_dict().items()},  # identity until the stage `drive`
    }


def load_shape(file: Path) -> FaceShape:
    """The face model of a run, in double precision as the nodes use it."""
    state = load_file(file)
    shape = FaceShape.like(state)
    shape.load_state_dict(state)
    return shape.double()


def main(data: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    state = make_shape(data)
    save_file({k: v.contiguous() for k, v in state.items()}, out / "shape.safetensors")
    print({k: tuple(v.shape) for k, v in state.items()}, "->", out)
    print(f"median residual {residual(data, state):.4f} of the face's width")


def residual(data: Path, state: dict[str, torch.Tensor]) -> float:
    """What the model leaves unexplained of every ninth training portrait, as a share of the face's width: the median."""
    shape, people = FaceShape.like(state), load_part(data, "train")[::9]
    shape.load_state_dict(state)
    points = torch.stack([torch.from_numpy(p.landmarks) for p in people]).float()
    code = torch.stack([torch.from_numpy(p.blendshapes) for p in people])
    code[:, 0] = 0
    left = shape.fit(points, code).residual.norm(dim=-1).median(1).values
    return (left / (points[..., 0].amax(1) - points[..., 0].amin(1))).median().item()
