"""Recognition by the compact identity network, beside its teachers, on 150 people that it was never trained on.

Each person's portrait is compared with other pictures of all of them: another expression, pose and light, drawn by the face
model; then the same small, grey and compressed, or partly covered. The landmarks are found anew on every picture, as the nodes
find them. `python -m evaluation identity --data DATA`
"""

import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ...modules import affine
from ...modules.bundle import fill_module, load_bundle
from ...modules.encoders.identity import COMPACT, INPUT, STRANGER, IdentityNetwork, pool
from ...modules.faces.landmarker import landmarks_in_crop
from ...modules.host import folders
from ...modules.pipeline.encoders import build_encoders, face_networks
from ...modules.types import Face
from ...training.data import load_portraits
from ...training.identity import separation
from ...training.synth.degrade import covered, small, toned
from ...training.synth.identities import faces, held_out
from ...training.synth.people import view
from ...training.teachers import Teachers
from ..metrics.figures import interval, ranks
from ..metrics.report import verdict, write_docs

MARKS = "<!-- identity:begin -->", "<!-- identity:end -->"
VIEWS, SIZE = 2, 256
TARGETS = {"rank1": 0.97, "auc": 0.99, "ratio": 3.0}  # of the plain views
WEAR = {
    "other expression, pose, light": lambda image, rng: image,
    "and small (face 28 px), grey, JPEG 30": lambda image, rng: small(grey(image), 28, 30),
    "and other colours, face 48 px, JPEG 50": lambda image, rng: small(toned(image, rng), 48, 50),
    "and partly covered": lambda image, rng: covered(image, rng),
}
NAMES = {"compact": "the compact network", "faceres": "faceres (teacher)", "mobileface": "mobileface (teacher)"}


def grey(image: torch.Tensor) -> torch.Tensor:
    return (image * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0, keepdim=True).expand(3, -1, -1)


