"""`make soak`: the long look, in one process with the real host, and a table of it for docs/results.md.

    python -m tests.soak [--prompts 300] [--interruptions 30] [--kills 8] [--bundles 300] [--inputs 300] [--seed 1]

Prompts: the whole graph with another word, seed and now and then an odd input, queued one behind the other. Interruptions: at a
random moment of a prompt; the next one must give its picture. Kills: of processes that write the index of an expression
library; no row that was stored may be gone. Bundles and inputs: as in tests/host/test_fuzz.py, with other seeds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from dev.pack import load_pack

STEADY = 20  # prompts after which memory should grow no more
GROWTH, GIGABYTES, SECONDS = 150, 1.0, 5.0  # megabytes of all prompts; of one damaged bundle


def main() -> int:
    """0 where nothing was found."""
    args = arguments()
    load_pack()
    import torch

    torch.set_num_threads(1)
    from dev.host import Host
    from tests.fuzz.nodes import Table, quiet
    from tests.host import graphs

    with tempfile.TemporaryDirectory() as place, quiet():
        rows = [kills(Path(place), args.kills, args.seed)]  # before there are threads to copy
        host = Host().load()
        from diffsfsr.modules.host import folders

        for use in (host.folder_paths.set_input_directory, host.folder_paths.set_output_directory):
            use(place)
        host.folder_paths.set_temp_directory(place)
        folders.saved_folders = lambda kind: [Path(place, kind)]  # nothing is saved into a developer's ComfyUI
        graphs.register(host.nodes)
        picture = graphs.astronaut()[:, :256, 100:356].clone()
        pictures = picture, (picture.flip(2) ** 0.8).clone()
        rows += [prompts(host, graphs, pictures, args.prompts, args.seed)]
        rows += [interruptions(host, graphs, pictures, args.interruptions, args.seed)]
        rows += [inputs(Table(host, *pictures), args.inputs, args.seed)]
        rows += [bundles(Path(place), args.bundles, args.seed)]
    print("\n| what | of | faults | notes |\n|---|---|---|---|")
    for what, count, faults, notes in rows:
        print(f"| {what} | {count} | {len(faults)} | {notes} |")
    for what, _, faults, _ in rows:
        for fault in faults:
            print(f"{what}: {fault}")
    return int(any(faults for _, _, faults, _ in rows))


def arguments():
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.splitlines()[0])
    for name, count in (("prompts", 300), ("interruptions", 30), ("kills", 8), ("bundles", 300), ("inputs", 300), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=count)
    return parser.parse_args()


def said(what: str, number: int, of: int) -> None:
    print(f"{what}: {number} of {of}", end="\r", file=sys.stderr, flush=True)


# --- the queue -----------------------------------------------------------------------------------------------------------


def prompts(host, graphs, pictures, count: int, seed: int):
    """Every tenth has a picture without a face, which must be refused and leave nothing behind."""
    from diffsfsr.modules.labels import WORDS

    rng, words, faults, steady = random.Random(seed), sorted(WORDS), [], 0
    blank = pictures[0] * 0 + 0.5
    start = time.perf_counter()
    for k in range(count):
        said("prompts", k, count)
        bad = k % 10 == 9
        graph = graphs.portrait(pictures[0], blank if bad else pictures[1])
        word = rng.choice(words)
        graph.set(graphs.EXPRESSION, expression=word).set(graphs.SAMPLER, seed=k, steps=rng.choice((1, 2)))
        result = host.run(graph)
        if result.success == bad:
            faults.append(f"prompt {k}, {word}: {'painted without a face' if bad else result.errors}")
        elif bad and "No face was found" not in result.errors[0]:
            faults.append(f"prompt {k}: {result.errors}")
        if k == min(STEADY, count - 1):
            steady = resident()
    grown = resident() - steady
    if grown > GROWTH:
        faults.append(f"{grown:.0f} MB more than after {STEADY} prompts")
    return "queued prompts", count, faults, f"{grown:+.0f} MB from number {STEADY} on, {time.perf_counter() - start:.0f} s"


def interruptions(host, graphs, pictures, count: int, seed: int):
    rng, faults, stopped = random.Random(seed), [], 0
    for k in range(count):
        said("interruptions", k, count)
        graph = graphs.portrait(*pictures).set(graphs.SAMPLER, seed=10_000 + k, steps=8).set(graphs.CONDITION, grow=9 + k % 5)
        timer = threading.Timer(rng.uniform(0.05, 3.0), host.interrupt)
        timer.start()
        result = host.run(graph)
        timer.cancel()
        timer.join()
        stopped += not result.success
        if not result.success and "interrupted" not in result.errors[0]:
            faults.append(f"interruption {k}: {result.errors}")
        after = host.run(graph)
        if not after.success:
            faults.append(f"after interruption {k}: {after.errors}")
    return "interruptions", count, faults, f"{stopped} came before the end"


def resident() -> float:
    """Megabytes of this process now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1e3


