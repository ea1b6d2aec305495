"""One picture for each row of a CSV, by the nodes' own code. A bad row is noted and never stops the others."""

import csv
import difflib
import io
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path

from ..modules.errors import DiffSFSRError, at
from .cluster import results_of
from .pictures import load, save_png
from .pipeline import PAINTING, Kept, Pipeline, warnings_heard

SETTINGS = ("bundle", "steps", "seed", "cfg", "scheduler")
COLUMNS = ("selfie", "background", "label", "intensity")
HEADER = ",".join(COLUMNS)
DIVIDERS = {"semicolons": ";", "tabs": "\t"}  # of tables as other programs write them
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """One line of the table, as typed; `problem` is a fault of the line itself."""

    line: int  # of the file, from 1
    selfie: str = ""
    background: str = ""
    label: str = ""
    intensity: str = ""
    problem: str = ""

    def amount(self) -> float:
        try:
            return float(self.intensity) if self.intensity else 1.0
        except ValueError as error:
            where = f"line {self.line}, intensity"
            raise DiffSFSRError(f"'{self.intensity}' is no number", "Write 0 to 1.5, or nothing for 1", where) from error


def read_pairs(path: Path) -> list[Row]:
    """The rows of the table; a table that cannot be understood at all is one error."""
    where = str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(map(str.strip, cells))]
    except OSError as error:
        raise DiffSFSRError(f"The table cannot be read ({error.strerror})", "Name an existing CSV file", where) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DiffSFSRError(f"This is not a CSV in UTF-8 ({error})", f"Save it as CSV: {HEADER}", where) from error
    if not lines:
        raise DiffSFSRError("The table is empty", f"Its first line must be: {HEADER}", where)
    header = [name.lower() for name in lines[0][1]]
    with at(where, f"line {lines[0][0]}"):
        check_header(header)
    if len(lines) == 1:
        raise DiffSFSRError("The table has a header but no rows", "Add a row: selfie.jpg,place.jpg,amazement,1", where)
    return [_row(line, header, cells) for line, cells in lines[1:]]


def check_header(header: list[str]) -> None:
    """Refuses a first line without the columns, or with one that was meant to be `intensity`; names those that are not used."""
    for name, sign in DIVIDERS.items():
        if len(header) == 1 and sign in header[0]:
            raise DiffSFSRError(f"The cells are divided by {name}", f"Save the table with commas: {HEADER}")
    missing = [name for name in COLUMNS[:3] if header.count(name) != 1]
    if missing:
        what = f"The first line must name each column once; not so: {', '.join(missing)} (found: {', '.join(header)})"
        raise DiffSFSRError(what, f"Write as the first line: {HEADER}")
    unknown = [name for name in header if name and name not in COLUMNS]
    for name in unknown:
        if "intensity" not in header and difflib.get_close_matches(name, ("intensity",)):
            raise DiffSFSRError(f"There is no column '{name}'", "Did you mean 'intensity'?")
    if unknown:
        print(f"columns that are not used: {', '.join(unknown)} (used: {HEADER})", flush=True)


def _row(line: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) > len(header):
        return Row(line, problem=f"{len(cells)} cells under {len(header)} columns: put a path with commas in quotes")
    values = {name: value for name, value in zip(header, cells, strict=False) if name in COLUMNS}
    empty = [name for name in COLUMNS[:3] if not values.get(name)]
    return Row(line, **values, problem=f"no value for {', '.join(empty)}" if empty else "")


class Maker:
    """Makes rows; pictures and identities are kept between rows that share them."""

    def __init__(self, pipeline: Pipeline, base: Path):
        self.pipeline, self.base = pipeline, base
        self.pictures, self.people = Kept(8), Kept(64)

    def make(self, row: Row):
        """The finished picture [H, W, C] of a row."""
        where = f"line {row.line}"
        if row.problem:
            raise DiffSFSRError(f"The row is incomplete: {row.problem}", f"The columns are {HEADER}", where)
        expression = self.pipeline.expression([(row.label, row.amount())])
        who = self.people.get(self.path(row.selfie), lambda: self.identity(self.picture(row.selfie, f"{where}, selfie")))
        background = self.picture(row.background, f"{where}, background")
        return self.pipeline.render(who, background, expression).images[0]

    def identity(self, picture):
        return self.pipeline.identity(picture)[0]

    def path(self, name: str) -> Path:
        try:
            return (self.base / Path(name).expanduser()).resolve()
        except (RuntimeError, ValueError) as error:  # ~somebody; or a letter that no file has
            raise DiffSFSRError(f"'{name}' is no path ({error})", "Write the whole path of a picture") from error

    def picture(self, name: str, where: str):
        return self.pictures.get(self.path(name), lambda: load(self.path(name), where))


def maker_of(args) -> Maker:
    return Maker(Pipeline(**{name: getattr(args, name) for name in SETTINGS}), args.pairs.resolve().parent)


def record(maker: Maker, index: int, row: Row, out: Path) -> dict:
    """Makes one row's picture; what happened, as results.jsonl has it."""
    name, start, error = f"{index:05d}.png", time.perf_counter(), None
    (out / name).unlink(missing_ok=True)  # a failed row must not leave the picture of an earlier run
    with warnings_heard() as warnings:
        try:
            image = maker.make(row)
            about = {k: maker.pipeline.settings[k] for k in PAINTING}
            save_png(image, out / name, settings={"label": row.label, **about, "bundle": maker.pipeline.encoders.id})
        except DiffSFSRError as problem:
            error = str(problem)
        except Exception as problem:  # whatever it is, the other rows are still made
            log.debug("row %d", index, exc_info=True)
            error = f"{type(problem).__name__}: {problem}"
    return told(index, row, time.perf_counter() - start, warnings, error)


def told(index: int, row: Row, seconds: float, warnings: list[str], error: str | None) -> dict:
    """A line of results.jsonl."""
    file, typed = None if error else f"{index:05d}.png", {k: getattr(row, k) for k in COLUMNS}
    return {"row": index, "file": file, "seconds": round(seconds, 3), "warnings": warnings, "error": error, **typed}


def generate(args) -> int:
    """The command: 0 when at least one row gave a picture."""
    rows = read_pairs(args.pairs)
    maker = maker_of(args)  # with --ray too: wrong settings are said here, in one line
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiffSFSRError(f"The folder cannot be made ({error.strerror})", "Choose another --out", str(args.out)) from error
    made = 0
    with open(args.out / "results.jsonl", "w", encoding="utf-8") as file:
        results = results_of(args, rows) if args.ray else (record(maker, *row, args.out) for row in enumerate(rows))
        for result in results:
            file.write(json.dumps(result, ensure_ascii=False) + "\n")
            file.flush()
            made += result["error"] is None
            print(f"row {result['row']}: {result['error'] or result['file']} ({result['seconds']:.1f} s)", flush=True)
    print(f"{made} of {len(rows)} rows made; see {args.out / 'results.jsonl'}")
    return 0 if made else 1
