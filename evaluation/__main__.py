"""`python -m evaluation COMMAND`: pictures from a table, the measures, the demonstration, the bench.

Run it from the project root. `python -m evaluation COMMAND --help` lists what a command takes.
"""

import argparse
import importlib
import logging
import sys
import tempfile
from pathlib import Path

from dev.pack import ROOT, load_pack
from dev.spread import LOCAL, RAY_HELP

MODULES = {  # by command
    "generate": "generate",
    "demo": "demo",
    "evaluate": "metrics.evaluate",
    "bench": "bench.bench",
    "film": "bench.film",
    **{name: f"studies.{name}" for name in ("ablation", "blind", "curve", "estimates", "expression")},
    **{name: f"studies.{name}" for name in ("expressions", "front", "identity", "seen", "versions")},
    **{name: f"media.{name}" for name in ("balance", "thumbnails")},
    "words": "media.wordsheet",
}


def path(text: str) -> Path:
    """A file or folder as it was typed, `~` being the home folder also where no shell has seen it (--out=~/pictures)."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"there is no home folder for {text}") from error


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evaluation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    generate = commands.add_parser("generate", help="one picture for each row of a CSV")
    generate.add_argument("--pairs", type=path, required=True, help="CSV: selfie,background,label,intensity")
    generate.add_argument("--out", type=path, required=True, help="folder for 00000.png ... and results.jsonl")
    generate.add_argument("--ray", nargs="?", const=LOCAL, metavar="ADDRESS", help=RAY_HELP)
    generate.add_argument("--workers", type=int, help="with --ray: at most so many (default: what the cluster has room for)")
    evaluate = commands.add_parser("evaluate", help="the measures on people kept out of training")
    evaluate.add_argument("--data", type=path, required=True, help="the data folder (faces/, portraits/, teachers/)")
    evaluate.add_argument("--out", type=path, default=ROOT / "runs" / "evaluation")
    evaluate.add_argument("--denoise", type=float)
    evaluate.add_argument("--write-docs", action="store_true", help="put the table into docs/results.md")
    rows = commands.add_parser("versions", help="the measures on versions of the model that lack a part, a row each")
    rows.add_argument("--data", type=path, required=True, help="the data folder (faces/, portraits/, teachers/)")
    rows.add_argument("--out", type=path, default=ROOT / "runs" / "versions")
    rows.add_argument("--bundle", help="a name from the loader's list (default: the built-in weights)")
    rows.add_argument("--trained", nargs="*", default=[], metavar="NAME=BUNDLE", help="bundles that were trained otherwise")
    rows.add_argument("--write-docs", action="store_true", help="put the table into docs/results.md")
    unseen = commands.add_parser("blind", help="60 pairs of coarse warp and result in random order, and a key")
    unseen.add_argument("--data", type=path, required=True, help="the data folder (faces/, portraits/, teachers/)")
    unseen.add_argument("--out", type=path, required=True, help="folder for blind_1.png ... and key.csv")
    unseen.add_argument("--study", type=path, default=ROOT / "runs" / "evaluation", help="what `evaluate` has made is used")
    unseen.add_argument("--bundle", help="a name from the loader's list (default: the built-in weights)")
    unseen.add_argument("--seed", type=int, default=0, help="of the order")
    demo = commands.add_parser("demo", help="the whole graph in ComfyUI, four words, one strip")
    demo.add_argument("--selfie", type=path, help="default: a woman who does not exist")
    demo.add_argument("--background", type=path, help="default: a man who does not exist")
    demo.add_argument("--label", default="amazement", help="one of the 135 words")
    demo.add_argument("--out", type=path, default=ROOT / "output", help="where demo.png and demo.json go")
    demo.add_argument("--steps", type=int, help="default: what the workflow says")
    bench = commands.add_parser("bench", help="where time and memory go, against targets (about 12 minutes of one core)")
    bench.add_argument("--out", type=path, default=ROOT / "runs" / "bench")
    bench.add_argument("--rounds", type=int, default=5, help="how often the queues are timed")
    bench.add_argument("--words", type=int, default=135, help="how many of the 135 words the batch has")
    bench.add_argument("--prompts", type=int, default=200, help="length of the long queue (five minutes at most)")
    bench.add_argument("--compiled", action="store_true", help="try torch.compile too (two minutes more, needs a compiler)")
    bench.add_argument("--write-docs", action="store_true", help="put the table into docs/results.md")
    film = commands.add_parser("film", help="time and memory of a film (five minutes of a core)")
    film.add_argument("--frames", type=int, default=100, help="how many, of 1280 x 720")
    film.add_argument("--out", type=path, default=ROOT / "runs" / "film")
    film.add_argument("--bundle", help="a name from the loader's list (default: the built-in weights)")
    film.add_argument("--write-docs", action="store_true", help="put the table into docs/results.md")
    ablation = commands.add_parser("ablation", help="what each condition does, and what balance prevents")
    ablation.add_argument("--data", type=path, required=True, help="the data folder (faces/, portraits/, teachers/)")
    ablation.add_argument("--out", type=path, default=ROOT / "runs" / "ablation")
    ablation.add_argument("--pairs", type=int, default=4, help="how many pairs, one for each person (three minutes each)")
    ablation.add_argument("--worn", action="store_true", help="on guides with faults that were put in on purpose")
    ablation.add_argument("--part", choices=("evaluation", "validation"), default="evaluation", help="with --worn: people")
    ablation.add_argument("--write-docs", action="store_true", help="put the table into docs/results.md")
    balance = commands.add_parser("balance", help="docs/balance.jpg: identity against expression, as a grid")
    balance.add_argument("--out", type=path, default=ROOT / "docs" / "balance.jpg", help="the picture")
    balance.add_argument("--label", default="amazement", help="one of the 135 words")
    beside = commands.add_parser("thumbnails", help="workflows/*.jpg: every shipped graph run in ComfyUI")
    beside.add_argument("--out", type=path, default=ROOT / "workflows", help="the folder")
    beside.add_argument("--inputs", action="store_true", help="the portraits that they open with, workflows/input, first")
    sheet = commands.add_parser("words", help="docs/expressions.jpg: all 135 words drawn; or the table of the words")
    sheet.add_argument("--out", type=path, default=ROOT / "docs" / "expressions.jpg", help="the picture")
    sheet.add_argument("--draft", action="store_true", help="the coarse warps alone (quick)")
    sheet.add_argument("--tables", action="store_true", help="renew the table in docs/expressions.md instead")
    seen = commands.add_parser("seen", help="asked and measured coefficients of all 135 words, drawn on training people")
    seen.add_argument("--data", type=path, required=True, help="the data folder (faces/, portraits/, teachers/)")
    seen.add_argument("--people", type=int, default=12, help="how many people (a quarter of a minute each)")
    seen.add_argument("--bundle", help="a name from the loader's list (default: the built-in weights)")
    known = commands.add_parser("identity", help="how well the identity network knows people again, beside its teachers")
    known.add_argument("--data", type=path, required=True, help="the data folder (faces/, portraits/, teachers/)")
    known.add_argument("--out", type=path, default=ROOT / "runs" / "evaluation" / "identity")
    known.add_argument("--bundle", help="a name from the loader's list (default: the built-in weights)")
    known.add_argument("--write-docs", action="store_true", help="put the tables into docs/results.md")
    reading = commands.add_parser("expression", help="how well an expression is read, by coefficient")
    reading.add_argument("--data", type=path, required=True, help="the data folder (faces/, portraits/, teachers/)")
    reading.add_argument("--people", type=int, default=64, help="how many people of the evaluation part")
    reading.add_argument("--bundle", help="a name from the loader's list (default: the built-in weights)")
    reading.add_argument("--write-docs", action="store_true", help="put the table into docs/results.md")
    true = commands.add_parser("expressions", help="words beside true expressions of people who were left out")
    true.add_argument("--data", type=path, required=True, help="the data folder (expressions/, perceptual/, teachers/)")
    true.add_argument("--people", type=int, default=60, help="how many people of the protocol strong words are drawn on")
    true.add_argument("--bundle", help="a name from the loader's list (default: the built-in weights)")
    true.add_argument("--write-docs", action="store_true", help="put the table into docs/results.md")
    before = commands.add_parser("front", help="what is found in front of faces, by kind, on people who were left out")
    before.add_argument("--data", type=path, required=True, help="the data folder (faces/, portraits/)")
    before.add_argument("--pictures", type=int, default=12, help="of each kind; five times as many of bare faces")
    before.add_argument("--write-docs", action="store_true", help="put the table into docs/results.md")
    ends = commands.add_parser("curve", help="samplers: distance to the converged end against model evaluations")
    ends.add_argument("--out", type=path, default=ROOT / "runs" / "curve")
    ends.add_argument("--bundle", help="a name from the loader's list (default: the built-in weights)")
    ends.add_argument("--seeds", type=int, default=32, help="rows, 1.3 minutes of a core each for one cfg and denoise")
    ends.add_argument("--cfgs", type=float, nargs="+", default=(1.0, 1.5))
    ends.add_argument("--denoises", type=float, nargs="+", default=(0.3, 1.0), help="1: from noise; less: from the coarse warp")
    ends.add_argument("--budgets", type=int, nargs="+", default=(6, 10, 16, 20, 30, 40), help="model evaluations")
    ends.add_argument("--data", type=path, help="the data folder: identity and expression are judged too")
    ends.add_argument("--write-docs", action="store_true", help="put the tables into docs/results.md")
    clean = commands.add_parser("estimates", help="one- and two-call estimates of the clean picture, as training uses them")
    clean.add_argument("--out", type=path, default=ROOT / "runs" / "estimates")
    clean.add_argument("--bundle", help="a name from the loader's list (default: the built-in weights)")
    clean.add_argument("--seeds", type=int, default=12, help="rows; four words in turn")
    clean.add_argument("--data", type=path, help="the data folder: identity and expression are judged too")
    clean.add_argument("--write-docs", action="store_true", help="put the table into docs/results.md")
    for command in (evaluate, rows, unseen):
        add_people(command)
    for command in (generate, evaluate, bench, ablation, balance, sheet):
        add_settings(command)
    ablation.set_defaults(steps=3, cfg=1.0)
    studies = (ablation, balance, unseen, seen, known, reading, true, before, ends, clean)
    for command in (generate, evaluate, rows, demo, bench, film, beside, sheet, *studies):
        command.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    return parser.parse_args(words)


def add_people(command: argparse.ArgumentParser) -> None:
    """Which pairs of the protocol."""
    command.add_argument("--people", type=int, default=60, help="how many people of the protocol")
    command.add_argument("--limit", type=int, help="only the first N pairs (a quick look)")
    command.add_argument("--part", choices=("evaluation", "validation"), default="evaluation", help="people; settings and "
                         "checkpoints are chosen on the 20 people of validation (then name another --out)")  # fmt: skip


def add_settings(command: argparse.ArgumentParser) -> None:
    """Settings of the nodes; one that is not given stays at the node's own default."""
    command.add_argument("--bundle", help="a name from the loader's list (default: the built-in weights)")
    command.add_argument("--steps", type=int)
    command.add_argument("--seed", type=int, default=0, help="the same for every row")
    command.add_argument("--cfg", type=float)
    command.add_argument("--scheduler")


def run(args: argparse.Namespace) -> int:
    from dev.bootstrap import bootstrap_comfy

    bootstrap_comfy(cpu=args.device == "cpu")
    import folder_paths

    usual = folder_paths.get_temp_directory()
    with tempfile.TemporaryDirectory() as previews:  # nodes write previews for a front end, which is not there
        folder_paths.set_temp_directory(previews)
        try:
            return command_of(args.command)(args)
        finally:
            folder_paths.set_temp_directory(usual)


def command_of(name: str):
    """The function of a command. ComfyUI's warnings while it is imported (about parts we do not use) are dropped."""
    logging.disable(logging.WARNING)
    try:
        return getattr(importlib.import_module(f"diffsfsr.evaluation.{MODULES[name]}"), name)
    finally:
        logging.disable(logging.NOTSET)


def main(words: list[str] | None = None) -> int:
    args = arguments(words)
    load_pack()
    from dev.bootstrap import HostError
    from dev.people import PeopleError
    from diffsfsr.modules.errors import DiffSFSRError

    try:
        return run(args)
    except (DiffSFSRError, HostError, PeopleError) as error:
        print(f"evaluation {args.command}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
