"""From measures to rows of a table: a value with its 95 % interval over people, and the target beside it."""

from dataclasses import dataclass, field

import numpy as np

from ...modules.labels import family_of
from .figures import (
    CHANNELS,
    MOVES,
    centroids,
    correlation,
    cosines,
    interval,
    kernel_blocks,
    kernel_blocks_of_set,
    kernel_distance,
    nearest_family,
    part,
    ranks,
    shifts,
)
from .groups import GROUPS
from .measure import Seen
from .protocol import WORDS

RIM = "tone_step", "step_forehead", "step_jaw", "rim_gradient"  # what `tone.py` measures


@dataclass
class Evidence:
    """All that was measured: pairs (selfie, background), their records, the people's own pictures, the round trips."""

    pairs: list[tuple[str, str]]
    done: list[dict]
    people: dict[str, Seen]
    ceiling: dict[str, dict]
    about: dict[str, dict[str, float]] = field(default_factory=dict)  # of the selfie people, see `groups.py`
    mouths: np.ndarray | None = None  # [R, D] of real people, see `lite.py`
    words: tuple[str, ...] = WORDS  # of the pictures after each pair's neutral one

    def stack(self, kind: str, name: str) -> np.ndarray:
        """[pairs, labels, ...] of "results" or "drafts"."""
        return np.stack([np.asarray(d[kind][name]) for d in self.done])

    def own(self, side: int, name: str) -> np.ndarray:
        """[pairs, ...] of the person's own picture: side 0 the selfie, 1 the background."""
        return np.stack([getattr(self.people[pair[side]], name)[0] for pair in self.pairs])

    @property
    def gallery(self) -> list[str]:
        return list(dict.fromkeys(selfie for selfie, _ in self.pairs))


def row(
    name: str, values, people, target: float | None = None, unit: str = "share", at_most: bool = False, statistic=np.mean
) -> dict:
    """One measure; NaN values (nothing to measure) are left out. `at_most`: the target is a limit from above."""
    values, people = np.asarray(values, np.float64), np.asarray(people)
    keep = ~np.isnan(values)
    mean, low, high = interval(values[keep], people[keep], statistic)
    met = None if target is None else bool(mean <= target if at_most else mean >= target)
    about = {"target": target, "met": met, "unit": unit, "n": int(keep.sum())}
    return {"name": name, "value": mean, "low": low, "high": high, **about}


def identity_rows(e: Evidence, kind: str) -> list[dict]:
    """Identity of the results of the six words. A result without a face counts as unlike the selfie."""
    found, vectors = e.stack(kind, "found")[:, 1:], e.stack(kind, "vector")[:, 1:]
    count = found.shape[1]
    repeat = lambda x: np.repeat(x, count, 0)  # noqa: E731
    flat, seen = vectors.reshape(len(e.pairs) * count, -1), found.ravel()
    people = repeat([selfie for selfie, _ in e.pairs])
    to_selfie = np.where(seen, cosines(flat, repeat(e.own(0, "vector"))), np.nan)
    to_background = np.where(seen, cosines(flat, repeat(e.own(1, "vector"))), np.nan)
    gallery = np.stack([e.people[i].vector[0] for i in e.gallery])
    place = ranks(flat, gallery, np.array([e.gallery.index(p) for p in people]))
    closer = seen & (np.nan_to_num(to_selfie) > np.nan_to_num(to_background))
    return [
        row("identity: cosine to the selfie", to_selfie, people, unit="cosine"),
        row("identity: cosine to the background person", to_background, people, unit="cosine"),
        row("identity: closer to the selfie", closer, people, 0.97),
        row(f"identity: rank 1 among {len(gallery)}", seen & (place == 1), people, 0.9),
        row(f"identity: rank 5 among {len(gallery)}", seen & (place <= 5), people),
    ]


