"""`python -m training all`: every stage, with settings of seconds. From the data folder if it is there, else a stand-in."""

import json
import os
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.host import standin
from tests.host.graphs import BUILT_IN, ROOT

DATA = Path(os.environ.get("DATA", ROOT.parent / "shared" / "data"))
RUNS = {"drive", "autoencoder", "reader", "identity", "unet"}


def runs_of(data) -> set[str]:
    """The runs of all stages: `movement` has one where the data show true expressions."""
    return RUNS | ({"movement"} if (Path(data) / "expressions" / "expressions.jsonl").exists() else set())




@pytest.fixture(scope="module")
def quick(comfy):
    """Every stage's settings, cut down."""
    from diffsfsr.training import identity, regressor, rig
    from diffsfsr.training.synth import identities

    with pytest.MonkeyPatch.context() as patch:
        for module, name, values in (
            (rig, "CONFIG", {"people": 4, "codes": 1}),
            (identity, "CONFIG", {"batch": 4, "new_people": 2}),
            (regressor, "CONFIG", {"steps": 2, "model_faces": 4}),
        ):
            patch.setattr(module, name, {**getattr(module, name), **values})
        for module, name, value in (
            (rig, "fit_forward", partial(rig.fit_forward, steps=5)),
            (rig, "fit_drive", partial(rig.fit_drive, steps=5)),
            (regressor, "CHUNK", 4),
            (identities, "SHARD", 2),
            (identities, "PLAIN_VIEWS", 1),
            (identities, "NEW_VIEWS", 1),
            (identities, "WATCHED_VIEWS", 2),
            (identities, "LOOK_ALIKE", 2.0),  # a stand-in's people are one person
        ):
            patch.setattr(module, name, value)
        yield patch


@pytest.fixture(scope="module")
def data(quick, tmp_path_factory):
    """The folder, and few enough people of it."""
    from diffsfsr.training import data
    from diffsfsr.training.synth import identities

    folder, split = tmp_path_factory.mktemp("data"), data.read_split()
    if (DATA / "faces" / "faces.jsonl").exists():
        folder, few = DATA, {"train": 4, "validation": 2, "evaluation": 1}
        split = {part: split[part][:count] for part, count in few.items()}
    else:
        split = standin.make(folder)
    file = tmp_path_factory.mktemp("split") / "split.json"
    file.write_text(json.dumps(split))
    quick.setattr(data, "SPLIT_FILE", file)
    wanted, everybody = {name for part in split.values() for name in part}, identities.load_portraits
    quick.setattr(identities, "load_portraits", lambda folder: [p for p in everybody(folder) if p.id in wanted])
    return folder


def train(patch, *words) -> None:
    from training.__main__ import main

    patch.setattr(sys, "argv", ["training", *map(str, words), "--threads", "1", "--precision", "fp32"])
    main()


@pytest.fixture(scope="module")
def made(quick, data, tmp_path_factory):
    """runs/ and the bundle after `all`."""
    runs, out = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("out") / "bundle.safetensors"
    few = ("--minutes", 0.02, "--seeds", 0, "--steps", 2, "--batch", 2, "--watch-rows", 1)
    few += ("--kinds", 1, 1, 1, "--share-of-truths", 0, "--bridge", 1, "--worn", 1)
    train(quick, "all", "--data", data, "--runs", runs, "--out", out, *few)
    return runs, out


def test_all_stages_make_a_bundle(made, data):
    from diffsfsr.modules.bundle import load_bundle
    from diffsfsr.training.runlog import read_curve
    from diffsfsr.training.validation import COLUMNS

    runs, out = made
    bundle = load_bundle(out)
    width = 52 + (80 if "movement" in runs_of(data) else 40)  # coefficients and all directions of geometry
    assert {line.split()[0] for line in bundle.config.runs} == runs_of(data) == set(bundle.config.metrics)
    columns = {name for name in COLUMNS if not name.endswith("stlpips")}  # is no loss here
    assert columns <= set(bundle.config.metrics["unet"])
    assert len(bundle.config.latent_rgb) == 17 and bundle.config.tokens.code_width == width
    assert all(torch.isfinite(value).all() for part in bundle.parts.values() for value in part.values())
    assert [row["step"] for row in read_curve(runs / "unet" / "curve.csv")] == [2]
    assert (runs / "unet" / "curve.png").stat().st_size > 10_000


