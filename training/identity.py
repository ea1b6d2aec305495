"""Train the compact identity network: both teachers distilled into one vector, on training people and synthetic identities.

The target is the teachers' vectors of a person's clean picture, joined and reduced to 256 values. The network must give it for
every view of that person, however degraded: so it is less sensitive to expression, light and quality than the teachers are.

    python -m training identity --data DATA
"""

import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from ..modules.encoders.identity import WIDTH, IdentityNetwork
from .data import manifest_hash
from .runlog import Run
from .synth.degrade import askew, worn

CONFIG = {"batch": 64, "lr": 3e-3, "weight_decay": 0.02, "new_people": 5760, "faceres": 0.65, "sharpness": 16.0, "seed": 0}
WARM, LOOK = 60, 100  # steps: until the full rate; between two looks at the validation people and for new shards


def fitted(faceres: torch.Tensor, mobileface: torch.Tensor, share: float) -> dict[str, torch.Tensor]:
    """How the teachers' vectors [N, 1024], [N, 256] become one: their means, and the basis [1280, 256] of what varies most."""
    means = {"faceres_mean": faceres.mean(0), "mobileface_mean": mobileface.mean(0)}
    both = joined(faceres, mobileface, share, means)
    _, vectors = torch.linalg.eigh(both.T.double() @ both.double())
    return {**means, "basis": vectors[:, -WIDTH:].flip(1).float().contiguous()}


def joined(faceres: torch.Tensor, mobileface: torch.Tensor, share: float, means: dict) -> torch.Tensor:
    """Both centred, to unit length, weighted: the cosine of the result [N, 1280] is the weighted mean of the teachers'."""
    first = F.normalize(faceres - means["faceres_mean"], dim=1) * share**0.5
    second = F.normalize(mobileface - means["mobileface_mean"], dim=1) * (1 - share) ** 0.5
    return torch.cat([first, second], 1)


