"""Makes this checkout importable as the package `diffsfsr`, whatever its folder is called.

A custom node pack is a package with no fixed name: the host names it after its path. Tests, training and evaluation
need one name. Putting the checkout on sys.path is no way out: our `nodes/` would shadow the host's `nodes` module.
So the package is registered by hand, and the checkout is taken off sys.path.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
NAME = "diffsfsr"
TOOLS = ("dev", "training", "evaluation", "tests")  # packages beside the pack that are imported by their plain names


class _ToolFinder:
    """Finds the packages in TOOLS below ROOT, and nothing else, so that ROOT need not be on sys.path."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in TOOLS:
            return None
        return importlib.machinery.PathFinder.find_spec(name, [str(ROOT)])


def _is_root(entry: str) -> bool:
    """True for a sys.path entry that means the checkout; "" means whatever folder is current at import time."""
    return entry == "" or os.path.realpath(entry) == str(ROOT)


def load_pack() -> ModuleType:
    """Registers the checkout as `diffsfsr` and returns that package; calling it again changes nothing.

    Afterwards `import diffsfsr.modules...` and `import training` work, and `import nodes` finds only the host's.
    """
    sys.path[:] = [entry for entry in sys.path if not _is_root(entry)]
    if _ToolFinder not in sys.meta_path:
        sys.meta_path.insert(0, _ToolFinder)
    if NAME in sys.modules:
        return sys.modules[NAME]
    spec = importlib.util.spec_from_file_location(NAME, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[NAME]
        raise
    return module
