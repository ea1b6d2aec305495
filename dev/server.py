"""ComfyUI as an artist starts it, `main.py` in a process of its own on a folder of its own, with this pack in it.

Only the standard library is imported here: the browser that looks at the server may live in another Python.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from .bootstrap import FOLDERS, HostError, find_comfyui
from .pack import ROOT

PACK = "ComfyUI-DiffSFSR"
PATIENCE = 240  # seconds until the server must answer: far more than it needs, for busy machines


class Server(NamedTuple):
    """A running server."""

    address: str
    log: Path
    base: Path  # its folder, with models/, input/, output/


def base_folder(base: Path) -> Path:
    """A user's ComfyUI folder: the pack linked into custom_nodes, nothing in models and input."""
    for name in FOLDERS:
        (base / name).mkdir()
    (base / "custom_nodes" / PACK).symlink_to(ROOT, target_is_directory=True)
    shim = ROOT / "dev" / "cpu_torchvision"
    (base / "custom_nodes" / "00_cpu_torchvision").symlink_to(shim, target_is_directory=True)
    return base


@contextmanager
def running(base: Path, python: str = sys.executable) -> Iterator[Server]:
    """Starts the server on a folder of `base_folder`, ends it afterwards. Raises HostError if it does not answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [python, "main.py", "--cpu", "--listen", "127.0.0.1", "--port", str(port), "--base-directory", str(base),
               "--database-url", "sqlite:///:memory:", "--disable-auto-launch", "--disable-api-nodes"]  # fmt: skip
    log = base / "log.txt"
    with log.open("w") as out:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, cwd=find_comfyui(), stdout=out, stderr=subprocess.STDOUT, env=environment)
        try:
            _wait_for(process, port, log)
            yield Server(f"http://127.0.0.1:{port}", log, base)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_for(process: subprocess.Popen, port: int, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise HostError(f"the server does not answer: {log.read_text()[-2000:]}")
