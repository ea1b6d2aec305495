"""Training on a Stable Diffusion 1.5 checkpoint: it begins as the checkpoint, learns what it is told to, goes on, ships."""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.host import sd15, shared_run

ROOT = Path(__file__).resolve().parents[2]
TEXT = 5  # tokens of a prompt, here


@pytest.fixture(scope="module", autouse=True)
def every_step(comfy):
    """Each step is logged and looked at, in this file alone."""
    from diffsfsr.training import unet

    with pytest.MonkeyPatch.context() as patch:
        for name in ("log_every", "pictures_every"):
            patch.setitem(unet.CONFIG, name, 1)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("base")


@pytest.fixture(scope="module")
def checkpoint(comfy, place):
    return sd15.checkpoint(place / "sd15.safetensors", text=False)


@pytest.fixture(scope="module")
def base_unet(checkpoint):
    """What a run begins with; random tokens stand for the empty prompt, so that no text encoder has to be loaded."""
    return shared_run.tiny_ground(checkpoint)


def train(out, base_unet, **changes):
    return shared_run.run_on(base_unet, out, **{"steps": 2, "train": "adapter", **changes})


def told(rows=2, side=8):
    rng = torch.Generator().manual_seed(3)
    draw = lambda *shape: torch.randn(rows, *shape, generator=rng)  # noqa: E731
    noisy = draw(4, side, side), draw(9, side, side), torch.tensor([10, 600])
    return *noisy, draw(256), draw(3, 128, 128), draw(52), draw(TEXT, 768)


@pytest.mark.parametrize("channels", [4, 9])
@torch.no_grad()
def test_step_zero_is_the_checkpoint(comfy, place, channels):
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    from diffsfsr.modules.encoders.tokens import TokenConfig
    from diffsfsr.training.base import start_from
    from diffsfsr.training.denoiser import Denoiser

    base_unet = shared_run.tiny_ground(sd15.checkpoint(place / f"step0_{channels}.safetensors", channels, text=False))
    own = Denoiser(base_unet.config, TokenConfig(), base_unet.empty).eval()
    start_from(own.unet, base_unet.unet, base_unet.config)
    theirs = UNetModel(in_channels=channels, **sd15.SHAPE).eval()
    theirs.load_state_dict(base_unet.unet)
    z, concat, t, *conditions, text = told()
    # an inpainting model reads [z, mask, masked picture]; ours [z, masked picture, mask, guide]
    seen = z if channels == 4 else torch.cat([z, concat[:, 4:5], concat[:, :4]], 1)
    keep = torch.zeros(2, 3, dtype=torch.bool)
    ours = own(z, concat, t, *conditions, keep, text)
    assert torch.allclose(ours, theirs(seen, t, context=text), atol=1e-5)
    dropped = own(z, concat, t, *conditions, torch.tensor([[False, False, True]] * 2), text)
    assert torch.allclose(dropped, theirs(seen, t, context=base_unet.empty.expand(2, -1, -1)), atol=1e-5)


def weights(state):
    return {name: value.detach().clone() for name, value in state.own.state_dict().items()}


def test_the_adapter_alone_learns(base_unet, place):
    """What is the checkpoint's stays to the bit, and is neither averaged nor saved."""
    state = train(place / "adapter", base_unet)
    first, after = "unet.input_blocks.0.0.weight", weights(state)
    for name, value in base_unet.unet.items():
        if f"unet.{name}" != first:
            assert torch.equal(after[f"unet.{name}"], value.float()), name
    assert torch.equal(after[first][:, :4], base_unet.unet["input_blocks.0.0.weight"].float())
    assert after[first][:, 4:].abs().max() > 0
    assert any(value.abs().max() > 0 for name, value in after.items() if ".gate_" in name)
    saved = torch.load(place / "adapter" / "checkpoint.pt", weights_only=True)
    assert not any(name.endswith("attn2.to_q.weight") for name in saved["model"])
    assert list(saved["average"]) == list(saved["model"])


