"""Curves as pictures, for the documentation and for training runs. One function, no screen, no state."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

MARKERS = "osv^D<>PX*d"  # lines stay apart in print and for eyes that see fewer colours


def lines(path: Path, curves: dict, xlabel: str, ylabel: str, title: str = "", logx: bool = False, logy: bool = False) -> None:
    """Writes one picture (PNG, or what the suffix of `path` says); its folder is made.

    curves: label -> (x, y) or (x, y, low, high), sequences of one length in any units; low and high are drawn as a band.
    Values that are not finite leave a gap. Raises ValueError when there is no curve, or lengths differ.
    """
    if not curves:
        raise ValueError(f"there is nothing to draw in {path}")
    figure = Figure(figsize=(8, 5), dpi=110, layout="constrained")  # not through pyplot: that keeps every figure
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for i, (label, (x, y, *band)) in enumerate(curves.items()):
        marker = MARKERS[i % len(MARKERS)] if len(x) <= 40 else ""
        (line,) = axes.plot(x, y, marker=marker, markersize=4, linewidth=1.4, label=label, color=f"C{i % 10}",
                            linestyle=("-", "--")[i // 10 % 2])  # fmt: skip
        if band:
            axes.fill_between(x, *band, color=line.get_color(), alpha=0.12, linewidth=0)
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if logx:
        axes.set_xscale("log")
        places = sorted({value for x, *_ in curves.values() for value in x})
        if len(places) <= 20:  # the measured places in plain numbers, not powers of ten; close ones share a tick
            apart = [b for a, b in zip([0, *places], places, strict=False) if b > 1.15 * a]
            axes.set_xticks(apart, [f"{value:g}" for value in apart])
            axes.minorticks_off()
    if logy:
        axes.set_yscale("log")
    axes.grid(True, which="both", alpha=0.25, linewidth=0.5)
    where = {"loc": "outside right upper"} if len(curves) > 6 else {"loc": "outside upper center", "ncols": 3}
    figure.legend(fontsize="small", **where)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