class Witness:
    """The stored data of every picture: the small crop that the network reads, and both teachers' vectors."""

    def __init__(self, data: Path):
        self.teachers, self.networks = Teachers(data / "teachers"), face_networks().ready()

    def look(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Picture [3, 256, 256] in the canonical frame: aligned anew by the landmarks that are found on it."""
        points, _, _ = landmarks_in_crop(self.networks, image[None])
        matrix = affine.to_frame(points, SIZE)
        again = affine.sample(image[None], affine.invert(matrix), SIZE).clamp(0, 1)
        points = affine.apply(matrix, points)[..., :2]
        crop = (F.interpolate(again, size=INPUT, mode="area")[0] * 255).round().byte()
        told = {name: getattr(self.teachers, name)(again, points)[0] for name in ("faceres", "mobileface")}
        return {"crop": crop, **told}


@torch.inference_mode()
def witnessed(people: list[Face], shape, data: Path) -> dict[str, torch.Tensor]:
    """"crop", "faceres", "mobileface", each [P, 1 + conditions * VIEWS, ...]: the portrait first."""
    witness, topology, rows = Witness(data), face_networks().ready().topology.to("cpu"), []
    for number, person in enumerate(people):
        rng = np.random.default_rng([1, number])
        views = [view(person, SIZE, shape, topology, rng)[0] for _ in range(VIEWS)]
        pictures = [person.image, *(wear(v, rng) for wear in WEAR.values() for v in views)]
        seen = [witness.look(p) for p in pictures]
        rows.append({name: torch.stack([s[name] for s in seen]) for name in seen[0]})
        if (number + 1) % 25 == 0:
            print(f"  {number + 1} of {len(people)} people", flush=True)
    return {name: torch.stack([r[name] for r in rows]) for name in rows[0]}


def stored(data: Path, out: Path, shape) -> dict[str, torch.Tensor]:
    """The pictures' crops and the teachers' vectors; made once, because only the network under test changes."""
    file = out / "pictures.pt"
    if not file.exists():
        wanted = [i for part in held_out().values() for i in part]
        portraits = {p.id: p for p in load_portraits(data)}
        made = witnessed(faces([portraits[i] for i in wanted], shape), shape, data)
        out.mkdir(parents=True, exist_ok=True)
        torch.save(made, file)
    return torch.load(file, weights_only=True)


@torch.inference_mode()
def compact_vectors(net: torch.nn.Module, crops: torch.Tensor) -> tuple[torch.Tensor, float]:
    """uint8 [P, Q, 3, 128, 128] -> [P, Q, 256], and milliseconds for one face."""
    flat = torch.cat([net(x.float() / 255) for x in crops.flatten(0, 1).split(64)])
    one, times = crops[0, :1].float() / 255, []
    for _ in range(12):
        start = time.perf_counter()
        net(one)
        times.append(time.perf_counter() - start)
    return flat.unflatten(0, crops.shape[:2]), 1000 * float(np.median(times))


def measured(vectors: torch.Tensor) -> list[dict]:
    """Vectors [P, 1 + conditions * VIEWS, D] -> one row of figures for each condition."""
    gallery, rows = vectors[:, 0], []
    for k, name in enumerate(WEAR):
        probes = vectors[:, 1 + k * VIEWS : 1 + (k + 1) * VIEWS]
        person = np.repeat(np.arange(len(gallery)), VIEWS)
        place = ranks(probes.flatten(0, 1).numpy(), gallery.numpy(), person)
        cosine = probes.flatten(0, 1) @ gallery.T
        own = torch.from_numpy(person)[:, None] == torch.arange(len(gallery))
        low, high = interval(place == 1, person, rounds=500)[1:]
        figures = {"rank1_low": low, "rank1_high": high, "same": cosine[own].mean().item()}
        rows.append({"condition": name, **separation(gallery, probes), **figures, "other": cosine[~own].mean().item()})
    return rows


def strangers(vectors: torch.Tensor, seed: int = 0) -> dict[str, float]:
    """The rule for several photos: five of one person, and four with one of somebody else among them, 300 times each."""
    rng, count = np.random.default_rng(seed), len(vectors)
    whole, found, lost = 0, 0, 0
    for _ in range(300):
        person, other = rng.choice(count, 2, replace=False)
        chosen = vectors[person, rng.choice(vectors.shape[1], 5, replace=False)]
        whole += pool(chosen, (COMPACT,)).strangers == []
        mixed = torch.cat([chosen[:4], vectors[other, rng.integers(vectors.shape[1])][None]])
        out = pool(mixed, (COMPACT,)).strangers
        found += 4 in out
        lost += any(k < 4 for k in out)
    return {"all five of one person are kept": whole / 300, "a stranger among five is left out": found / 300,
            "a right photo is left out beside a stranger": lost / 300}  # fmt: skip


def markdown(result: dict) -> str:
    """The tables as they go into docs/results.md."""
    lines = [
        f"Bundle `{result['id']}`: {result['people']} people kept out of the network's training, {VIEWS} pictures a row "
        "against the portraits of all. Brackets: 95 % bootstrap interval over people. Ratio: variance between people over "
        "variance within a person. The pictures are drawn, not photographed.", "",
        "| pictures | network | rank 1 | AUC | ratio | cosine same / other |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for k, name in enumerate(WEAR):
        for key, title in NAMES.items():
            r = result["rows"][key][k]
            rank = f"{r['rank1']:.3f} ({r['rank1_low']:.2f} to {r['rank1_high']:.2f})"
            both = f"{r['same']:.2f} / {r['other']:.2f}"
            lines.append(f"| {name} | {title} | {rank} | {r['auc']:.4f} | {r['ratio']:.2f} | {both} |")
    first = result["rows"]["compact"][0]
    met = ", ".join(f"{k} {first[k]:.3f} (target {v:g}: {verdict(first[k] >= v)})" for k, v in TARGETS.items())
    lines += ["", f"The compact network on the first row: {met}. {result['milliseconds']:.1f} ms a face, one core.", ""]
    lines += ["| several photos of mixed quality, threshold " + f"{STRANGER:g} | share |", "|---|---|"]
    lines += [f"| {name} | {value:.3f} |" for name, value in result["pooling"].items()]
    return "\n".join([*lines, ""])


def identity(args) -> int:
    """The command."""
    path = folders.bundle_path(args.bundle or folders.DEFAULT)
    bundle = load_bundle(path)
    net = IdentityNetwork().eval()
    fill_module(net, {k: v.float() if v.is_floating_point() else v for k, v in bundle.parts["identity"].items()}, "identity")
    seen = stored(args.data, args.out, build_encoders(bundle).shape)
    vectors, milliseconds = compact_vectors(net, seen["crop"])
    told = {"compact": vectors, **{name: seen[name] for name in ("faceres", "mobileface")}}
    rows = {name: measured(v) for name, v in told.items()}
    result = {"id": bundle.config.id, "people": len(vectors), "rows": rows, "milliseconds": milliseconds,
              "pooling": strangers(vectors)}  # fmt: skip
    (args.out / "identity.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    text = markdown(result)
    if args.write_docs:
        write_docs(text, marks=MARKS)
    print(text)
    return 0
