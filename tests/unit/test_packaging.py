"""What a user's ComfyUI reads of this repository, and what must not be in it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = {".git", ".venv", ".comfyui", ".data", ".pytest_cache", ".ruff_cache", "__pycache__", "output", "runs"}
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
        for path in (Path(folder) / name for name in files):
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


def test_no_machine_paths():
    found = {str(path): lines for path, text in our_texts().items() if (lines := machine_paths(text))}
    assert found == {}


def test_the_search_for_machine_paths_finds_one():
    assert machine_paths('x = "' + "/" + 'work/main/file"')
    assert not machine_paths("docs/work/plan.md and ~/root/x")


@pytest.mark.parametrize("ignored", [".venv/x", ".comfyui/x", "runs/x", "output/x", "a/__pycache__/x"])
def test_git_ignores_what_is_made_here(ignored):
    done = subprocess.run(["git", "check-ignore", "-q", ignored], cwd=ROOT)
    if done.returncode == 128:
        pytest.skip("not a git checkout")
    assert done.returncode == 0
