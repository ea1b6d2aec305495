"""How the small networks for crops of faces (`modules/faces/ladder.py`) learn from samples that are drawn as needed."""

import json
import math
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save, save_file

from dev.seal import sealed

from ..modules.faces.ladder import Ladder, folded
from ..modules.faces.networks import FaceNetworks
from .runlog import Run, read_curve

WARM, LOOK = 100, 500  # steps: until the full rate; between two looks at the validation people
LICENCE = "GPL-3.0-or-later"


def places_of(networks: FaceNetworks) -> torch.Tensor:
    """Of the canonical face's points [468, 2]: x and y over 8 cm, about -1 to 1."""
    return networks.vertices[:, :2] / 8


class Shown:
    """The last samples drawn, as a ring, since drawing takes as long as learning; a batch is some new ones and old ones in
    another form. config: `batch`, `fresh`, `kept`, `seed`.
    """

    def __init__(self, draw: Callable, again: Callable, config: dict):
        """draw(rng) -> a sample, a tuple of tensors; again(sample, rng) -> the same in another form."""
        self.draw, self.again, self.config, self.samples = draw, again, config, []

    def batch(self, step: int):
        rng, config = np.random.default_rng([self.config["seed"], step]), self.config
        fresh = [self.draw(rng) for _ in range(config["fresh"] if self.samples else config["batch"])]
        known = len(self.samples)
        old = [self.samples[int(k)] for k in rng.integers(0, known, config["batch"] - len(fresh))] if known else []
        self.samples = (self.samples + [type(s)(*(x.half() for x in s)) for s in fresh])[-config["kept"] :]
        return stacked(fresh + [self.again(type(s)(*(x.float() for x in s)), rng) for s in old])


def mirrored(sample, rng: np.random.Generator):
    """Half of the samples seen in a mirror; `place` [3, S, S] has x first."""
    if rng.random() < 0.5:
        return sample
    sample = type(sample)(*(x.flip(-1) for x in sample))
    return sample._replace(place=sample.place * torch.tensor([-1.0, 1.0, 1.0])[:, None, None])


def ill_aligned(
    size: int, margin: float, rng: np.random.Generator | None, spread: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """From a frame of `size` pixels to a portrait with a margin around it, as wrong landmarks place it, half of them mirrored:
    linear [2, 2], shift [2], and -1.0 if it is; without rng as it is. spread: of the logarithm of the scale.
    """
    flip, angle, scale, move = 1.0, 0.0, 1.0, np.zeros(2)
    if rng is not None:
        flip = float(rng.choice((-1, 1)))
        angle, scale, move = rng.normal(0, 0.05), np.exp(rng.normal(0, spread)), rng.normal(0, 0.015 * size, 2)
    linear = scale * np.array([[np.cos(angle) * flip, -np.sin(angle)], [np.sin(angle) * flip, np.cos(angle)]])
    middle = np.array([0.5, 0.56]) * size
    return linear, middle + margin + move - linear @ middle, flip


def stacked(samples: list):
    """One of many samples, all of a kind."""
    return type(samples[0])(*(torch.stack([x.float() for x in values]) for values in zip(*samples, strict=True)))


def learn(
    network: Ladder, run: Run, face_model: Path, minutes: float, config: dict,
    batch: Callable, loss_of: Callable, look: Callable[[Ladder], dict[str, float]],
) -> None:  # fmt: skip
    """Runs until `minutes` are spent over all its resumptions, and writes `network.safetensors`, the mean of the last steps.

    batch(step) -> a sample of many; loss_of(network, sample) -> the loss; config: `lr`, `weight_decay`, `ema`.
    """
    network = network.to(memory_format=torch.channels_last)
    network.places.copy_(places_of(FaceNetworks.load(face_model)))
    mean = deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), config["lr"], weight_decay=config["weight_decay"])
    step, spent, began = 0, 0.0, time.time()
    if state := run.load():
        for one, name in ((network, "network"), (mean, "mean"), (optimiser, "optimiser")):
            one.load_state_dict(state[name])
        step, spent = state["step"], state["elapsed"]
    elapsed = spent
    while elapsed < minutes * 60:
        fall = 0.5 + 0.5 * math.cos(math.pi * min(1.0, elapsed / 60 / minutes))
        optimiser.param_groups[0]["lr"] = config["lr"] * min(1, (step + 1) / WARM) * max(fall, 0.01)
        loss = loss_of(network, batch(step))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        follow(mean, network, min(config["ema"], (step + 1) / (step + 10)))
        step, elapsed = step + 1, spent + time.time() - began
        if step % LOOK == 0 or elapsed >= minutes * 60:
            run.log(step=step, loss=loss.item(), **look(mean))
            states = {"network": network.state_dict(), "mean": mean.state_dict(), "optimiser": optimiser.state_dict()}
            run.save(**states, step=step, elapsed=elapsed)
            save_file(folded(mean).state_dict(), run.folder / "network.safetensors")


@torch.no_grad()
def follow(mean: torch.nn.Module, network: torch.nn.Module, share: float) -> None:
    """The running mean of weights and of batch norm's statistics."""
    for own, new in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
        if own.is_floating_point():
            own.lerp_(new, 1 - share)
        else:
            own.copy_(new)


def export(run: Path, out: Path, kind: type[Ladder]) -> None:
    """The run's network in half precision, with a checksum and what it was made of."""
    record = json.loads((run / "run.json").read_text())
    last = {**record, **(record.get("resumed") or [{}])[-1]}
    told = {name: last[name] for name in ("run", "config", "data", "code", "started")}
    told["steps"] = int(read_curve(run / "curve.csv")[-1]["step"])
    tensors = {name: value.half().contiguous() for name, value in load_file(run / "network.safetensors").items()}
    metadata = {"format": kind.FORMAT, "format_version": str(kind.FORMAT_VERSION), "licence": LICENCE}
    out.write_bytes(sealed(save(tensors, {**metadata, "told": json.dumps(told)})))
