"""What every test may use: the pack as `diffsfsr`, the real host, and one thread (two make tiny networks slower)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read once, when torch is imported

import pytest  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for the next line only: load_pack takes it off again
from dev.pack import load_pack  # noqa: E402

load_pack()

HOST_FIXTURES = {"host", "comfy"}


def pytest_collection_modifyitems(items):
    """A test that asks for the host is marked `host`, so that `-m "not host"` needs no discipline."""
    for item in items:
        if HOST_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.host)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    import torch

    torch.set_num_threads(1)


def _require_host():
    from dev.bootstrap import HostError, find_comfyui

    try:
        find_comfyui()
    except HostError as error:
        if os.environ.get("COMFYUI_PATH"):  # asked for by name: a wrong path is no reason to skip in silence
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def comfy():
    """ComfyUI's model side importable (`import comfy.sd`, `import comfy_api.latest`), without a server: 3 s."""
    _require_host()
    from dev.host import bootstrap_comfy

    module = bootstrap_comfy(cpu=True)
    _in_32_bits()
    return module


@pytest.fixture(scope="session")
def host():
    """The real host with this pack loaded: `host.run(prompt)`. One for the whole session: starting takes 8 s."""
    _require_host()
    from dev.host import Host

    loaded = Host().load()
    _in_32_bits()
    return loaded


def _in_32_bits():
    """As with --fp32-unet: results are compared to rounding, which is coarser where a CPU computes the UNet in bfloat16."""
    from comfy.cli_args import args

    args.fp32_unet = True