class Material:
    """Crops uint8 [R, 3, 128, 128], the person of each [R], and the target of each person [P, 256], from shards.

    Reading again takes in what another process has written meanwhile.
    """

    def __init__(self, folder: Path, target: Path, share: float):
        self.folder, self.target, self.share, self.read = folder, target, share, []
        self.crops, self.first, self.counts, self.wanted = [], [], [], torch.zeros(0, WIDTH)

    def refresh(self) -> None:
        files = [f for kind in ("plain", "new") for f in sorted(self.folder.glob(f"{kind}_*.pt")) if f not in self.read]
        shards = [torch.load(f, weights_only=True) for f in files]
        if not shards:
            return
        told = [torch.cat([s[name] for s in shards]).float() for name in ("faceres", "mobileface")]
        if not self.target.exists():
            save_file(fitted(*told, self.share), self.target)
        basis = load_file(self.target)
        self.wanted = torch.cat([self.wanted, F.normalize(joined(*told, self.share, basis) @ basis["basis"], dim=1)])
        self.crops += [torch.cat([s["clean"][:, None], s["views"]], 1) for s in shards]
        self.read += files
        self.table = [(k, row) for k, shard in enumerate(self.crops) for row in range(len(shard))]

    def batch(self, size: int, seed: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Degraded pictures [B, 3, 128, 128] 0..1 and their people [B]; the same for the same seed."""
        rng = np.random.default_rng(seed)
        person = rng.integers(len(self.table), size=size)
        rows = []
        for who in person:
            shard, row = self.table[who]
            rows.append(self.crops[shard][row, rng.integers(self.crops[shard].shape[1])])
        images = askew(torch.stack(rows).float() / 255, torch.Generator().manual_seed(int(rng.integers(2**31))))
        images = torch.stack([worn(image, rng, images[k - 1]) for k, image in enumerate(images)])
        return images.clamp(0, 1), torch.from_numpy(person)


def loss_of(vector: torch.Tensor, person: torch.Tensor, wanted: torch.Tensor, sharpness: float) -> torch.Tensor:
    """1 - cosine of vector [B, 256] and target, and the divergence of their similarities to all people [P, 256].

    The second term, between two softmax distributions over all people, separates similar people.
    """
    right = wanted[person]
    apart = F.kl_div(F.log_softmax(sharpness * vector @ wanted.T, 1), F.log_softmax(sharpness * right @ wanted.T, 1),
                     reduction="batchmean", log_target=True)  # fmt: skip
    return (1 - F.cosine_similarity(vector, right)).mean() + 0.25 * apart


@torch.inference_mode()
def vectors(net: IdentityNetwork, crops: torch.Tensor) -> torch.Tensor:
    """uint8 [..., 3, 128, 128] -> [..., 256]."""
    device = next(net.parameters()).device
    flat = [net(x.to(device).float() / 255).cpu() for x in crops.flatten(0, -4).split(64)]
    return torch.cat(flat).unflatten(0, crops.shape[:-3])


def separation(gallery: torch.Tensor, probes: torch.Tensor) -> dict[str, float]:
    """Portraits [P, D] against views [P, V, D] of the same people, unit vectors.

    rank1: share of views whose nearest portrait is their own; auc: area under the ROC of same and other person; ratio: the
    variance between people over that within them.
    """
    count, views = probes.shape[:2]
    cosine = probes.flatten(0, 1) @ gallery.T
    person = torch.arange(count).repeat_interleave(views)
    own = person[:, None] == torch.arange(count)
    same, other = cosine[own], cosine[~own]
    order = torch.cat([same, other]).argsort().argsort().double() + 1
    auc = (order[: len(same)].sum() - len(same) * (len(same) + 1) / 2) / (len(same) * len(other))
    every = torch.cat([gallery[:, None], probes], 1)
    middle = every.mean(1)
    within = (every - middle[:, None]).pow(2).sum((1, 2)).mean() / views  # V + 1 pictures each
    between = (middle - middle.mean(0)).pow(2).sum(1).sum() / (count - 1) - within / (views + 1)
    rank1 = (cosine.argmax(1) == person).double().mean()
    return {"rank1": rank1.item(), "auc": auc.item(), "ratio": (between / within).item()}


def look(net: IdentityNetwork, watched: dict[str, torch.Tensor]) -> dict[str, float]:
    """`separation` of the validation people on plain views, and on the same views degraded."""
    net.eval()
    gallery = vectors(net, watched["clean"])
    found = separation(gallery, vectors(net, watched["views"]))
    worn_down = separation(gallery, vectors(net, watched["worn"]))
    net.train()
    return {**found, **{f"worn_{k}": v for k, v in worn_down.items()}}


def train(data: Path, out: Path, people: Path, minutes: float, device: str = "cpu") -> None:
    """Runs until `minutes` are spent over all its resumptions. `people`: the folder of shards (`synth/identities.py`).

    Single precision: this network is small, and half of it is slower on CPUs without instructions for it.
    """
    run, config = Run(out, CONFIG, manifest_hash(data)), CONFIG
    material = Material(people, out / "target.safetensors", config["faceres"])
    material.refresh()
    watched = torch.load(people / "watched.pt", weights_only=True)
    torch.manual_seed(config["seed"])
    net = IdentityNetwork().to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), config["lr"], weight_decay=config["weight_decay"])
    step, spent, began = 0, 0.0, time.time()
    if state := run.load():
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        step, spent = state["step"], state["elapsed"]
    elapsed = spent
    while elapsed < minutes * 60:
        for group in optimiser.param_groups:
            fall = 0.5 + 0.5 * math.cos(math.pi * min(1.0, elapsed / 60 / minutes))
            group["lr"] = config["lr"] * min(1, (step + 1) / WARM) * fall
        images, person = material.batch(config["batch"], [config["seed"], step])
        wanted = material.wanted.to(device)
        loss = loss_of(net(images.to(device)), person.to(device), wanted, config["sharpness"])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        step, elapsed = step + 1, spent + time.time() - began
        if step % LOOK == 0 or elapsed >= minutes * 60:
            run.log(step=step, people=len(material.wanted), loss=loss.item(), **look(net, watched))
            run.save(net=net.state_dict(), optimiser=optimiser.state_dict(), step=step, elapsed=elapsed)
            material.refresh()
    save_file({k: v.cpu().contiguous() for k, v in net.state_dict().items()}, out / "identity.safetensors")


def load(path: Path) -> IdentityNetwork:
    net = IdentityNetwork()
    net.load_state_dict(load_file(path))
    return net.eval()
