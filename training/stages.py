"""The stages behind `python -m training`: each reads what the ones before it wrote under runs/."""

from argparse import Namespace
from pathlib import Path

import torch
from safetensors.torch import load_file

from ..modules.denoiser.config import UNetConfig
from ..modules.encoders.tokens import TokenConfig
from ..modules.faces.covers import CoverNetwork
from ..modules.faces.lights import LightNetwork
from ..modules.faces.networks import FaceNetworks
from . import autoencoder as autoencoder_training
from . import convert as converting
from . import costs as counting
from . import export as exporting
from . import expressions as indexing
from . import identity as identity_training
from . import latents as latent_making
from . import movement as movement_learning
from . import pairs as pair_making
from . import regressor as regressor_training
from . import rig as rig_training
from . import shape as shape_fitting
from . import split as splitting
from . import truths as truth_making
from . import unet as unet_training
from . import unpack as unpacking
from .base import load_base
from .data import load_part, manifest_hash
from .export import BUILT_IN
from .front import learn as front_learning
from .ladder import export as export_ladder
from .light import learn as light_learning
from .perceptual import FILE, Stlpips
from .pictures import ESTIMATES, PictureLosses
from .portrait import FRAME
from .prepare import run as preparing
from .prepare.look import Limits
from .recipe import Recipe, weights_of
from .samples import Samples
from .synth import identities as people_making
from .synth import look as looking
from .validation import Validation
from .velocity import schedule


def split(args: Namespace) -> None:
    splitting.main(args.data)


def shape(args: Namespace) -> None:
    shape_fitting.main(args.data, args.runs / "shape")


def drive(args: Namespace) -> None:
    networks, shape_file = FaceNetworks.load(args.face_model), args.runs / "shape" / "shape.safetensors"
    rig_training.train(args.data, args.runs / "drive", networks, shape_file)


def movement(args: Namespace) -> None:
    """Data folders without `expressions` (your own portraits) have nothing for this stage: the rig calibration is used then."""
    if not (args.data / "expressions" / "expressions.jsonl").exists():
        print(f"movement: {args.data} has no expressions/: left out")
        return
    movement_learning.main(args.data, args.runs / "movement", args.face_model, args.runs / "shape" / "shape.safetensors")


def autoencoder(args: Namespace) -> None:
    autoencoder_training.train(
        args.data, args.runs / "autoencoder", 10**6, args.device, args.precision == "bf16", args.minutes or 24
    )


def folder(args: Namespace, name: str) -> Path:
    """runs/NAME, or for a Stable Diffusion base a folder of its own beside it."""
    return args.runs / (name if args.base is None else f"{name}_{args.base.stem}")


def size_of(args: Namespace) -> int:
    return args.size or (FRAME if args.base is None and args.stage != "convert" else 512)


def make_pairs(args: Namespace, name: str, part: str, seed: int) -> None:
    shape_file, people = args.runs / "shape" / "shape.safetensors", load_part(args.data, part)
    made = folder(args, name), args.face_model, shape_file, seed, *args.people, size_of(args), tuple(args.kinds)
    pair_making.main(people, *made)


def make_latents(args: Namespace, name: str, made: str, part: str, pattern: str = "*.pt") -> None:
    """By our autoencoder, or by the base's, with what its text encoder makes of the captions."""
    paths, bf16 = (folder(args, name), folder(args, made)), args.precision == "bf16" and args.base is None
    if args.base is None:
        encoder, texts = trained_autoencoder(args).taesd_encoder.to(memory_format=torch.channels_last), None
    else:
        base = load_base(args.base)
        captions = [person.caption for person in load_part(args.data, part)]
        encoder, texts = base.encode, latent_making.Texts(captions, base.text) if any(captions) else None
    latent_making.encode_all(*paths, encoder, pattern, bf16, texts)


def pairs(args: Namespace) -> None:
    for seed in args.seeds:
        make_pairs(args, "pairs", "train", seed)


def truths(args: Namespace) -> None:
    """Data folders without `expressions` (your own portraits) have nothing for this stage."""
    if not (args.data / "expressions" / "expressions.jsonl").exists() or not args.share_of_truths:
        print("truths: no expressions/ in the data folder, or none are wanted: left out")
        return
    networks, shape = FaceNetworks.load(args.face_model), shape_fitting.load_shape(args.runs / "shape" / "shape.safetensors")
    for seed in args.seeds:
        truth_making.main(args.data / "expressions", args.runs / "pairs", networks, shape, seed, args.share_of_truths)


def reader(args: Namespace) -> None:
    files = sorted((args.runs / "pairs").glob("pairs_*.pt"))
    shape = shape_fitting.load_shape(args.runs / "shape" / "shape.safetensors")
    networks = FaceNetworks.load(args.face_model)
    regressor_training.train(files, args.runs / "reader", shape, networks, manifest_hash(args.data))


def identity(args: Namespace) -> None:
    shape = shape_fitting.load_shape(args.runs / "shape" / "shape.safetensors")
    topology, out = FaceNetworks.load(args.face_model).topology, args.runs / "identity"
    identities = people_making.SyntheticIdentities(args.data, out / "people", shape, topology)
    identities.make(identity_training.CONFIG["new_people"], args.seeds[0])
    identities.validation(args.data)
    identity_training.train(args.data, out, out / "people", args.minutes or 30, args.device)


def trained_autoencoder(args: Namespace):
    from comfy.taesd.taesd import TAESD

    model = TAESD(latent_channels=UNetConfig().latent_channels)
    model.load_state_dict(load_file(args.runs / "autoencoder" / "autoencoder.safetensors"))
    return model


