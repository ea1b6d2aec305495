"""What is computed in which precision, and that nobody sees it."""

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
    ("unit", "told", "wanted"),
    [("AMX", None, torch.bfloat16), ("AVX512-BF16", None, torch.bfloat16), ("", None, None), ("AMX", "fp32_vae", None)],
)
def test_the_autoencoder_works_in_bfloat16_where_that_is_fast(host, monkeypatch, unit, told, wanted):
    from comfy.cli_args import args

    from diffsfsr.modules.host import model

    monkeypatch.setattr(model, "bf16_unit", lambda: unit)
    if told:
        monkeypatch.setattr(args, told, True)
    assert model.vae_dtype() == wanted


CPU, HALF = torch.device("cpu"), torch.bfloat16


@pytest.mark.parametrize(
    ("unit", "told", "asked", "wanted"),
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
def test_the_unet_computes_in_bfloat16_where_that_is_fast(host, monkeypatch, unit, told, asked, wanted):
    from comfy.cli_args import args

    from diffsfsr.modules.host import model

    monkeypatch.setattr(model, "bf16_unit", lambda: unit)
    monkeypatch.setattr(args, "fp32_unet", False)
    if told:
        monkeypatch.setattr(args, told, True)
    assert model.unet_dtypes(asked, 15_000_000, [torch.float16, HALF, torch.float32], CPU) == wanted


def test_bfloat16_gives_the_picture_that_32_bits_give(host, pictures, monkeypatch):
    from diffsfsr.modules.bundle import load_bundle
    from diffsfsr.modules.host import folders, model

    bundle, found = load_bundle(folders.BUILT_IN), {}
    for dtype in (torch.float32, torch.bfloat16):
        monkeypatch.setattr(model, "vae_dtype", lambda d=dtype: d)
        vae = model.build_vae(bundle, "Test")
        assert vae.vae_dtype == dtype and next(vae.first_stage_model.parameters()).dtype == dtype
        found[dtype] = vae.decode(vae.encode(pictures[0][:, :256, :256])).clamp(0, 1)
    apart = (found[torch.float32] - found[torch.bfloat16]).square().mean()
    assert 0 < apart and -10 * apart.log10() > 45, "dB"
