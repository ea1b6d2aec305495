"""Is what is drawn any good, and how fast? Figures, and a sheet to look at, since figures do not see what is wrong with a face.

python -m training synth --data DATA        # prints the figures, writes runs/synth/sheet.jpg
"""

import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ...modules.faces.landmarker import landmarks_in_crop
from ...modules.faces.morphable import FaceShape
from ...modules.faces.networks import FaceNetworks
from ...modules.types import Topology
from ..data import load_part
from ..portrait import MARGIN
from ..shape import load_shape
from ..teachers import Teachers
from .codes import random_code
from .light import Light
from .render import PITCH, YAW, People, Scene, render

BATCHES = 1, 8, 32
PEOPLE, PICTURES, ROWS = 64, 96, 8  # portraits drawn from; pictures that are judged; rows of the sheet
EYES = 468, 473  # the iris centres


def sheet(shape: FaceShape, topology: Topology, people: People, seed: int) -> Image.Image:
    """A row for each person: as photographed, turned to both sides, three words, other light, another's face, what is known."""
    rows = []
    for k in range(len(people.image)):
        rng, calm, other = np.random.default_rng([seed, k]), torch.zeros(52), (k + 1) % len(people.image)
        words = [torch.from_numpy(random_code(rng, strong=True)) for _ in range(4)]
        scenes = [Scene.plain(k, calm, -YAW), Scene.plain(k, calm, YAW), Scene.plain(k, words[0], 0.0, PITCH)]
        scenes += [Scene.plain(k, words[1]), Scene.plain(k, words[2], YAW / 2), Scene.plain(k, calm, light=Light.any(rng))]
        scenes += [Scene.plain(k, words[3], -YAW / 2, face=other), Scene.plain(k, calm, face=other)]
        made = render(shape, topology, people, Scene.stack(scenes))
        own = people.image[k, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
        rows.append(torch.cat([own, *made["picture"], _known(made, -2)], 2).cpu())
    table = torch.cat(rows, 1).permute(1, 2, 0)
    return Image.fromarray((table.clamp(0, 1) * 255).round().byte().numpy())


def _known(made: dict[str, torch.Tensor], k: int) -> torch.Tensor:
    """Picture k with its mask in green, its mouth in red and its points in white: [3, S, S]."""
    picture, size = made["picture"][k].clone(), made["picture"].shape[-1]
    picture[1] = torch.maximum(picture[1], 0.6 * made["mask"][k])
    picture[0] = torch.maximum(picture[0], made["mouth"][k])
    x, y = made["points"][k, :, :2].long().clamp(0, size - 1).unbind(1)
    picture[:, y, x] = 1.0
    return picture


def speed(shape: FaceShape, topology: Topology, people: People, batch: int, seed: int, pictures: int = 64) -> float:
    """Pictures a second, random scenes in batches, the first batch not counted."""
    start, made = 0.0, 0
    for first in range(0, max(pictures, 3 * batch) + batch, batch):
        scene = Scene.numbers(seed, range(first, first + batch), len(people.image))
        picture = render(shape, topology, people, scene)["picture"]
        picture.sum().item()  # waits for the device
        start, made = (start or time.perf_counter(), made + batch * bool(start))
    return made / (time.perf_counter() - start)


@torch.inference_mode()
def judged(
    shape: FaceShape, topology: Topology, people: People, networks: FaceNetworks, teachers: Teachers, seed: int, count: int
) -> dict[str, float]:
    """Of `count` random scenes: how far the landmark network finds the points from where they are said to be (median, shares of
    the eyes' distance), and the cosine of faceres to the person; of swaps to the face's and to the head's.
    """
    rows, offset = [], people.points.new_tensor([MARGIN, MARGIN])
    own = people.image[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
    known = torch.cat(
        [teachers.faceres(*b) for b in zip(own.split(8), (people.points[..., :2] - offset).split(8), strict=True)]
    )
    for first in range(0, count, 8):
        scene = Scene.numbers(seed, range(first, min(first + 8, count)), len(people.image))
        made = render(shape, topology, people, scene)
        found, _, _ = landmarks_in_crop(networks, made["picture"])
        eyes = (made["points"][:, EYES[0], :2] - made["points"][:, EYES[1], :2]).norm(dim=1)
        off = (found - made["points"])[..., :2].norm(dim=-1).median(1).values / eyes
        vector, swapped = teachers.faceres(made["picture"], made["points"][..., :2]), scene.face != scene.person
        to_face, to_head = ((vector * known[who.to(known.device)]).sum(1) for who in (scene.face, scene.person))
        rows += zip(swapped.tolist(), off.tolist(), to_face.tolist(), to_head.tolist(), strict=True)
    table = np.array(rows)
    swap = table[:, 0] > 0
    return {
        "points": float(np.median(table[~swap, 1])),
        "own": float(np.median(table[~swap, 2])),
        "swap_face": float(np.median(table[swap, 2])),
        "swap_head": float(np.median(table[swap, 3])),
    }


def main(data: Path, out: Path, face_model: Path, shape_file: Path, device: str, seed: int) -> None:
    """The command: pictures a second for each batch size, what networks say of the pictures, and the sheet."""
    shape, networks = load_shape(shape_file).to(device), FaceNetworks.load(face_model).to(device)
    topology = networks.topology
    people = People.of(load_part(data, "train")[:PEOPLE], shape)
    for batch in BATCHES:
        rate = speed(shape, topology, people, batch, seed)
        print(f"synth: batch {batch:2d}: {rate:7.1f} pictures a second on {device}", flush=True)
    said = judged(shape, topology, people, networks, Teachers(data / "teachers", device), seed, PICTURES)
    print(f"synth: medians of {PICTURES} random pictures: faceres cosine to the person {said['own']:.2f};")
    print(f"       of swaps {said['swap_face']:.2f} to the face, {said['swap_head']:.2f} to the head;")
    print(f"       measured landmarks lie {said['points']:.3f} of the eyes' distance from where they are")
    out.mkdir(parents=True, exist_ok=True)
    few = people[torch.linspace(0, len(people.image) - 1, ROWS).long()]
    sheet(shape, topology, few, seed).save(out / "sheet.jpg", quality=92)
    print(f"synth: {out / 'sheet.jpg'}")
