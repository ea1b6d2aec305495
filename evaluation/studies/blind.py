"""Sixty pairs of coarse warp and result in random order, to be judged by eye before the key is opened.

    python -m evaluation blind --data DATA --out FOLDER        # blind_1.png ..., key.csv

Both are pasted by Composite Face at its default. What is there of `--study`, the folder of an earlier `evaluate`, is used.
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from ..metrics.evaluate import Study
from ..metrics.protocol import LABELS, read_pairs
from ..metrics.rows import OPEN_WORDS
from ..metrics.sheet import chosen
from ..pictures import stacked, strip
from ..pipeline import Pipeline

SIDE, PAGE = 384, 10  # pixels of a picture, pairs on a page
KINDS = "draft", "head"  # as `Study` names its files


def order(count: int, seed: int) -> tuple[list[int], list[bool]]:
    """Which pair stands at each place, and whether its coarse warp stands to the left."""
    rng = np.random.default_rng(seed)
    return rng.permutation(count).tolist(), (rng.random(count) < 0.5).tolist()


def write(pairs: list[tuple[str, str]], pictures: Path, out: Path, seed: int) -> list[dict]:
    """The pages and the key."""
    some = chosen(len(pairs))
    places, left = order(len(some), seed)
    out.mkdir(parents=True, exist_ok=True)
    key, tiles = [], []
    for number, (place, draft_first) in enumerate(zip(places, left, strict=True), 1):
        (selfie, background), k = pairs[some[place][0]], some[place][1]
        word, kinds = LABELS[k][0], KINDS if draft_first else KINDS[::-1]
        files = [pictures / f"{selfie}_{background}_{k}_{word}_{kind}.jpg" for kind in kinds]
        tiles.append(strip([Image.open(file) for file in files], [f"{number} left", "right"], SIDE))
        result = "right" if draft_first else "left"
        key.append({"number": number, "result": result, "selfie": selfie, "background": background, "word": word,
                    "open": word in OPEN_WORDS})  # fmt: skip
    for page in range(0, len(tiles), PAGE):
        stacked(tiles[page : page + PAGE], 2).save(out / f"blind_{1 + page // PAGE}.png")
    with open(out / "key.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(key[0]))
        writer.writeheader()
        writer.writerows(key)
    return key


def blind(args) -> int:
    """The command."""
    pairs = read_pairs(args.people, args.limit, args.part)
    study = Study.of(Pipeline(bundle=args.bundle), args.data, args.part, args.study)
    study.records(pairs)
    key = write(pairs, args.study / "pictures", args.out, args.seed)
    print(f"{args.out}: {len(key)} pairs; which is which is in key.csv")
    return 0
