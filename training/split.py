"""Make training/split.json: identities for training, validation and evaluation, look-alikes never apart.

python -m training split --data DATA
"""

import json
from pathlib import Path

import numpy as np
import torch

from .data import SPLIT_FILE, load_portraits
from .portrait import Portrait
from .teachers import Teachers

LOOK_ALIKE = 0.8  # faceres cosine above which two pictures count as one person for the split


def embeddings(portraits: list[Portrait], data: Path) -> torch.Tensor:
    teachers, rows = Teachers(data / "teachers"), []
    for p in portraits:
        image = torch.from_numpy(p.wide()).permute(2, 0, 1)[None] / 255
        points = torch.from_numpy(p.landmarks[None, :, :2]).float()
        with torch.inference_mode():
            rows.append(teachers.faceres(image, points))
    return torch.cat(rows)


def groups(vectors: torch.Tensor) -> list[list[int]]:
    """Connected components of the look-alike graph."""
    near = (vectors @ vectors.T > LOOK_ALIKE).numpy()
    left, found = set(range(len(vectors))), []
    while left:
        stack, group = [left.pop()], []
        while stack:
            i = stack.pop()
            group.append(i)
            reached = [j for j in np.nonzero(near[i])[0] if j in left]
            left.difference_update(reached)
            stack.extend(reached)
        found.append(sorted(group))
    return found


def make_split(data: Path, evaluation: int = 64, validation: int = 20, seed: int = 0) -> dict[str, list[str]]:
    """Whole groups are dealt out; evaluation takes lone identities of both sets: sharp, near frontal, face wide enough."""
    portraits = load_portraits(data)
    lone = [g[0] for g in groups(embeddings(portraits, data)) if len(g) == 1]
    order = np.random.default_rng(seed).permutation(lone).tolist()
    usable = [
        i for i in order if portraits[i].tier in "AP" and abs(portraits[i].yaw) < 25 and abs(portraits[i].pitch) < 25
    ]
    faces = [i for i in usable if portraits[i].group == "faces"]
    scenes = [i for i in usable if portraits[i].group == "portraits"]
    half = evaluation // 2
    chosen = faces[:half] + scenes[: evaluation - half]
    checked = faces[half : half + validation // 2] + scenes[evaluation - half : evaluation - half + validation // 2]
    held = set(chosen) | set(checked)
    ids = lambda rows: sorted(portraits[i].id for i in rows)  # noqa: E731
    return {
        "evaluation": ids(chosen),
        "validation": ids(checked),
        "train": ids(i for i in range(len(portraits)) if i not in held),
    }


def main(data: Path) -> None:
    split = make_split(data)
    SPLIT_FILE.write_text(json.dumps(split, indent=0) + "\n")
    print({k: len(v) for k, v in split.items()}, "->", SPLIT_FILE.name)
