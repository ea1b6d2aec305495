"""Train the network for what stands in front of a face, on training people with drawn occluders.

    python -m training front --data DATA [--minutes 50]

Drawing takes as long as learning, so each sample is shown several times, mirrored and in other light.
"""

import json
import math
import time
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save, save_file

from dev.seal import sealed

from ...modules.faces.covers import FORMAT, FORMAT_VERSION, SIDE, CoverNetwork, folded
from ...modules.faces.networks import FaceNetworks
from ..data import load_part, manifest_hash
from ..runlog import Run, read_curve
from .paint import KINDS, UNSEEN, Painter, Sample
from .people import Sitter, parts, sitter

CONFIG = {"batch": 8, "fresh": 1, "kept": 1536, "lr": 3e-3, "weight_decay": 0.01, "ema": 0.99, "held": 40, "seed": 0}
WARM, LOOK = 100, 500  # steps: until the full rate; between two looks at the validation people
WATCHED = 6  # validation samples of each kind, and ten times as many bare faces
LICENCE = "GPL-3.0-or-later"
SURE = 0.5  # from which on a pixel counts as in front when it is measured


def painters(data: Path, face_model: Path, kept: Path) -> dict[str, Painter]:
    """Of training and of validation people; what was made of their portraits is kept in a folder."""
    networks = FaceNetworks.load(face_model)
    places = places_of(networks)
    people = parts({part: load_part(data, part) for part in ("train", "validation")}, CONFIG["held"], CONFIG["seed"])
    topology = networks.topology
    painters = {}
    for part, found in people.items():
        file = kept / f"sitters_{part}.pt"
        if not file.exists():
            torch.save([sitter(p, topology, places, SIDE).tensors() for p in found], file)
        sitters = [Sitter.of(row) for row in torch.load(file, weights_only=True)]
        painters[part] = Painter(sitters, SIDE, topology.mirror)
    return painters


def places_of(networks: FaceNetworks) -> torch.Tensor:
    """Of the canonical face's points [468, 2]: x and y over 8 cm, about -1 to 1."""
    return networks.vertices[:, :2] / 8


class Shown:
    """The last samples drawn, as a ring; a batch is some new ones and old ones in other light."""

    def __init__(self, painter: Painter):
        self.painter, self.samples = painter, []

    def batch(self, step: int) -> Sample:
        rng = np.random.default_rng([CONFIG["seed"], step])
        fresh = [self.painter.sample(rng) for _ in range(CONFIG["fresh"] if self.samples else CONFIG["batch"])]
        known = len(self.samples)
        old = [self.samples[int(k)] for k in rng.integers(0, known, CONFIG["batch"] - len(fresh))] if known else []
        self.samples = (self.samples + [Sample(*(x.half() for x in s)) for s in fresh])[-CONFIG["kept"] :]
        return stacked(fresh + [_other_light(Sample(*(x.float() for x in s)), rng) for s in old])


def stacked(samples: list[Sample]) -> Sample:
    return Sample(*(torch.stack([s[k].float() for s in samples]) for k in range(len(Sample._fields))))


def _other_light(sample: Sample, rng: np.random.Generator) -> Sample:
    image = (sample.image.clamp(1e-3, 1) ** float(np.exp(rng.normal(0, 0.15))) * float(np.exp(rng.normal(0, 0.15)))).clamp(0, 1)
    sample = sample._replace(image=image)
    if rng.random() < 0.5:
        return sample
    sample = Sample(*(x.flip(-1) for x in sample))
    return sample._replace(place=sample.place * torch.tensor([-1.0, 1.0, 1.0])[:, None, None])


def loss_of(logits: torch.Tensor, seen: Sample) -> torch.Tensor:
    """Cross entropy by weight, and what is missing to a full overlap (dice) of those with something in front."""
    entropy = F.binary_cross_entropy_with_logits(logits, seen.label, reduction="none")
    entropy = (entropy * seen.weight).sum() / seen.weight.sum()
    share, where = logits.sigmoid(), seen.weight * seen.face
    both = (share * seen.label * where).sum((1, 2))
    all_of_it = ((share + seen.label) * where).sum((1, 2))
    some = (seen.label * where).sum((1, 2)) > 30
    dice = 1 - (2 * both + 10) / (all_of_it + 10)
    return entropy + 0.2 * (dice * some).sum() / some.sum().clamp_min(1)


