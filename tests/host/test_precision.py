"""What is computed in which precision, and that nobody sees it."""

import re

import pytest
import torch

from tests.host.graphs import COMPOSITE, LOADER, portrait, run


@pytest.mark.parametrize("dtype", ["auto", "fp32", "bf16", "fp16"])
def test_precisions(studio, pictures, made, monkeypatch, dtype):
    from comfy.cli_args import args

    monkeypatch.setattr(args, "fp32_unet", False)  # what the tests are run with
    result = run(studio, portrait(*pictures, steps=2).set(LOADER, weight_dtype=dtype))
    picture = result.value(COMPOSITE)
    assert torch.isfinite(picture).all()
    assert (picture - made.value(COMPOSITE)).abs().mean() < 0.02


@pytest.mark.parametrize(
    ("unit", "flag", "wanted"),
    [("AMX", None, torch.bfloat16), ("AVX512-BF16", None, torch.bfloat16), ("", None, None), ("AMX", "fp32_vae", None)],
)
def test_the_autoencoder_works_in_bfloat16_where_that_is_fast(host, monkeypatch, unit, flag, wanted):
    from comfy.cli_args import args

    from diffsfsr.modules.host import precision

    monkeypatch.setattr(precision, "bf16_unit", lambda: unit)
    if flag:
        monkeypatch.setattr(args, flag, True)
    assert precision.vae_dtype() == wanted


CPU, HALF = torch.device("cpu"), torch.bfloat16


@pytest.mark.parametrize(
    ("unit", "flag", "asked", "wanted"),
    [
        ("AMX", None, None, (HALF, None)),
        ("AVX512-BF16", None, HALF, (HALF, None)),
        ("AMX", None, torch.float32, (torch.float32, None)),
        ("AMX", "fp32_unet", None, (torch.float32, None)),
        ("AMX", "force_fp32", None, (torch.float32, None)),
        ("", None, None, (torch.float32, None)),
        ("", None, HALF, (HALF, torch.float32)),  # slow in bfloat16: the weights are kept in it, to save memory
        ("AMX", "fp32_vae", None, (HALF, None)),
    ],
)
def test_the_unet_computes_in_bfloat16_where_that_is_fast(host, monkeypatch, unit, flag, asked, wanted):
    from comfy.cli_args import args

    from diffsfsr.modules.host import precision

    monkeypatch.setattr(precision, "bf16_unit", lambda: unit)
    monkeypatch.setattr(args, "fp32_unet", False)
    if flag:
        monkeypatch.setattr(args, flag, True)
    assert precision.unet_dtypes(asked, 15_000_000, [torch.float16, HALF, torch.float32], CPU) == wanted


def test_every_flag_of_the_host_about_precision_is_known(host):
    """A flag that is not known would be overruled."""
    from comfy.cli_args import args

    from diffsfsr.modules.host.precision import FLAGS

    for part, known in FLAGS.items():
        assert {name for name in vars(args) if re.fullmatch(rf"force_fp\d+|(fp|bf)\d\w*_{part}", name)} == set(known)


@pytest.mark.parametrize(("has", "wanted"), [((True, True), "AMX"), ((False, True), "AVX512-BF16"), ((False, False), "")])
def test_torch_old_and_new_is_asked_about_the_cpu(host, monkeypatch, has, wanted):
    from diffsfsr.modules.host import precision

    names = ("amx_tile", "avx512_bf16")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict(zip(names, has, strict=True)), raising=False)
    assert precision.bf16_unit() == wanted
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    for name, answer in zip(names, has, strict=True):
        monkeypatch.setattr(torch.cpu, f"_is_{name}_supported", lambda a=answer: a, raising=False)
    assert precision.bf16_unit() == wanted
    for name in names:
        monkeypatch.delattr(torch.cpu, f"_is_{name}_supported")
    assert precision.bf16_unit() == ""


def test_bfloat16_gives_the_picture_that_32_bits_give(host, pictures, monkeypatch):
    from diffsfsr.modules.bundle import load_bundle
    from diffsfsr.modules.host import folders, model

    bundle, found = load_bundle(folders.BUILT_IN), {}
    for dtype in (torch.float32, torch.bfloat16):
        monkeypatch.setattr(model, "vae_dtype", lambda d=dtype: d)
        vae = model.build_vae(bundle)
        assert vae.vae_dtype == dtype and next(vae.first_stage_model.parameters()).dtype == dtype
        found[dtype] = vae.decode(vae.encode(pictures[0][:, :256, :256])).clamp(0, 1)
    apart = (found[torch.float32] - found[torch.bfloat16]).square().mean()
    assert 0 < apart and -10 * apart.log10() > 45, "dB"