def expression_rows(e: Evidence, kind: str) -> list[dict]:
    """Expression against the neutral result of the same pair. Without a face it counts as not moved."""
    found, codes = e.stack(kind, "found"), e.stack(kind, "code")
    people, rows, every = np.array([selfie for selfie, _ in e.pairs]), [], []
    for word in MOVES:
        k = 1 + e.words.index(word)
        both = found[:, 0] & found[:, k]
        moved = both & (shifts(word, codes[:, k], codes[:, 0]) > 0)
        every.append(moved)
        rows.append(row(f"expression: {word} moves the right way", moved, people, 0.85))
    rows.insert(0, row("expression: right way, four words", np.stack(every, 1).ravel(), np.repeat(people, len(every)), 0.85))
    change = (codes[:, 1:] - codes[:, :1]).reshape(-1, 52)
    ok = (found[:, 1:] & found[:, :1]).ravel()
    families = family_indices(len(e.pairs), e.words)
    agree = ok & (nearest_family(change) == families)
    return [*rows, row("expression: nearest family is the word's (chance 0.17)", agree, np.repeat(people, len(e.words)), 0.7)]


def family_indices(pairs: int, words: tuple[str, ...]) -> np.ndarray:
    """The right answer of `nearest_family` for each result [pairs * words]."""
    names, _ = centroids()
    return np.tile([names.index(family_of(word)) for word in words], pairs)


def channel_rows(e: Evidence, kind: str) -> list[dict]:
    """Correlation of asked and measured coefficients, over all results with a face, the neutral ones too."""
    asked = np.stack([np.asarray(d["asked"]) for d in e.done])
    seen = e.stack(kind, "found").ravel()
    people = np.repeat([selfie for selfie, _ in e.pairs], 1 + len(e.words))[seen]
    rows = [following_row(e, kind)]
    for name, group in CHANNELS.items():
        both = np.stack([part(asked, group).ravel()[seen], part(e.stack(kind, "code"), group).ravel()[seen]], 1)
        found = interval(both, people, lambda v: correlation(v[:, 0], v[:, 1]), rounds=500)
        rows.append(figures(f"asked against measured: {name}", *found, unit="r"))
    return rows


def following_row(e: Evidence, kind: str = "results") -> dict:
    """Mean correlation of asked and measured over the channels, with its interval. No target: true faces miss it too."""
    asked, seen = np.stack([np.asarray(d["asked"]) for d in e.done]), e.stack(kind, "found").ravel()
    people = np.repeat([selfie for selfie, _ in e.pairs], 1 + len(e.words))[seen]
    code = e.stack(kind, "code")
    both = [np.stack([part(c, group).ravel()[seen] for c in (asked, code)], 1) for group in CHANNELS.values()]
    found = interval(np.stack(both, 1), people, mean_correlation, rounds=200)
    return figures("asked against measured: mean of the eight", *found, unit="r")


def mean_correlation(values: np.ndarray) -> float:
    """[n, channels, 2] -> mean over the channels that were asked for; a face that does not move follows with 0."""
    asked = [k for k in range(values.shape[1]) if np.ptp(values[:, k, 0]) > 1e-6]
    each = [correlation(values[:, k, 0], values[:, k, 1]) for k in asked]
    return float(np.nan_to_num(each).mean()) if each else float("nan")


def place_rows(e: Evidence, kind: str) -> list[dict]:
    """Face found again, and the pose it has against the background's."""
    found = e.stack(kind, "found")[:, 1:]
    people = np.repeat([selfie for selfie, _ in e.pairs], found.shape[1])
    turned = e.stack(kind, "pose")[:, 1:] - e.own(1, "pose")[:, None]
    error = np.abs((turned + 180) % 360 - 180)
    error = np.where(found[..., None], error, np.nan).reshape(-1, 3)
    whole = np.linalg.norm(error, axis=1)  # of angles this small, the angle between the two poses
    rows = [
        row("face found again", found.ravel(), people, 0.99),
        row("pose: error to the background", whole, people, 4.0, "degrees", at_most=True),
    ]
    for k, name in enumerate(("yaw", "pitch", "roll")):
        rows.append(row(f"pose: {name} error to the background", error[:, k], people, unit="degrees"))
    return rows


