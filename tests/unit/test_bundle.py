"""One file holds a whole system: it reads back as written, and every broken one is named with its fault and a remedy."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from diffsfsr.modules.bundle import (
    FORMAT,
    PARTS,
    VERSION,
    BundleConfig,
    fill_module,
    fingerprint,
    identity_of,
    load_bundle,
    save_bundle,
)
from diffsfsr.modules.denoiser.config import UNetConfig
from diffsfsr.modules.encoders.identity import ARCFACE, COMPACT, width_of
from diffsfsr.modules.encoders.tokens import TokenConfig
from diffsfsr.modules.errors import DiffSFSRError, at

ROOT = Path(__file__).resolve().parents[2]
BUILT_IN = ROOT / "weights" / "diffsfsr_default_256.safetensors"
MEGABYTES = 60


def weights(seed=0):
    """A few weights under every name that a bundle must have."""
    random = torch.Generator().manual_seed(seed)
    names = ["unet.a.weight", "unet.b.weight", "tokens.null_identity", "identity.head.weight", "shape.mean", "reader.x"]
    names += ["taesd_encoder.0.weight", "taesd_decoder.1.weight", "vae_scale", "vae_shift"]
    return {name: torch.randn(3, 4, generator=random) for name in names}


def config(**changes):
    return replace(BundleConfig(UNetConfig(), TokenConfig(), runs=("2026-11-20 unet",), licence="GPL"), **changes)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "small.safetensors"


@pytest.fixture
def saved(path):
    return save_bundle(path, config(), weights())


def rewrite(path, tensors=None, **metadata):
    """The file again with other contents; a metadata value of None leaves that entry out."""
    with safe_open(path, framework="pt") as file:
        told = {**file.metadata(), **metadata}
        kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    save_file(kept if tensors is None else tensors, path, {k: v for k, v in told.items() if v is not None})


def refusal(path):
    """The refusal of a file: it names the file and says what to do."""
    with pytest.raises(DiffSFSRError) as caught:
        load_bundle(path)
    error = caught.value
    assert error.where == str(path)
    assert "bundle" in error.remedy and error.remedy[0].isupper()
    return error


def test_what_is_saved_is_loaded(path, saved):
    bundle = load_bundle(path)
    assert bundle.config == saved == config(id=saved.id)
    assert set(bundle.parts) == set(PARTS["full"])
    assert set(bundle.vae) == {k for k in weights() if k.startswith(("taesd", "vae"))}
    for part, state in bundle.parts.items():
        for name, value in state.items():
            assert value.dtype == torch.float16
            assert torch.equal(value, weights()[f"{part}.{name}"].half())


def test_the_id_follows_the_weights_and_what_the_unet_does_with_them(path, saved):
    again = save_bundle(path, config(licence="another", resolution=512), weights())
    assert again.id == saved.id and len(saved.id) == 12
    assert save_bundle(path, config(), weights(seed=1)).id != saved.id
    assert save_bundle(path, config(unet=UNetConfig(step_window=3.0)), weights()).id != saved.id, "it answers otherwise"
    nudged = weights()
    nudged["shape.mean"] = nudged["shape.mean"] + 0.01
    assert save_bundle(path, config(), nudged).id != saved.id


def test_a_bundle_from_before_the_window_has_none(path, saved):
    with safe_open(path, framework="pt") as file:
        told = json.loads(file.metadata()["config"])
    assert told["unet"].pop("step_window") == UNetConfig().step_window != 0
    rewrite(path, config=json.dumps(told), sha256=None)
    assert load_bundle(path).config.unet.step_window == 0


def test_an_adapter_has_no_unet_and_no_autoencoder(path):
    """Which of both it is stands in the configuration, and what belongs to that kind must be there."""
    own = {name: value for name, value in weights().items() if name.split(".")[0] in PARTS["adapter"]}
    save_bundle(path, config(kind="adapter"), {**own, "adapter.input.weight": torch.rand(2, 2)})
    bundle = load_bundle(path)
    assert set(bundle.parts) == set(PARTS["adapter"]) and not bundle.vae
    save_bundle(path, config(kind="adapter"), own)
    assert "lacks its part adapter" in refusal(path).what
    save_bundle(path, config(kind="something"), own)
    assert "kind is 'something'" in refusal(path).what


def test_the_id_sees_names_and_survives_any_order():
    tensors = weights()
    assert fingerprint(tensors) == fingerprint(dict(reversed(tensors.items())))
    renamed = {("unet.c.weight" if k == "unet.b.weight" else k): v for k, v in tensors.items()}
    assert fingerprint(renamed) != fingerprint(tensors)


def test_the_id_of_scalars_integers_and_views(path):
    tensors = {**weights(), "vae_scale": torch.tensor(0.5), "unet.count": torch.arange(5), "shape.t": torch.rand(4, 3).T}
    assert save_bundle(path, config(), tensors).id == load_bundle(path).config.id
    assert load_bundle(path).parts["unet"]["count"].dtype == torch.int64


def test_a_renamed_file_loads_all_the_same(path, saved):
    moved = path.with_name("SDXL v1-5 pruned (final).safetensors")
    shutil.move(path, moved)
    assert load_bundle(moved).config == saved


def test_missing_file(tmp_path):
    assert "no such bundle" in refusal(tmp_path / "nothing.safetensors").what


@pytest.mark.parametrize("keep", [0, 4, 8, 100, 0.5, 0.99])
def test_truncated_file(path, saved, keep):
    """Cut at any place: before the header, inside it, inside the weights."""
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(len(whole) * keep)])
    assert "not a whole safetensors file" in refusal(path).what


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>Not found</html>", b"PK\x03\x04" + bytes(200), bytes(5000)])
def test_something_else_under_that_name(path, content):
    """A web page saved instead of the file is the most common of these."""
    path.write_bytes(content)
    refusal(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"format": "diffsfsr-face-landmarker"}])
def test_safetensors_of_another_system(path, metadata):
    save_file({"model.diffusion_model.out.weight": torch.zeros(3)}, path, metadata)
    assert "not a DiffSFSR bundle" in refusal(path).what


@pytest.mark.parametrize("version", ["1", "3", None, "x"])
def test_another_format_version(path, saved, version):
    rewrite(path, format_version=version)
    error = refusal(path)
    assert str(version) in error.what and str(VERSION) in error.what and "Update the pack" in error.remedy


@pytest.mark.parametrize("part", [*PARTS["full"], "autoencoder"])
def test_missing_part(path, saved, part):
    prefixes = ("taesd_", "vae_") if part == "autoencoder" else (f"{part}.",)
    rewrite(path, {k: v.half() for k, v in weights().items() if not k.startswith(prefixes)})
    assert f"lacks its part {part}" in refusal(path).what


def test_unknown_identity_network(path):
    save_bundle(path, config(identity=("compact-v2", "arcface-r100")), weights())
    error = refusal(path)
    assert "arcface-r100" in error.what and "compact-v2" not in error.what and "Update the pack" in error.remedy


@pytest.mark.parametrize(
    "members", [(), (ARCFACE,), (ARCFACE, COMPACT), (COMPACT, ARCFACE, ARCFACE), (COMPACT, COMPACT)], ids=str
)
def test_identity_networks_that_cannot_be_joined(path, members):
    tokens = TokenConfig(identity_width=width_of(members))
    save_bundle(path, config(identity=members, tokens=tokens), weights())
    assert "its own must be the first" in refusal(path).what


def test_identity_networks_and_tokens_of_different_widths(path):
    save_bundle(path, config(identity=(COMPACT, ARCFACE)), weights())
    assert "networks give 768 values, the tokens read 256" in refusal(path).what
    save_bundle(path, config(identity=(COMPACT, ARCFACE), tokens=TokenConfig(identity_width=768)), weights())
    assert load_bundle(path).config.identity == (COMPACT, ARCFACE)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{",
        "{}",
        "[1]",
        json.dumps({"unet": {}, "tokens": {"depth": 3}}),
        json.dumps({"unet": {"colour": 1}, "tokens": {}}),
        json.dumps({"unet": {}, "tokens": {}, "surprise": 1}),
        json.dumps({"unet": [], "tokens": {}}),
        json.dumps({"unet": {}, "tokens": "many"}),
    ],
)
def test_configuration_that_cannot_be_read(path, saved, text):
    rewrite(path, config=text)
    assert "configuration cannot be read" in refusal(path).what


# --- parts into modules ----------------------------------------------------------------------------------------------


def fill_error(state):
    module = torch.nn.Linear(4, 3)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    with pytest.raises(DiffSFSRError) as caught, at("a/file.safetensors"):
        fill_module(module, state, "unet")
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items()), "nothing is half loaded"
    assert caught.value.where == "a/file.safetensors" and "'unet'" in caught.value.what
    return caught.value.what


def test_wrong_missing_and_unknown_weights_are_named():
    good = {"weight": torch.zeros(3, 4), "bias": torch.zeros(3)}
    assert "1 weights, first: weight" in fill_error({**good, "weight": torch.zeros(4, 3)})
    assert "first: bias" in fill_error({"weight": good["weight"]})
    assert "first: extra" in fill_error({**good, "extra": torch.zeros(1)})
    assert "3 weights" in fill_error({"a": torch.zeros(1)})


def test_fitting_weights_are_loaded_and_cast():
    module = torch.nn.Linear(4, 3)
    fill_module(module, {"weight": torch.full((3, 4), 2.0).half(), "bias": torch.ones(3).half()}, "unet")
    assert module.weight.dtype == torch.float32 and module.weight.eq(2).all() and module.bias.eq(1).all()


# --- the built-in bundle ---------------------------------------------------------------------------------------------


def test_the_built_in_bundle_is_whole_and_small_enough():
    bundle = load_bundle(BUILT_IN)
    assert sum(f.stat().st_size for f in BUILT_IN.parent.iterdir()) <= MEGABYTES * 1_000_000
    assert bundle.config.resolution == 256 and len(bundle.config.id) == 12
    everything = {**{f"{p}.{k}": v for p, part in bundle.parts.items() for k, v in part.items()}, **bundle.vae}
    assert identity_of(everything, bundle.config) == bundle.config.id
    assert all(torch.isfinite(v).all() for v in everything.values())


def test_the_built_in_bundle_says_what_it_is():
    with safe_open(BUILT_IN, framework="pt") as file:
        assert file.metadata()["format"] == FORMAT and file.metadata()["format_version"] == str(VERSION)