def test_the_unet_alone_or_both_learn(base_unet, place):
    alone, both = (weights(train(place / f"{scope}_", base_unet, train=scope)) for scope in ("unet", "both"))
    query, first = "unet.input_blocks.1.1.transformer_blocks.0.attn2.to_q.weight", "unet.input_blocks.0.0.weight"
    for after in (alone, both):
        assert not torch.equal(after[query], base_unet.unet[query.removeprefix("unet.")])
    assert alone[first][:, 4:].abs().max() == 0 and not any(v.abs().max() > 0 for n, v in alone.items() if ".gate_" in n)
    assert both[first][:, 4:].abs().max() > 0


def test_a_run_that_was_cut_off_goes_on_to_the_bit(base_unet, place):
    whole = weights(train(place / "whole", base_unet, steps=4))
    with pytest.raises(shared_run.Cut):
        train(place / "cut", base_unet, steps=4, samples=shared_run.cut_after(3, channels=4, text=TEXT))
    assert json.loads((place / "cut" / "run.json").read_text())["config"]["train"] == "adapter"
    again = weights(train(place / "cut", base_unet, steps=4))
    assert all(torch.equal(again[name], value) for name, value in whole.items())


def test_parts_checkpoints_and_no_average_change_nothing_in_what_is_learned(base_unet, place):
    """Rows in two parts, recomputed blocks: nearly the same weights. Without an average the model itself is saved."""
    plain = weights(train(place / "plain", base_unet))
    for name, settings in {"parts": {"accumulate": 2, "ema": False}, "blocks": {"checkpointing": True}}.items():
        after = weights(train(place / name, base_unet, **settings))
        assert all(torch.allclose(after[key], value, atol=2e-5) for key, value in plain.items()), name
    assert "average" not in torch.load(place / "parts" / "checkpoint.pt", weights_only=True)


def test_two_processes_learn_the_same_as_one(base_unet, checkpoint, place):
    """By the command that users run, over gloo."""
    from diffsfsr.training.runlog import read_curve

    train(place / "one", base_unet)
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1",
               "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0", "-m", "tests.host.shared_run",
               str(place / "two"), "2", str(checkpoint)]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = (read_curve(place / name / "curve.csv") for name in ("one", "two"))
    assert [row["loss"] for row in two] == pytest.approx([row["loss"] for row in one], rel=1e-4)
    first, second = (torch.load(place / name / "checkpoint.pt", weights_only=True)["average"] for name in ("one", "two"))
    assert all(torch.allclose(second[name], value, atol=2e-5) for name, value in first.items())


def test_the_noise_counts_by_its_certainty():
    from diffsfsr.training.velocity import LOSS, certainty

    levels = torch.tensor([0.999, 0.9, 0.5, 0.01])
    snr = levels / (1 - levels)
    assert torch.allclose(certainty(levels, "eps"), torch.minimum(snr, torch.tensor(LOSS["snr"])) / snr)
    assert certainty(levels, "eps")[-1] == 1 and certainty(levels, "eps")[0] < 0.01
    assert torch.equal(certainty(levels, "v"), torch.ones(4))


def test_what_was_learned_is_shipped_both_ways(base_unet, checkpoint, place):
    """A full bundle and an adapter of one run say the same, and load as the nodes load them."""
    from diffsfsr.modules.bundle import load_bundle
    from diffsfsr.modules.host.adapter import apply_adapter
    from diffsfsr.modules.host.model import build_model, build_vae
    from diffsfsr.training.base import load_base
    from diffsfsr.training.export import export_on_base
    from tests.host.test_adapter import painted
    from tests.host.test_adapter import told as conditioning

    base = load_base(checkpoint)
    train(place / "run", base_unet)
    files = {kind: place / f"{kind}.safetensors" for kind in ("adapter", "full")}
    for kind, file in files.items():
        config = export_on_base(base, place / "run", file, kind, None, 512)
        assert config.kind == kind and config.resolution == 512 and "OpenRAIL" in config.licence
        assert config.unet.prediction == "eps" and config.latent_scale == 0.18215
        assert any(line.startswith("run ") and "on sd15.safetensors" in line for line in config.runs)
    adapter, full = (load_bundle(file) for file in files.values())
    assert files["adapter"].stat().st_size < 0.7 * files["full"].stat().st_size
    build_vae(full)
    import comfy.sd

    plain = comfy.sd.load_checkpoint_guess_config(str(checkpoint))[0]
    full.config = replace(full.config, id=adapter.config.id)
    both = conditioning(adapter), conditioning(adapter, seed=1)
    theirs = painted(apply_adapter(plain, adapter, 1.0), *both)
    ours = painted(build_model(full, torch.float32), *both)
    assert (ours - theirs).abs().max() < 0.02 * theirs.abs().max()


