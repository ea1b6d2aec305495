"""`python -m training STAGE --data DATA`: make the default weights, stage by stage or all at once.

Every stage writes to runs/, keeps what is there and goes on from it.
"""

import argparse
import os
from pathlib import Path

from dev.pack import ROOT, load_pack

STAGES = ("split", "shape", "drive", "autoencoder", "pairs", "reader", "identity", "latents", "unet", "export")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("stage", choices=("all", *STAGES, "nobody"))
    parser.add_argument("--data", type=Path, required=True, help="the data folder (faces/, portraits/, teachers/, ...)")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs", help="where runs are kept (default: runs/)")
    parser.add_argument("--out", type=Path, default=ROOT / "weights" / "diffsfsr_default_256.safetensors")
    parser.add_argument(
        "--face-model", type=Path, default=ROOT / ".comfyui/models/diffsfsr/face_landmarker.safetensors"
    )
    parser.add_argument("--minutes", type=float, help="time for the stage (autoencoder 24, identity 30, unet 60)")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1], help="passes of pair synthesis; odd ones mirrored"
    )
    parser.add_argument(
        "--people", type=int, nargs=2, default=(0, 10**6), help="pairs: first and last person of this process"
    )
    parser.add_argument("--start", type=Path, help="a bundle: unet begins with it, export fills in from it")
    parser.add_argument(
        "--no-picture-losses", action="store_true", help="unet: without the losses on what decoded estimates show"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    return parser.parse_args()


def main() -> None:
    args = arguments()
    load_pack()
    from dev.bootstrap import bootstrap_comfy

    bootstrap_comfy(cpu=args.device == "cpu")
    import torch

    torch.set_num_threads(args.threads)
    from diffsfsr.training import stages

    if not (args.data / "faces" / "faces.jsonl").exists():
        raise SystemExit(
            f"training: {args.data} has no faces/faces.jsonl. Name the data folder with --data (make: DATA=...)."
        )
    for stage in STAGES[1:] if args.stage == "all" else (args.stage,):  # the split is committed, not made anew
        print(f"== {stage}", flush=True)
        getattr(stages, stage)(args)


if __name__ == "__main__":
    main()
