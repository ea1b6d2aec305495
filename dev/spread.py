"""Work spread over the machines of a Ray cluster, by Ray Data: actors hold the models, items stream to them.

Ray is an optional extra (`pip install "ray[data]"`), imported nowhere but here. Every machine needs this checkout under
the same path.
"""

from __future__ import annotations

import importlib
import os
from collections import Counter
from collections.abc import Iterator
from types import ModuleType

from .pack import ROOT, load_pack

LOCAL = "local"  # the address that starts Ray in this machine alone
RAY_HELP = "by the workers of a Ray cluster (docs/scale.md); without an address: of this machine"
TRIES = 3  # how often an item is begun: after so many workers died over it, nobody tries again


def spread(maker: str, given: dict, items: list[dict], address: str, workers: int | None, gpus: float = 0) -> Iterator[dict]:
    """What the workers make of the items, as it comes, in any order; {"number", "lost": True} after TRIES in vain.

    maker: "module:function" of a function of `given` that gives a worker's own function, dict -> dict; it is called once
    in each worker. Items and what becomes of them have a "number". workers: at most so many; None: as many as the cluster
    has room for. Each has as many threads as OMP_NUM_THREADS says here, else one.
    """
    ray, threads = _ray(), int(os.environ.get("OMP_NUM_THREADS") or 1)
    here = {"num_cpus": workers * threads} if workers else {}  # more than there are, where somebody wants that
    where = {**here, "include_dashboard": False} if address == LOCAL else {"address": address}
    try:
        ray.init(**where, log_to_driver=False, logging_level="WARNING")
        ray.data.DataContext.get_current().enable_progress_bars = False
        room = _room(ray, threads, gpus)
        size = max(1, min(room, len(items), workers or room))
        begun = ray.remote(num_cpus=0)(_begun()).remote()
        yield from ray.data.from_items(items, override_num_blocks=len(items)).map(
            _worker(begun, str(ROOT), maker, given, threads), num_cpus=threads, num_gpus=gpus,
            compute=ray.data.ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=2),
        ).iter_rows()  # fmt: skip
    except (ray.exceptions.RayError, ConnectionError) as error:
        said = str(error).strip().splitlines()[-1]
        raise _error(f"The work on the cluster ended early ({said})", "Try the same without --ray") from error
    finally:
        ray.shutdown()


def in_order(found: Iterator[dict]) -> Iterator[dict]:
    """Items by their "number" from 0 on, each as soon as it and all before it are there."""
    waiting: dict[int, dict] = {}
    place = 0
    for item in found:
        waiting[item["number"]] = item
        while place in waiting:
            yield waiting.pop(place)
            place += 1


def _ray() -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report over the network
    try:
        ray = importlib.import_module("ray")
        importlib.import_module("ray.data")
    except ImportError as error:
        raise _error(f"Ray is not installed ({error})", 'Run: pip install "ray[data]", or leave out --ray') from error
    return ray


def _error(what: str, remedy: str) -> Exception:
    load_pack()
    from diffsfsr.modules.errors import DiffSFSRError

    return DiffSFSRError(what, remedy, "--ray")


def _room(ray: ModuleType, threads: int, gpus: float) -> int:
    """How many workers the cluster has place for."""
    there = ray.cluster_resources()
    places = int(there.get("CPU", 1) // threads)
    return min(places, int(there.get("GPU", 0) // gpus)) if gpus else places


# Classes of actors. Made inside a function they travel by value: on the other side nothing of ours can be imported yet.


def _begun() -> type:
    class Begun:
        """How often each item was begun: an item that kills its worker is given to the next one without end."""

        def __init__(self):
            self.times = Counter()

        def once_more(self, number: int) -> int:
            self.times[number] += 1
            return self.times[number]

    return Begun


def _worker(begun, root: str, maker: str, given: dict, threads: int) -> type:
    tries = TRIES

    class Worker:
        def __init__(self):
            import importlib
            import os
            import sys

            os.environ["OMP_NUM_THREADS"] = str(threads)
            sys.path.insert(0, root)  # for the next line only: load_pack takes it off again
            from dev.pack import load_pack

            load_pack()
            import torch

            torch.set_num_threads(threads)
            module, _, name = maker.partition(":")
            self.work = getattr(importlib.import_module(module), name)(**given)

        def __call__(self, item: dict) -> dict:
            import ray

            number = int(item["number"])
            if ray.get(begun.once_more.remote(number)) > tries:
                return {"number": number, "lost": True}
            return self.work(item)

    return Worker
