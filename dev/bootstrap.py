"""Finds a ComfyUI and makes it importable in this process; enough for `import comfy.sd`, no server.

ComfyUI is a folder of top-level modules, not a package: its modules read sys.argv when they are first imported and
expect their folder first on sys.path.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from contextlib import contextmanager
from pathlib import Path

from .pack import ROOT

FOLDERS = ("custom_nodes", "models", "input", "output", "temp", "user")


class HostError(RuntimeError):
    """The host could not be found or started; the message says what to do."""


def _looks_like_comfyui(folder: Path) -> bool:
    return (folder / "folder_paths.py").is_file() and (folder / "comfy" / "model_base.py").is_file()


def _importable() -> Path | None:
    """The folder of a ComfyUI that this process can import already, as inside a running ComfyUI."""
    spec = importlib.util.find_spec("folder_paths")
    folder = Path(spec.origin).resolve().parent if spec and spec.origin else None
    return folder if folder and _looks_like_comfyui(folder) else None


def find_comfyui() -> Path:
    """The ComfyUI to use: COMFYUI_PATH, else one already importable, else .comfyui, else the one around the pack."""
    named = os.environ.get("COMFYUI_PATH")
    if named:
        folder = Path(named).expanduser().resolve()
        if not _looks_like_comfyui(folder):
            raise HostError(f"COMFYUI_PATH is {folder}, which holds no ComfyUI (no folder_paths.py and comfy/)")
        return folder
    candidates = [_importable(), ROOT / ".comfyui"]
    if ROOT.parent.name == "custom_nodes":
        candidates.append(ROOT.parent.parent)
    for folder in candidates:
        if folder is not None and _looks_like_comfyui(folder):
            return folder
    raise HostError(
        f"no ComfyUI found: not importable, and not in {ROOT / '.comfyui'}. "
        "Run `make setup`, or set COMFYUI_PATH to the folder of your ComfyUI"
    )


@contextmanager
def _arguments(*arguments: str):
    """Shows ComfyUI a command line while it parses it, then puts the caller's back."""
    kept, sys.argv = sys.argv, ["main.py", *arguments]
    try:
        yield
    finally:
        sys.argv = kept


def _check_base(base: Path) -> None:
    """ComfyUI fixes its base folder at import; a second, different one would silently be ignored."""
    import folder_paths

    if Path(folder_paths.base_path).resolve() != base:
        raise HostError(f"ComfyUI already runs in this process on the base folder {folder_paths.base_path}, not {base}")


def bootstrap_comfy(cpu: bool = True, base_dir: str | os.PathLike | None = None) -> Path:
    """Makes `import comfy.sd, comfy.samplers, folder_paths` work; returns ComfyUI's folder. Safe to call again.

    cpu: run everything on the processor, even if there is a GPU. Only the first call in a process can choose.
    base_dir: where models/, input/, output/ and so on are; ComfyUI's own folder unless told.
    """
    folder = find_comfyui()
    base = Path(base_dir).resolve() if base_dir is not None else folder
    if "comfy.cli_args" in sys.modules:  # inside a running ComfyUI, or a second call
        if base_dir is not None:
            _check_base(base)
        return folder
    for name in FOLDERS:
        (base / name).mkdir(parents=True, exist_ok=True)
    if sys.path[:1] != [str(folder)]:
        sys.path.insert(0, str(folder))
    with _arguments(*(["--cpu"] if cpu else []), "--base-directory", str(base), "--disable-api-nodes"):
        import comfy.options

        comfy.options.enable_args_parsing()
        importlib.import_module("comfy.cli_args")
    from .cpu_torchvision import install

    install()
    importlib.import_module("utils.install_util")  # before `nodes`, which puts comfy/ first, where utils.py hides it
    importlib.import_module("folder_paths")
    return folder
