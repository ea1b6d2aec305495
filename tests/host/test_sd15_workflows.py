"""The two graphs around Stable Diffusion, run as they are in the real host on a checkpoint without a picture in it."""

import json
from pathlib import Path

import pytest
import torch

from tests.host import sd15
from tests.host.frontend import node_of
from tests.host.graphs import TWIN, astronaut, run, somebody_else
from tests.host.test_workflows import save

NAMES = {
    "checkpoints": "v1-5-pruned-emaonly-fp16.safetensors", "loras": "my_lora.safetensors",
    "controlnet": "control_v11p_sd15_canny.safetensors", "diffsfsr": "my_adapter.safetensors",
}  # fmt: skip


@pytest.fixture(scope="module")
def shop(studio, tmp_path_factory):
    """The host with the files that the graphs name, and their pictures."""
    paths, folder = studio.folder_paths, tmp_path_factory.mktemp("models")
    kept = {kind: paths.folder_names_and_paths[kind] for kind in NAMES}
    make = {"checkpoints": sd15.checkpoint, "loras": sd15.lora, "controlnet": sd15.controlnet, "diffsfsr": sd15.bundle}
    for kind, name in NAMES.items():
        (folder / kind).mkdir()
        make[kind](folder / kind / name)
        paths.folder_names_and_paths[kind] = ([str(folder / kind), *kept[kind][0]], kept[kind][1])
    paths.filename_list_cache.clear()
    inputs = Path(paths.get_input_directory())
    for name, picture in {"astronaut": astronaut(), "background": somebody_else(), "control": astronaut()}.items():
        save(picture, inputs / f"{name}.png")
    studio.reset()
    yield studio
    paths.folder_names_and_paths.update(kept)
    paths.filename_list_cache.clear()
    studio.reset()


def quick(name):
    """The twin of a graph, with few steps and a small picture."""
    prompt = json.loads(TWIN.with_name(f"{name}.api.json").read_text())
    for node in prompt.values():
        if "steps" in node["inputs"] and "seed" in node["inputs"]:
            node["inputs"]["steps"] = 1
        if node["class_type"] == "EmptyLatentImage":
            node["inputs"] |= {"width": 256, "height": 256}
    return prompt


def test_a_prompt_becomes_a_background(shop):
    """A random checkpoint paints no usable face, which is said; with one in the same wire the portrait is made."""
    prompt = quick("prompt_background")
    result = shop.run(prompt)
    assert not result.success and "Background Condition, image 0: " in result.errors[0] and "face" in result.errors[0]
    assert result.value("6").shape == (1, 256, 256, 3), "the checkpoint did paint"
    prompt["painted"] = {"class_type": "LoadImage", "inputs": {"image": "background.png"}}
    prompt["12"]["inputs"]["image"] = ["painted", 0]
    result = run(shop, prompt)
    assert result.outputs["16"]["images"] and result.outputs["7"]["images"]


@pytest.mark.parametrize(("name", "start"), [("checkpoint_polish", 3), ("model_polish", 0)])
def test_any_checkpoint_paints_inside_the_mask_of_the_crop(shop, name, start):
    """512 pixels; what the mask leaves out keeps the very latent, the rest is another, and it comes back in its place."""
    prompt = quick(name)
    kinds = "DiffSFSRFaceCrop", "VAEEncode", "KSampler", "StringConcatenate", "DiffSFSRSavePortrait"
    ids = {kind: node_of(prompt, kind) for kind in kinds}
    # half as slow; Differential Diffusion paints all in a step that begins at the least noise, where "karras" ends
    prompt[ids["KSampler"]]["inputs"] |= {"cfg": 1.0, "steps": 2, "scheduler": "simple"}
    result = run(shop, prompt)
    crop, mask = (result.value(ids["DiffSFSRFaceCrop"], slot) for slot in (start, 1))
    before, after = (result.value(ids[kind])["samples"] for kind in ("VAEEncode", "KSampler"))
    assert crop.shape == (1, 512, 512, 3) and before.shape == after.shape == (1, 4, 64, 64)
    share, moved = torch.nn.functional.interpolate(mask[None], size=64, mode="bilinear"), (after - before).abs().mean(1)
    assert moved[share[0] == 0].max() < 1e-4 < 0.05 < moved[share[0] > 0.99].mean()
    assert 0.05 < mask.mean() < 0.5 and mask[0, 200:400, 200:312].min() > 0.9, "over the face, whose middle is known"
    assert result.value(ids["StringConcatenate"]).startswith("amazed, wide open eyes, raised brows")
    paste = prompt[ids["DiffSFSRSavePortrait"]]["inputs"]["images"][0]
    picture, pasted = result.value(paste), result.value(paste, 1)
    there = result.value(ids["DiffSFSRFaceCrop"], 2).background
    assert torch.equal(picture[pasted == 0], there[pasted == 0]) and (picture - there)[pasted > 0.5].abs().mean() > 0.01