def border_rows(e: Evidence, kind: str) -> list[dict]:
    """Seam and background inside the feather ring, see `realism.py`; tone at the face's rim, see `tone.py`."""
    names = {
        "seam": ("seam: gradient added, grey levels a pixel", "grey"),
        "ring_psnr": ("ring: PSNR to the background", "dB"),
        "ring_ssim": ("ring: SSIM to the background", "share"),
    }
    people = np.repeat([selfie for selfie, _ in e.pairs], len(e.words))
    rows = [row(name, e.stack(kind, key)[:, 1:].ravel(), people, unit=unit) for key, (name, unit) in names.items()]
    step, brow, jaw, steep = (e.stack(kind, key)[:, 1:].ravel() for key in RIM)
    highest = lambda values: np.percentile(values, 95)  # noqa: E731
    over = {"unit": "times", "at_most": True}
    return [
        *rows,
        row("rim: tone step over the background's own, median", step, people, 1.3, statistic=np.median, **over),
        row("rim: tone step over the background's own, 95th percentile", step, people, 2.0, statistic=highest, **over),
        row("rim: the same across the forehead, median", brow, people, statistic=np.median, **over),
        row("rim: the same across the jaw, median", jaw, people, statistic=np.median, **over),
        row("rim: gradient over the background's own, median", steep, people, statistic=np.median, **over),
    ]


def sharpness_row(e: Evidence, kind: str) -> dict:
    """Of the pairs whose selfie is a whole scene too, see `sharpness.py`."""
    values, people = e.stack(kind, "sharpness")[:, 1:].ravel(), np.repeat([selfie for selfie, _ in e.pairs], len(e.words))
    name = "sharpness over the lesser of selfie's and background's (scenes)"
    return row(name, values, people, 0.8) if np.isfinite(values).any() else figures(name, *[np.nan] * 3, unit="share")


def distance_blocks(e: Evidence, kind: str) -> dict[str, np.ndarray]:
    """Of the results with a face, against the same people's own pictures."""
    found, vectors = e.stack(kind, "found")[:, 1:], e.stack(kind, "vector")[:, 1:]
    people = np.repeat([e.gallery.index(selfie) for selfie, _ in e.pairs], found.shape[1])
    return kernel_blocks(vectors[found], people[found.ravel()], np.stack([e.people[i].vector[0] for i in e.gallery]))


def distance_row(e: Evidence, kind: str) -> dict:
    return figures("distance to portraits (KID of faceres x 1000)", *kernel_distance(distance_blocks(e, kind)), scale=1000)


LITE, MOUTHS = "distance to portraits (KID of EfficientNet-Lite0 x 1000)", "mouths that open: the same to real ones"
OPEN_WORDS = "amazement", "cheerfulness", "surprise", "euphoria", "terror"


def lite_blocks(e: Evidence, kind: str) -> dict[str, dict[str, np.ndarray]]:
    """Of all words beside the same people's own pictures, and of open mouths beside real ones; by the row's name. Empty where
    the data folder has no such network.
    """
    if e.mouths is None:
        return {}
    count = len(e.words)
    people = np.array([e.gallery.index(selfie) for selfie, _ in e.pairs])
    whole, mouths = (e.stack(kind, name)[:, 1:] for name in ("lite", "mouth"))
    real = np.stack([np.asarray(e.ceiling[i]["lite"]) for i in e.gallery])
    opened = [k for k, word in enumerate(e.words) if word in OPEN_WORDS]
    flat = lambda x: x.reshape(-1, x.shape[-1])  # noqa: E731
    return {
        LITE: kernel_blocks(flat(whole), np.repeat(people, count), real),
        MOUTHS: kernel_blocks_of_set(flat(mouths[:, opened]), np.repeat(people, len(opened)), e.mouths),
    }


