"""A data folder for `training` with nobody in it: one public portrait in several colours, and random teachers.

What a stage writes from it is worth nothing; it shows that every stage runs and finds what the one before it wrote.
"""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from tests.host.graphs import BUILT_IN, astronaut

FACES, SCENES = 4, 3
KNOWN = 468  # of the 478 points the morphable model's stand-in has vertices for


def make(folder: Path) -> dict[str, list[str]]:
    """Writes everything that the stages read, and returns a split of its people."""
    people = portraits()
    faces, scenes = people[:FACES], people[FACES:]
    tables(folder / "faces", faces, "s", lambda i: {"file": f"img/{i}.png", "tier": "A"})
    tables(folder / "portraits", scenes, "p", lambda i: {"aligned": f"aligned/{i}.png", "scene": f"aligned/{i}.png"})
    morphable_model(folder / "ict_facekit.npz")
    teachers(folder / "teachers")
    autoencoder(folder / "taef2")
    ids = [f"s{k}" for k in range(FACES)], [f"p{k}" for k in range(SCENES)]
    return {"train": [*ids[0][:3], ids[1][0]], "validation": [ids[0][3], ids[1][1]], "evaluation": [ids[1][2]]}


@torch.inference_mode()
def portraits() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(picture uint8 [352, 352, 3], points [478, 3] in it, coefficients [52]) for each person."""
    from diffsfsr.modules.affine import invert, sample, to_frame
    from diffsfsr.modules.faces.landmarker import find_faces, landmarks_in_crop
    from diffsfsr.modules.faces.networks import FaceNetworks
    from diffsfsr.modules.host import folders
    from diffsfsr.training.portrait import MARGIN

    networks, picture = FaceNetworks.load(folders.face_model()), astronaut()
    points = find_faces(networks, picture[0])[0].points[None].float()
    inverse = invert(to_frame(points))
    inverse[:, :, 2] -= inverse[:, :, :2].sum(2) * MARGIN  # the wide frame begins that much to the left and above
    wide = sample(picture.permute(0, 3, 1, 2), inverse, 352)
    found = []
    for k in range(FACES + SCENES):
        tint = torch.tensor([1.0, 0.8 + 0.04 * k, 1.1 - 0.05 * k])[:, None, None]
        image = (wide[0].flip(-1) if k % 2 else wide[0]) ** (0.7 + 0.1 * k) * tint
        inner = image.clamp(0, 1)[None, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
        points, _, code = landmarks_in_crop(networks, inner)
        pixels = (image.clamp(0, 1).permute(1, 2, 0) * 255).byte().numpy()
        away = points[0] * torch.tensor([1.0, 1.0, -1.0])  # the data folder has z away from the viewer
        found.append((pixels, (away + torch.tensor([MARGIN, MARGIN, 0.0])).numpy(), code[0].numpy()))
    return found


def tables(folder: Path, people: list, letter: str, files) -> None:
    """The table, landmarks and pictures of one of both sets."""
    from diffsfsr.modules.labels import BLENDSHAPES

    rows, ids = [], [f"{letter}{k}" for k in range(len(people))]
    for name, (pixels, _, code) in zip(ids, people, strict=True):
        told = files(name)
        for key in ("file", "aligned"):
            if key in told:
                (folder / told[key]).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(folder / told[key])
        values = dict(zip(BLENDSHAPES, map(float, code), strict=True))
        rows.append({"id": name, **told, "blendshapes": values, "yaw": 0.0, "pitch": 0.0, "age_estimate": 40.0})
    (folder / f"{folder.name}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    points = np.stack([p[1] for p in people]).astype(np.float32)
    np.savez(folder / "landmarks.npz", ids=ids, landmarks=points, aligned=points * 2, scene=points * 2)


def morphable_model(file: Path) -> None:
    """The bundle's own face model in the place of the one that it was made from."""
    from diffsfsr.modules.bundle import load_bundle
    from diffsfsr.modules.labels import BLENDSHAPES

    shape = {name: value.float().numpy() for name, value in load_bundle(BUILT_IN).parts["shape"].items()}
    known = np.arange(KNOWN)
    np.savez(
        file, neutral=shape["mean"], identity=shape["identity"], expression=shape["expression"],
        expression_arkit=np.array(BLENDSHAPES), corr_mesh478=known, corr_vertex=known, corr_weight=shape["weight"][known],
    )  # fmt: skip


class Reduced(nn.Module):
    """A picture as 16 x 16 pixels through one random layer: different pictures have different vectors."""

    def __init__(self, width: int):
        super().__init__()
        self.pool, self.layer = nn.AdaptiveAvgPool2d(16), nn.Linear(768, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(self.pool(x).flatten(1) - 0.5)


class Three(nn.Module):
    """As faceres answers: descriptor, years, probability of male."""

    def __init__(self):
        super().__init__()
        self.body = Reduced(1024)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        found = self.body(x)
        return found, found[:, :100].softmax(1), found[:, :1].sigmoid()


def teachers(folder: Path) -> None:
    folder.mkdir()
    torch.manual_seed(0)
    for name, network in (("faceres", Three()), ("mobileface", Reduced(256))):
        torch.jit.script(network.eval().requires_grad_(False)).save(folder / f"{name}.ts.pt")


def autoencoder(folder: Path) -> None:
    """Random, in the layout of the one that ours starts from."""
    from comfy.taesd.taesd import TAESD

    folder.mkdir()
    model, rng = TAESD(latent_channels=32), torch.Generator().manual_seed(0)
    for name, part in (("encoder", model.taesd_encoder), ("decoder", model.taesd_decoder)):
        state = {key: value for key, value in part.state_dict().items() if ".pool." not in key}
        drawn = {k: torch.randn(v.shape, generator=rng) / max(v[0].numel(), 64) ** 0.5 for k, v in state.items()}
        save_file(drawn, folder / f"{name}.safetensors")
