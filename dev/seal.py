"""Writes the checksum into files of weights that have none: `python -m dev.seal FILE...`. Tensors and ids stay as they are.

`training export` and `dev.face_model` write it by themselves; this is for files from before.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from dev.pack import load_pack


def sealed(data: bytes) -> bytes:
    """A safetensors file with its checksum, its metadata sorted: the library's order is random, a file in git is not."""
    from safetensors.torch import load

    load_pack()
    from diffsfsr.modules.weights import CHECKSUM, checksum

    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    told = header.get("__metadata__", {})
    header["__metadata__"] = dict(sorted({**told, CHECKSUM: checksum(load(data), told)}.items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def main(names: list[str]) -> None:
    for path in map(Path, names):
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(sealed(path.read_bytes()))
        os.replace(part, path)
        print(f"seal: {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
