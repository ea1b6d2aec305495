"""Train the compact identity network: distilled from both teachers on portraits, their other renderings, and morphs.

A rendering of a person (other expression, pose, light, quality) must give what the teachers say of the untouched portrait:
so the student is less moved by expression than they are. Morphs of two people stand for people never seen.

    python -m training identity --data DATA --pairs runs/pairs --out runs/identity
"""

import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from kornia.geometry.transform import warp_affine
from safetensors.torch import load_file, save_file
from torch import nn

from ..modules.encoders.identity import INPUT, WIDTH, IdentityNetwork
from .data import MARGIN, crop_frame, load_part, manifest_hash
from .runlog import Run
from .synth.morph import morph
from .teachers import Teachers

WATCHED = 40  # training people kept to watch the network
CONFIG = {"batch": 64, "lr": 2e-3, "weight_decay": 1e-3, "morphs": 6000, "seed": 0}


def small(image: torch.Tensor) -> torch.Tensor:
    return (F.interpolate(image[None], size=INPUT, mode="area")[0].clamp(0, 1) * 255).byte()


def portraits_and_morphs(data: Path, triangles: torch.Tensor, count: int, seed: int, part: str = "train"):
    """Crops uint8 [N, 3, 128, 128] with both teachers' vectors; the first len(people) rows are the untouched portraits."""
    teachers, rng = Teachers(data), np.random.default_rng(seed)
    people = []
    for p in load_part(data, part):
        image = torch.from_numpy(crop_frame(p.wide()).copy()).permute(2, 0, 1).float() / 255
        people.append((image, torch.from_numpy(p.landmarks).float() - torch.tensor([MARGIN, MARGIN, 0.0])))
    rows = []
    for k in range(len(people) + count):
        a, b = rng.choice(len(people), 2, replace=False)
        image, points = people[k] if k < len(people) else morph(people[a], people[b], triangles, rng)
        with torch.inference_mode():
            told = [t(image[None], points[None, :, :2])[0] for t in (teachers.faceres, teachers.mobileface)]
        rows.append((small(image), *told))
    return [torch.stack(column) for column in zip(*rows, strict=True)]


