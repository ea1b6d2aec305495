"""What only shows when all chunks are there: the same picture again, the same person again, and who is in which part."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import safe_open

SAME_LOOKS = 6  # bits of 64 in which pictures of the same looks may differ
SAME_FACE = 0.9  # and cosine of their identity vectors above which they are the same picture
SAME_PERSON = 0.6  # the same of one person: views of one have .77 on average, others .39 at the 99th percentile
BLOCK = 4096  # rows compared at a time
SHARES = {"evaluation": 0.05, "validation": 0.05}  # of the people; the others are for training


def people_of(out: Path, chunks: int) -> list[dict]:
    """Every picture's line; those that are used with "person", "part" and "id", the repeated ones with another verdict."""
    rows, vectors = [], []
    for number in range(chunks):
        base = out / "chunks" / f"{number:06d}"
        lines = [json.loads(line) for line in base.with_suffix(".jsonl").read_text().splitlines()]
        if any(line["verdict"] == "kept" for line in lines):
            with safe_open(base.with_suffix(".safetensors"), "pt") as file:
                vectors.append(file.get_tensor("vector"))
        rows += lines
    kept = [row for row in rows if row["verdict"] == "kept"]
    if not kept:
        return rows
    vector = torch.cat(vectors)
    for place in repeated([row["hash"] for row in kept], vector):
        kept[place]["verdict"] = "the same picture again"
    used = [k for k, row in enumerate(kept) if row["verdict"] == "kept"]
    for k, person in zip(used, groups(vector[used]), strict=True):
        name = hashlib.sha256(kept[used[person]]["name"].encode()).hexdigest()
        kept[k] |= {"id": f"{kept[k]['chunk']:06d}-{kept[k]['row']:06d}", "person": person, "part": part_of(name)}
    return rows


def repeated(hashes: list[int], vectors: torch.Tensor) -> list[int]:
    """Places of pictures that were there before. Only those with one of four 16-bit parts of the hash alike are compared."""
    seen: dict[tuple[int, int], list[int]] = {}
    found = []
    for place, value in enumerate(hashes):
        keys = [(k, value >> 16 * k & 0xFFFF) for k in range(4)]
        near = {other for key in keys for other in seen.get(key, ())}
        alike = [other for other in near if (hashes[other] ^ value).bit_count() <= SAME_LOOKS]
        if any(vectors[other] @ vectors[place] > SAME_FACE for other in alike):
            found.append(place)
            continue
        for key in keys:
            seen.setdefault(key, []).append(place)
    return found


def groups(vectors: torch.Tensor) -> list[int]:
    """The first picture [n] of each one's person: pictures that are linked by likeness are one person."""
    first = list(range(len(vectors)))

    def root(k: int) -> int:
        while first[k] != k:
            first[k] = first[first[k]]
            k = first[k]
        return k

    for start in range(0, len(vectors), BLOCK):
        alike = vectors[start : start + BLOCK] @ vectors[: start + BLOCK].T > SAME_PERSON
        for row, column in alike.nonzero().tolist():
            a, b = root(start + row), root(column)
            first[max(a, b)] = min(a, b)
    return [root(k) for k in range(len(vectors))]


def part_of(name: str) -> str:
    """By the hexadecimal digest of the person's first picture: the same in every run, whatever else is in the set."""
    place, limit = int(name[:8], 16) / 16**8, 0.0
    for part, share in SHARES.items():
        limit += share
        if place < limit:
            return part
    return "train"
