"""Train the coefficient regressor (`modules/encoders/regressor.py`): from measurements of a picture to its coefficients.

Half of the material are the selfies of the training pairs: drawn with known coefficients, turned, relit, degraded, and measured
like any photo. The other half are points of the morphable model itself, of synthetic people, with their neutral face in another
pose. People are kept apart: every tenth is for validation.

    python -m training reader --data DATA
"""

import math
import time
from pathlib import Path

import numpy as np
import torch
from kornia.geometry.conversions import axis_angle_to_rotation_matrix
from safetensors.torch import load_file, save_file

from ..modules.encoders.regressor import CoefficientRegressor
from ..modules.faces.landmarker import BLENDSHAPE_POINTS
from ..modules.faces.morphable import FaceShape
from ..modules.faces.networks import FaceNetworks
from ..modules.faces.pose import project
from ..modules.labels import prototype_matrix
from .runlog import Run
from .synth.codes import random_code

CONFIG = {"batch": 256, "steps": 4000, "lr": 2e-3, "weight_decay": 0.3, "model_faces": 5000, "rare": 0.5, "seed": 0}
NOISE = 0.05, 0.1  # added to measured coefficients and to geometry while it learns
LANDMARK_NOISE = 0.35  # pixels of the 256 px crop, about what the landmark network's points scatter
CHUNK = 200  # faces of the model at a time
USED = 20  # coefficients that the 135 words use most


def most_used(count: int = USED) -> list[int]:
    """Positions of the coefficients with the largest sum over the prototypes of the 135 words."""
    return torch.from_numpy(prototype_matrix()).sum(0).argsort(descending=True)[:count].tolist()


