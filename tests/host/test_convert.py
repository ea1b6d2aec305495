"""Other layouts of Stable Diffusion become one checkpoint, or a bundle; nothing in a file is ever run."""

import json
import os
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.host import sd15


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("convert")


@pytest.fixture(scope="module")
def checkpoint(comfy, place):
    return sd15.checkpoint(place / "sd15.safetensors", text=False)


@pytest.fixture
def convert(comfy):
    from diffsfsr.training.convert import convert

    return convert


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_an_old_checkpoint_file_becomes_safetensors(convert, checkpoint, tmp_path):
    """Training states, averages and the like are left behind."""
    state = load_file(checkpoint)
    old = tmp_path / "old.ckpt"
    torch.save({"state_dict": {**state, "model_ema.decay": torch.zeros(1)}, "epoch": 3}, old)
    convert(old, tmp_path / "new.safetensors")
    assert same(load_file(tmp_path / "new.safetensors"), state)


class Trap:
    """A pickle that makes a file when it is read as pickles are."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("inside", [False, True])
def test_a_file_that_would_run_code_is_refused_and_nothing_runs(convert, tmp_path, inside):
    from diffsfsr.modules.errors import DiffSFSRError

    bad, sprung = tmp_path / "bad.ckpt", tmp_path / "sprung"
    if inside:
        torch.save({"state_dict": {"a": torch.zeros(1)}, "callbacks": Trap(sprung)}, bad)
    else:
        bad.write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(DiffSFSRError, match="could run code"):
        convert(bad, tmp_path / "out.safetensors")
    assert not sprung.exists() and not (tmp_path / "out.safetensors").exists()
    torch.load(bad, weights_only=False) if inside else pickle.loads(bad.read_bytes())  # noqa: S301  (the trap is a real one)
    assert sprung.exists()


def diffusers_folder(folder, state, extra=()):
    """The same weights as the diffusers library would have written them."""
    from comfy.utils import unet_to_diffusers

    names = {ours: theirs for theirs, ours in unet_to_diffusers({**sd15.SHAPE}).items()}
    prefix = "model.diffusion_model."
    unet = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    for part in ("unet", "vae", "text_encoder"):
        (folder / part).mkdir(parents=True)
    save_file({**{names[name]: value for name, value in unet.items()}, **dict(extra)},
              folder / "unet" / "diffusion_pytorch_model.safetensors")  # fmt: skip
    told = {"block_out_channels": [320, 320], "layers_per_block": 1,
            "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D"]}  # fmt: skip
    (folder / "unet" / "config.json").write_text(json.dumps(told))
    cut = lambda part: {k.removeprefix(part): v for k, v in state.items() if k.startswith(part)}  # noqa: E731
    save_file(cut("first_stage_model."), folder / "vae" / "diffusion_pytorch_model.safetensors")
    text = cut("cond_stage_model.transformer.") or {"text_model.x": torch.zeros(1)}
    save_file(text, folder / "text_encoder" / "model.safetensors")


def test_a_diffusers_folder_becomes_a_checkpoint(convert, checkpoint, tmp_path):
    state = load_file(checkpoint)
    diffusers_folder(tmp_path / "folder", state)
    convert(tmp_path / "folder", tmp_path / "new.safetensors")
    new = load_file(tmp_path / "new.safetensors")
    new.pop("cond_stage_model.transformer.text_model.x")
    assert same(new, state)


@pytest.mark.parametrize("gone", ["unet/config.json", "vae/diffusion_pytorch_model.safetensors"])
def test_half_a_folder_is_named(convert, checkpoint, tmp_path, gone):
    from diffsfsr.modules.errors import DiffSFSRError

    diffusers_folder(tmp_path / "folder", load_file(checkpoint))
    (tmp_path / "folder" / gone).unlink()
    with pytest.raises(DiffSFSRError, match="whole diffusers folder"):
        convert(tmp_path / "folder", tmp_path / "new.safetensors")


def test_a_plain_checkpoint_becomes_a_bundle_that_says_it_was_never_trained(convert, checkpoint, tmp_path, capsys, caplog):
    import comfy.sd

    from diffsfsr.modules.bundle import load_bundle
    from diffsfsr.modules.host import folders
    from diffsfsr.modules.pipeline import load
    from tests.host.test_adapter import painted, told

    convert(checkpoint, tmp_path / "adapter.safetensors", "adapter")
    assert "as before training" in capsys.readouterr().out
    bundle = load_bundle(tmp_path / "adapter.safetensors")
    assert bundle.config.runs == () and bundle.config.kind == "adapter"
    base, _, vae, *_ = comfy.sd.load_checkpoint_guess_config(str(checkpoint))
    kept, folders.bundle_path = folders.bundle_path, lambda name: tmp_path / name
    try:
        model, *_ = load.load("adapter.safetensors", model=base, vae=vae)
    finally:
        folders.bundle_path = kept
    assert "was never trained" in caplog.text
    assert torch.equal(painted(model, told(bundle)), painted(base, told(bundle, plain=True)))


@pytest.mark.parametrize("layout", ["original", "diffusers"])
def test_trained_layers_in_other_layouts_are_taken_along(convert, checkpoint, tmp_path, layout):
    """Somebody's own training of our layers: what it learned is what the bundle has."""
    from diffsfsr.modules.bundle import load_bundle
    from diffsfsr.modules.denoiser.adapter import FIRST, OWN, adapter_of

    whole, state = sd15.our_unet(), load_file(checkpoint)
    ours = {name: value for name, value in whole.items() if any(part in name for part in OWN)}
    prefix = "model.diffusion_model."
    state[prefix + FIRST] = whole[FIRST]
    if layout == "original":
        source = tmp_path / "trained.safetensors"
        save_file({**state, **{prefix + name: value for name, value in ours.items()}}, source)
    else:
        source, known = tmp_path / "trained", {"input_blocks.1.1": "down_blocks.0.attentions.0",
            "input_blocks.3.1": "down_blocks.1.attentions.0", "middle_block.1": "mid_block.attentions.0",
            **{f"output_blocks.{k}.1": f"up_blocks.{k // 2}.attentions.{k % 2}" for k in range(4)}}  # fmt: skip
        renamed = {f"{known[name.split('.transformer')[0]]}.transformer{name.split('.transformer', 1)[1]}": value
                   for name, value in ours.items()}  # fmt: skip
        assert len(renamed) == len(ours)
        diffusers_folder(source, state, renamed.items())
    convert(source, tmp_path / "adapter.safetensors", "adapter")
    bundle = load_bundle(tmp_path / "adapter.safetensors")
    assert bundle.config.runs == (f"converted from {source.name}",)
    wanted = adapter_of(whole, bundle.config.unet)
    assert bundle.parts["adapter"].keys() == wanted.keys()
    assert all(torch.equal(bundle.parts["adapter"][name], value.half()) for name, value in wanted.items())


@pytest.mark.parametrize(("source", "out", "said"), [
    ("nothing.safetensors", "o.safetensors", "no such file"), ("a.gguf", "o.safetensors", "is not read"),
    ("sd15.safetensors", "o.ckpt", "is not written"),
])  # fmt: skip
def test_what_cannot_be_converted_is_named(convert, checkpoint, place, tmp_path, source, out, said):
    from diffsfsr.modules.errors import DiffSFSRError

    (place / "a.gguf").write_bytes(b"x")
    with pytest.raises(DiffSFSRError, match=said):
        convert(place / source, tmp_path / out)
