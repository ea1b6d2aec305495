"""Train the network for hard light, on training people in soft light with hard light drawn over them.

    python -m training light --data DATA [--minutes 50]
"""

from pathlib import Path

import numpy as np
import torch

from ...modules.faces.lights import SIDE, LightNetwork
from ...modules.faces.networks import FaceNetworks
from ..data import load_part, manifest_hash
from ..ladder import Shown, learn, mirrored, places_of, stacked
from ..runlog import Run
from .paint import Painter, Sample
from .people import Model, is_soft, model
from .usual import learn_usual

CONFIG = {"batch": 16, "fresh": 4, "kept": 4096, "lr": 3e-3, "weight_decay": 0.01, "ema": 0.99, "seed": 0}
WATCHED = 48  # validation samples in drawn light, and as many in their own
EDGES, STEPS = 1.0, (1, 2)  # what the gain's differences count beside itself; over how many pixels


def painters(data: Path, face_model: Path, kept: Path) -> dict[str, Painter]:
    """Of training and of validation people in soft light; what was made of their portraits is kept in a folder."""
    networks, found = FaceNetworks.load(face_model), {}
    for part in ("train", "validation"):
        file = kept / f"models_{part}.pt"
        if not file.exists():
            people = [p for p in load_part(data, part) if is_soft(p, networks.topology)]
            torch.save([model(p, networks.topology, places_of(networks), SIDE).tensors() for p in people], file)
        found[part] = Painter([Model.of(row) for row in torch.load(file, weights_only=True)], SIDE)
    return found


def loss_of(gain: torch.Tensor, seen: Sample) -> torch.Tensor:
    """How far a gain [B, 3, S, S] is off (L1), and its differences to the pixels beside and above it."""
    weight, off = seen.weight[:, None], gain - seen.gain
    loss = (off.abs() * weight).sum() / weight.sum()
    for step in STEPS:
        for axis in (-1, -2):
            length = off.shape[axis] - step
            edge = (off.narrow(axis, step, length) - off.narrow(axis, 0, length)).abs()
            both = weight.narrow(axis, step, length) * weight.narrow(axis, 0, length)
            loss = loss + EDGES / 4 * (edge * both).sum() / both.sum()
    return loss


def watched(painter: Painter) -> dict[str, Sample]:
    """Samples of validation people, always the same: in drawn light, and in their own."""
    draw = lambda k, **how: [painter.sample(np.random.default_rng([1, k, j]), **how) for j in range(WATCHED)]  # noqa: E731
    return {"drawn": stacked(draw(0, worn=False)), "own": stacked(draw(1, light=None, worn=False))}


@torch.inference_mode()
def look(network: LightNetwork, samples: dict[str, Sample]) -> dict[str, float]:
    """Mean error of the gain's logarithm over faces, and what it would be without the network."""
    row = {}
    for kind, seen in samples.items():
        gain = torch.cat([network(*rows) for rows in zip(*(x.split(48) for x in seen[:3]), strict=True)])
        weight = (seen.weight > 0.5)[:, None].expand_as(gain)
        row |= {kind: (gain - seen.gain)[weight].abs().mean().item()}
        if kind == "drawn":
            row |= {"before": seen.gain[weight].abs().mean().item()}
    return row


def train(data: Path, out: Path, face_model: Path, minutes: float, bf16: bool) -> None:
    """Runs until `minutes` are spent over all its resumptions, and writes `network.safetensors`."""
    run = Run(out, CONFIG, manifest_hash(data))
    by_part = painters(data, face_model, out)
    shown, samples = Shown(by_part["train"].sample, mirrored, CONFIG), watched(by_part["validation"])
    torch.manual_seed(CONFIG["seed"])

    def loss(network: LightNetwork, seen: Sample) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            gain = network(seen.image, seen.other, seen.place)
        return loss_of(gain, seen)

    network, topology = LightNetwork(norm=True), FaceNetworks.load(face_model).topology
    learn_usual(network, [p for p in load_part(data, "train") if is_soft(p, topology)], topology)
    torch.nn.init.zeros_(network.out.weight)  # it begins with light that is soft
    learn(network, run, face_model, minutes, CONFIG, shown.batch, loss, lambda mean: look(mean, samples))