def augmented(crops: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """uint8 [B, 3, 128, 128] -> 0..1: moved a little, mirrored, recoloured, sometimes partly covered."""
    x, b = crops.float() / 255, len(crops)
    u = lambda *s: torch.rand(*s, generator=rng) * 2 - 1  # noqa: E731
    angle, scale = u(b) * 0.07, 1 + u(b) * 0.05
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    flip = torch.where(u(b) > 0, 1.0, -1.0)
    linear = torch.stack([torch.stack([cos * flip, -sin], 1), torch.stack([sin * flip, cos], 1)], 1)
    centre = torch.full((b, 2, 1), INPUT / 2)
    matrix = torch.cat([linear, centre - linear @ centre + (u(b, 2) * 3)[..., None]], 2)
    x = warp_affine(x, matrix, (INPUT, INPUT), padding_mode="border")
    x = (x * (1 + 0.25 * u(b, 1, 1, 1)) * (1 + 0.1 * u(b, 3, 1, 1)) + 0.08 * u(b, 1, 1, 1)).clamp(0, 1)
    for i in range(b):
        if torch.rand(1, generator=rng) < 0.15:
            top, left, size = (int(v) for v in torch.randint(10, 90, (3,), generator=rng))
            x[i, :, top : top + size // 3, left : left + size // 2] = torch.rand(3, 1, 1, generator=rng)
    return x


def centred(vectors: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    return F.normalize(vectors - mean, dim=1)


@torch.inference_mode()
def separation(net: IdentityNetwork, portraits: torch.Tensor, renderings: torch.Tensor, person: torch.Tensor) -> dict:
    """Rank-1 of renderings among portraits, area under the ROC, and the ratio of variances between and within people."""
    net.eval()
    device = next(net.parameters()).device
    a, b = (torch.cat([net(x.to(device).float() / 255).cpu() for x in y.split(64)]) for y in (portraits, renderings))
    cosine = b @ a.T
    same = cosine.gather(1, person[:, None])[:, 0]
    other = cosine[torch.arange(len(a))[None] != person[:, None]]
    order = torch.cat([same, other]).argsort().argsort().double() + 1
    auc = (order[: len(same)].sum() - len(same) * (len(same) + 1) / 2) / (len(same) * len(other))
    within = (b - a[person]).pow(2).sum(1).mean() / 2
    between = a.var(0).sum()
    net.train()
    return {
        "rank1": (cosine.argmax(1) == person).double().mean().item(),
        "auc": auc.item(),
        "ratio": (between / within).item(),
    }


def train(
    data: Path, out: Path, pairs: list[Path], triangles: torch.Tensor, minutes: float, device="cpu", bf16: bool = False
) -> None:
    """Runs until `minutes` are spent over all its resumptions."""
    run, rng = Run(out, CONFIG, manifest_hash(data)), torch.Generator().manual_seed(CONFIG["seed"])
    images, told, watched = material(data, out, pairs, triangles)
    net = IdentityNetwork().to(device)
    heads = nn.ModuleList([nn.Linear(WIDTH, 1024), nn.Linear(WIDTH, 256)]).to(device)
    parts = {"net": net, "heads": heads}
    weights = [*net.parameters(), *heads.parameters()]
    parts["optimiser"] = torch.optim.AdamW(weights, CONFIG["lr"], weight_decay=CONFIG["weight_decay"])
    step, spent, began = 0, 0.0, time.time()
    if state := run.load():
        for name, part in parts.items():
            part.load_state_dict(state[name])
        step, spent = state["step"], state["elapsed"]
    elapsed = spent
    while elapsed < minutes * 60:
        for group in parts["optimiser"].param_groups:
            fall = 0.5 + 0.5 * math.cos(math.pi * elapsed / 60 / minutes)
            group["lr"] = CONFIG["lr"] * min(1, step / 100) * fall
        pick = torch.randint(len(images), (CONFIG["batch"],), generator=rng)
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            vector = net(augmented(images[pick], rng).to(device)).float()
        loss = distillation_loss(vector, heads, [t[pick].to(device) for t in told])
        parts["optimiser"].zero_grad(set_to_none=True)
        loss.backward()
        parts["optimiser"].step()
        step, elapsed = step + 1, spent + time.time() - began
        if step % 200 == 0 or elapsed >= minutes * 60:
            run.log(step=step, loss=loss.item(), **separation(net, *watched))
            run.save(**{n: p.state_dict() for n, p in parts.items()}, step=step, elapsed=elapsed)
    save_file({k: v.cpu().contiguous() for k, v in net.state_dict().items()}, out / "identity.safetensors")


def material(data: Path, out: Path, pairs: list[Path], triangles: torch.Tensor):
    """Pictures, what both teachers say of them, and the 40 training people kept to watch the network.

    Morphs with the watched people stay in; the evaluation people are in nothing here.
    """
    cache = out / "morphs.pt"
    if not cache.exists():
        torch.save(portraits_and_morphs(data, triangles, CONFIG["morphs"], CONFIG["seed"]), cache)
    crops, *teachers = torch.load(cache, weights_only=True)
    shards = [torch.load(f, weights_only=True) for f in pairs]
    selfies, person = torch.cat([s["selfie"] for s in shards]), torch.cat([s["person"] for s in shards])
    count = int(person.max()) + 1
    first = count - WATCHED
    kept = torch.ones(len(crops), dtype=torch.bool)
    kept[first:count] = False
    seen = person < first
    told = [torch.cat([t[kept], t[person[seen]]]) for t in teachers]
    images = torch.cat([crops[kept], selfies[seen]])
    return images, [centred(t, t.mean(0)) for t in told], (crops[first:count], selfies[~seen], person[~seen] - first)


def distillation_loss(vector: torch.Tensor, heads: nn.ModuleList, told: list[torch.Tensor]) -> torch.Tensor:
    """Each head must point where its teacher does, and the vectors must have the teachers' neighbours."""
    loss = vector.new_zeros(())
    for head, wanted in zip(heads, told, strict=True):
        loss = loss + (1 - F.cosine_similarity(head(vector), wanted)).mean()
        loss = loss + 2 * F.mse_loss(vector @ vector.T, wanted @ wanted.T)
    return loss


def load(path: Path) -> IdentityNetwork:
    net = IdentityNetwork()
    net.load_state_dict(load_file(path))
    return net.eval()
