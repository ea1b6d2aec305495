"""The figures: plain numpy on what was measured, no pictures and no networks."""

import numpy as np

from ...modules.labels import BLENDSHAPES, FAMILIES, prototype

PAIRED = lambda name: (f"{name}Left", f"{name}Right")  # noqa: E731
# What a word must do to the face at least: of these groups one has to rise, in sum, against the neutral result
MOVES = {
    "amazement": (("jawOpen", "browInnerUp"),),
    "cheerfulness": (PAIRED("mouthSmile"),),
    "rage": (PAIRED("browDown"),),
    "sorrow": (PAIRED("mouthFrown"), ("browInnerUp",)),
}
CHANNELS = {
    "smile": PAIRED("mouthSmile"), "jawOpen": ("jawOpen",), "browInnerUp": ("browInnerUp",), "browDown": PAIRED("browDown"),
    "frown": PAIRED("mouthFrown"), "pucker": ("mouthPucker",), "eyeWide": PAIRED("eyeWide"),
    "eyeSquint": PAIRED("eyeSquint"),
}  # fmt: skip


def part(codes: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Codes [..., 52] -> the sum of the named coefficients [...]."""
    return codes[..., [BLENDSHAPES.index(name) for name in names]].sum(-1)


def shifts(word: str, codes: np.ndarray, neutral: np.ndarray) -> np.ndarray:
    """Codes and neutral codes [N, 52] -> how far the word's best moved group rose [N]."""
    rises = [part(codes, group) - part(neutral, group) for group in MOVES[word]]
    return np.max(rises, axis=0)


def ranks(vectors: np.ndarray, gallery: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Unit vectors [N, D], gallery [P, D], the right entry of each [N] -> its place, 1 is the most similar."""
    similar = vectors @ gallery.T
    return 1 + (similar > np.take_along_axis(similar, own[:, None], 1)).sum(1)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Unit vectors [N, D], [N, D] -> [N]."""
    return (a * b).sum(-1)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's r of [N] and [N]; NaN where one of them does not vary."""
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / norm) if norm > 1e-12 else float("nan")


def interval(values, people, statistic=np.mean, rounds: int = 2000, seed: int = 0) -> tuple[float, float, float]:
    """A statistic of values [N, ...] and its 95 % interval: whole people are drawn again with replacement (bootstrap).

    Results of one person resemble each other; drawing single results would make the interval too narrow.
    """
    values, people = np.asarray(values, np.float64), np.asarray(people)
    if len(values) == 0:
        return (float("nan"),) * 3
    groups = [np.flatnonzero(people == p) for p in np.unique(people)]
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(rounds):
        chosen = np.concatenate([groups[k] for k in rng.integers(len(groups), size=len(groups))])
        draws.append(statistic(values[chosen]))
    low, high = np.nanpercentile(draws, (2.5, 97.5)) if not np.isnan(draws).all() else (np.nan, np.nan)
    return float(statistic(values)), float(low), float(high)


def kernel_distance(blocks: dict[str, np.ndarray], rounds: int = 2000, seed: int = 0) -> tuple[float, float, float]:
    """Squared maximum mean discrepancy of two sets of pictures, 0 for equal distributions, with a 95 % interval.

    `blocks`, from `kernel_blocks`: mean kernels [P, P] of person with person. Pairs of one person are left out, so that
    a person's similarity to itself does not count; people are drawn again for the interval.
    """
    total = blocks["made"] + blocks["real"] - 2 * blocks["across"]
    apart = ~np.eye(len(total), dtype=bool)

    def statistic(often: np.ndarray) -> float:
        weight = np.outer(often, often)[apart]
        return float((total[apart] * weight).sum() / weight.sum()) if weight.any() else np.nan

    rng, size = np.random.default_rng(seed), len(total)
    draws = [statistic(np.bincount(rng.integers(size, size=size), minlength=size)) for _ in range(rounds)]
    return (statistic(np.ones(size)), *(float(x) for x in np.nanpercentile(draws, (2.5, 97.5))))


def kernel_blocks(made: np.ndarray, people: np.ndarray, real: np.ndarray) -> dict[str, np.ndarray]:
    """Unit vectors of results [N, D] with their people [N] as row numbers of real [P, D] -> mean kernels [P, P].

    Kernel (cosine + 1)^3: that of the kernel inception distance (Binkowski et al. 2018) on vectors of unit length.
    """
    share = np.zeros((len(real), len(made)))
    share[people, np.arange(len(made))] = 1
    share /= np.maximum(share.sum(1, keepdims=True), 1)
    kernel = lambda a, b: (a @ b.T + 1.0) ** 3  # noqa: E731
    across = share @ kernel(made, real)
    return {"made": share @ kernel(made, made) @ share.T, "real": kernel(real, real), "across": (across + across.T) / 2}


def kernel_blocks_of_set(made: np.ndarray, people: np.ndarray, real: np.ndarray) -> dict[str, np.ndarray]:
    """The same beside a set of other people [R, D]: `people` are numbers 0..P-1 of those of the results."""
    count = int(people.max()) + 1
    share = np.zeros((count, len(made)))
    share[people, np.arange(len(made))] = 1
    share /= np.maximum(share.sum(1, keepdims=True), 1)
    kernel = lambda a, b: (a @ b.T + 1.0) ** 3  # noqa: E731
    near, own = share @ kernel(made, real).mean(1), kernel(real, real)
    apart = own[~np.eye(len(real), dtype=bool)].mean()
    across = (near[:, None] + near[None]) / 2
    return {"made": share @ kernel(made, made) @ share.T, "real": np.full((count, count), apart), "across": across}


def centroids() -> tuple[tuple[str, ...], np.ndarray]:
    """The six families and the mean code of each one's words [6, 52]."""
    names = tuple(FAMILIES)
    words = [[w for group in FAMILIES[name].values() for w in group] for name in names]
    return names, np.stack([np.mean([prototype(w) for w in each], 0) for each in words])


def nearest_family(change: np.ndarray) -> np.ndarray:
    """Changes of the code against neutral [N, 52] -> index of the family whose mean code points the same way [N]."""
    _, means = centroids()
    unit = lambda x: x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)  # noqa: E731
    return (unit(change) @ unit(means).T).argmax(1)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal to noise ratio of pictures 0..1, dB."""
    return float(-10 * np.log10(max(((a - b) ** 2).mean(), 1e-12)))
