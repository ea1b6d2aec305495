"""The words of a subcluster that are drawn most alike: in the picture, and in how far the points of the face lie apart."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch

from ...modules.encoders.expression import encode_label, split
from ...modules.labels import FAMILIES, WORDS, family_of, subcluster_of
from ...modules.pipeline.area import coarse_warp_of
from ...modules.pipeline.draft import mesh_of
from ...modules.pipeline.encoders import Encoders
from ...modules.pipeline.place import own_place, person_of
from ...modules.types import USUAL, Identity

WEAKER = 0.9  # two words that differ less than a word from itself at this intensity are not told apart


@dataclass(frozen=True)
class Pair:
    """Two words of a subcluster, and how far apart they are drawn."""

    words: tuple[str, str]
    grey: float  # mean absolute difference inside the face, 0..255
    pixels: float  # mean displacement of the 468 points of the face, pixels of the 256 px crop


@torch.inference_mode()
def drawn(encoders: Encoders, selfie: Identity, words: list[tuple[str, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Words and intensities on a selfie: pictures [n, S, S, 3] 0..255 (uint8), points [n, 468, 2] in pixels of the 256 px crop,
    and where the selfie's face is [S, S] bool."""
    person = person_of(selfie)
    place = own_place(encoders, person)
    pictures, points = [], []
    for word, amount in words:
        geometry = split(encode_label(encoders.shape, encoders.id, word, amount, 0).codes)[1][0]
        picture = coarse_warp_of(encoders, person, place, geometry)
        pictures.append((picture * 255).round().to(torch.uint8).permute(1, 2, 0).numpy())
        mesh = mesh_of(encoders, person, place, geometry, USUAL)
        points.append(mesh.points[:468, :2].numpy() * 256 / picture.shape[-1])
    return np.stack(pictures), np.stack(points), place.background.mesh.covered.numpy()


def apart(one: int, other: int, pictures: np.ndarray, points: np.ndarray, inside: np.ndarray) -> tuple[float, float]:
    """Rows one and other of what was drawn -> grey levels and pixels between them."""
    grey = np.abs(pictures[one][inside].astype(np.float32) - pictures[other][inside]).mean()
    return float(grey), float(np.linalg.norm(points[one] - points[other], axis=-1).mean())


def pairs_of(faces: list[tuple], words: list[str]) -> list[Pair]:
    """All pairs of words of a subcluster, nearest in the picture first; mean over faces, each as `drawn` returns it."""
    found = []
    for subclusters in FAMILIES.values():
        for group in subclusters.values():
            for a, b in combinations([w for w in group if w in words], 2):
                found.append(Pair((a, b), *_mean(faces, words.index(a), words.index(b))))
    return sorted(found, key=lambda pair: pair.grey)


def itself(faces: list[tuple], count: int) -> tuple[float, float]:
    """Grey levels and pixels, median over words, between rows k and count + k: a word and the same a little weaker."""
    return tuple(np.median([_mean(faces, k, count + k) for k in range(count)], 0))


def _mean(faces: list[tuple], one: int, other: int) -> np.ndarray:
    return np.mean([apart(one, other, *face) for face in faces], 0)


def nearest(encoders: Encoders, selfies: list[Identity]) -> tuple[list[Pair], tuple[float, float]]:
    """All pairs at intensity 1, nearest first, and how far a word is from itself a little weaker."""
    faces = [drawn(encoders, selfie, [(w, i) for i in (1.0, WEAKER) for w in WORDS]) for selfie in selfies]
    return pairs_of(faces, list(WORDS)), itself(faces, len(WORDS))


def table(pairs: list[Pair], least: tuple[float, float], people: int) -> str:
    """Markdown: the nearest pair of each subcluster, nearest first; then those that are not told apart."""
    lines = [
        "",
        f"The two words of each subcluster that are drawn most alike, at intensity 1, coarse warps on {people} neutral faces "
        "of `expressions`: mean difference inside the face in grey levels (0 to 255), and mean displacement in pixels of the "
        "256 px crop.",
        "",
        "| subcluster | most alike | grey levels | pixels |",
        "|---|---|---|---|",
    ]
    first = {}
    for pair in pairs:
        first.setdefault(f"{family_of(pair.words[0])}: {subcluster_of(pair.words[0])}", pair)
    lines += [f"| {name} | {' and '.join(p.words)} | {p.grey:.2f} | {p.pixels:.2f} |" for name, p in first.items()]
    close = [p for p in pairs if p.grey < least[0] or p.pixels < least[1]]
    named = "; ".join(f"{' and '.join(p.words)}" for p in close) or "none"
    told = f"From itself at intensity {WEAKER:g} a word is {least[0]:.2f} grey levels and {least[1]:.2f} pixels away (median)."
    return "\n".join([*lines, "", f"{told} Pairs that are nearer than that in one of them are not told apart: {named}.", ""])
