"""Says whether this pack is complete: python install.py

Nothing is brought, written or changed. Needs the standard library alone, and writes ASCII, so that any console can show it. It
reads in Pythons that are too old for the pack, too, and tells them so.
"""

import argparse
import importlib
import importlib.util
import json
import os
import sys

PACK = os.path.dirname(os.path.abspath(__file__))
PACKAGES = {"numpy": "numpy", "Pillow": "PIL", "safetensors": "safetensors", "einops": "einops", "kornia": "kornia"}
OLDEST = (3, 10)
OWN = "What to do: run this with the Python that starts ComfyUI."
WEIGHTS = {  # file in weights/: format, version, one of its tensors
    "face_landmarker.safetensors": ("diffsfsr.face_landmarker", "1", "mesh.triangles"),
    "in_front.safetensors": ("diffsfsr.in_front", "1", "places"),
    "hard_light.safetensors": ("diffsfsr.hard_light", "2", "usual"),
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
        fault = fault_of(os.path.join(PACK, "weights", name), expected)
        if fault:
            yield f"weights/{name} cannot be used: {fault}. What to do: update the pack, or clone it again."
    if sys.version_info < OLDEST:
        yield "this Python is {}.{}, and the pack needs {}.{} or newer. {}".format(*sys.version_info[:2], *OLDEST, OWN)
    elif importlib.util.find_spec("torch") is None:
        yield f"torch is not installed in this Python ({sys.executable}). {OWN}"
    else:
        yield from faulty_packages()


def faulty_packages():
    """A line for all that are missing; else one for the first that does not start, over which others may fail."""
    missing = [name for name, module in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        yield f"not installed in this Python: {', '.join(missing)}. What to do: python -m pip install -r requirements.txt"
        return
    for name, module in PACKAGES.items():
        reason = why_not(module)
        if reason:
            what = f"{name} is installed, but does not start ({reason})"
            yield f"{what}. What to do: python -m pip install --force-reinstall {name}"
            return


def why_not(module):
    """Why a package that is there cannot be imported, in one line; None if it can."""
    try:
        importlib.import_module(module)
    except Exception as error:  # whatever a damaged package raises
        return " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return None


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
