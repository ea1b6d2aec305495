"""The map in CONTRIBUTING names files and functions: they exist, and so do the rooms."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
WALKS = PAGE.partition("<!-- walks: begin -->")[2].partition("<!-- walks: end -->")[0]
STEPS = re.findall(r"`([\w/]+\.py):([\w.]+)`", WALKS)
ROOMS = re.findall(r"^\| `([\w/.]+)`", PAGE, re.MULTILINE)


def defined(file: Path) -> set[str]:
    """Functions and classes of a file, methods as Class.method."""
    names = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return names


def test_there_are_four_walks():
    assert WALKS.count("**") == 8 and len(STEPS) > 25


@pytest.mark.parametrize(("file", "name"), STEPS)
def test_each_step_exists(file, name):
    assert name in defined(ROOT / file)


def test_a_step_that_is_gone_would_be_noticed():
    assert "no_such_function" not in defined(ROOT / STEPS[0][0])


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_exists(room):
    assert (ROOT / room).exists()


def test_every_room_is_on_the_map():
    folders = {f"modules/{path.name}/" for path in (ROOT / "modules").iterdir() if (path / "__init__.py").exists()}
    assert folders <= set(ROOMS)