@pytest.mark.parametrize("what", ["missing", "not safetensors", "broken", "no checkpoint", "SD20"])
def test_other_files_are_refused_as_a_base(comfy, place, what):
    from safetensors.torch import save_file

    from diffsfsr.modules.errors import DiffSFSRError
    from diffsfsr.training.base import load_base

    path = place / f"{what}.safetensors"
    if what == "not safetensors":
        path = path.with_suffix(".ckpt")
        path.write_bytes(b"x")
    elif what == "broken":
        path.write_bytes(b"x" * 100)
    elif what == "no checkpoint":
        save_file({"a": torch.zeros(2)}, path)
    elif what == "SD20":
        sd15.checkpoint(path, text=False, context_dim=1024, use_linear_in_transformer=True)
    with pytest.raises(DiffSFSRError) as caught:
        load_base(path)
    assert str(path) in str(caught.value) and "convert" in caught.value.remedy
    if what == "SD20":
        assert "SD20" in caught.value.what


def test_the_base_reads_and_writes_pictures_and_text(comfy, place):
    from diffsfsr.training.base import load_base

    base = load_base(sd15.checkpoint(place / "whole_base.safetensors"))
    latents = base.encode(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    raw = base.vae.encode(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)).movedim(1, -1))
    assert torch.allclose(latents, raw * 0.18215, atol=1e-5) and latents.shape == (2, 4, 8, 8)
    seen = latents.clone().requires_grad_()
    pictures = base.decoder()(seen)
    pictures.sum().backward()
    assert torch.allclose(pictures.clamp(0, 1).movedim(1, -1), base.vae.decode(raw), atol=1e-4) and seen.grad.abs().max() > 0
    text = base.text(["", "a woman in a green coat"])
    assert text.shape == (2, 77, 768) and not torch.allclose(text[0], text[1])


def test_eight_bit_needs_its_library_or_a_gpu(comfy):
    from diffsfsr.training.scope import optimiser_of

    with pytest.raises(SystemExit, match="adamw8bit needs"):
        optimiser_of("adamw8bit", [torch.nn.Parameter(torch.zeros(1))], 1e-3, 0.0)


def test_the_command_takes_these_words(monkeypatch):
    from training.__main__ import arguments

    monkeypatch.setattr(sys, "argv", "training unet --data d --base b.safetensors --train both --accumulate 4".split())
    args = arguments()
    assert isinstance(args, argparse.Namespace) and (args.train, args.accumulate, args.kind) == ("both", 4, None)


def test_costs_are_counted_and_measured(comfy, monkeypatch, capsys):
    from diffsfsr.training import costs

    monkeypatch.setattr(costs, "SD15", {**sd15.SHAPE})
    monkeypatch.setattr(costs, "LATENT", 8)
    forward, adapter, both = costs.products("adapter", False), costs.products("adapter", True), costs.products("both", True)
    assert 0 < 1.5 * forward < adapter < both < 3.2 * forward, "the way back costs more when the base learns too"
    costs.main("cpu", "fp32", "adapter", True)
    assert "adapter, checkpointing, fp32, cpu" in capsys.readouterr().out
