"""`python -m training prepare`: many pictures, by several processes, chunk by chunk; a run that was cut off goes on.

Of each chunk three files are written: a tar with the aligned pictures (their names are row numbers), their measures as
safetensors, and last a line of JSON for every picture that was looked at, used or not. What has its lines is done.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file

from dev.spread import spread

from ...modules.errors import DiffSFSRError
from . import CHUNKS, PEOPLE, RECORD
from .look import Kept, Limits, Looker
from .people import people_of
from .report import write_report
from .sources import Chunk, chunks_of

QUALITY = 95  # of the stored JPEGs
ROOT = Path(__file__).resolve().parents[2]


def prepare(
    source: Path, out: Path, limits: Limits, workers: int | None, face_model: Path, bundle: Path, teachers: Path | None,
    adults: bool, ray: str | None = None,
) -> None:  # fmt: skip
    """Looks at all pictures of `source` and writes a data folder `out`, with a report page.

    workers: processes; ray: the address of a cluster that has them, with None as many as it has room for.
    teachers: where the network that guesses ages is; adults: the promise that the source shows adults only, without it.
    """
    ages = teachers if teachers is not None and (teachers / "faceres.ts.pt").exists() else None
    if ages is None and not adults:
        what = "Nobody can say that these are adults: there is no faceres.ts.pt to guess ages with"
        remedy = "Name its folder with --teachers; or, if you know that the source shows adults only, say --adults-only-source"
        raise DiffSFSRError(what, remedy, str(teachers or "--teachers"))
    chunks = chunks_of(source)
    files = [len(chunk.files) for chunk in chunks]
    begin(out, {"source": source.name, "chunks": files, "limits": asdict(limits), "ages": ages is not None})
    networks = face_model, bundle, ages
    if ray:
        on_cluster(source, out, len(chunks), workers, ray, *networks)
    elif workers <= 1:
        work(chunks, out, 0, 1, *networks)
    else:
        in_processes(source, out, len(chunks), workers, *networks)
    rows = people_of(out, len(chunks))
    write_lines(out / PEOPLE, rows)
    write_report(out, len(chunks), rows)
    print(f"{out}: {sum(r['verdict'] == 'kept' for r in rows)} of {len(rows)} pictures kept, see report.html", flush=True)


def in_processes(source: Path, out: Path, chunks: int, workers: int, face_model: Path, bundle: Path, ages: Path | None) -> None:
    """The same command for each process, with its share of the chunks; says how far they are."""
    words = ["--pictures", source, "--out", out, "--face-model", face_model, "--start", bundle]
    words += [] if ages is None else ["--teachers", ages]
    command = [sys.executable, "-m", "training", "prepare", *map(str, words), "--threads", "1"]
    done, start = sum(lines_of(out, k).exists() for k in range(chunks)), time.perf_counter()
    print(f"{chunks} chunks, {done} done before, {workers} processes", flush=True)
    shares = [[*command, "--share", str(k), str(workers)] for k in range(workers)]
    running = [subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL) for words in shares]
    try:
        while any(process.poll() is None for process in running):
            time.sleep(1)
            now = sum(lines_of(out, k).exists() for k in range(chunks))
            if now > done and (spent := time.perf_counter() - start) > 20:
                left = spent * (chunks - now) / (now - done)
                print(f"{now} of {chunks} chunks, {left / 60:.0f} min left", end="\r", flush=True)
    finally:
        for process in running:
            process.terminate()
    if any(process.wait() for process in running):
        raise SystemExit("prepare: a process ended early, see above; start again with the same words to go on")


def on_cluster(
    source: Path, out: Path, chunks: int, workers: int | None, address: str, face_model: Path, bundle: Path, ages: Path | None
) -> None:
    """The chunks that are not done, by the workers of a Ray cluster; all machines have both folders under the same paths."""
    left = [{"number": k} for k in range(chunks) if not lines_of(out, k).exists()]
    files = {"source": source, "out": out, "face_model": face_model, "bundle": bundle, "ages": ages}
    given = {name: path.resolve() if path else None for name, path in files.items()}
    print(f"{chunks} chunks, {chunks - len(left)} done before", flush=True)
    for item in spread(f"{__name__}:worker", given, left, address, workers) if left else ():
        said = "its workers died" if item.get("lost") else f"{item['kept']} of {item['of']} kept"
        print(f"chunk {item['number']}: {said}", flush=True)
    if missing := [k for k in range(chunks) if not lines_of(out, k).exists()]:
        what = f"{len(missing)} of {chunks} chunks were not done, the first is {missing[0]}: their workers died"
        raise DiffSFSRError(what, "Start again with the same words to go on, or without --ray to see why", str(out))


def worker(source: Path, out: Path, face_model: Path, bundle: Path, ages: Path | None) -> Callable[[dict], dict]:
    """The function of one worker, its models loaded: the number of a chunk -> how many of its pictures are kept."""
    looker, chunks = looker_of(out, face_model, bundle, ages), chunks_of(source)

    def work(item: dict) -> dict:
        number = int(item["number"])
        verdicts = one_chunk(looker, out, number, chunks[number])
        return {"number": number, "kept": verdicts.count("kept"), "of": len(verdicts)}

    return work


def share(source: Path, out: Path, number: int, of: int, face_model: Path, bundle: Path, ages: Path | None) -> None:
    """What one of several processes does; the limits are those of the folder."""
    work(chunks_of(source), out, number, of, face_model, bundle, ages)


def work(chunks: list[Chunk], out: Path, number: int, of: int, face_model: Path, bundle: Path, ages: Path | None) -> None:
    """Every `of`th chunk from `number` on, but those that are done."""
    looker = looker_of(out, face_model, bundle, ages)
    for place in range(number, len(chunks), of):
        if lines_of(out, place).exists():
            continue
        start = time.perf_counter()
        verdicts = one_chunk(looker, out, place, chunks[place])
        each = (time.perf_counter() - start) / max(1, len(verdicts))
        print(f"chunk {place}: {verdicts.count('kept')} of {len(verdicts)} kept, {each:.2f} s each", flush=True)


def looker_of(out: Path, face_model: Path, bundle: Path, ages: Path | None) -> Looker:
    """With the limits of the folder."""
    return Looker(Limits(**json.loads((out / RECORD).read_text())["limits"]), face_model, bundle, ages)


def begin(out: Path, record: dict) -> None:
    """A folder holds one set, made with one set of limits: going on with others would mix them."""
    (out / CHUNKS).mkdir(parents=True, exist_ok=True)
    file = out / RECORD
    if file.exists() and json.loads(file.read_text()) != record:
        raise DiffSFSRError("This folder was begun with another source or other limits", "Name a new --out", str(out))
    file.write_text(json.dumps(record, indent=1))


def one_chunk(looker: Looker, out: Path, number: int, chunk: Chunk) -> list[str]:
    """One chunk: its three files, whole or not at all; returns the verdicts."""
    looked = [(item, looker.look(item.file)) for item in chunk.items()]
    kept = [(item, found) for item, found in looked if isinstance(found, Kept)]
    base = out / CHUNKS / f"{number:06d}"
    with tarfile.open(base.with_suffix(".tar.part"), "w") as tar:
        for row, (_, found) in enumerate(kept):
            add(tar, f"{row:06d}.jpg", found.wide)
    os.replace(base.with_suffix(".tar.part"), base.with_suffix(".tar"))
    if kept:
        stack = lambda name: torch.stack([getattr(found, name) for _, found in kept]).contiguous()  # noqa: E731
        tensors = {name: stack(name) for name in ("landmarks", "blendshapes", "vector")}
        save_file(tensors, base.with_suffix(".safetensors"))
    rows, place = [], 0
    for item, found in looked:
        row = {"name": item.name, "chunk": number}
        if isinstance(found, Kept):
            numbers = {name: round(getattr(found, name), 2) for name in ("yaw", "pitch")}
            age = None if found.age != found.age else round(found.age, 1)
            row |= {"verdict": "kept", "row": place, **numbers, "age": age, "hash": found.hash, "caption": item.caption}
            place += 1
        else:
            row["verdict"] = found
        rows.append(row)
    write_lines(lines_of(out, number), rows)
    return [row["verdict"] for row in rows]


def add(tar: tarfile.TarFile, name: str, picture: torch.Tensor) -> None:
    """A picture [3, W, W] 0..1 as JPEG; no time and no owner, so that the same pictures make the same file."""
    pixels, data = (picture.movedim(0, -1) * 255).round().byte().numpy(), io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=QUALITY, subsampling=0)
    entry = tarfile.TarInfo(name)
    entry.size = len(data.getvalue())
    data.seek(0)
    tar.addfile(entry, data)


def lines_of(out: Path, number: int) -> Path:
    return out / CHUNKS / f"{number:06d}.jsonl"


def write_lines(file: Path, rows: list[dict]) -> None:
    part = file.with_suffix(".part")
    part.write_text("".join(json.dumps(row) + "\n" for row in rows))
    os.replace(part, file)
