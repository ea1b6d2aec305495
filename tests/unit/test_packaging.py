"""What a user's ComfyUI reads of this repository, and what must not be in it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.unit.test_imports import imports_of, our_files

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = {".git", ".venv", ".comfyui", ".data", ".people", ".pytest_cache", ".ruff_cache", "__pycache__", "output", "runs"}
NEVER_REQUIRED = {"torch", "torchvision", "torchaudio", "transformers"}  # pinning these breaks the user's other packs

# Built from parts, so that this file does not match itself.
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:" + "|".join(["work", "root", "tmp/dev", "opt/wheels", "opt/pypi"]) + r")/")


def names(lines: list[str]) -> list[str]:
    """The package names in requirement lines, lower case."""
    stripped = [line.split("#")[0].strip() for line in lines]
    return [re.split(r"[^\w.-]", line)[0].lower() for line in stripped if line]


def required() -> list[str]:
    return (ROOT / "requirements.txt").read_text().splitlines()


def our_texts() -> dict[Path, str]:
    """Every text file of the repository, tracked or not yet."""
    texts = {}
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in SKIPPED]
        for path in (Path(folder) / name for name in files if name not in SKIPPED):  # .git is a file in a worktree
            try:
                texts[path.relative_to(ROOT)] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
    return texts


def machine_paths(text: str) -> list[str]:
    return [line.strip()[:100] for line in text.splitlines() if MACHINE_PATH.search(line)]


def test_requirements_leave_the_users_torch_alone():
    assert required() and not NEVER_REQUIRED & set(names(required()))
    assert not [line for line in required() if "==" in line]


def test_pyproject_names_the_same_requirements():
    text = (ROOT / "pyproject.toml").read_text()
    (listed,) = re.findall(r"^dependencies = \[(.*?)\]", text, flags=re.MULTILINE | re.DOTALL)
    assert sorted(names(re.findall(r'"([^"]+)"', listed))) == sorted(names(required()))


def test_the_torch_pins_stay_in_dev():
    pinned = (ROOT / "dev" / "constraints.txt").read_text()
    assert "torch==" in pinned and "torchvision==" in pinned


def test_host_reads_our_metadata(comfy):
    from comfy_config.config_parser import extract_node_configuration

    found = extract_node_configuration(str(ROOT))
    assert found.project.name == "diffsfsr"
    assert found.project.license.text == "GPL-3.0-or-later"
    assert found.project.urls.repository == "https://github.com/diffsfsr/ComfyUI-DiffSFSR"
    assert found.project.supported_comfyui_version == ">=0.3.75"
    assert (found.tool_comfy.publisher_id, found.tool_comfy.display_name) == ("diffsfsr", "DiffSFSR")


@pytest.mark.parametrize(("name", "most"), [("face_landmarker", 4_500_000), ("in_front", 3_000_000), ("hard_light", 3_000_000)])
def test_small_networks_ship_with_the_pack(name, most):
    """A user's ComfyUI brings nothing after the clone."""
    file = f"weights/{name}.safetensors"
    assert (ROOT / file).stat().st_size < most
    done = subprocess.run(["git", "ls-files", "--error-unmatch", file], cwd=ROOT, capture_output=True)
    if done.returncode == 128:
        pytest.skip("not a git checkout")
    assert done.returncode == 0


NETWORK = {
    "aiohttp", "ftplib", "http", "httpx", "huggingface_hub", "pip", "requests", "smtplib", "socket", "ssl", "telnetlib",
    "urllib", "urllib3", "websockets", "xmlrpc",
}  # fmt: skip
PROCESSES = {"multiprocessing", "os.exec", "os.popen", "os.spawn", "os.startfile", "os.system", "pty", "subprocess"}
REACHING = {"torch.hub", "hub.load_state_dict_from_url", "load_state_dict_from_url", "from_pretrained", "snapshot_download"}


def reaches_out(path: tuple[str, ...], source: str) -> list[str]:
    """What in a file reaches the network or runs pip; in what a user runs, also what starts a process.

    training/ and evaluation/ start their own workers, so a process is allowed there.
    """
    forbidden = NETWORK | REACHING | (set() if path[0] in ("training", "evaluation") else PROCESSES)
    found = [".".join(item.target) for item in imports_of(path, source) if not item.relative]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            found += [ast.unparse(node), node.attr]
        elif isinstance(node, ast.Constant) and node.value == "pip":
            found.append("pip")
    starts = tuple(f"{name}." for name in forbidden)
    return sorted({name for name in found if f"{name}.".startswith(starts)})


def test_nothing_reaches_out():
    files = {path: source for path, source in our_files().items() if path[0] not in ("dev", "tests")}
    assert ("install.py",) in files and any(path[0] == "nodes" for path in files)
    found = {"/".join(path): names for path, source in files.items() if (names := reaches_out(path, source))}
    assert found == {}


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("install.py", "import subprocess"),
        ("install.py", "import sys\ncommand = [sys.executable, '-m', 'pip', 'download']"),
        ("modules/faces/networks.py", "def load():\n    from urllib.request import urlopen"),
        ("modules/host/model.py", "import torch\nstate = torch.hub.load_state_dict_from_url(address)"),
        ("nodes/loader.py", "import os\nos.system('ls')"),
        ("training/loop.py", "import requests"),
        ("evaluation/demo.py", "model = transformers.AutoModel.from_pretrained('x')"),
    ],
)
def test_the_search_for_what_reaches_out_finds_it(path, source):
    assert reaches_out(tuple(path.split("/")), source)


def test_the_search_for_what_reaches_out_allows():
    assert not reaches_out(("training", "expressions.py"), "import subprocess")
    assert not reaches_out(("modules", "bundle.py"), "import os\nos.path.exists('pipeline')")


def test_no_machine_paths():
    found = {str(path): lines for path, text in our_texts().items() if (lines := machine_paths(text))}
    assert found == {}


def test_the_search_for_machine_paths_finds_one():
    assert machine_paths('x = "' + "/" + 'work/main/file"')
    assert not machine_paths("docs/work/plan.md and ~/root/x")


@pytest.mark.parametrize("ignored", [".venv/x", ".comfyui/x", "runs/x", "output/x", "a/__pycache__/x", ".people/x"])
def test_git_ignores_what_is_made_here(ignored):
    done = subprocess.run(["git", "check-ignore", "-q", ignored], cwd=ROOT)
    if done.returncode == 128:
        pytest.skip("not a git checkout")
    assert done.returncode == 0