def lite_rows(e: Evidence, kind: str) -> list[dict]:
    return [figures(name, *kernel_distance(blocks), scale=1000) for name, blocks in lite_blocks(e, kind).items()]


def lite_gains(e: Evidence) -> list[dict]:
    """Result minus coarse warp."""
    made, drawn = (lite_blocks(e, kind) for kind in ("results", "drafts"))
    less = {name: {part: made[name][part] - drawn[name][part] for part in made[name]} for name in made}
    return [figures(name, *kernel_distance(blocks), scale=1000) for name, blocks in less.items()]


def gain_rows(e: Evidence) -> list[dict]:
    """What the model adds to its coarse warp: result minus coarse warp, so below 0 is better."""
    blocks = [distance_blocks(e, kind) for kind in ("results", "drafts")]
    change = kernel_distance({name: blocks[0][name] - blocks[1][name] for name in blocks[0]})
    seams = [e.stack(kind, "seam")[:, 1:].ravel() for kind in ("results", "drafts")]
    people = np.repeat([selfie for selfie, _ in e.pairs], len(e.words))
    return [
        figures("distance to portraits (KID of faceres x 1000)", *change, scale=1000),
        row("seam: gradient added, grey levels a pixel", seams[0] - seams[1], people, unit="grey"),
        *lite_gains(e),
    ]


def figures(name: str, value: float, low: float, high: float, target: float | None = None, unit: str = "", scale: float = 1):
    """A row of a statistic that came with its interval."""
    met = None if target is None else bool(value >= target)
    return {"name": name, "value": value * scale, "low": low * scale, "high": high * scale, "target": target, "met": met,
            "unit": unit}  # fmt: skip


def group_rows(e: Evidence) -> list[dict]:
    """The main figures for each kind of selfie person: how many, cosine and closeness to the selfie, rank 1, correlation."""
    rows, place = [], {person: k for k, person in enumerate(e.gallery)}
    gallery = np.stack([e.people[i].vector[0] for i in e.gallery])
    for name, belongs in GROUPS.items():
        people = [person for person in e.gallery if person in e.about and belongs(e.about[person])]
        chosen = [k for k, (selfie, _) in enumerate(e.pairs) if selfie in people]
        if not chosen:
            continue
        part_of = Evidence([e.pairs[k] for k in chosen], [e.done[k] for k in chosen], e.people, e.ceiling, words=e.words)
        who, vectors = identity_rows(part_of, "results"), part_of.stack("results", "vector")[:, 1:]
        own = np.repeat([place[selfie] for selfie, _ in part_of.pairs], vectors.shape[1])
        first = ranks(vectors.reshape(len(own), -1), gallery, own) == 1  # among all, not only among the group
        first &= part_of.stack("results", "found")[:, 1:].ravel()
        rows.append({"name": name, "people": len(people), "cosine": who[0]["value"], "closer": who[2]["value"],
                     "rank1": float(first.mean()), "follows": following_row(part_of)["value"]})  # fmt: skip
    return rows


def ceiling_rows(e: Evidence) -> list[dict]:
    """The real crops through the autoencoder: quality, and what the observer still recognises."""
    ids = e.gallery
    vectors = np.stack([np.asarray(e.ceiling[i]["vector"]) for i in ids])
    own = np.stack([e.people[i].vector[0] for i in ids])
    place = ranks(vectors, own, np.arange(len(ids)))
    strangers = (own @ own.T)[~np.eye(len(ids), dtype=bool)].reshape(len(ids), -1).mean(1) if len(ids) > 1 else [np.nan]
    return [
        row("autoencoder: PSNR on real crops", [e.ceiling[i]["psnr"] for i in ids], ids, 30.0, "dB"),
        row("real crop through the autoencoder: cosine to itself", cosines(vectors, own), ids, unit="cosine"),
        row("real crop through the autoencoder: rank 1", place == 1, ids),
        row("two different people: cosine", strangers, ids[: len(strangers)], unit="cosine"),
    ]
