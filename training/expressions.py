"""`python -m training expressions`: the index of a large expression library, by several processes, in one's own time.

A word a folder, as the node has it, or a table: a CSV with the columns "file" (relative to the folder) and "word". What the
table calls a word may be anything that the lexicon understands as one of the 135; the rest is listed. The index lies beside the
pictures (models/diffsfsr/expressions, or a folder that is put there). What was measured stays in `index.parts` until all is, so
that a run that was cut off goes on.
"""

import csv
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ..modules.bundle import load_bundle
from ..modules.encoders import library
from ..modules.encoders.expression import COEFFICIENTS
from ..modules.encoders.library import Picture
from ..modules.errors import DiffSFSRError
from ..modules.labels import read
from ..modules.pipeline.encoders import Encoders, build_encoders
from ..modules.pipeline.library import maker_of, measured_file

PARTS, TOGETHER = "index.parts", 200
ROOT = Path(__file__).resolve().parents[1]


def index(folder: Path, table: Path | None, bundle: Path, workers: int) -> library.Index:
    """Measures what is new in `folder` and writes its index; returns it."""
    pictures, left_out = from_table(folder, table) if table else from_folders(folder)
    if not pictures:
        remedy = "Name a folder that has one for each word in it, or a table"
        raise DiffSFSRError("There are no pictures of the 135 words", str(table or folder), remedy)
    maker = maker_of(build_encoders(load_bundle(bundle)))
    before = library.load(folder)
    before = before if before is not None and before.maker == maker else library.empty(maker)
    new = library.missing(before, pictures)
    plan(folder, new, maker)
    count = -(-len(new) // TOGETHER)
    print(f"{len(pictures)} pictures, {len(new)} to be measured in {count} parts, {workers} processes", flush=True)
    in_processes(folder, bundle, count, workers)
    measured, refused = collected(folder, count)
    made = library.updated(before, [*pictures, *left_out], measured, {**left_out, **refused}, ())
    made = library.Index(**{**vars(made), "fixed": table is not None})
    library.save(made, folder)
    for file in sorted((folder / PARTS).iterdir()):
        file.unlink()
    (folder / PARTS).rmdir()
    report(made, refused | left_out)
    return made


# --- what is to be measured --------------------------------------------------------------------------------------------


def from_folders(folder: Path) -> tuple[list[Picture], dict[Picture, str]]:
    present, other, unknown = library.scan(folder)
    for hint in library.hints(unknown):
        print(f"folder {hint}: not one of the 135 words", flush=True)
    return present, other


def from_table(folder: Path, table: Path) -> tuple[list[Picture], dict[Picture, str]]:
    """The rows of a table whose word is understood and whose file is there."""
    with table.open(newline="", encoding="utf-8-sig") as handle:
        reader = csv.DictReader(handle)
        if not {"file", "word"} <= set(reader.fieldnames or ()):
            remedy = "Name its columns so; others may stand beside them"
            raise DiffSFSRError("The table has no columns 'file' and 'word'", str(table), remedy)
        rows = [(row["file"], (row["word"] or "").strip()) for row in reader]
    words = {said: understood(said) for said in dict.fromkeys(word for _, word in rows)}
    for said, word in words.items():
        if word is None:
            print(f"'{said}' is none of the 135 words ({sum(s == said for _, s in rows)} rows left out)", flush=True)
    pictures, missing = [], {}
    for file, said in rows:
        if words[said] is None:
            continue
        path = (folder / file).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            missing[Picture(words[said], file, 0, 0)] = "there is no such file in the folder"
            continue
        stat = path.stat()
        pictures.append(Picture(words[said], file, stat.st_size, stat.st_mtime_ns))
    return sorted(set(pictures)), missing


def understood(said: str) -> str | None:
    """The one word of the 135 that is meant, if there is one."""
    try:
        parts = read(said).parts
    except DiffSFSRError:
        return None
    return parts[0].word if len(parts) == 1 else None


# --- measuring ---------------------------------------------------------------------------------------------------------


def plan(folder: Path, new: list[Picture], maker: str) -> None:
    """Writes down what is to be measured in which part; parts of another plan are thrown away."""
    parts = folder / PARTS
    told = json.dumps({"maker": maker, "pictures": [[p.word, p.file, p.size, p.changed] for p in new]})
    if (parts / "plan.json").exists() and (parts / "plan.json").read_text() == told:
        return
    parts.mkdir(exist_ok=True)
    for file in parts.iterdir():
        file.unlink()
    (parts / "plan.json").write_text(told)


def in_processes(folder: Path, bundle: Path, count: int, workers: int) -> None:
    if workers <= 1:
        share(folder, bundle, 0, 1)
        return
    words = ["expressions", "--pictures", folder, "--start", bundle, "--threads", 1]
    command = [sys.executable, "-m", "training", *map(str, words)]
    running = [subprocess.Popen([*command, "--share", str(k), str(workers)], cwd=ROOT) for k in range(workers)]
    if any([process.wait() for process in running]):
        raise SystemExit("expressions: a process ended early, see above; start again with the same words to go on")


def share(folder: Path, bundle: Path, number: int, of: int) -> None:
    """What one of several processes measures: every `of`th part from `number` on."""
    told = json.loads((folder / PARTS / "plan.json").read_text())["pictures"]
    pictures = [Picture(*row) for row in told]
    encoders, start = build_encoders(load_bundle(bundle)), time.perf_counter()
    for part in range(number, -(-len(pictures) // TOGETHER), of):
        if part_file(folder, part).exists():
            continue
        rows = pictures[part * TOGETHER : (part + 1) * TOGETHER]
        one_part(encoders, folder, part, rows)
        rate = (part // of + 1) * TOGETHER / (time.perf_counter() - start)
        print(f"part {part}: {rate:.1f} pictures a second in this process", flush=True)


def part_file(folder: Path, part: int) -> Path:
    return folder / PARTS / f"{part:06d}.safetensors"


def one_part(encoders: Encoders, folder: Path, part: int, pictures: list[Picture]) -> None:
    """Codes [n, 52 + K] of some pictures, NaN for what cannot be used, and why it cannot."""
    codes, why = [], {}
    for place, picture in enumerate(pictures):
        try:
            codes.append(measured_file(encoders, folder / picture.file))
        except DiffSFSRError as error:
            codes.append(torch.full((COEFFICIENTS + len(encoders.shape.geometry),), float("nan")))
            why[str(place)] = error.what
    unfinished = part_file(folder, part).with_suffix(".part")
    save_file({"codes": torch.stack(codes)}, unfinished, {"refused": json.dumps(why)})
    os.replace(unfinished, part_file(folder, part))


def collected(folder: Path, count: int) -> tuple[dict[Picture, torch.Tensor], dict[Picture, str]]:
    pictures = [Picture(*row) for row in json.loads((folder / PARTS / "plan.json").read_text())["pictures"]]
    measured, refused = {}, {}
    for part in range(count):
        with safe_open(part_file(folder, part), "pt") as handle:
            why, codes = json.loads(handle.metadata()["refused"]), handle.get_tensor("codes")
        for place, code in enumerate(codes):
            picture = pictures[part * TOGETHER + place]
            if str(place) in why:
                refused[picture] = why[str(place)]
            else:
                measured[picture] = code
    return measured, refused


def report(made: library.Index, refused: dict[Picture, str]) -> None:
    print(f"{len(made.codes)} pictures in the index; {len(refused)} not used:", flush=True)
    for why, count in Counter(why.split(" (")[0] for why in refused.values()).most_common():
        print(f"  {count}: {why}", flush=True)
