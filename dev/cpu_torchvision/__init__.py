"""Lets torchvision be imported beside a CPU build of torch. Development only, never part of the shipped pack.

Some package indexes offer only a CUDA-linked torchvision. Next to a CPU torch its native library is skipped, and
the import of torchvision dies while it describes two operators that nobody declared. Declaring them is enough for
everything ComfyUI uses (transforms, models); the operators themselves still raise when they are called.

dev/setup.py copies this folder into the host's custom_nodes, where prestartup_script.py runs before torchvision is
imported; in-process code calls install() itself.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

NODE_CLASS_MAPPINGS: dict = {}

_OPERATORS = ("nms", "qnms")
_kept = []  # a torch Library undeclares its operators when it is collected


def _native_library_loads() -> bool:
    """True when torchvision's own library works, as it does beside the torch it was built for."""
    import torch

    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(str(library))
        except (OSError, RuntimeError):
            return False
        return True
    return True  # no shared library by that name (another system's wheel): nothing to repair


def install() -> bool:
    """Declares the missing operators; True when it had to. Safe to call again."""
    import torch

    if "torchvision" in sys.modules or hasattr(torch.ops.torchvision, "nms") or _native_library_loads():
        return False
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in _OPERATORS:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _kept.append(library)
    return True
