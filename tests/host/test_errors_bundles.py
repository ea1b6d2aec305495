"""Bundles, models and conditioning that do not fit together, through the real host: a clear error, never silence."""

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tests.host.graphs import (
    BUILT_IN,
    CONDITION,
    EXPRESSION,
    IDENTITY,
    LOADER,
    SAMPLER,
    Graph,
    astronaut,
    portrait,
    refusal,
    shown,
)

# --- bundles ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shelf(studio, tmp_path_factory):
    """A second models folder of the user, with a bundle of other weights and several broken ones."""
    from diffsfsr.modules.bundle import load_bundle, save_bundle

    folder = tmp_path_factory.mktemp("diffsfsr")
    with safe_open(BUILT_IN, framework="pt") as file:
        metadata, tensors = file.metadata(), {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    metadata.pop("sha256", None)  # as older bundles are: else each would only be damaged
    nudged = {**tensors, "shape.weight": tensors["shape.weight"] * 1.01}
    save_bundle(folder / "second.safetensors", load_bundle(BUILT_IN).config, nudged)
    for part, name in (("unet", "unet.out.2.bias"), ("identity", "identity.head.1.bias"), ("shape", "shape.mean"),
                       ("vae", "taesd_decoder.19.bias")):  # fmt: skip
        broken = {**tensors, name: tensors[name].repeat(2, *[1] * (tensors[name].ndim - 1))}
        save_file(broken, folder / f"wrong {part}.safetensors", metadata)
    lost = {k: v for k, v in tensors.items() if k != "taesd_encoder.0.weight"}
    save_file(lost, folder / "lost vae.safetensors", metadata)
    (folder / "truncated.safetensors").write_bytes(BUILT_IN.read_bytes()[:1_000_000])
    (folder / "page.safetensors").write_text("<html>404</html>")
    save_file({"a": torch.zeros(1)}, folder / "foreign.safetensors")
    studio.folder_paths.add_model_folder_path("diffsfsr", str(folder))
    yield folder
    studio.folder_paths.folder_names_and_paths["diffsfsr"][0].remove(str(folder))
    studio.folder_paths.filename_list_cache.pop("diffsfsr", None)


def loading(pictures, name):
    return shown(portrait(*pictures).only(IDENTITY).set(LOADER, bundle=name), IDENTITY, 1)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("truncated", "not a whole safetensors file"),
        ("page", "not a whole safetensors file"),
        ("foreign", "not a DiffSFSR bundle"),
        ("wrong unet", "part 'unet' does not fit its configuration (1 weights, first: out.2.bias)"),
        ("wrong identity", "part 'identity' does not fit"),
        ("wrong shape", "part 'shape' does not fit"),
        ("wrong vae", "autoencoder"),
        ("lost vae", "autoencoder"),
    ],
)
def test_broken_bundles(studio, pictures, shelf, name, fault):
    message = refusal(studio, loading(pictures, f"{name}.safetensors"), LOADER)
    assert message.startswith(f"DiffSFSR UNet Loader, {shelf / name}.safetensors: ")
    assert fault in message and "python -m training export" in message


def test_a_bundle_that_is_not_there_names_the_folders(studio, pictures, shelf):
    message = refusal(studio, loading(pictures, "gone.safetensors"), LOADER)
    assert "gone.safetensors" in message and "second.safetensors" in message and str(shelf) in message


def test_conditioning_of_another_bundle(studio, pictures, shelf):
    """MODEL of the second bundle, everything else of the first."""
    graph = portrait(*pictures).add("other", "DiffSFSRUNetLoader", bundle="second.safetensors", weight_dtype="auto")
    message = refusal(studio, graph.set(SAMPLER, model=["other", 0]), SAMPLER)
    assert message.startswith("Midpoint Sampler, positive") and "same DiffSFSR UNet Loader" in message
    for node, beginning in ((IDENTITY, "Background Condition"), (EXPRESSION, "Background Condition")):
        mixed = portrait(*pictures).add("other", "DiffSFSRUNetLoader", bundle="second.safetensors", weight_dtype="auto")
        message = refusal(studio, mixed.set(node, encoders=["other", 2]), CONDITION)
        assert message.startswith(beginning) and "was made with bundle" in message


def test_conditioning_of_another_bundle_in_the_hosts_ksampler(studio, pictures, shelf):
    graph = portrait(*pictures).add("other", "DiffSFSRUNetLoader", bundle="second.safetensors", weight_dtype="auto")
    graph = ksampler(graph).set(SAMPLER, model=["other", 0])
    assert "was made with bundle" in refusal(studio, graph, SAMPLER)


# --- models and conditioning that are not ours -----------------------------------------------------------------------


def ksampler(graph: Graph) -> Graph:
    wires = {name: graph[SAMPLER]["inputs"][name] for name in ("model", "positive", "negative")}
    return graph.add(SAMPLER, "KSampler", **wires, latent_image=[CONDITION, 2], seed=0, steps=1, cfg=2.0,
                     sampler_name="euler", scheduler="karras", denoise=1.0)  # fmt: skip