def test_the_adapter_paints_and_hears_prompt_lora_and_control(shop):
    prompt = quick("your_sd15_adapter_needed")
    first = run(shop, prompt).value("14")["samples"]
    assert torch.isfinite(first).all()

    def changed(**nodes):
        """The latent with other inputs of some nodes, and whether it is another."""
        other = json.loads(json.dumps(prompt))
        for node, entry in nodes.items():
            other.setdefault(node, {"inputs": {}})
            other[node] = {"class_type": entry.pop("class_type", other[node].get("class_type")),
                           "inputs": {**other[node]["inputs"], **entry}}  # fmt: skip
        return not torch.allclose(run(shop, other).value("14")["samples"], first, atol=1e-3)

    assert changed(**{"3": {"text": "blue hair"}}), "the prompt"
    assert changed(**{"8": {"adapter_strength": 0.5}}), "the adapter"
    assert not changed(**{"4": {"text": "blue hair"}}), "the negative prompt is not asked at a cfg of 1"
    lora = {"class_type": "LoraLoader", "model": ["1", 0], "clip": ["1", 1], "lora_name": NAMES["loras"],
            "strength_model": 0.8, "strength_clip": 0.8}  # fmt: skip
    assert changed(**{"2": lora, "8": {"model": ["2", 0]}}), "the LoRA"
    control = {"class_type": "ControlNetApplyAdvanced", "positive": ["3", 0], "negative": ["4", 0], "control_net": ["5", 0],
               "image": ["6", 0], "strength": 1.0, "start_percent": 0.0, "end_percent": 1.0}  # fmt: skip
    slot = {"5": {"class_type": "ControlNetLoader", "control_net_name": NAMES["controlnet"]},
            "6": {"class_type": "LoadImage", "image": "control.png"}, "7": control}  # fmt: skip
    assert changed(**slot, **{"13": {"text_positive": ["7", 0], "text_negative": ["7", 1]}}), "the ControlNet"


@pytest.mark.parametrize(
    ("node", "without", "said"),
    [("8", "model", "needs the MODEL of a Stable Diffusion 1.5 checkpoint"), ("8", "vae", "needs the VAE"),
     ("13", "text_positive", "This bundle reads a prompt too"), ("13", "text_negative", "This bundle reads a prompt too")],
)  # fmt: skip
def test_a_missing_wire_is_named(shop, node, without, said):
    prompt = quick("your_sd15_adapter_needed")
    del prompt[node]["inputs"][without]
    result = shop.run(prompt)
    assert not result.success and said in result.errors[0] and "Connect" in result.errors[0]


def test_wires_that_would_not_be_heard_are_refused(shop):
    prompt = quick("your_sd15_adapter_needed")
    prompt["8"]["inputs"]["bundle"] = "default (built in)"
    assert "This bundle has its own MODEL" in shop.run(prompt).errors[0]
    del prompt["8"]["inputs"]["model"]
    assert "This bundle has its own VAE" in shop.run(prompt).errors[0]
    del prompt["8"]["inputs"]["vae"]
    assert "the prompt would not be heard" in shop.run(prompt).errors[0]


def test_an_adapter_is_in_the_list_by_what_it_holds(shop):
    """A file's name says nothing: a checkpoint under an adapter's name is no bundle."""
    from diffsfsr.modules.pipeline.load import load

    folder = Path(shop.folder_paths.get_folder_paths("diffsfsr")[0])
    sd15.checkpoint(folder / "fine_adapter.safetensors", text=False)
    shop.folder_paths.filename_list_cache.clear()
    with pytest.raises(Exception, match="not a DiffSFSR bundle"):
        load("fine_adapter.safetensors")


def test_faces_of_512_pixels(shop):
    """At Stable Diffusion's own size the whole graph works on crops of 512 pixels, with the same draft, only larger."""
    folder = Path(shop.folder_paths.get_folder_paths("diffsfsr")[0])
    sd15.bundle(folder / "large.safetensors", resolution=512)
    shop.folder_paths.filename_list_cache.clear()
    small, large = quick("your_sd15_adapter_needed"), quick("your_sd15_adapter_needed")
    large["8"]["inputs"]["bundle"] = "large.safetensors"
    before, after = run(shop, small), run(shop, large)
    assert after.value("14")["samples"].shape == (1, 4, 64, 64) and after.value("15").shape == (1, 512, 512, 3)
    drafts = [result.value("13", 4).movedim(-1, 1) for result in (before, after)]
    halved = torch.nn.functional.interpolate(drafts[1], size=256, mode="area")
    assert (halved - drafts[0]).abs().mean() < 0.02
    assert after.outputs["17"]["images"]
