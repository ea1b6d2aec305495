"""The measured coefficients of every word: coarse warps of training people, asked against measured, word by word.

Prototypes were mended with it (`docs/expressions.md`, "What can be seen"). Only people of the training part are drawn: those
of the evaluation part judge the result and must not shape it.
"""

from pathlib import Path

import numpy as np
import torch

from ...modules.faces.landmarker import landmarks_in_crop
from ...modules.labels import BLENDSHAPES, prototype
from ...modules.pipeline.area import coarse_warp_of
from ...modules.pipeline.encoders import Encoders, face_networks
from ...modules.pipeline.place import Person, Place
from ...modules.warp.coarse import BackgroundFace
from ...training.data import load_part
from ...training.rig import portrait_face
from ..media.wordsheet import every_word
from ..metrics.figures import CHANNELS, correlation, part
from ..pipeline import Pipeline

SEED = 1  # of the draw of the people
BATCH = 8


@torch.inference_mode()
def measured_words(encoders: Encoders, data: Path, people: int, codes: np.ndarray) -> np.ndarray:
    """Codes [n, 52] drawn on each person in the place of the next one -> measured [people, n, 52], 0..1."""
    everybody, networks = load_part(data, "train"), face_networks().ready()
    order = np.random.default_rng(SEED).permutation(len(everybody))[:people]
    topology = networks.topology.to("cpu")
    faces = [portrait_face(networks, encoders.shape, everybody[number]) for number in order]
    there = [Place(BackgroundFace.of(face, topology), torch.eye(2, 3), f"{k}") for k, face in enumerate(faces)]
    geometry, rows = encoders.shape.geometry_of_code(torch.from_numpy(codes)), []
    for k, face in enumerate(faces):
        person = Person(face, f"{k}")
        place, measurements = there[(k + 1) % len(there)], []
        for first in range(0, len(geometry), BATCH):
            warps = [coarse_warp_of(encoders, person, place, one) for one in geometry[first : first + BATCH]]
            measured = landmarks_in_crop(networks, torch.stack(warps).to(networks.triangles.device))[2]
            measurements.append(measured.cpu().numpy())
        rows.append(np.concatenate(measurements))
        print(f"seen: {len(rows)} of {people} people", end="\r", flush=True)
    measured = np.stack(rows)
    measured[..., 0] = 0  # the unused first value
    return measured


def following(asked: np.ndarray, measured: np.ndarray) -> dict[str, float]:
    """Asked [n, 52] and measured [people, n, 52] -> correlation of each channel over all of them."""
    asked = np.broadcast_to(asked, measured.shape)
    return {name: correlation(part(asked, g).ravel(), part(measured, g).ravel()) for name, g in CHANNELS.items()}


def table(words: list[str], asked: np.ndarray, measured: np.ndarray) -> str:
    """Markdown: by word "asked / measured" of each channel (sums of left and right, mean over people); below, correlations."""
    lines = [f"| word | {' | '.join(CHANNELS)} |", f"|---|{'---|' * len(CHANNELS)}"]
    for k, word in enumerate(words):
        cells = [f"{part(asked[k], g):.2f} / {part(measured[:, k], g).mean():.2f}" for g in CHANNELS.values()]
        lines.append(f"| {word} | {' | '.join(cells)} |")
    follows = following(asked, measured)
    lines.append(f"| **correlation** | {' | '.join(f'{r:.2f}' for r in follows.values())} |")
    return "\n".join([*lines, "", f"Mean correlation {np.mean(list(follows.values())):.3f}."])


def seen(args) -> int:
    """The command."""
    words = every_word()
    asked = np.stack([np.zeros(len(BLENDSHAPES), np.float32), *(prototype(word) for word in words)])
    measured = measured_words(Pipeline(bundle=args.bundle).encoders, args.data, args.people, asked)
    print(table(["neutral", *words], asked, measured))
    return 0
