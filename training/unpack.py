"""Take a bundle apart again: its parts as the stages would have written them, so that the later stages can continue from it.

python -m training unpack --start BUNDLE
"""

import hashlib
import json
from pathlib import Path

from safetensors.torch import save_file

from ..modules.bundle import load_bundle

PARTS = ("shape", "reader", "identity", "autoencoder")  # runs/PART/PART.safetensors; the UNet begins with `--start BUNDLE`
RECORD = "unpacked.json"


def unpack(bundle: Path, runs: Path) -> list[str]:
    """Writes what is not there yet, in single precision (a bundle holds half), and returns the parts written.

    Beside each file a record says from which bundle it is and who trained it: it is no run of its own. Raises
    DiffSFSRError if this is no bundle.
    """
    found, written = load_bundle(bundle), []
    for part in PARTS:
        file = runs / part / f"{part}.safetensors"
        if file.exists():
            print(f"{file}: kept, it is there already")
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        state = found.vae if part == "autoencoder" else found.parts[part]
        save_file({k: (v.float() if v.is_floating_point() else v).contiguous() for k, v in state.items()}, file)
        record = {
            "bundle": found.config.id,
            "file": bundle.name,
            "sha256": fingerprint(file),
            "runs": [name for name in found.config.runs if name.split()[0] in runs_of(part)],
            "metrics": {name: row for name, row in found.config.metrics.items() if name in runs_of(part)},
        }
        (file.parent / RECORD).write_text(json.dumps(record, indent=1))
        print(f"{file}: from bundle {found.config.id}")
        written.append(part)
    return written


def runs_of(part: str) -> tuple[str, ...]:
    """Which runs make a part: `drive` and `movement` write into the face model's file."""
    return ("shape", "drive", "movement") if part == "shape" else (part,)


def fingerprint(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def unpacked(file: Path) -> dict | None:
    """The record of a part that was only unpacked; None if there is none, or a stage has written the file since."""
    record = file.parent / RECORD
    if not (record.exists() and file.exists()):
        return None
    told = json.loads(record.read_text())
    return told if told["sha256"] == fingerprint(file) else None
