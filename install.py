"""Says whether this pack is complete: python install.py

Nothing is brought, written or changed. Needs the standard library alone, and writes ASCII, so that any console can show it.
"""

import argparse
import importlib.util
import json
import os
import sys

PACK = os.path.dirname(os.path.abspath(__file__))
PACKAGES = {"einops": "einops", "kornia": "kornia", "numpy": "numpy", "Pillow": "PIL", "safetensors": "safetensors"}
WEIGHTS = {  # file in weights/: format, version, one of its tensors
    "face_landmarker.safetensors": ("diffsfsr.face_landmarker", "1", "mesh.triangles"),
    "diffsfsr_default_256.safetensors": ("diffsfsr-bundle", "2", "shape.mean"),
}


def fault_of(path, expected):
    """What is wrong with a safetensors file, or None: its header is read, and its length is compared."""
    try:
        length = os.path.getsize(path)
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(size, length)).decode())
        metadata = header.pop("__metadata__")
        end = 8 + size + max(tensor["data_offsets"][1] for tensor in header.values())
        found = (metadata["format"], metadata["format_version"])
    except OSError as error:
        return error.strerror
    except (ValueError, LookupError, TypeError, AttributeError):
        return "not a safetensors file of this pack"
    if found != expected[:2]:
        return f"the format {' '.join(map(str, found))} is not the one of this version"
    return None if end == length and expected[2] in header else "incomplete"


def faults():
    """One line for each thing that is missing or damaged."""
    for name, expected in WEIGHTS.items():
        if fault := fault_of(os.path.join(PACK, "weights", name), expected):
            yield f"weights/{name} cannot be used: {fault}. What to do: update the pack, or clone it again."
    missing = [name for name, module in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        yield f"not installed in this Python: {', '.join(missing)}. What to do: python -m pip install -r requirements.txt"


def main(words=None):
    parser = argparse.ArgumentParser(description="Says whether this pack is complete. Takes no options.")
    if parser.parse_known_args(words)[1]:
        print("DiffSFSR: options are not needed any more: the face model is part of this pack.")
    found = list(faults())
    for line in found or ["everything is there."]:
        print(f"DiffSFSR: {line}".encode("ascii", "backslashreplace").decode())
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
