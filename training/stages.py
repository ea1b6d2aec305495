"""The stages behind `python -m training`: each reads what the ones before it wrote under runs/."""

from argparse import Namespace

import torch
from safetensors.torch import load_file

from ..modules.faces.networks import FaceNetworks
from ..modules.unet.config import UNetConfig
from . import autoencoder as autoencoder_training
from . import drive as drive_training
from . import export as exporting
from . import identity as identity_training
from . import latents as latent_making
from . import nobody as portrait_of_nobody
from . import pairs as pair_making
from . import reader as reader_training
from . import shape as shape_fitting
from . import split as splitting
from . import unet as unet_training
from . import unpack as unpacking
from .data import manifest_hash
from .pictures import ESTIMATES, PictureLosses
from .synth import crowd as people_making
from .synth import look as looking
from .velocity import schedule
from .watch import Watch


def split(args: Namespace) -> None:
    splitting.main(args.data)


def shape(args: Namespace) -> None:
    shape_fitting.main(args.data, args.runs / "shape")


def drive(args: Namespace) -> None:
    networks, shape_file = FaceNetworks.load(args.face_model), args.runs / "shape" / "shape.safetensors"
    drive_training.train(args.data, args.runs / "drive", networks, shape_file)


def autoencoder(args: Namespace) -> None:
    autoencoder_training.train(
        args.data, args.runs / "autoencoder", 10**6, args.device, args.precision == "bf16", args.minutes or 24
    )


def pairs(args: Namespace) -> None:
    shape_file = args.runs / "shape" / "shape.safetensors"
    for seed in args.seeds:
        pair_making.main(args.data, args.runs / "pairs", args.face_model, shape_file, seed, *args.people)


def reader(args: Namespace) -> None:
    files = sorted((args.runs / "pairs").glob("pairs_*.pt"))
    shape = shape_fitting.load_shape(args.runs / "shape" / "shape.safetensors")
    networks = FaceNetworks.load(args.face_model)
    reader_training.train(files, args.runs / "reader", shape, networks, manifest_hash(args.data))


def identity(args: Namespace) -> None:
    shape = shape_fitting.load_shape(args.runs / "shape" / "shape.safetensors")
    triangles, out = load_file(args.face_model)["mesh.triangles"], args.runs / "identity"
    crowd = people_making.Crowd(args.data, out / "people", shape, triangles, pair_making.mirrored_points(shape))
    crowd.make(identity_training.CONFIG["new_people"], args.seeds[0])
    crowd.watch(args.data)
    identity_training.train(args.data, out, out / "people", args.minutes or 30, args.device)


def trained_autoencoder(args: Namespace):
    from comfy.taesd.taesd import TAESD

    model = TAESD(latent_channels=UNetConfig().latent_channels)
    model.load_state_dict(load_file(args.runs / "autoencoder" / "autoencoder.safetensors"))
    return model


def latents(args: Namespace) -> None:
    encoder = trained_autoencoder(args).taesd_encoder.to(memory_format=torch.channels_last)
    folders, bf16 = (args.runs / "pairs", args.runs / "latents"), args.precision == "bf16"
    for seed in args.seeds:
        latent_making.encode_all(*folders, encoder, f"pairs_{seed}_*.pt", bf16)


def validation(args: Namespace) -> None:
    """Pairs and latents of the validation people, one pass: what `unet` is watched on."""
    made, encoded = args.runs / "pairs_validation", args.runs / "latents_validation"
    shape_file = args.runs / "shape" / "shape.safetensors"
    pair_making.main(args.data, made, args.face_model, shape_file, 0, part="validation")
    encoder = trained_autoencoder(args).taesd_encoder.to(memory_format=torch.channels_last)
    latent_making.encode_all(made, encoded, encoder, bf16=args.precision == "bf16")


def unet(args: Namespace) -> None:
    place = unet_training.accelerator(args.device, args.precision == "bf16")
    network = identity_training.load(args.runs / "identity" / "identity.safetensors")
    reader = reader_training.load(args.runs / "reader" / "reader.safetensors")
    samples = unet_training.Samples(args.runs / "latents", network, reader)
    watched = args.runs / "latents_validation"
    judges = watch = None
    if args.estimate != "none" or watched.exists():
        decoder, estimate = trained_autoencoder(args).taesd_decoder, ESTIMATES.get(args.estimate, ESTIMATES["midpoint"])
        judges = PictureLosses.load(args.data, decoder, args.face_model, place.device, estimate)
    if watched.exists():
        rows = unet_training.Samples(watched, network, reader).some(args.watch_rows)
        watch = Watch(rows, judges, network.to(place.device), schedule(UNetConfig()), args.watch_every)
    else:
        place.print("no validation curve: `python -m training validation --data DATA` makes the latents that it needs")
    plan = unet_training.Plan(args.minutes or 60, args.steps, args.batch, args.start, args.estimate)
    learned = None if args.estimate == "none" else judges
    unet_training.train(samples, args.runs / args.unet_run, plan, manifest_hash(args.data), place, learned, watch)


def export(args: Namespace) -> None:
    exporting.export(args.data, args.runs, args.out, args.start, args.unet_run)


def unpack(args: Namespace) -> None:
    unpacking.unpack(args.start, args.runs)


def synth(args: Namespace) -> None:
    shape_file = args.runs / "shape" / "shape.safetensors"
    looking.main(args.data, args.runs / "synth", args.face_model, shape_file, args.device, args.seeds[0])


def nobody(args: Namespace) -> None:
    out = args.out.parents[1] / "evaluation" / "assets" / "background.jpg"
    portrait_of_nobody.main(args.data, out, load_file(args.face_model)["mesh.triangles"])
