"""The host's own nodes on what ours give: standard wires mean that nothing of ComfyUI is lost."""

import pytest
import torch

from tests.host.graphs import CONDITION, DECODE, LOADER, SAMPLER, Graph, portrait, run, trained


def sampled_by(graph: Graph, kind: str, **inputs) -> Graph:
    """The graph with another sampler in the place of ours, on the same wires."""
    wires = {name: graph[SAMPLER]["inputs"][name] for name in ("model", "positive", "negative")}
    return graph.add(SAMPLER, kind, **wires, **inputs)


def custom(graph: Graph, steps: int = 2, seed: int = 0, cfg: float = 1.5) -> Graph:
    """Our SAMPLER in the host's SamplerCustom, with the same noise levels as our node."""
    graph.add("solver", "DiffSFSRMidpointSamplerSelect")
    graph.add("levels", "BasicScheduler", model=[LOADER, 0], scheduler="karras", steps=steps, denoise=1.0)
    return sampled_by(graph, "SamplerCustom", add_noise=True, noise_seed=seed, cfg=cfg, sampler=["solver", 0],
                      sigmas=["levels", 0], latent_image=[CONDITION, 2])  # fmt: skip


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m"])
def test_ksampler(studio, pictures, sampler):
    graph = sampled_by(portrait(*pictures), "KSampler", seed=0, steps=2, cfg=1.5, sampler_name=sampler,
                       scheduler="karras", latent_image=[CONDITION, 2], denoise=1.0)  # fmt: skip
    samples = run(studio, graph).value(SAMPLER)["samples"]
    assert samples.shape == (1, 16, 32, 32) and torch.isfinite(samples).all()


def test_one_step_of_euler_is_one_step_of_midpoint(studio, pictures):
    """The last step goes to zero, where euler and the plain form land on the model's estimate: the same picture."""
    ours = run(studio, portrait(*pictures).set(SAMPLER, reuse=False)).value(SAMPLER)["samples"]
    graph = sampled_by(portrait(*pictures), "KSampler", seed=0, steps=1, cfg=1.5, sampler_name="euler",
                       scheduler="karras", latent_image=[CONDITION, 2], denoise=1.0)  # fmt: skip
    assert torch.allclose(run(studio, graph).value(SAMPLER)["samples"], ours, atol=1e-4)


def test_our_sampler_in_sampler_custom_is_our_node(studio, pictures, made):
    result = run(studio, custom(portrait(*pictures)))
    assert torch.equal(result.value(SAMPLER)["samples"], made.value(SAMPLER)["samples"])


def test_our_sampler_in_sampler_custom_advanced(studio, pictures, made):
    graph = custom(portrait(*pictures))
    graph.add("noise", "RandomNoise", noise_seed=0)
    graph.add("guider", "CFGGuider", model=[LOADER, 0], positive=[CONDITION, 0], negative=[CONDITION, 1], cfg=1.5)
    graph.add(SAMPLER, "SamplerCustomAdvanced", noise=["noise", 0], guider=["guider", 0], sampler=["solver", 0],
              sigmas=["levels", 0], latent_image=[CONDITION, 2])  # fmt: skip
    assert torch.allclose(run(studio, graph).value(SAMPLER)["samples"], made.value(SAMPLER)["samples"], atol=1e-4)


def test_empty_latent_of_the_same_size(studio, pictures):
    """LATENT only says where to start, so the host's empty latent, of other channels, does as well."""
    graph = portrait(*pictures).add("empty", "EmptyLatentImage", width=256, height=256, batch_size=1)
    samples = run(studio, graph.set(SAMPLER, latent=["empty", 0])).value(SAMPLER)["samples"]
    assert samples.shape == (1, 16, 32, 32) and torch.isfinite(samples).all()


def test_vae_encode_and_decode(studio, pictures):
    graph = Graph({LOADER: portrait(*pictures)[LOADER]})
    graph.add("encode", "VAEEncode", vae=[LOADER, 1]).give("encode", "pixels", "IMAGE", pictures[0])
    graph.add("decode", "VAEDecode", samples=["encode", 0], vae=[LOADER, 1])
    graph.add("show", "PreviewImage", images=["decode", 0])
    result = run(studio, graph)
    assert result.value("encode")["samples"].shape == (1, 16, 64, 64)
    assert result.value("decode").shape == pictures[0].shape
    assert (result.value("decode") - pictures[0]).abs().mean() < 0.06


def test_tiled_decode(studio, pictures):
    graph = portrait(*pictures)
    graph.add(DECODE, "VAEDecodeTiled", samples=[SAMPLER, 0], vae=[LOADER, 1], tile_size=128, overlap=32,
              temporal_size=64, temporal_overlap=8)  # fmt: skip
    assert run(studio, graph).value(DECODE).shape == (1, 256, 256, 3)


def test_conditioning_nodes_keep_our_extras(studio, pictures, made):
    """A host node that copies conditioning (here: its time range) must carry person and feeling along."""
    graph = portrait(*pictures, steps=2)
    graph.add("range", "ConditioningSetTimestepRange", conditioning=[CONDITION, 0], start=0.0, end=1.0)
    result = run(studio, graph.set(SAMPLER, positive=["range", 0]))
    assert torch.allclose(result.value(SAMPLER)["samples"], made.value(SAMPLER)["samples"], atol=1e-4)


@pytest.mark.parametrize("zsnr", [False, True])
def test_patch_node_of_the_host(studio, pictures, made, zsnr):
    """It changes a clone: told what holds anyway nothing changes, and the loaded MODEL stays as it was."""
    graph = portrait(*pictures, steps=2)
    graph.add("patch", "ModelSamplingDiscrete", model=[LOADER, 0], sampling="v_prediction", zsnr=zsnr)
    patched = run(studio, graph.set(SAMPLER, model=["patch", 0])).value(SAMPLER)["samples"]
    # the host's own schedule tells the network the nearest step, ours the exact one
    near = bool((patched - made.value(SAMPLER)["samples"]).square().mean().sqrt() < 0.01)
    assert torch.isfinite(patched).all() and near != zsnr
    again = run(studio, portrait(*pictures, steps=2)).value(SAMPLER)["samples"]
    assert torch.equal(again, made.value(SAMPLER)["samples"])


def test_guidance_patch_of_the_host(studio, pictures, made):
    if not trained():
        pytest.skip("the guidance of an untrained UNet has no spread to rescale")
    graph = portrait(*pictures, steps=2).add("patch", "RescaleCFG", model=[LOADER, 0], multiplier=0.7)
    patched = run(studio, graph.set(SAMPLER, model=["patch", 0], cfg=3.0)).value(SAMPLER)["samples"]
    assert torch.isfinite(patched).all() and not torch.equal(patched, made.value(SAMPLER)["samples"])
