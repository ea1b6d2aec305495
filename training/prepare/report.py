"""The report page of a prepared set: how many, why not the others, how they are spread, and a look at both."""

import base64
import html
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from .read import load_prepared

SHOWN, COLUMNS, SIDE = 48, 8, 112  # pictures of the montage


def write_report(out: Path, chunks: int, rows: list[dict]) -> None:
    """`report.html`, one file with everything in it."""
    counts = Counter(row["verdict"] for row in rows)
    kept = [row for row in rows if row["verdict"] == "kept"]
    parts = Counter(row["part"] for row in kept)
    people = len({row["person"] for row in kept})
    table = "".join(f"<tr><td>{html.escape(why)}</td><td>{n}</td></tr>" for why, n in counts.most_common())
    split = ", ".join(f"{n} for {part}" for part, n in parts.most_common())
    ids = [row["id"] for row in kept]
    wanted = set(ids[:: max(1, len(ids) // SHOWN)][:SHOWN])
    shown = [p for part in parts for p in load_prepared(out, part) if p.id in wanted]
    record = json.loads((out / "prepared.json").read_text())
    refused = [row for row in rows if row["verdict"] != "kept"]
    names = "".join(f"<li>{html.escape(row['name'])}: {html.escape(row['verdict'])}</li>" for row in refused[:200])
    more = f"<p>and {len(refused) - 200} more, in chunks/*.jsonl</p>" if len(refused) > 200 else ""
    (out / "report.html").write_text(
        f"<!doctype html><meta charset='utf-8'><title>{html.escape(out.name)}</title>"
        "<style>body{font:15px sans-serif;margin:2em;max-width:70em}td{padding:.1em 1em}</style>"
        f"<h1>{html.escape(out.name)}</h1><p>{len(rows)} pictures of {html.escape(record['source'])}, in {chunks} chunks: "
        f"{len(kept)} are used, of {people} people ({split or 'none'}).</p>"
        f"<table><tr><th>verdict</th><th>pictures</th></tr>{table}</table>"
        f"<h2>Limits</h2><p>{html.escape(json.dumps(record['limits']))}; ages guessed: {record['ages']}</p>"
        f"<h2>Spread</h2>{picture(histograms(kept), 'PNG') if kept else '<p>nothing</p>'}"
        f"<h2>A look at what is used</h2>{picture(montage(shown), 'JPEG') if shown else '<p>nothing</p>'}"
        f"<h2>Not used</h2><ul>{names}</ul>{more}"
    )


def picture(image: Image.Image, kind: str) -> str:
    data = io.BytesIO()
    image.save(data, kind)
    return f"<img src='data:image/{kind.lower()};base64,{base64.b64encode(data.getvalue()).decode()}'>"


def montage(portraits: list) -> Image.Image:
    lines = -(-len(portraits) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * SIDE, lines * SIDE))
    for k, person in enumerate(portraits):
        face = Image.fromarray(person.wide()).resize((SIDE, SIDE))
        sheet.paste(face, (k % COLUMNS * SIDE, k // COLUMNS * SIDE))
    return sheet


def histograms(kept: list[dict]) -> Image.Image:
    """Yaw, pitch and guessed age."""
    figure = Figure(figsize=(10, 2.4), dpi=90, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for axes, name in zip(figure.subplots(1, 3), ("yaw", "pitch", "age"), strict=True):
        axes.hist([row[name] for row in kept if row[name] is not None], bins=24)
        axes.set(title=name)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