def watched(painter: Painter) -> dict[str, Sample]:
    """Samples of validation people by kind, always the same; `bare` has nothing before the faces."""
    kinds = {kind: (kind,) for kind in (*KINDS, *UNSEEN)} | {"bare": ()}
    found = {}
    for k, (kind, drawn) in enumerate(kinds.items()):
        count = WATCHED * (1 if drawn else 10)
        found[kind] = stacked([painter.sample(np.random.default_rng([1, k, j]), drawn) for j in range(count)])
    return found


@torch.inference_mode()
def look(network: CoverNetwork, samples: dict[str, Sample]) -> dict[str, float]:
    """Recall of each kind, precision and recall of all that was trained, and the false area of bare faces (95th percentile)."""
    counts, row = torch.zeros(3), {}
    for kind, seen in samples.items():
        logits = [network(*rows) for rows in zip(seen.image.split(12), seen.place.split(12), strict=True)]
        found = torch.cat(logits).sigmoid() > SURE
        counts_here = seen.face.bool() & (seen.weight > 0)
        true = (seen.label > 0.5) & counts_here
        found = found & counts_here
        if kind == "bare":
            false = found.sum((1, 2)) / counts_here.sum((1, 2))
            row |= {"false_mean": false.mean().item(), "false_95": false.quantile(0.95).item()}
            continue
        right = (found & true).sum().float()
        row[kind] = (right / true.sum().clamp_min(1)).item()
        if kind not in UNSEEN:
            counts += torch.stack([right, found.sum(), true.sum()])
    precision, recall = counts[0] / counts[1].clamp_min(1), counts[0] / counts[2].clamp_min(1)
    return {"precision": precision.item(), "recall": recall.item(), **row}


def train(data: Path, out: Path, face_model: Path, minutes: float, bf16: bool) -> None:
    """Runs until `minutes` are spent over all its resumptions, and writes `in_front.safetensors`."""
    run = Run(out, CONFIG, manifest_hash(data))
    by_part = painters(data, face_model, out)
    shown, samples = Shown(by_part["train"]), watched(by_part["validation"])
    torch.manual_seed(CONFIG["seed"])
    network = CoverNetwork(norm=True).to(memory_format=torch.channels_last)
    network.places.copy_(places_of(FaceNetworks.load(face_model)))
    mean = deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), CONFIG["lr"], weight_decay=CONFIG["weight_decay"])
    step, spent, began = 0, 0.0, time.time()
    if state := run.load():
        for one, name in ((network, "network"), (mean, "mean"), (optimiser, "optimiser")):
            one.load_state_dict(state[name])
        step, spent = state["step"], state["elapsed"]
    elapsed = spent
    while elapsed < minutes * 60:
        seen = shown.batch(step)
        fall = 0.5 + 0.5 * math.cos(math.pi * min(1.0, elapsed / 60 / minutes))
        optimiser.param_groups[0]["lr"] = CONFIG["lr"] * min(1, (step + 1) / WARM) * max(fall, 0.01)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = network(seen.image, seen.place)
        loss = loss_of(logits.float(), seen)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        follow(mean, network, min(CONFIG["ema"], (step + 1) / (step + 10)))
        step, elapsed = step + 1, spent + time.time() - began
        if step % LOOK == 0 or elapsed >= minutes * 60:
            run.log(step=step, loss=loss.item(), **look(mean, samples))
            states = {"network": network.state_dict(), "mean": mean.state_dict(), "optimiser": optimiser.state_dict()}
            run.save(**states, step=step, elapsed=elapsed)
            save_file(folded(mean).state_dict(), out / "network.safetensors")


@torch.no_grad()
def follow(mean: torch.nn.Module, network: torch.nn.Module, share: float) -> None:
    """The running mean of weights and of batch norm's statistics."""
    for own, new in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
        if own.is_floating_point():
            own.lerp_(new, 1 - share)
        else:
            own.copy_(new)


def export(run: Path, out: Path) -> None:
    """The run's network in half precision, with a checksum and what it was made of."""
    record = json.loads((run / "run.json").read_text())
    last = {**record, **(record.get("resumed") or [{}])[-1]}
    told = {name: last[name] for name in ("run", "config", "data", "code", "started")}
    told["steps"] = int(read_curve(run / "curve.csv")[-1]["step"])
    tensors = {name: value.half().contiguous() for name, value in load_file(run / "network.safetensors").items()}
    metadata = {"format": FORMAT, "format_version": str(FORMAT_VERSION), "licence": LICENCE, "told": json.dumps(told)}
    out.write_bytes(sealed(save(tensors, metadata)))
