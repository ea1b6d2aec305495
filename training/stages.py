"""The stages behind `python -m training`: each reads what the ones before it wrote under runs/."""

from argparse import Namespace

import torch
from safetensors.torch import load_file

from . import autoencoder as autoencoder_training
from . import export as exporting
from . import identity as identity_training
from . import latents as latent_making
from . import nobody as portrait_of_nobody
from . import pairs as pair_making
from . import shape as shape_fitting
from . import split as splitting
from . import unet as unet_training
from .data import manifest_hash


def split(args: Namespace) -> None:
    splitting.main(args.data)


def shape(args: Namespace) -> None:
    shape_fitting.main(args.data, args.runs / "shape")


def autoencoder(args: Namespace) -> None:
    autoencoder_training.train(
        args.data, args.runs / "autoencoder", 10**6, args.device, args.precision == "bf16", args.minutes or 24
    )


def pairs(args: Namespace) -> None:
    shape_file = args.runs / "shape" / "shape.safetensors"
    for seed in args.seeds:
        pair_making.main(args.data, args.runs / "pairs", args.face_model, shape_file, seed, *args.people)


def identity(args: Namespace) -> None:
    triangles = load_file(args.face_model)["mesh.triangles"]
    files = sorted((args.runs / "pairs").glob(f"pairs_{args.seeds[0]}_*.pt"))
    minutes, bf16 = args.minutes or 9, args.precision == "bf16"
    identity_training.train(args.data, args.runs / "identity", files, triangles, minutes, args.device, bf16)


def latents(args: Namespace) -> None:
    from comfy.taesd.taesd import TAESD

    from .unet import UNetConfig

    model = TAESD(latent_channels=UNetConfig().latent_channels)
    model.load_state_dict(load_file(args.runs / "autoencoder" / "autoencoder.safetensors"))
    encoder = model.taesd_encoder.to(memory_format=torch.channels_last)
    for seed in args.seeds:
        latent_making.encode_all(args.runs / "pairs", args.runs / "latents", encoder, f"pairs_{seed}_*.pt")


def unet(args: Namespace) -> None:
    bf16, data_hash = args.precision == "bf16", manifest_hash(args.data)
    network = identity_training.load(args.runs / "identity" / "identity.safetensors")
    samples = unet_training.Samples(args.runs / "latents", network)
    unet_training.train(samples, args.runs / "unet", args.minutes or 60, data_hash, args.device, bf16)


def export(args: Namespace) -> None:
    exporting.export(args.data, args.runs, args.out)


def nobody(args: Namespace) -> None:
    out = args.out.parents[1] / "evaluation" / "assets" / "background.jpg"
    portrait_of_nobody.main(args.data, out, load_file(args.face_model)["mesh.triangles"])
