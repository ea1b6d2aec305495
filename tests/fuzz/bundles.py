"""Damaged bundles: each is the built-in one with one thing changed, in its configuration, its tensors or its bytes."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILT_IN = ROOT / "weights" / "diffsfsr_default_256.safetensors"
VALUES = (
    None, True, False, -1, 0, 1, 2, 3, 7, 1000, 10**9, 10**18, 10**400, -(10**9), 0.0, -0.5, 1e-320, 1e308, float("nan"),
    float("inf"), "", "x", "nan", "a" * 10**5, [], [1], [0] * 10_000, [[]], [[[[1]]]], ["x"], {}, {"a": {"b": {"c": 1}}},
)  # fmt: skip
TYPES = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2, "I64": 8, "I32": 4, "I16": 2, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1}


def parts(data: bytes) -> tuple[dict, bytes]:
    """Header and the bytes of all tensors."""
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def joined(header: dict, body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def without_checksum(whole: bytes) -> bytes:
    """As older versions wrote them."""
    header, body = parts(whole)
    header["__metadata__"].pop("sha256", None)
    return joined(header, body)


def changed(whole: bytes, data: bytes) -> bool:
    """Whether anything that counts differs: tensors, or what the configuration says."""
    (before, body), (after, other) = parts(whole), parts(data)
    for header in (before, after):
        header["__metadata__"] = {name: header["__metadata__"].get(name) for name in ("config", "format", "format_version")}
    return body != other or before != after


def damaged(whole: bytes, seed: int) -> tuple[str, bytes]:
    """What was done, and the file."""
    rng = random.Random(seed)
    return rng.choice((config, config, config, tensors, tensors, flipped, values, cut))(whole, rng)


def config(whole: bytes, rng: random.Random) -> tuple[str, bytes]:
    """One value of the configuration is another, is gone, or there is one more."""
    header, body = parts(whole)
    told = json.loads(header["__metadata__"]["config"])
    place = rng.choice((told, told["unet"], told["unet"], told["tokens"]))
    name = rng.choice([*place, "surprise"])
    old = place.get(name)
    if rng.random() < 0.1:
        place.pop(name, None)
        done = "gone"
    elif isinstance(old, list) and old and rng.random() < 0.6:
        place[name] = [*old]
        place[name][rng.randrange(len(old))] = done = rng.choice(VALUES)
    elif isinstance(old, int | float) and rng.random() < 0.5:
        place[name] = done = old * rng.choice((-1, 2, 10, 1000, 10**6, 0.5))
    else:
        place[name] = done = rng.choice(VALUES)
    text = json.dumps(told)
    if rng.random() < 0.05:
        text, done = '{"unet": ' + "[" * 50_000 + "]" * 50_000 + "}", "nested"
    header["__metadata__"]["config"] = text
    return f"config {name} = {str(done)[:30]}", joined(header, body)


def tensors(whole: bytes, rng: random.Random) -> tuple[str, bytes]:
    """A tensor is gone, has another name, another shape or another type."""
    header, body = parts(whole)
    names = [name for name in header if name != "__metadata__"]
    # the small parts as often as the UNet, which has most of the tensors
    part = rng.choice(sorted({name.split(".")[0] for name in names}))
    name = rng.choice([n for n in names if n.split(".")[0] == part])
    kind, entry = rng.choice(("gone", "renamed", "shape", "shape", "type")), header[name]
    if kind in ("gone", "renamed"):
        del header[name]
        header[f"{part}.surprise" if kind == "gone" else name + rng.choice(("x", ".weight", "\0", "ü"))] = entry
    elif kind == "shape":
        flat = 1
        for n in entry["shape"]:
            flat *= n
        entry["shape"] = rng.choice([[flat], [1, *entry["shape"]], entry["shape"][::-1] or [1], [flat, 1], [1] * 30 + [flat]])
    else:
        size = entry["data_offsets"][1] - entry["data_offsets"][0]
        entry["dtype"] = rng.choice([t for t, n in TYPES.items() if size % n == 0 and t != entry["dtype"]])
        entry["shape"] = [size // TYPES[entry["dtype"]]]
        if rng.random() < 0.5 and TYPES[entry["dtype"]] == 2:
            entry["shape"] = parts(whole)[0][name]["shape"]
    return f"{kind} {name}", joined(header, body)


def flipped(whole: bytes, rng: random.Random) -> tuple[str, bytes]:
    """One bit, in the header as often as behind it."""
    size = int.from_bytes(whole[:8], "little")
    place = rng.randrange(8 + size) if rng.random() < 0.5 else rng.randrange(8 + size, len(whole))
    data = bytearray(whole)
    data[place] ^= 1 << rng.randrange(8)
    return f"bit at {place}", bytes(data)


def values(whole: bytes, rng: random.Random) -> tuple[str, bytes]:
    """One half-precision value is NaN or infinite."""
    header, body = parts(whole)
    name = rng.choice([n for n, e in header.items() if n != "__metadata__" and e["dtype"] == "F16"])
    start, end = header[name]["data_offsets"]
    place = start + 2 * rng.randrange((end - start) // 2)
    bad = struct.pack("<H", rng.choice((0x7E00, 0x7C00, 0xFC00)))
    return f"not finite in {name}", joined(header, body[:place] + bad + body[place + 2 :])


def cut(whole: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Shorter, longer, or something else at the beginning."""
    place = rng.choice((0, 1, 8, 100, rng.randrange(len(whole))))
    what = rng.choice((whole[:place], whole + bytes(place + 1), rng.randbytes(16) + whole[16:]))
    return f"{len(what)} bytes of {len(whole)}", what