@pytest.fixture(scope="module")
def foreign_model(studio):
    """A tiny model in the shape of SD1.5."""
    import comfy.model_base
    import comfy.model_management
    import comfy.model_patcher
    import comfy.supported_models

    unet = {
        "image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 32, "num_res_blocks": [1, 1],
        "channel_mult": [1, 2], "transformer_depth": [1, 1], "transformer_depth_output": [1, 1, 1, 1],
        "transformer_depth_middle": 1, "context_dim": 64, "num_heads": 8, "num_head_channels": -1, "legacy": False,
        "use_spatial_transformer": True, "use_linear_in_transformer": False, "use_checkpoint": False,
        "adm_in_channels": None, "use_temporal_attention": False, "dtype": torch.float32,
    }  # fmt: skip
    config = comfy.supported_models.SD15(unet)
    config.set_inference_dtype(torch.float32, None)
    model = comfy.model_base.BaseModel(config, comfy.model_base.ModelType.EPS, device=torch.device("cpu"))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.02)
    device = comfy.model_management.get_torch_device()
    return comfy.model_patcher.ModelPatcher(model.requires_grad_(False), device, torch.device("cpu"))


def test_our_conditioning_on_a_foreign_model(studio, pictures, foreign_model):
    graph = portrait(*pictures).give(SAMPLER, "model", "MODEL", foreign_model)
    message = refusal(studio, graph, SAMPLER)
    assert message.startswith("Midpoint Sampler, model") and "MODEL of a DiffSFSR UNet Loader" in message


def test_our_conditioning_on_a_foreign_model_in_the_hosts_ksampler_is_not_silent(studio, pictures, foreign_model):
    """There none of our code runs. The host stops, because latent and token width do not fit."""
    result = studio.run(ksampler(portrait(*pictures)).give(SAMPLER, "model", "MODEL", foreign_model))
    assert not result.success and "KSampler (7)" in result.errors[0]


@pytest.mark.parametrize("name", ["positive", "negative"])
def test_text_conditioning_on_our_model(studio, pictures, name):
    text = [[torch.zeros(1, 77, 192), {"pooled_output": None}]]
    ours = portrait(*pictures).give(SAMPLER, name, "CONDITIONING", text)
    message = refusal(studio, ours, SAMPLER)
    assert message.startswith(f"Midpoint Sampler, {name}") and "Background Condition" in message
    hosts = ksampler(portrait(*pictures)).give(SAMPLER, name, "CONDITIONING", text)
    message = refusal(studio, hosts, SAMPLER)
    assert "not made for DiffSFSR" in message and "Background Condition" in message


def test_latent_of_another_size(studio, pictures):
    graph = portrait(*pictures).give(SAMPLER, "latent", "LATENT", {"samples": torch.zeros(1, 16, 64, 64)})
    message = refusal(studio, graph, SAMPLER)
    assert "(64, 64)" in message and "(32, 32)" in message and "LATENT output" in message


def test_foreign_vae(studio, pictures):
    """A VAE of four channels, as SD1.5 has: the mix-up that the wires allow."""

    class FourChannels:
        def encode(self, pixels):
            return torch.zeros(len(pixels), 4, pixels.shape[1] // 8, pixels.shape[2] // 8)

    graph = portrait(*pictures).give(CONDITION, "vae", "VAE", FourChannels())
    assert refusal(studio, graph, CONDITION).startswith("Background Condition, vae")


# --- the face model --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("without_face", ["error", "treat as an aligned crop", "skip this image"])
def test_damaged_face_model(studio, pictures, monkeypatch, shelf, without_face):
    """A user's own file wins over the pack's, and one that cannot be read is not taken for a picture without a face."""
    from diffsfsr.modules.host import folders

    monkeypatch.setattr(folders, "FACE_MODEL", "truncated.safetensors")
    graph = shown(portrait(astronaut(), pictures[1]).only(IDENTITY), IDENTITY, 1)
    message = refusal(studio, graph.set(IDENTITY, without_face=without_face), IDENTITY)
    assert "face model cannot be read" in message and "clone it again" in message and "truncated" in message


def test_face_model_is_the_packs_unless_a_user_has_one(studio, monkeypatch, tmp_path):
    from diffsfsr.modules.host import folders

    places = [tmp_path / "extra", tmp_path / "models"]
    monkeypatch.setattr(studio.folder_paths, "get_folder_paths", lambda key: [str(place) for place in places])
    assert folders.face_model() == folders.BUILT_IN_FACE_MODEL and folders.face_model().is_file()
    for place in reversed(places):
        place.mkdir()
        (place / folders.FACE_MODEL).touch()
        assert folders.face_model() == place / folders.FACE_MODEL