# --- files -----------------------------------------------------------------------------------------------------------------


def kills(place: Path, count: int, seed: int):
    """A process stores rows one by one and says each number behind it; it is killed at a random moment."""
    from diffsfsr.modules.encoders import library

    context, rng, faults, told, root = multiprocessing.get_context("fork"), random.Random(seed), [], set(), place / "library"
    root.mkdir()

    def write(number: int, pipe) -> None:
        for k in range(100_000):
            picture = library.Picture("joy", f"joy/{number}-{k}.png", 1, 1)
            library.save(root, "soak", [(picture, bytes(184))])
            pipe.send(picture)

    for number in range(count):
        said("kills", number, count)
        ours, theirs = context.Pipe(False)
        process = context.Process(target=write, args=(number, theirs), daemon=True)
        process.start()
        end = time.monotonic() + rng.uniform(0.2, 1.5)
        while time.monotonic() < end:
            if ours.poll(0.01):
                told.add(ours.recv())
        process.kill()
        process.join()
        while ours.poll():
            told.add(ours.recv())
        known = library.load(root)
        lost = told - (known.pictures.keys() if known else set())
        if lost or process.exitcode != -signal.SIGKILL:
            faults.append(f"kill {number}: {len(lost)} rows lost, exit {process.exitcode}")
    return "kills while the library's index is written", count, faults, f"{len(told)} rows stored"


def bundles(place: Path, count: int, seed: int):
    from dev.seal import sealed
    from diffsfsr.modules.errors import DiffSFSRError
    from diffsfsr.modules.pipeline import load
    from tests.fuzz import bundles as made
    from tests.fuzz.memory import Peak

    whole, path = sealed(made.BUILT_IN.read_bytes()), place / "damaged.safetensors"
    load.folders.bundle_path = lambda name: path
    faults, loaded, most, longest = [], 0, 0.0, 0.0
    for k in range(count):
        said("bundles", k, count)
        what, data = made.damaged(whole, 1000 * seed + k)
        path.write_bytes(data)
        fault = ""
        with Peak() as peak:
            try:
                load.load(path.name)
                loaded += 1
                fault = "painted" if made.changed(whole, data) else ""
            except DiffSFSRError:
                pass
            except Exception as error:
                fault = f"raw {type(error).__name__}: {error}"
        most, longest = max(most, peak.gigabytes), max(longest, peak.seconds)
        if fault or peak.gigabytes > GIGABYTES or peak.seconds > SECONDS:
            faults.append(f"{what}: {fault} {peak.gigabytes:.2f} GB {peak.seconds:.1f} s")
    return "damaged bundles", count, faults, f"{loaded} unchanged in what counts; at most {most:.2f} GB, {longest:.1f} s"


def inputs(table, count: int, seed: int):
    faults, refused = [], 0
    for k, case in enumerate(table.cases(count, seed)):
        said("inputs", k, count)
        verdict = table.verdict(case)
        refused += verdict == "refused"
        if verdict not in ("fine", "refused"):
            faults.append(f"{case}: {verdict}")
    return "odd inputs", count, faults, f"{refused} refused by name"


if __name__ == "__main__":
    sys.exit(main())
