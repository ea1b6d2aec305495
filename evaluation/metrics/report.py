"""The page of results: all rows as markdown, on the screen, in runs/evaluation and in docs/results.md."""

import json
from pathlib import Path

import numpy as np

from dev.pack import ROOT

from .protocol import LABELS, WORDS
from .rows import (
    Evidence,
    border_rows,
    ceiling_rows,
    channel_rows,
    distance_row,
    expression_rows,
    gain_rows,
    group_rows,
    identity_rows,
    lite_rows,
    place_rows,
    row,
    sharpness_row,
)

BEGIN, END = "<!-- evaluation:begin -->", "<!-- evaluation:end -->"
COMMAND = "make evaluate DATA=path/to/data"


def report(e: Evidence, settings: dict) -> dict:
    """All tables: "results" and "drafts" with the same rows, "ceiling", "outside" and seconds."""
    outside = float(max(np.asarray(d["outside"]).max() for d in e.done))
    tables = {
        kind: [
            *identity_rows(e, kind), *expression_rows(e, kind), *place_rows(e, kind), *channel_rows(e, kind),
            distance_row(e, kind), *lite_rows(e, kind), *border_rows(e, kind), sharpness_row(e, kind),
        ]
        for kind in ("results", "drafts")
    }
    took, people = [d["seconds"] for d in e.done], [s for s, _ in e.pairs]
    seconds = row("seconds a picture", took, people, 10.0, "s", at_most=True)
    settings = {k: v for k, v in settings.items() if k != "labels"}
    counts = {"people": len(e.gallery), "pairs": len(e.pairs), "pictures": len(e.pairs) * len(WORDS)}
    about = {"groups": group_rows(e), "gain": gain_rows(e), "ceiling": ceiling_rows(e), "outside": outside, "seconds": seconds}
    return {"settings": settings, **counts, **tables, **about}


def markdown(result: dict) -> str:
    """The tables as committed in docs/results.md."""
    s = result["settings"]
    lines = [
        f"Bundle `{s['id']}`, {s['steps']} midpoint steps, cfg {s['cfg']}, {s['scheduler']}, seed {s['seed']}: "
        f"{result['people']} people kept out of training, {result['pairs']} pairs, {result['pictures']} pictures "
        f"({len(WORDS)} words each; beside them one neutral picture a pair). Brackets: 95 % bootstrap interval over people. "
        "Identity is judged by faceres, which was never a loss on pictures.", "",
        "| measure | result | target | met | coarse warp alone |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for r, d in zip(result["results"], result["drafts"], strict=True):
        target = "" if r["target"] is None else f"{r['target']:g}"
        lines.append(f"| {r['name']} | {figure(r)} | {target} | {verdict(r['met'])} | {figure(d, False)} |")
    exact = result["outside"] == 0
    lines += [
        f"| background: largest difference outside the mask | {result['outside']:g} | 0 | {verdict(exact)} | |",
        f"| {result['seconds']['name']} (batch of {len(LABELS)}) | {figure(result['seconds'])} | 10 | "
        f"{verdict(result['seconds']['met'])} | |", "",
        "Result minus coarse warp (below 0: the model makes it better):", "", "| measure | difference |", "|---|---|",
        *(f"| {r['name']} | {figure(r)} |" for r in result["gain"]), "",
        "| selfie person | people | cosine to the selfie | closer to the selfie | rank 1 | asked against measured |",
        "|---|---|---|---|---|---|",
        *(f"| {g['name']} | {g['people']} | {g['cosine']:.2f} | {g['closer']:.2f} | {g['rank1']:.2f} | {g['follows']:.2f} |"
          for g in result["groups"]), "",
        "For comparison:", "", "| measure | figure |", "|---|---|",
        *(f"| {r['name']} | {figure(r)} |" for r in result["ceiling"]), "",
    ]  # fmt: skip
    return "\n".join(lines)


def figure(r: dict, spread: bool = True) -> str:
    unit = {"degrees": "°", "dB": " dB", "s": " s"}.get(r["unit"], "")
    digits = 2 if r["unit"] in ("share", "cosine", "r", "s", "grey", "times") else 1
    if np.isnan(r["value"]):
        return "none"
    text = f"{r['value']:.{digits}f}{unit}"
    return f"{text} ({r['low']:.{digits}f} to {r['high']:.{digits}f})" if spread else text


def verdict(met: bool | None) -> str:
    return "" if met is None else "yes" if met else "no"


def write_report(result: dict, out: Path) -> str:
    text = markdown(result)
    (out / "report.md").write_text(text, encoding="utf-8")
    plain = json.loads(json.dumps(result), parse_constant=lambda _: None)  # NaN is no JSON
    (out / "report.json").write_text(json.dumps(plain, indent=1), encoding="utf-8")
    return text


def write_docs(text: str, path: Path = ROOT / "docs" / "results.md", marks: tuple[str, str] = (BEGIN, END)) -> None:
    """Puts the table between the marks of docs/results.md, all other text stays; a page without the marks gets them last."""
    begin, end = marks
    page = path.read_text(encoding="utf-8") if path.exists() else f"# Results\n\n`{COMMAND}` prints the table of results.\n"
    if begin not in page:
        page += f"\n{begin}\n{end}\n"
    before, after = page.partition(begin)[0], page.partition(end)[2]
    path.write_text(f"{before}{begin}\n{text}{end}{after}", encoding="utf-8")
