"""`generate --ray`: the rows of a table on the machines of a Ray cluster.

Nothing here imports ComfyUI before it is found: a worker comes here first.
"""

import json
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from dev.bootstrap import bootstrap_comfy
from dev.spread import TRIES, in_order, spread

WORKER = f"{__name__}:worker"
LOST = f"{TRIES} workers died over this row. Look at its pictures, and at the memory of the machines"


def results_of(args: Namespace, rows: list) -> Iterator[dict]:
    """What results.jsonl says of each row, in order, its picture in the folder.

    The workers read the pictures under the same paths as here; what they make comes back over the wire.
    """
    from .generate import told

    items = [{"number": index, **asdict(row)} for index, row in enumerate(rows)]
    given = Namespace(**{**vars(args), "pairs": args.pairs.resolve()})  # workers stand in other folders
    found = spread(WORKER, {"args": given}, items, args.ray, args.workers, float(args.device == "cuda"))
    for item in in_order(received(found, args.out)):
        said, number = item["result"], item["number"]
        yield json.loads(said) if said else told(number, rows[number], 0.0, [], LOST)


def received(found: Iterator[dict], out: Path) -> Iterator[dict]:
    """Items as the workers sent them, without their pictures, which are written. A failed row leaves none of an earlier run."""
    for item in found:
        number = int(item["number"])
        file = out / f"{number:05d}.png"
        if picture := item.get("picture"):
            file.write_bytes(picture)
        else:
            file.unlink(missing_ok=True)
        yield {"number": number, "result": item.get("result")}


def worker(args: Namespace) -> Callable[[dict], dict]:
    """The function of one worker, its models loaded: a row of the table -> its result as JSON, and the PNG's bytes."""
    bootstrap_comfy(cpu=args.device == "cpu")
    import folder_paths

    from .generate import Row, maker_of, record

    maker = maker_of(args)

    def work(item: dict) -> dict:
        number = int(item.pop("number"))
        with tempfile.TemporaryDirectory() as folder:
            folder_paths.set_temp_directory(folder)
            result = record(maker, number, Row(**item), Path(folder))
            picture = (Path(folder) / result["file"]).read_bytes() if result["file"] else b""
        return {"number": number, "result": json.dumps(result), "picture": picture}

    return work
