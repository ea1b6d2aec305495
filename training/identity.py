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
    a = torch.cat([net(x.float() / 255) for x in portraits.split(64)])
    b = torch.cat([net(x.float() / 255) for x in renderings.split(64)])
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
    data: Path, out: Path, pairs: list[Path], triangles: torch.Tensor, minutes: float, bf16: bool = False
) -> None:
    run, rng = Run(out, CONFIG, manifest_hash(data)), torch.Generator().manual_seed(CONFIG["seed"])
    cache = out / "morphs.pt"
    if not cache.exists():
        torch.save(portraits_and_morphs(data, triangles, CONFIG["morphs"], CONFIG["seed"]), cache)
    crops, faceres, mobile = torch.load(cache, weights_only=True)
    shards = [torch.load(f, weights_only=True) for f in pairs]
    selfies, person = torch.cat([s["selfie"] for s in shards]), torch.cat([s["person"] for s in shards])
    count = int(person.max()) + 1
    checked = (
        person >= count - 40
    )  # the last training people are kept to watch this network (not the evaluation people)
    kept = torch.ones(len(crops), dtype=torch.bool)
    kept[count - 40 : count] = False
    images = torch.cat([crops[kept], selfies[~checked]])
    told = [torch.cat([t[kept], t[person[~checked]]]) for t in (faceres, mobile)]
    told = [centred(t, t.mean(0)) for t in told]
    net, heads = IdentityNetwork(), nn.ModuleList([nn.Linear(WIDTH, 1024), nn.Linear(WIDTH, 256)])
    optimiser = torch.optim.AdamW(
        [*net.parameters(), *heads.parameters()], CONFIG["lr"], weight_decay=CONFIG["weight_decay"]
    )
    began, step = time.time(), 0
    while (done := (time.time() - began) / 60 / minutes) < 1:
        for group in optimiser.param_groups:
            group["lr"] = CONFIG["lr"] * min(1, step / 100) * (0.5 + 0.5 * math.cos(math.pi * done))
        pick = torch.randint(len(images), (CONFIG["batch"],), generator=rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            vector = net(augmented(images[pick], rng))
        vector, loss = vector.float(), 0.0
        for head, target in zip(heads, told, strict=True):
            wanted = target[pick]
            loss = loss + (1 - F.cosine_similarity(head(vector), wanted)).mean()
            loss = loss + 2 * F.mse_loss(vector @ vector.T, wanted @ wanted.T)  # the same neighbours as the teacher
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if step % 200 == 0:
            figures = separation(net, crops[count - 40 : count], selfies[checked], person[checked] - (count - 40))
            run.log(step=step, loss=loss.item(), **figures)
        step += 1
    net.eval()
    run.log(
        step=step,
        loss=loss.item(),
        **separation(net, crops[count - 40 : count], selfies[checked], person[checked] - (count - 40)),
    )
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, out / "identity.safetensors")


def load(path: Path) -> IdentityNetwork:
    net = IdentityNetwork()
    net.load_state_dict(load_file(path))
    return net.eval()
