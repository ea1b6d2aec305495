"""`python -m training STAGE --data DATA`: make the default weights, stage by stage or all at once.

Every stage writes to runs/, keeps what is there and goes on from it.
"""

import argparse
import os
from pathlib import Path

from dev.pack import ROOT, load_pack
from dev.spread import LOCAL, RAY_HELP

STAGES = (
    "split", "shape", "drive", "movement", "autoencoder", "pairs", "truths", "reader", "identity", "latents", "validation",
    "unet", "export",
)  # fmt: skip
OTHERS = ("prepare", "expressions", "unpack", "convert", "costs", "synth", "front", "light")
NO_DATA = ("prepare", "expressions", "unpack", "convert", "costs")
PROCESSES, HERE = (int(os.environ.get(name, 1)) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))  # by `accelerate launch`


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("stage", choices=("all", *STAGES, *OTHERS))
    parser.add_argument("--data", type=Path, help="the data folder (faces/, portraits/, teachers/, ...)")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs", help="where runs are kept (default: runs/)")
    parser.add_argument("--out", type=Path, help="what export writes (the built-in bundle; with --base a file in the run)")
    parser.add_argument("--face-model", type=Path, default=ROOT / "weights" / "face_landmarker.safetensors")
    parser.add_argument("--minutes", type=float, help="time for the stage (autoencoder 24, identity 30, unet 60, others 50)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="passes of pair synthesis; odd ones mirrored")
    parser.add_argument("--people", type=int, nargs=2, default=(0, 10**6), help="pairs: first and last person of this process")
    parser.add_argument("--share-of-truths", type=float, default=1.0, help="truths: of the pairs of two feelings (1)")
    parser.add_argument("--kinds", type=int, nargs=3, default=(3, 2, 3), metavar=("REAL", "DRAWN", "CROSS"),
                        help="pairs of each person: portrait, re-expressed portrait, another's place")  # fmt: skip
    parser.add_argument(
        "--start", type=Path, help="a bundle: unet begins with it, export fills in from it, unpack takes it apart"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=("fp32", "bf16", "fp16"), default="bf16")
    parser.add_argument("--threads", type=int, default=max(1, (os.cpu_count() or 1) // HERE), help="of each process")
    parser.add_argument("--size", type=int, help="pairs: pixels of the face frame (256; 512 with --base)")
    add_unet_arguments(parser.add_argument_group("unet"))
    parser.add_argument("--teachers", type=Path, help="folder with mobileface.ts.pt and faceres.ts.pt (DATA/teachers)")
    add_prepare_arguments(parser.add_argument_group("prepare, expressions"))
    add_base_arguments(parser.add_argument_group("on Stable Diffusion"))
    args = parser.parse_args()
    if args.stage == "unpack" and args.start is None:
        parser.error("unpack needs --start BUNDLE")
    if args.ray and args.stage != "prepare":
        parser.error("--ray is for prepare; the stage `unet` goes to several machines by `accelerate launch`")
    if args.workers is None and not args.ray:
        args.workers = os.cpu_count() or 1
    if args.stage == "prepare" and (args.pictures is None or args.out is None):
        parser.error("prepare needs --pictures FOLDER and --out FOLDER")
    if args.stage == "expressions" and args.pictures is None:
        parser.error("expressions needs --pictures FOLDER")
    if args.stage == "convert" and args.source is None:
        parser.error("convert needs --source FOLDER|FILE")
    if args.stage == "export" and args.kind == "checkpoint":
        parser.error("export writes an adapter or a full bundle")
    if args.stage not in NO_DATA and not (args.stage == "export" and args.base) and args.data is None:
        parser.error("--data is missing: the data folder (make: DATA=...)")
    if PROCESSES > 1 and args.stage != "unet":
        parser.error("only the stage `unet` runs in several processes at once")
    return args


def add_unet_arguments(group) -> None:
    group.add_argument("--steps", type=int, help="end after so many steps in place of --minutes: the same each time")
    group.add_argument("--batch", type=int, default=8, help="rows a step, of all processes together (8)")
    group.add_argument(
        "--estimate",
        choices=("midpoint", "one-step", "none"),
        default="midpoint",
        help="which estimate of the clean picture the losses on identity and expression use",
    )
    group.add_argument(
        "--adversarial", "--finish", action="store_true", help="fine-tune on paths from coarse warps too, with a critic"
    )
    group.add_argument("--bridge", type=int, default=0, help="rows of a batch on ways from noised guide to target (0)")
    group.add_argument("--worn", type=float, default=0.0, help="share of rows with a worn guide (0)")
    group.add_argument("--truths", type=float, help="share of rows of true expressions (as many as there are)")
    group.add_argument("--paths", type=int, default=4, help="rows of the adversarial loss (4)")
    group.add_argument("--paths-every", type=int, default=1, help="steps between two turns of the adversarial loss (1)")
    group.add_argument("--weights", nargs="*", default=[], metavar="NAME=W", help="of losses, as in stlpips=1 identity=0")
    group.add_argument("--unet-run", default="unet", help="the run's folder under runs/; export ships this one")
    group.add_argument("--watch-every", type=int, default=500, help="steps between two validations")
    group.add_argument("--watch-rows", type=int, default=16, help="validation pairs of each")


def add_prepare_arguments(group) -> None:
    group.add_argument("--pictures", type=Path, help="a folder of portraits, or of WebDataset shards (.tar)")
    group.add_argument("--table", type=Path, help="expressions: a CSV with the columns file and word, in place of word folders")
    group.add_argument("--workers", type=int, help="processes (one a core; with --ray: what the cluster has room for)")
    group.add_argument("--ray", nargs="?", const=LOCAL, metavar="ADDRESS", help=f"prepare: {RAY_HELP}")
    group.add_argument("--share", type=int, nargs=2, help=argparse.SUPPRESS)  # of one of these processes: which, of how many
    group.add_argument("--min-face", type=float, help="pixels (160)")
    group.add_argument("--one-face", action="store_true", help="refuse pictures with several faces (else: the largest)")
    group.add_argument("--adults-only-source", action="store_true", help="you know it; without a network that guesses ages")


def add_base_arguments(group) -> None:
    group.add_argument("--base", type=Path, help="a Stable Diffusion 1.5 checkpoint; pairs, latents, validation, unet, export")
    group.add_argument("--train", choices=("adapter", "unet", "both"), default="adapter", help="which weights learn (adapter)")
    group.add_argument(
        "--kind", choices=("checkpoint", "adapter", "full"), help="what export (adapter) and convert (checkpoint) write"
    )
    group.add_argument("--source", type=Path, help="convert: a diffusers folder, or a checkpoint file")
    group.add_argument("--accumulate", type=int, default=1, help="parts in which a step's rows are computed")
    group.add_argument("--optimizer", choices=("adamw", "adamw8bit"), default="adamw")
    group.add_argument("--checkpointing", action="store_true", help="less memory, a third more time")
    group.add_argument("--no-ema", action="store_true", help="no averaged weights: less memory, rougher pictures")


def main() -> None:
    args = arguments()
    load_pack()
    from dev.bootstrap import bootstrap_comfy

    bootstrap_comfy(cpu=args.device == "cpu")
    import torch

    torch.set_num_threads(args.threads)
    from diffsfsr.training import stages

    if args.data and not any((args.data / name).exists() for name in ("faces/faces.jsonl", "prepared.json")):
        what = f"{args.data} has no faces/faces.jsonl and no prepared.json"
        raise SystemExit(f"training: {what}. Name the data folder with --data (make: DATA=...).")
    for stage in STAGES[1:] if args.stage == "all" else (args.stage,):  # the split is committed, not made anew
        print(f"== {stage}", flush=True)
        getattr(stages, stage)(args)


if __name__ == "__main__":
    main()
