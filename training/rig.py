"""Rig calibration: how far a coefficient must move the points to be measured as asked (`modules/faces/morphable.py`).

The morphable rig alone moves too little in a drawn picture: brows asked to lower by 1 measure as .4, and two coefficients
together can hide each other. So faces are drawn with known coefficients and measured. One network learns the measured from the
drawn coefficients; a second one learns which coefficients to draw so that the first gives the asked ones.

    python -m training drive --data DATA
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ..modules.faces.landmarker import landmarks_in_crop
from ..modules.faces.morphable import FaceShape, RigCalibration, retarget
from ..modules.faces.networks import FaceNetworks
from ..modules.labels import BLENDSHAPES, prototype_matrix
from ..modules.types import Face
from ..modules.warp.coarse import BackgroundFace, coarse_warp, face_mask
from ..modules.warp.mesh import Mesh
from ..modules.warp.skin import Skin
from .data import load_part, manifest_hash
from .portrait import Portrait, crop_frame
from .runlog import Run
from .shape import load_shape
from .synth.codes import random_code

GROWN = 9.0  # pixels of the 256 px crop, as Background Condition masks a face
CONFIG = {"people": 120, "codes": 32, "hold": 0.15, "seed": 0}  # drawn faces: people of the training part, codes for each


def portrait_face(networks: FaceNetworks, shape: FaceShape, portrait: Portrait) -> Face:
    """The canonical crop of a portrait, measured as the nodes do."""
    image = torch.from_numpy(crop_frame(portrait.wide()).copy()).permute(2, 0, 1).float() / 255
    points, _, code = landmarks_in_crop(networks, image[None])
    code = code[0].clone()
    code[0] = 0
    return shape.face(image, points[0], code)


def drawn_code(rng: np.random.Generator) -> np.ndarray:
    """[52], -.4 to 1.8: wider than the range that can be asked, because the answers may lie outside it."""
    code = random_code(rng, strong=True) * rng.uniform(0.4, 1.8, len(BLENDSHAPES))
    if rng.random() < 0.5:
        few = rng.choice(np.arange(1, len(BLENDSHAPES)), 4, replace=False)
        code[few] += rng.uniform(-0.4, 1.0, 4)
    return np.clip(code, -0.4, 1.8).astype(np.float32)


@torch.inference_mode()
def responses(data: Path, networks: FaceNetworks, shape: FaceShape, seed: int, people: int):
    """Drawn faces of training people: coefficients drawn [N, 52], measured [N, 52], person [N]; first each neutral face."""
    rng, topology, rows = np.random.default_rng(seed), networks.topology, []
    everybody = load_part(data, "train")
    for number in rng.permutation(len(everybody))[:people]:
        face = portrait_face(networks, shape, everybody[number])
        background, skin = BackgroundFace.of(face, topology), Skin.of(face)
        drawn = torch.from_numpy(np.stack([np.zeros(52, np.float32), *(drawn_code(rng) for _ in range(CONFIG["codes"]))]))
        geometry, pictures = shape.geometry_of_rig(drawn), []
        for k in range(len(drawn)):
            mesh = Mesh.of(retarget(shape, face.fit, face.fit, geometry[k : k + 1])[0], topology, face.size)
            pictures.append(coarse_warp(skin, background, mesh, face_mask(background, mesh, GROWN), colour=0.0))
        measured = torch.cat([landmarks_in_crop(networks, torch.stack(part))[2] for part in _chunks(pictures, 8)])
        rows.append((drawn, measured.clone(), torch.full((len(drawn),), int(number))))
        print(f"drive: {len(rows)} of {people} people", end="\r", flush=True)
    return [torch.cat(column) for column in zip(*rows, strict=True)]


def _chunks(items: list, size: int) -> list[list]:
    return [items[i : i + size] for i in range(0, len(items), size)]


def train(data: Path, out: Path, networks: FaceNetworks, shape_file: Path) -> None:
    """Draws and measures (kept in `out`), fits both networks, and writes the rig calibration into the face model's file."""
    run, cache = Run(out, CONFIG, manifest_hash(data)), out / "responses.pt"
    if not cache.exists():
        torch.save(responses(data, networks, load_shape(shape_file), CONFIG["seed"], CONFIG["people"]), cache)
    drawn, measured, person = torch.load(cache, weights_only=True)
    forward, known = fit_forward(drawn, measured, person % 10 != 0)
    drive = fit_drive(forward, known)
    run.log(known=known[1:].mean().item(), **improvement(forward, known, drive))
    state = {k: v for k, v in load_file(shape_file).items() if not k.startswith("drive.")}
    save_file({**state, **{f"drive.{k}": v.contiguous() for k, v in drive.state_dict().items()}}, shape_file)


@torch.no_grad()
def improvement(forward: nn.Module, known: torch.Tensor, drive: RigCalibration) -> dict[str, float]:
    """Mean distance of the measured to the asked coefficients of the 135 words, where they can be measured: before, after."""
    words, sure = torch.from_numpy(prototype_matrix()), known > 0.5
    error = lambda drawn: (forward(drawn) - words)[:, sure].abs().mean().item()  # noqa: E731
    return {"error_rig": error(words), "error_drive": error(drive(words))}


def forward_network() -> nn.Module:
    """Coefficients drawn [B, 52] -> measured [B, 52], the average over people."""
    return nn.Sequential(nn.Linear(52, 192), nn.SiLU(), nn.Linear(192, 192), nn.SiLU(), nn.Linear(192, 52))


def fit_forward(drawn: torch.Tensor, measured: torch.Tensor, kept: torch.Tensor, steps: int = 3000):
    """The response, and how well it is known: R2 of each coefficient on the people not `kept` [N] bool, 0..1."""
    net, rng = forward_network(), torch.Generator().manual_seed(0)
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.05)
    x, y = drawn[kept], measured[kept]
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 2e-3 * (1 - step / steps)
        pick = torch.randint(len(x), (256,), generator=rng)
        loss = (net(x[pick]) - y[pick]).pow(2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        left = (net(drawn[~kept]) - measured[~kept]).pow(2).mean(0)
        known = 1 - left / measured[~kept].var(0).clamp_min(1e-6)
    return net.requires_grad_(False), known.clamp(0, 1)


def fit_drive(forward: nn.Module, known: torch.Tensor, steps: int = 4000, hold: float = CONFIG["hold"]) -> RigCalibration:
    """The network from asked to drawn coefficients. Coefficients that are not measured reliably (`known`) stay as asked.

    hold: weight of the distance to the asked coefficient; the better a coefficient is measured, the lower it is.
    """
    drive, rng = RigCalibration().requires_grad_(True), np.random.default_rng(1)
    asked = torch.from_numpy(np.stack([random_code(rng, strong=True) for _ in range(8000)]))
    alone = np.eye(52)[rng.integers(1, 52, 4000)] * rng.uniform(0.2, 1, (4000, 1))
    asked = torch.cat([asked, torch.from_numpy(alone).float()])
    optimiser, generator = torch.optim.AdamW(drive.parameters(), 3e-3, weight_decay=1e-3), torch.Generator().manual_seed(0)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 3e-3 * (1 - step / steps)
        wanted = asked[torch.randint(len(asked), (256,), generator=generator)]
        drawn = drive(wanted)
        rest = forward(torch.zeros(1, 52))  # a neutral face does not measure as 0
        seen = forward(drawn) - rest * (1 - wanted)
        loss = (known * (seen - wanted).pow(2)).sum(1).mean() + (hold * (1.2 - known) * (drawn - wanted).pow(2)).sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return drive.requires_grad_(False)
