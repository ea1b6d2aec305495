"""One folder a run: configuration, seed, data hash, code revision, machine, curves, checkpoints that can be resumed."""

import csv
import json
import platform
import subprocess
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent


def code_revision() -> str:
    """The git commit of the code, `+` behind it when the working tree differs; "unknown" outside a checkout."""
    git = lambda *a: subprocess.run(["git", "-C", str(ROOT), *a], capture_output=True, text=True)  # noqa: E731
    commit = git("rev-parse", "--short", "HEAD").stdout.strip() or "unknown"
    return commit + ("+" if git("status", "--porcelain").stdout.strip() else "")


class Run:
    """Writes `run.json` at every start, `curve.csv` as it goes, and `checkpoint.pt` (training state only, never shipped)."""

    def __init__(self, folder: Path, config: dict, data_hash: str):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.started = time.time()
        record = {
            "run": self.folder.name,
            "config": config,
            "data": data_hash,
            "code": code_revision(),
            "torch": torch.__version__,
            "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, cuda {torch.cuda.is_available()}",
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        file = self.folder / "run.json"
        if file.exists():  # a resumption is added to the record of the run, and does not replace it
            first = json.loads(file.read_text())
            record = {**first, "resumed": [*first.get("resumed", []), record]}
        file.write_text(json.dumps(record, indent=1))

    def log(self, **row: float) -> None:
        file = self.folder / "curve.csv"
        new = not file.exists()
        with file.open("a", newline="") as handle:
            writer = csv.DictWriter(handle, ["seconds", *row])
            if new:
                writer.writeheader()
            writer.writerow({"seconds": round(time.time() - self.started, 1), **row})
        print("  ".join(f"{k} {v:.5g}" for k, v in row.items()), flush=True)

    def save(self, **state) -> None:
        """Atomically, so that an interrupted run never leaves half a checkpoint."""
        temporary = self.folder / "checkpoint.tmp"
        torch.save(state, temporary)
        temporary.replace(self.folder / "checkpoint.pt")

    def load(self) -> dict | None:
        file = self.folder / "checkpoint.pt"
        return torch.load(file, map_location="cpu", weights_only=True) if file.exists() else None
