"""What every node gives, saved before a change and compared after it: a change that only moves code changes no number.

    python -m dev.snapshot save BEFORE
    python -m dev.snapshot compare BEFORE AFTER

It knows the nodes alone: their ids, inputs and output slots, which saved graphs hold to anyway. Inside the objects on the
wires next to nothing is known by its name, so that fields may be renamed and reordered. Run it from the project root.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read once, when torch is imported

import torch  # noqa: E402
from PIL import Image  # noqa: E402
from PIL.PngImagePlugin import PngInfo  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from .host import Host  # noqa: E402
from .snapshot_graphs import UNSAVED, Graph, graphs, pictures  # noqa: E402

# --- what is on the wires ----------------------------------------------------------------------------------------------


def found_in(value: Any, name: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor and float in a value. The name is empty where nothing but the place in an object would say which it is."""
    told = told_to_the_model(value)
    if isinstance(value, torch.Tensor):
        yield name, value.detach().cpu()
    elif isinstance(value, float):
        yield name, torch.tensor(value, dtype=torch.float64)
    elif told is not None:
        for part, inner in told.items():
            yield from found_in(inner, part)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from found_in(inner, name)
    elif isinstance(value, list | tuple):  # a NamedTuple too
        for inner in value:
            yield from found_in(inner, name)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            if not field.name.startswith("_"):  # what an object remembers for itself is no part of what it says
                yield from found_in(getattr(value, field.name), name)


def told_to_the_model(value: Any) -> dict | None:
    """What a CONDITIONING tells our model, under the same names whether the parts of `concat` are joined or apart."""
    get = value.get if isinstance(value, dict) else lambda key: getattr(value, key, None)
    parts = {name: get(name) for name in ("concat", "background", "mask", "warp", "identity", "expression", "strength")}
    if parts["identity"] is None or parts["expression"] is None or isinstance(value, torch.Tensor):
        return None
    apart = [parts.pop(name) for name in ("background", "mask", "warp")]
    if parts["concat"] is None and all(isinstance(part, torch.Tensor) for part in apart):
        parts["concat"] = torch.cat([part if part.ndim == 4 else part[:, None] for part in apart], 1)
    return parts if isinstance(parts["concat"], torch.Tensor) else None


def is_ours(kind: str) -> bool:
    """Our nodes, and what the host samples with their parts."""
    return kind.startswith(("DiffSFSR", "SamplerCustom")) and kind not in UNSAVED


def keep(host: Host, graph: Graph, name: str, folder: Path) -> None:
    """Runs a graph; writes NAME.safetensors and, for people, one PNG of each picture."""
    result = host.run(graph)
    if not result.success:
        raise SystemExit(f"snapshot: {name}: {'; '.join(result.errors)}")
    tensors, texts, kinds = {}, {}, {}
    for node, entry in graph.items():
        if not is_ours(entry["class_type"]) or node not in result.values:
            continue
        kinds[node] = entry["class_type"]
        for slot, values in enumerate(result.values[node]):
            for i, value in enumerate(values):
                where = f"{node}/{slot}/{i}"
                for k, (part, tensor) in enumerate(found_in(value)):
                    tensors[f"{where}/{part}/{k}"] = tensor.clone().contiguous()
                if isinstance(value, str):
                    texts[where] = value
                if isinstance(value, torch.Tensor) and value.ndim == 4 and value.shape[-1] == 3:
                    save_png(value, folder / name / f"{where.replace('/', '_')}_{entry['class_type']}.png")
    save_file(tensors, folder / f"{name}.safetensors", {"texts": json.dumps(texts), "kinds": json.dumps(kinds)})


