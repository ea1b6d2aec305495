"""On a CPU large batches are computed in parts: the same answer, and nobody who counts rows is surprised."""

import pytest
import torch

from diffsfsr.modules.types import Conditioning, Strength


@pytest.fixture(scope="module")
def loaded(host):
    from diffsfsr.modules.host import folders
    from diffsfsr.modules.pipeline.load import load

    return load(folders.DEFAULT)


@pytest.fixture
def calls(monkeypatch):
    """How many rows the host's own UNet is given, call by call."""
    from diffsfsr.modules.host.unet import UNetModel

    seen, forward = [], UNetModel.forward

    def counted(self, x, *rest, **more):
        seen.append(len(x))
        return forward(self, x, *rest, **more)

    monkeypatch.setattr(UNetModel, "forward", counted)
    return seen


def asked(loaded, rows: int):
    """The network, and something to ask it: x, times, both tokens, each row another."""
    network, config = loaded[0].model.diffusion_model, loaded[2].config
    generator = torch.Generator().manual_seed(0)
    noise = lambda *shape: torch.randn(shape, generator=generator)  # noqa: E731
    tokens = {f"{name}_tokens": noise(rows, 4, config.tokens.width) for name in ("identity", "expression")}
    return network, (noise(rows, config.unet.in_channels, 8, 8), torch.linspace(1, 999, rows)), tokens


@torch.inference_mode()
def test_parts_give_what_the_rows_give(loaded, calls):
    network, (x, times), tokens = asked(loaded, 35)
    whole = network(x, times, **tokens)
    assert calls == [16, 16, 3]
    for k in (0, 16, 34):
        alone = network(x[k : k + 1], times[k : k + 1], **{name: value[k : k + 1] for name, value in tokens.items()})
        assert torch.allclose(whole[k : k + 1], alone, atol=1e-4)


@torch.inference_mode()
def test_the_hosts_samplers_leave_it_in_parts(loaded, calls):
    import comfy.sample

    model, config = loaded[0], loaded[2].config
    latent, width = torch.zeros(20, config.unet.latent_channels, 8, 8), config.tokens.width
    tokens = torch.zeros(20, 4, width)
    ours = Conditioning(latent, latent[:, :1], latent, tokens, tokens, Strength(), config.id)
    given = [[torch.zeros(1, 1, width), {"diffsfsr": ours}]]
    comfy.sample.sample(model, torch.randn(latent.shape), 1, 1.0, "euler", "karras", given, given, latent, disable_pbar=True)
    assert calls == [16, 4]


@torch.inference_mode()
@pytest.mark.parametrize(
    "options", [{"patches": {"attn2_patch": [lambda *given: given[:3]]}}, {"wrappers": {"any": {"of a pack": [print]}}}]
)
def test_a_patch_sees_all_rows(loaded, calls, options):
    network, (x, times), tokens = asked(loaded, 17)
    network(x, times, transformer_options=options, **tokens)
    assert calls == [17]


@torch.inference_mode()
def test_pictures_of_a_batch_are_decoded_as_single_ones(loaded, monkeypatch):
    vae, latents, rows = loaded[1], torch.randn(3, 16, 8, 8, generator=torch.Generator().manual_seed(0)), []
    network, decode = type(vae.first_stage_model), type(vae.first_stage_model).decode
    monkeypatch.setattr(network, "decode", lambda self, some: (rows.append(len(some)), decode(self, some))[1])
    pictures = vae.decode(latents)
    assert rows == [1, 1, 1] and pictures.shape == (3, 64, 64, 3)
    assert all(torch.equal(pictures[k], vae.decode(latents[k : k + 1])[0]) for k in range(3))


def test_the_autoencoder_is_the_hosts_own(loaded):
    """As other nodes find it: to save, to tile, to copy."""
    import comfy.sd
    from comfy.taesd.taesd import TAESD

    vae = loaded[1]
    assert isinstance(vae, comfy.sd.VAE) and type(vae.first_stage_model) is TAESD
    assert vae.get_sd().keys() == TAESD(latent_channels=16).state_dict().keys()
    assert vae.decode_tiled(torch.zeros(2, 16, 8, 8)).shape == (2, 64, 64, 3)
