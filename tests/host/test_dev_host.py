"""The in-process host does what the real one does: these tests use only its own nodes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not (ROOT / "nodes" / "__init__.py").exists(), reason="nodes/ is not there yet")


def prompt(width: int = 64) -> dict:
    image = {"width": width, "height": 48, "batch_size": 2, "color": 0xFF0000}
    return {
        "1": {"class_type": "EmptyImage", "inputs": image},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }


def test_runs_then_answers_from_the_cache(host):
    host.reset()
    first, again, changed = host.run(prompt()), host.run(prompt()), host.run(prompt(width=32))
    assert first.success and first.executed_nodes == ["1", "2"] and len(first.outputs["2"]["images"]) == 2
    assert again.success and again.executed_nodes == []
    assert tuple(again.value("1").shape) == (2, 48, 64, 3) and tuple(changed.value("1").shape) == (2, 48, 32, 3)


def test_refuses_what_the_host_refuses(host):
    assert host.validate(prompt()).valid
    assert host.validate(prompt(width=-5)).types == ["value_smaller_than_min"]
    result = host.run(prompt(width=-5))
    assert not result.success and "EmptyImage (1)" in result.errors[0]


def test_a_cancelled_run_does_not_cancel_the_next(host):
    host.interrupt()
    assert host.run(prompt(width=40)).success


def test_each_host_hears_its_own_progress(host):
    """A second one in the process, as the bench loads it, leaves the first one its events."""
    from comfy.utils import ProgressBar

    from dev.host import Host

    class Steps:
        INPUT_TYPES = classmethod(lambda cls: {"required": {"count": ("INT", {})}})
        RETURN_TYPES, FUNCTION, OUTPUT_NODE = (), "go", True

        def go(self, count):
            ProgressBar(count).update(count)
            return ()

    second = Host().load()
    host.nodes.NODE_CLASS_MAPPINGS["Steps"] = Steps
    try:
        for each, count in ((host, 3), (second, 4), (host, 5)):
            result = each.run({"1": {"class_type": "Steps", "inputs": {"count": count}}})
            assert [(told["value"], told["node"]) for told in result.progress()] == [(count, "1")], result.errors
    finally:
        del host.nodes.NODE_CLASS_MAPPINGS["Steps"]


def test_host_and_tests_share_the_packs_modules(host):
    """Otherwise isinstance would fail between what a node returns and what a test imports."""
    import diffsfsr.nodes

    ours = [cls for cls in host.nodes.NODE_CLASS_MAPPINGS.values() if cls.__module__.startswith("diffsfsr.")]
    assert ours and all(sys.modules[cls.__module__].__name__.startswith(diffsfsr.nodes.__name__) for cls in ours)
    assert Path(host.nodes.__file__).parent != ROOT / "nodes"