def determination(read: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """R2 of each coefficient: [N, 52], [N, 52] -> [52]; 1 is perfect, 0 as good as the mean, NaN where hardly any is shown."""
    spread = true.var(0)
    return torch.where(spread > 1e-4, 1 - (read - true).pow(2).mean(0) / spread.clamp_min(1e-9), torch.nan)


def material(pairs: list[Path]) -> dict[str, torch.Tensor]:
    """What was drawn [N, 52], what was measured [N, 52 + K], and the person [N], without the untouched portraits."""
    shards = [torch.load(file, weights_only=True) for file in pairs]
    names = ("selfie_code", "selfie_measured", "person")
    found = {name: torch.cat([s[name] for s in shards]) for name in names}
    drawn = ~((found["selfie_code"] - found["selfie_measured"][:, :52]).abs().sum(1) == 0)
    return {name: value[drawn] for name, value in found.items()}


@torch.inference_mode()
def model_faces(
    shape: FaceShape, networks: FaceNetworks, count: int, seed: int, rare: float = 0.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Faces of the morphable model: what is measured on their points [N, 52 + K], and the coefficients shown [N, 52].

    Each has a face shape of its own, an expression, a pose; its neutral face, in another pose, gives its identity. `rare`: the
    share that shows two coefficients more, any of them: words never show some, such as puffed cheeks.
    """
    rng, rows = np.random.default_rng(seed), []
    for size in [CHUNK] * (count // CHUNK):
        code = torch.from_numpy(np.stack([with_rare(random_code(rng, strong=True), rng, rare) for _ in range(size)]))
        person = torch.from_numpy(rng.normal(0, 0.8, (size, len(shape.identity))))
        shown = shape.mesh(person, torch.zeros(size, 52).to(person)) + shape.moved(shape.geometry_of_code(code))
        calm = shape.mesh(person, torch.zeros(size, 52).to(person))
        points, before = (seen_points(mesh, rng) for mesh in (shown, calm))
        measured = networks.blendshapes(points[:, list(BLENDSHAPE_POINTS)].float())
        other = networks.blendshapes(before[:, list(BLENDSHAPE_POINTS)].float())
        measured[:, 0] = other[:, 0] = 0
        fits = (shape.fit(p, m, rounds=3) for p, m in ((before, other), (points, measured)))
        geometry = shape.geometry_between(*fits)
        rows.append((torch.cat([measured, geometry.float()], 1), code))
    seen, code = (torch.cat(column) for column in zip(*rows, strict=True))
    return seen.clone(), code


def with_rare(code: np.ndarray, rng: np.random.Generator, rare: float) -> np.ndarray:
    if rare and rng.random() < rare:
        code[rng.choice(np.arange(1, len(code)), 2, replace=False)] = rng.uniform(0.2, 1.0, 2)
    return code


def seen_points(mesh: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """The model's faces [N, 478, 3] turned by up to 20, 10 and 8 degrees and seen as landmarks [N, 478, 2] in pixels."""
    angles = torch.from_numpy(np.radians(rng.uniform(-1, 1, (len(mesh), 3)) * [10, 20, 8]))
    rotation, scale = axis_angle_to_rotation_matrix(angles), torch.full((len(mesh),), 11.0).to(mesh)
    flat = project(mesh, rotation.to(mesh), scale, torch.tensor([128.0, -140.0]).to(mesh).expand(len(mesh), 2))
    noise = torch.from_numpy(rng.normal(0, LANDMARK_NOISE, flat.shape))
    return (flat + noise) * torch.tensor([1.0, -1.0]).to(mesh)


def train(pairs: list[Path], out: Path, shape: FaceShape, networks: FaceNetworks, data_hash: str) -> CoefficientRegressor:
    run, rng = Run(out, CONFIG, data_hash), torch.Generator().manual_seed(CONFIG["seed"])
    data = material(pairs)
    validation, began = data["person"] % 10 == 0, time.time()
    modelled, modelled_code = model_faces(shape, networks, CONFIG["model_faces"], CONFIG["seed"], CONFIG["rare"])
    repeat = max(1, round(len(modelled) / int((~validation).sum())))  # both kinds are seen about equally often
    seen = torch.cat([data["selfie_measured"][~validation].repeat(repeat, 1), modelled])
    true = torch.cat([data["selfie_code"][~validation].repeat(repeat, 1), modelled_code])
    torch.manual_seed(CONFIG["seed"])
    reader = CoefficientRegressor(seen.shape[1] - 52)
    spread = torch.tensor([NOISE[0]] * 52 + [NOISE[1]] * (seen.shape[1] - 52))
    optimiser = torch.optim.AdamW(reader.parameters(), CONFIG["lr"], weight_decay=CONFIG["weight_decay"])
    for step in range(CONFIG["steps"] + 1):
        if step % 500 == 0:
            run.log(step=step, **watched(reader, data, validation))
        optimiser.param_groups[0]["lr"] = CONFIG["lr"] * (0.5 + 0.5 * math.cos(math.pi * step / CONFIG["steps"]))
        pick = torch.randint(len(seen), (CONFIG["batch"],), generator=rng)
        noise = torch.randn(seen[pick].shape, generator=rng) * spread
        x = seen[pick] + noise
        loss = (reader.unclamped(x[:, :52], x[:, 52:]) - true[pick]).pow(2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    save_file({k: v.contiguous() for k, v in reader.state_dict().items()}, out / "reader.safetensors")
    print(f"reader: {len(seen)} faces, {time.time() - began:.0f} s")
    return reader


@torch.no_grad()
def watched(reader: CoefficientRegressor, data: dict[str, torch.Tensor], validation: torch.Tensor) -> dict[str, float]:
    seen, true = data["selfie_measured"][validation], data["selfie_code"][validation]
    used = most_used()
    read = determination(reader(seen[:, :52], seen[:, 52:]), true)[used]
    plain = determination(seen[:, :52], true)[used]
    return {"r2": read.mean().item(), "r2_lowest": read.min().item(), "r2_measured_alone": plain.mean().item()}


def load(path: Path) -> CoefficientRegressor:
    state = load_file(path)
    reader = CoefficientRegressor(state["hidden.0.weight"].shape[1] - 52)
    reader.load_state_dict(state)
    return reader.requires_grad_(False).eval()
