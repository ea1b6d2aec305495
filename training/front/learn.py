"""Train the network for what stands in front of a face, on training people with drawn occluders.

    python -m training front --data DATA [--minutes 50]

Drawing takes as long as learning, so each sample is shown several times, mirrored and in other light.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ...modules.faces.covers import SIDE, CoverNetwork
from ...modules.faces.networks import FaceNetworks
from ..data import load_part, manifest_hash
from ..ladder import Shown, learn, mirrored, places_of, stacked
from ..runlog import Run
from .paint import KINDS, UNSEEN, Painter, Sample
from .people import Sitter, parts, sitter

CONFIG = {"batch": 8, "fresh": 1, "kept": 1536, "lr": 3e-3, "weight_decay": 0.01, "ema": 0.99, "held": 40, "seed": 0}
WATCHED = 6  # validation samples of each kind, and ten times as many bare faces
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


def _other_light(sample: Sample, rng: np.random.Generator) -> Sample:
    image = (sample.image.clamp(1e-3, 1) ** float(np.exp(rng.normal(0, 0.15))) * float(np.exp(rng.normal(0, 0.15)))).clamp(0, 1)
    return mirrored(sample._replace(image=image), rng)


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
    """Runs until `minutes` are spent over all its resumptions, and writes `network.safetensors`."""
    run = Run(out, CONFIG, manifest_hash(data))
    by_part = painters(data, face_model, out)
    shown, samples = Shown(by_part["train"].sample, _other_light, CONFIG), watched(by_part["validation"])
    torch.manual_seed(CONFIG["seed"])

    def loss(network: CoverNetwork, seen: Sample) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = network(seen.image, seen.place)
        return loss_of(logits.float(), seen)

    learn(CoverNetwork(norm=True), run, face_model, minutes, CONFIG, shown.batch, loss, lambda mean: look(mean, samples))
