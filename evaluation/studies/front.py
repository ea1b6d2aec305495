"""What is found in front of faces, by kind: drawn over validation people, and on their bare faces.

    python -m evaluation front --data DATA

The pictures are drawn as for training (`training/front/`), of people who were held out; landmarks are those that the landmark
network finds on the covered face. Two kinds were never drawn in training.
"""

import numpy as np
import torch

from ...modules.affine import FRAME
from ...modules.faces.landmarker import landmarks_in_crop
from ...modules.pipeline.encoders import cover_network, face_networks
from ...modules.warp.covers import answer, in_front
from ...modules.warp.forehead import Seen
from ...modules.warp.front import found_by_colour
from ...modules.warp.mesh import Mesh
from ...training.data import load_part
from ...training.front.learn import CONFIG
from ...training.front.paint import KINDS, UNSEEN, Painter
from ...training.front.people import parts, sitter
from ...training.ladder import places_of
from ..metrics.report import write_docs

MARKS = "<!-- front:begin -->", "<!-- front:end -->"
PLAIN, MARKED = "nothing, portraits as they are", "nothing, marked and worn"
SURE, SEED = 0.5, 5
WAYS = {
    "colour rules alone": lambda image, mesh, _: found_by_colour(image, mesh),
    "now": lambda image, mesh, network: in_front(Seen.of(image, mesh), mesh, answer(network, image, mesh)),
}


def validation_painter(data) -> Painter:
    networks = face_networks().ready()
    topology = networks.topology.to("cpu")
    people = parts({part: load_part(data, part) for part in ("train", "validation")}, CONFIG["held"], CONFIG["seed"])
    places = places_of(networks).cpu()
    return Painter([sitter(person, topology, places, FRAME) for person in people["validation"]], FRAME, topology.mirror)


@torch.inference_mode()
def counted(painter: Painter, count: int) -> dict[str, dict[str, np.ndarray]]:
    """By way and kind: pixels in the face that are rightly found, found, in front, and there, of each picture [n, 4]."""
    networks, network, made = face_networks().ready(), cover_network().ready(), {way: {} for way in WAYS}
    for kind, image, true, here in pictures(painter, count):
        points = landmarks_in_crop(networks, image[None].to(networks.triangles.device))[0][0].cpu()
        mesh = Mesh.of(points, networks.topology.to("cpu"), FRAME)
        for way, find in WAYS.items():
            found = find(image, mesh, network) > SURE
            row = [(x & here).sum().item() for x in (found & true, found, true, here)]
            made[way].setdefault(kind, []).append(row)
    return {way: {kind: np.array(rows, float) for kind, rows in kinds.items()} for way, kinds in made.items()}


def pictures(painter: Painter, count: int):
    """Kind, picture [3, S, S], what is in front and where that counts [S, S] bool."""
    for k, kind in enumerate((*KINDS, *UNSEEN, MARKED)):
        for j in range(count * (5 if kind == MARKED else 1)):
            seen = painter.sample(np.random.default_rng([SEED, k, j]), () if kind == MARKED else (kind,))
            yield kind, seen.image, seen.label > SURE, seen.face & (seen.weight > 0)
    for one in painter.bare:
        image, place, *_ = painter.seen(one, None)
        face = torch.from_numpy(place[2] > 0.5)
        yield PLAIN, torch.from_numpy(image.transpose(2, 0, 1).copy()), torch.zeros_like(face), face


def table(made: dict[str, dict[str, np.ndarray]], count: int) -> str:
    """Markdown: precision and recall of all pixels of a kind; of bare faces the share that is found."""
    text = lambda rows: f"{rows[:, 0].sum() / max(rows[:, 1].sum(), 1):.2f} / {rows[:, 0].sum() / rows[:, 2].sum():.2f}"  # noqa: E731
    lines = [f"| drawn before the face ({count} pictures each) | {' | '.join(WAYS)} |", f"|---|{'---|' * len(WAYS)}"]
    for kind in (*KINDS, *UNSEEN):
        name = f"*{kind}* (not in training)" if kind in UNSEEN else kind
        lines.append(f"| {name} | {' | '.join(text(made[way][kind]) for way in WAYS)} |")
    every = {way: np.concatenate([made[way][kind] for kind in KINDS]) for way in WAYS}
    lines.append(f"| **all that was in training** | {' | '.join(text(every[way]) for way in WAYS)} |")
    for kind in (PLAIN, MARKED):
        false = [made[way][kind][:, 1] / made[way][kind][:, 3] for way in WAYS]
        told = (f"{(f > 0).sum()}: {100 * np.median(f):.2f}, {100 * np.quantile(f, 0.95):.2f}, {100 * f.max():.1f} %"
                for f in false)  # fmt: skip
        name = f"{kind} ({len(false[0])}): how many with a find; median, 95th percentile, most of the face"
        lines.append(f"| {name} | {' | '.join(told)} |")
    return "\n".join(lines)


def front(args) -> int:
    """The command."""
    text = table(counted(validation_painter(args.data), args.pictures), args.pictures)
    print(text)
    if args.write_docs:
        write_docs(f"{text}\n", marks=MARKS)
    return 0