def save_png(pictures: torch.Tensor, path: Path) -> None:
    """A batch [n, H, W, 3] 0..1 side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    row = torch.cat(list(pictures.float().cpu().clamp(0, 1)), 1)
    info = PngInfo()
    info.add_text("diffsfsr", json.dumps({"generated": "Faces in this picture were painted or moved by ComfyUI-DiffSFSR."}))
    Image.fromarray((row * 255).round().byte().numpy()).save(path, pnginfo=info)


# --- the commands ------------------------------------------------------------------------------------------------------


def save(args: argparse.Namespace) -> int:
    torch.set_num_threads(1)
    begin, host = time.perf_counter(), Host().load(cpu=True)
    args.folder.mkdir(parents=True, exist_ok=True)
    paths = host.folder_paths
    for kind in ("checkpoints", "diffsfsr"):
        if args.models is not None:
            paths.add_model_folder_path(kind, str(args.models.resolve() / kind), is_default=True)
    with tempfile.TemporaryDirectory() as place:
        for use in (paths.set_input_directory, paths.set_output_directory, paths.set_temp_directory):
            use(place)
        for name, picture in pictures().items():
            picture.save(Path(place) / f"{name}.png")
        for name, graph in graphs(host):
            start = time.perf_counter()
            keep(host, graph, name, args.folder)
            print(f"snapshot: {name}: {time.perf_counter() - start:.1f} s", flush=True)
    print(f"snapshot: done in {time.perf_counter() - begin:.0f} s: {args.folder}")
    return 0


def read(path: Path) -> tuple[dict[tuple, list[torch.Tensor]], dict[str, str], dict[str, str]]:
    """(node, slot, place in a list, name) -> tensors; the texts; the classes of the nodes."""
    groups: dict[tuple, list[torch.Tensor]] = defaultdict(list)
    with safe_open(path, "pt") as file:
        for key in file.keys():
            node, slot, i, part, _ = key.split("/")
            groups[node, slot, i, part].append(file.get_tensor(key))
        told = file.metadata()
    return groups, json.loads(told["texts"]), json.loads(told["kinds"])


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    """The largest absolute one; infinite where only one side is no number."""
    a, b = a.double(), b.double()
    same = (a == b) | (a.isnan() & b.isnan())
    return float((a - b).abs().nan_to_num(nan=float("inf")).masked_fill(same, 0.0).amax()) if a.numel() else 0.0


def matched(before: list[torch.Tensor], after: list[torch.Tensor]) -> float:
    """The largest difference when each tensor is held against the nearest of its shape, a batch of one left aside.

    Infinite if one of before has no partner after; what an object has learned to carry in addition does not count.
    """
    shape = lambda t: tuple(t.shape[1:] if len(t.shape) > 1 and t.shape[0] == 1 else t.shape)  # noqa: E731
    before, after = ([t.reshape(shape(t)) for t in side] for side in (before, after))
    if Counter(map(shape, before)) - Counter(map(shape, after)):
        return float("inf")
    pairs = [(i, k) for i in range(len(before)) for k in range(len(after)) if before[i].shape == after[k].shape]
    nearest = sorted((difference(before[i], after[k]), i, k) for i, k in pairs)
    worst, taken, given = 0.0, set(), set()
    for gap, i, k in nearest:
        if i not in taken and k not in given:
            taken.add(i)
            given.add(k)
            worst = max(worst, gap)
    return worst


def compare_graph(before: Path, after: Path) -> Iterator[tuple[str, float]]:
    """One line for each output, and its largest difference."""
    (old, old_texts, kinds), (new, new_texts, new_kinds) = read(before), read(after)
    outputs = {key[:2] for key in (*old, *new)} | {tuple(where.split("/")[:2]) for where in (*old_texts, *new_texts)}
    for node, slot in sorted(outputs):
        keys = sorted(key for key in {*old, *new} if key[:2] == (node, slot))
        gaps = {key: matched(old.get(key, []), new.get(key, [])) for key in keys}
        notes = [unlike(key, old.get(key, []), new.get(key, [])) for key in keys if gaps[key] == float("inf")]
        texts = [{w: t for w, t in side.items() if w.startswith(f"{node}/{slot}/")} for side in (old_texts, new_texts)]
        if texts[0] != texts[1]:
            gaps["text"] = float("inf")
            notes.append(f"text {texts[0]} -> {texts[1]}")
        said, kind = "".join(f" [{note}]" for note in notes), kinds.get(node) or new_kinds.get(node)
        yield f"{before.stem} / {node} {kind} / {slot}{said}", max(gaps.values(), default=0.0)


def unlike(key: tuple, before: list[torch.Tensor], after: list[torch.Tensor]) -> str:
    old, new = (" ".join(sorted(str(list(t.shape)) for t in side)) or "nothing" for side in (before, after))
    return f"{key[3] or 'values'} {key[2]}: {old} -> {new}"


def compare(args: argparse.Namespace) -> int:
    names = [{path.name for path in folder.glob("*.safetensors")} for folder in (args.before, args.after)]
    if not names[0] | names[1]:
        raise SystemExit(f"snapshot: nothing is saved in {args.before} and {args.after}")
    worst = 0.0
    for name in sorted(names[0] ^ names[1]):
        worst = float("inf")
        print(f"{Path(name).stem}: only in {args.before if name in names[0] else args.after}")
    for name in sorted(names[0] & names[1]):
        for line, gap in compare_graph(args.before / name, args.after / name):
            print(f"{line}: {gap:g}")
            worst = max(worst, gap)
    print(f"largest difference: {worst:g}")
    return int(worst > args.most)


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.snapshot", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    saving = commands.add_parser("save", help="runs the graphs and saves what their nodes give (two minutes of a core)")
    saving.add_argument("folder", type=Path)
    saving.add_argument("--models", type=Path, help="a folder with checkpoints/ and diffsfsr/, for the adapter's graph too")
    saving.set_defaults(run=save)
    comparing = commands.add_parser("compare", help="the largest difference of each output; fails above --most")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--most", type=float, default=0.0)
    comparing.set_defaults(run=compare)
    args = parser.parse_args(words)
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
