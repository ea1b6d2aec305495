"""The house's rule: imports go one way, and ComfyUI stays behind two doors.

The checker works on (path, source) pairs, so that the tests at the end can show that it does complain.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Importers on the right, what they may import on the left. Units of one group may import each other, but not mutually.
ORDER = (
    ("types", "affine", "images", "labels", "bounds", "weights"),
    ("faces",),
    ("warp",),
    ("encoders",),
    ("denoiser",),
    ("bundle",),
    ("host",),
    ("pipeline",),
)
RANK = {unit: rank for rank, group in enumerate(ORDER) for unit in group}
EVERYONES = {"errors"}  # importable by all, imports nothing of ours

HOST_NAMES = {
    "app", "comfy", "comfy_api", "comfy_api_nodes", "comfy_config", "comfy_execution", "comfy_extras", "execution",
    "folder_paths", "latent_preview", "node_helpers", "nodes", "server",
}  # fmt: skip
OURS = {"diffsfsr", "modules"}
TOOLS = {"dev", "training", "evaluation", "tests"}
MAY_IMPORT_TOOLS = {  # who may import which tools
    "dev": {"dev"},
    "training": {"dev", "training"},
    "evaluation": {"dev", "evaluation", "training"},  # the data and the judges that training never used as losses
    "tests": TOOLS,
}


class Import(NamedTuple):
    path: tuple[str, ...]  # the importing file, relative to the root
    line: int
    target: tuple[str, ...]  # dotted name, resolved; relative imports start at the pack root
    relative: bool


def imports_of(path: tuple[str, ...], source: str) -> list[Import]:
    """Every import in a file, also those inside functions."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [Import(path, node.lineno, tuple(alias.name.split(".")), False) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = path[: len(path) - node.level] if node.level else ()
            module = tuple(node.module.split(".")) if node.module else ()
            found += [
                Import(path, node.lineno, package + module + (alias.name,), node.level > 0) for alias in node.names
            ]
    return found


def unit_of(parts: tuple[str, ...]) -> str | None:
    """The unit of modules/ a path or a dotted name belongs to: modules/affine.py -> faces."""
    return parts[1].removesuffix(".py") if len(parts) > 1 and parts[0] == "modules" else None


def _inner_problem(item: Import) -> str | None:
    """The rules of one import between our own units."""
    target = item.target[1:] if item.target[0] == "diffsfsr" else item.target
    importer, imported = unit_of(item.path), unit_of(target)
    if importer is None:
        return None
    if target[0] == "nodes" and item.relative:
        return "modules/ must not import nodes/"
    if imported is None or imported == importer or imported in EVERYONES:
        return None
    if importer in EVERYONES or importer == "__init__":
        return f"modules/{importer} must import nothing of ours"
    unknown = {importer, imported} - set(RANK)
    if unknown:
        return f"{sorted(unknown)} has no place in ORDER of {Path(__file__).name}: decide where it stands"
    if RANK[imported] > RANK[importer]:
        return f"{importer} stands left of {imported} and must not import it"
    return None


def problem(item: Import) -> str | None:
    """What is wrong with one import, or None."""
    top, first = item.path[0], item.target[0]
    shipped = top in ("modules", "nodes")
    if not item.relative:
        if first in HOST_NAMES and not (top in TOOLS | {"nodes"} or unit_of(item.path) == "host"):
            return f"imports {first}: only nodes/ and modules/host/ may import ComfyUI"
        if shipped and first in OURS:
            return "the pack imports itself relatively: its name belongs to the host"
    if first in TOOLS and first not in MAY_IMPORT_TOOLS.get(top, set()):
        return f"must not import {first}"
    return _inner_problem(item)


def mutual(items: list[Import]) -> list[str]:
    """Pairs of units that import each other."""
    pairs = {(unit_of(item.path), unit_of(item.target)) for item in items if item.relative}
    return sorted(f"{a} and {b} import each other" for a, b in pairs if a and b and a < b and (b, a) in pairs)


def check(files: dict[tuple[str, ...], str]) -> list[str]:
    """Every broken rule in {path parts: source}."""
    items = [item for path, source in files.items() for item in imports_of(path, source)]
    single = [f"{'/'.join(item.path)}:{item.line}: {text}" for item in items if (text := problem(item))]
    return single + mutual(items)


def our_files() -> dict[tuple[str, ...], str]:
    found = list(ROOT.glob("*.py"))
    for folder in ("modules", "nodes", *TOOLS):
        found += (ROOT / folder).rglob("*.py")
    return {path.relative_to(ROOT).parts: path.read_text(encoding="utf-8") for path in found}


def test_imports_go_one_way():
    files = our_files()
    assert ("__init__.py",) in files and any(path[0] == "modules" for path in files)
    assert check(files) == []


def test_root_imports_nothing_at_module_level():
    """ComfyUI reads this file at start-up and pytest while collecting: an import there costs seconds, or fails."""
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    assert not [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]


def test_pack_does_not_shadow_the_host():
    """With the checkout on sys.path, `import nodes` would give the host our folder."""
    import diffsfsr

    assert diffsfsr.__path__ == [str(ROOT)]
    assert str(ROOT) not in sys.path and "" not in sys.path


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("modules/faces/selection.py", "from ..encoders import identity", "stands left of"),
        ("modules/labels/words.py", "def f():\n    from ..denoiser.config import Config", "stands left of"),
        ("modules/denoiser/model.py", "import comfy.ops", "only nodes/ and modules/host/"),
        ("modules/bundle.py", "from folder_paths import x", "only nodes/ and modules/host/"),
        ("modules/denoiser/midpoint.py", "from ...nodes import sampler", "must not import nodes/"),
        ("modules/denoiser/model.py", "import diffsfsr.modules.errors", "relatively"),
        ("nodes/loader.py", "from modules.bundle import load", "relatively"),
        ("nodes/loader.py", "from ..training import losses", "must not import training"),
        ("evaluation/metrics/report.py", "from tests.conftest import f", "must not import tests"),
        ("training/loop.py", "import evaluation.metrics", "must not import evaluation"),
        ("modules/errors.py", "from .labels import words", "nothing of ours"),
        ("modules/brandnew/x.py", "from ..faces import align", "no place in ORDER"),
        ("__init__.py", "import comfy", "only nodes/ and modules/host/"),
    ],
)
def test_checker_complains(path, source, complaint):
    (text,) = check({tuple(path.split("/")): source})
    assert complaint in text


def test_checker_sees_a_circle():
    files = {
        ("modules", "labels", "a.py"): "from ..images import b",
        ("modules", "images.py"): "from .labels import a",
    }
    assert check(files) == ["images and labels import each other"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("modules/host/patcher.py", "import nodes, comfy.sd\nfrom ..bundle import load\nfrom ..errors import E"),
        ("modules/encoders/identity.py", "from ..faces.align import crop\nfrom . import balance"),
        ("nodes/loader.py", "from comfy_api.latest import io\nfrom ..modules.host import load"),
        ("training/loop.py", "import comfy.sd\nfrom diffsfsr.modules import unet\nfrom dev.pack import load_pack"),
    ],
)
def test_checker_allows(path, source):
    assert check({tuple(path.split("/")): source}) == []
