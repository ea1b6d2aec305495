"""`--ray`: two local workers, one of them killed, make what one process makes."""

import subprocess
import sys
import threading
import time

import pytest

from tests.host.graphs import ROOT
from tests.host.test_evaluation import people, results, run  # noqa: F401 - fixtures
from tests.host.test_prepare import place, prepared, source, teachers  # noqa: F401 - fixtures

PATIENCE = 300  # seconds, for busy machines


def with_ray():
    pytest.importorskip("ray.data", reason='Ray is not installed: pip install "ray[data]"')


def killer(begun) -> tuple[threading.Thread, list[int]]:
    """A thread that kills one of our Ray workers as soon as `begun()` says so, and the list it puts its pid into."""
    import psutil

    killed = []

    def wait_and_kill():
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and not begun():
            time.sleep(0.05)
        ours = psutil.Process().children(recursive=True)
        workers = [one for one in ours if "MapWorker" in " ".join(one.cmdline()[:1])]
        if len(workers) == 2:
            killed.append(workers[0].pid)
            workers[0].kill()

    thread = threading.Thread(target=wait_and_kill)
    thread.start()
    return thread, killed


def test_rows_of_two_workers_one_of_them_killed(comfy, people):  # noqa: F811
    with_ray()
    alone, out, table = people / "alone", people / "spread", people / "long.csv"
    lines = (people / "pairs.csv").read_text().splitlines()
    table.write_text("\n".join([*lines, *lines[1:]]) + "\n")
    words = ["generate", "--pairs", str(table), "--steps", "1", "--out"]
    # a process of its own: this one computes in 32 bits (tests/conftest.py), the command as the machine likes best
    subprocess.run([sys.executable, "-m", "evaluation", *words, alone], cwd=ROOT, check=True, capture_output=True)
    thread, killed = killer(lambda: list(out.glob("*.png")))
    assert run(*words, out, "--ray", "--workers", 2) == 0
    thread.join()
    assert len(killed) == 1, "there were two workers, and one of them is gone"
    without = lambda rows: [{**row, "seconds": 0} for row in rows]  # noqa: E731
    assert without(results(out)) == without(results(alone)) and len(results(out)) == 6
    pictures = sorted(path.name for path in alone.glob("*.png"))
    assert pictures == sorted(path.name for path in out.glob("*.png")) and len(pictures) == 4
    for name in pictures:
        assert (out / name).read_bytes() == (alone / name).read_bytes()


def test_chunks_of_two_workers_one_of_them_killed(comfy, source, teachers, tmp_path):  # noqa: F811
    with_ray()
    import tarfile

    shards, files = tmp_path / "shards", sorted(file for file in source.rglob("*") if file.is_file())
    shards.mkdir()
    for number in range(4):
        with tarfile.open(shards / f"{number}.tar", "w") as tar:
            for file in files[number::2]:
                tar.add(file, f"{file.stem}{file.suffix}")
    plain = prepared(shards, tmp_path / "plain", teachers)
    thread, killed = killer(lambda: list((tmp_path / "spread" / "chunks").glob("*.part")))
    spread = prepared(shards, tmp_path / "spread", teachers, workers=2, ray="local")
    thread.join()
    assert len(killed) == 1 and spread == plain
    for name in sorted(path.name for path in (tmp_path / "plain" / "chunks").iterdir()):
        same = [(tmp_path / kind / "chunks" / name).read_bytes() for kind in ("plain", "spread")]
        assert same[0] == same[1], name


def test_an_item_that_kills_every_worker_is_given_up(comfy):
    with_ray()
    from dev.spread import TRIES, spread

    items = [{"number": k} for k in range(3)]
    found = {item["number"]: item for item in spread("tests.host.test_spread:deadly", {"which": 1}, items, "local", 2)}
    assert found[1]["lost"] and TRIES > 1
    assert [found[k]["done"] for k in (0, 2)] == [True, True]


def deadly(which):
    import os

    def work(item):
        if item["number"] == which:
            os._exit(1)
        return {"number": int(item["number"]), "done": True}

    return work


def test_without_ray_it_is_said(monkeypatch):
    from dev.spread import in_order, spread
    from diffsfsr.modules.errors import DiffSFSRError

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DiffSFSRError, match=r"Ray is not installed.*pip install"):
        next(spread("a:b", {}, [{"number": 0}], "local", None))
    mixed = [{"number": k} for k in (2, 0, 1, 3)]
    assert [item["number"] for item in in_order(iter(mixed))] == [0, 1, 2, 3]