def latents(args: Namespace) -> None:
    for seed in args.seeds:
        make_latents(args, "pairs", "latents", "train", f"pairs_{seed}_*.pt")
        make_latents(args, "pairs", "latents", "train", f"pairs_truth{seed}.pt")


def validation(args: Namespace) -> None:
    """Pairs and latents of the validation people, one pass, for the validation of `unet`."""
    make_pairs(args, "pairs_validation", "validation", 0)
    make_latents(args, "pairs_validation", "latents_validation", "validation")


def unet(args: Namespace) -> None:
    accelerator = unet_training.make_accelerator(args.device, args.precision)
    network = identity_training.load(args.runs / "identity" / "identity.safetensors")
    reader = regressor_training.load(args.runs / "reader" / "reader.safetensors")
    recipe = recipe_of(args)
    samples = Samples.load(folder(args, "latents"), network, reader, recipe.truths)
    watched, judges, validation = folder(args, "latents_validation"), None, None
    base = None if args.base is None else load_base(args.base)
    base_unet = None if base is None else base.base_unet(TokenConfig().width)
    if args.estimate != "none" or watched.exists():
        decoder = trained_autoencoder(args).taesd_decoder if base is None else base.decoder()
        estimate = ESTIMATES.get(args.estimate, ESTIMATES["midpoint"])
        teachers, device = args.teachers or args.data / "teachers", accelerator.device
        near = perceptual(args, device) if recipe.weights["stlpips"] or recipe.weights["patches"] else None
        more = {"near": near, "bf16": args.precision == "bf16" and base is None}
        judges = PictureLosses.load(teachers, decoder, args.face_model, device, estimate, **more)
        if base is None:
            judges.photo = samples.photos_from(folder(args, "pairs"), folder(args, "latents"))
    if watched.exists():
        watching = Samples.load(watched, network, reader)
        rows = watching.some(args.watch_rows)
        photo = watching.photos_from(folder(args, "pairs_validation"), watched) if base is None else None
        config = base_unet.config if base_unet else UNetConfig()
        network, levels = network.to(accelerator.device), schedule(config)
        validation = Validation(rows, judges, network, levels, args.watch_every, config.prediction, photo)
    else:
        accelerator.print("no validation curve: `python -m training validation --data DATA` makes the latents that it needs")
    plan = unet_training.Plan(
        minutes=args.minutes or 60,
        ema=not args.no_ema,
        recipe=recipe,
        **{name: getattr(args, name) for name in unet_training.ARGUMENTS},
    )
    learned = None if args.estimate == "none" else judges
    data_hash = manifest_hash(args.data)
    unet_training.train(samples, args.runs / args.unet_run, plan, data_hash, accelerator, learned, validation, base_unet)


def recipe_of(args: Namespace) -> Recipe:
    names = ("bridge", "worn", "truths", "paths", "paths_every")
    return Recipe(**{name: getattr(args, name) for name in names}, weights=weights_of(args.weights))


def perceptual(args: Namespace, device) -> Stlpips:
    if not (args.data / FILE).exists():
        raise SystemExit(f"training: {args.data / FILE} is not there; leave it out with --weights stlpips=0")
    return Stlpips(args.data, device)


def prepare(args: Namespace) -> None:
    limits = Limits(args.size or Limits.size, args.min_face or Limits.face, several=not args.one_face)
    networks = args.face_model, args.start or BUILT_IN, args.teachers
    if args.share:
        preparing.share(args.pictures, args.out, *args.share, *networks)
        return
    preparing.prepare(args.pictures, args.out, limits, args.workers, *networks, args.adults_only_source, args.ray)


def expressions(args: Namespace) -> None:
    bundle = args.start or BUILT_IN
    if args.share:
        indexing.share(args.pictures, args.table, bundle, *args.share)
    else:
        indexing.index(args.pictures, args.table, bundle, args.workers)


def convert(args: Namespace) -> None:
    if args.out is None:
        raise SystemExit("convert: name the file to write with --out")
    converting.convert(args.source, args.out, args.kind or "checkpoint", args.start, size_of(args))


def costs(args: Namespace) -> None:
    counting.main(args.device, args.precision, args.train, args.checkpointing)


def export(args: Namespace) -> None:
    if args.base is not None:
        base, run, kind = load_base(args.base), args.runs / args.unet_run, args.kind or "adapter"
        exporting.export_on_base(base, run, args.out or run / f"{kind}.safetensors", kind, args.start, size_of(args))
    else:
        exporting.export(args.data, args.runs, args.out or BUILT_IN, args.start, args.unet_run)


def front(args: Namespace) -> None:
    """Into the run's folder; with --out also as the file that the pack reads."""
    run = args.runs / "front"
    front_learning.train(args.data, run, args.face_model, args.minutes or 50, args.precision == "bf16")
    if args.out is not None:
        export_ladder(run, args.out, CoverNetwork)


def light(args: Namespace) -> None:
    """Into the run's folder; with --out also as the file that the pack reads."""
    run = args.runs / "light"
    light_learning.train(args.data, run, args.face_model, args.minutes or 50, args.precision == "bf16")
    if args.out is not None:
        export_ladder(run, args.out, LightNetwork)


def unpack(args: Namespace) -> None:
    unpacking.unpack(args.start, args.runs)


def synth(args: Namespace) -> None:
    shape_file = args.runs / "shape" / "shape.safetensors"
    looking.main(args.data, args.runs / "synth", args.face_model, shape_file, args.device, args.seeds[0])