def test_the_bundle_runs_in_the_host(made):
    """A picture of noise, but of the right size, from one evaluation of the UNet and the decoder."""
    from diffsfsr.modules.bundle import load_bundle
    from diffsfsr.modules.host.model import build_model, build_vae

    bundle = load_bundle(made[1])
    model, vae = build_model(bundle, torch.float32), build_vae(bundle)
    told = {name: torch.zeros(1, 20, 192) for name in ("identity_tokens", "expression_tokens")}
    noisy = torch.randn(1, 49, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        v = model.model.diffusion_model(noisy, torch.tensor([500.0]), **told)
    assert v.shape == (1, 16, 32, 32) and torch.isfinite(v).all()
    assert vae.decode(v).shape == (1, 256, 256, 3)


def test_a_second_run_beside_the_first_is_the_one_that_is_asked_for(made, quick, data, tmp_path):
    from diffsfsr.modules.bundle import load_bundle

    runs, first = made
    out, given = tmp_path / "bundle.safetensors", ("--data", data, "--runs", runs, "--unet-run", "unet_one_step")
    train(quick, "unet", *given, "--steps", 1, "--batch", 2, "--estimate", "one-step", "--start", BUILT_IN, "--watch-rows", 1)
    train(quick, "export", *given, "--out", out)
    one, two = load_bundle(first), load_bundle(out)
    assert not torch.equal(one.parts["unet"]["out.2.weight"], two.parts["unet"]["out.2.weight"])
    (line,) = [line for line in two.config.runs if line.startswith("unet")]
    assert line.endswith(" unet_one_step") and len(two.config.runs) == len(runs_of(data))
    assert json.loads((runs / "unet_one_step" / "run.json").read_text())["config"]["estimate"] == "one-step"
    with pytest.raises(SystemExit, match="--unet-run names a folder"):
        train(quick, "export", *given[:-1], "no_such_run", "--out", out)


# --- from shipped weights --------------------------------------------------------------------------------------------


@pytest.fixture
def unpacked(comfy, tmp_path):
    from diffsfsr.training.unpack import PARTS, unpack

    assert unpack(BUILT_IN, tmp_path) == list(PARTS)
    return tmp_path


def test_the_stages_read_what_is_unpacked(unpacked):
    from argparse import Namespace

    from diffsfsr.training import identity, regressor, shape, stages

    assert shape.load_shape(unpacked / "shape" / "shape.safetensors").mean.dtype == torch.float64
    for name, module in (("identity", identity), ("reader", regressor)):
        network = module.load(unpacked / name / f"{name}.safetensors")
        assert all(value.dtype != torch.float16 for value in network.state_dict().values())
    picture = stages.trained_autoencoder(Namespace(runs=unpacked)).taesd_decoder(torch.zeros(1, 16, 4, 4))
    assert picture.shape == (1, 3, 32, 32)


def test_nothing_is_overwritten(unpacked):
    from diffsfsr.training.unpack import PARTS, unpack

    own = unpacked / "reader" / "reader.safetensors"
    own.write_bytes(b"mine")
    assert unpack(BUILT_IN, unpacked) == [] and own.read_bytes() == b"mine"
    (unpacked / "identity" / "identity.safetensors").unlink()
    assert unpack(BUILT_IN, unpacked) == ["identity"] and set(PARTS) > {"identity"}


def test_an_unpacked_part_is_no_run_of_its_own(unpacked):
    """Its line and measures are the bundle's, until a stage has written the part anew."""
    from diffsfsr.modules.bundle import load_bundle
    from diffsfsr.training.export import origins
    from diffsfsr.training.runlog import Run

    config = load_bundle(BUILT_IN).config
    named, measured = origins(unpacked)
    assert sorted(named.values()) == sorted(line for line in config.runs if not line.startswith("unet"))
    assert measured == {name: row for name, row in config.metrics.items() if name in named}
    run = Run(unpacked / "reader", {}, "none")
    run.log(step=1, r2=0.5)
    assert origins(unpacked)[0] == named, "begun, but the part is still the bundle's"
    (unpacked / "reader" / "reader.safetensors").write_bytes(b"new")
    named_now, measured_now = origins(unpacked)
    assert named_now["reader"] != named["reader"] and measured_now["reader"]["r2"] == 0.5
    assert {k: v for k, v in named_now.items() if k != "reader"} == {k: v for k, v in named.items() if k != "reader"}
