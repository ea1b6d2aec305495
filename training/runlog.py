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


def read_curve(file: Path) -> list[dict[str, float]]:
    """The rows of a `curve.csv`, each with the columns that have a value there; none if the file is not there."""
    return [{name: float(value) for name, value in row.items() if value} for row in _rows(file)]


def _rows(file: Path) -> list[dict[str, str]]:
    if not file.exists():
        return []
    with file.open(newline="") as handle:
        return list(csv.DictReader(handle))


class Run:
    """Writes `run.json` at every start, `curve.csv` as it goes, and `checkpoint.pt` (training state only, never shipped).

    `writes`: False in every process but one of a run that several share; those only read.
    """

    def __init__(self, folder: Path, config: dict, data_hash: str, writes: bool = True):
        self.folder, self.writes, self.started = Path(folder), writes, time.time()
        if not writes:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
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

    def log(self, **row: float | None) -> None:
        """Adds a row to the curve; None was not measured this time and leaves its column empty."""
        if not self.writes:
            return
        now = {"seconds": round(time.time() - self.started, 1), **row}
        self._write([*_rows(self.folder / "curve.csv"), now])
        print("  ".join(f"{k} {v:.5g}" for k, v in row.items() if v is not None), flush=True)

    def rewind(self, step: int) -> None:
        """Forgets the rows after a step, for a run that goes on from a checkpoint older than its last row."""
        if self.writes and (rows := _rows(self.folder / "curve.csv")):
            self._write([row for row in rows if float(row["step"]) <= step])

    def _write(self, rows: list[dict]) -> None:
        columns = list(dict.fromkeys(name for row in rows for name in row))
        temporary = self.folder / "curve.tmp"
        with temporary.open("w", newline="") as handle:
            writer = csv.DictWriter(handle, columns)
            writer.writeheader()
            writer.writerows(rows)
        temporary.replace(self.folder / "curve.csv")

    def save(self, **state) -> None:
        """Atomically, so that an interrupted run never leaves half a checkpoint."""
        if not self.writes:
            return
        temporary = self.folder / "checkpoint.tmp"
        torch.save(state, temporary)
        temporary.replace(self.folder / "checkpoint.pt")

    def load(self) -> dict | None:
        file = self.folder / "checkpoint.pt"
        return torch.load(file, map_location="cpu", weights_only=True) if file.exists() else None
