"""Face Crop in the real host: a crop of any size goes out with its mask, its draft and its words, and comes back in place."""

import json
from dataclasses import replace

import pytest
import torch

from tests.host.graphs import (
    COMPOSITE,
    CONDITION,
    EXPRESSION,
    LOADER,
    ROOT,
    SAMPLER,
    portrait,
    refusal,
    run,
    scaled,
    somebody_else,
)

CROP = "crop"
PLACE = (CONDITION, 3)


@pytest.fixture(scope="module")
def large(pictures):
    """selfie and background of 1,024 pixels, the face in it about 190."""
    return pictures[0], scaled(somebody_else(), 1024, 1024)


@pytest.fixture(scope="module")
def region(studio, large):
    return run(studio, shown_crop(large, 256)).value(CONDITION, 3)


def shown_crop(pictures, size, **inputs):
    """The shipped graph up to a Face Crop, whose picture is shown."""
    graph = portrait(*pictures).set(EXPRESSION, expression="fear: terror")
    graph.add(CROP, "DiffSFSRFaceCrop", **{"place": list(PLACE), "size": size, "face": "largest", "face_index": 0, **inputs})
    for node in (SAMPLER, "8", COMPOSITE):
        del graph[node]
    graph["10"]["inputs"]["images"] = [CROP, 0]
    return graph


def given(result):
    """crop, mask, region, draft, words."""
    return [result.value(CROP, slot) for slot in range(5)]


@pytest.mark.parametrize("size", [256, 512, 1000, 1536])
def test_a_crop_of_any_size_comes_back_where_it_was(studio, large, size):
    crop, mask, region, draft, words = given(run(studio, shown_crop(large, size)))
    assert crop.shape == draft.shape == (1, size, size, 3) and mask.shape == (1, size, size)
    assert words.startswith("terrified") and "wide" in words and "brows" in words and "mouth" in words
    assert torch.equal(draft[mask == 0], crop[mask == 0]), "nobody is drawn where nothing will be pasted"
    assert (draft - crop).abs()[mask > 0.9].mean() > 0.03
    from diffsfsr.modules.warp.paste import composite

    there, soft = composite(crop, region)
    assert torch.equal(there[soft == 0], large[1][soft == 0])
    assert (there - large[1]).abs()[soft > 0].mean() < 0.01, "the crop's own pixels lie where they were"
    marked, _ = composite(mask[..., None].expand(-1, -1, -1, 3), replace(region, background=torch.zeros_like(large[1])))
    assert mask.max() == 1 and mask.min() == 0
    assert (marked[..., 0] - soft**2).abs().mean() < 0.002, "the mask is in the crop's frame"


def test_a_larger_draft_has_the_pictures_own_fine_skin(studio, pictures):
    """More than the coarse warp of 256 pixels has when it is enlarged."""
    from diffsfsr.modules.pipeline.face_crop import face_crops

    grain = torch.rand(1, 1024, 1024, 1, generator=torch.Generator().manual_seed(1)) * 0.2 + 0.9
    near = [(scaled(picture[:, :256, left : left + 256], 1024, 1024) * grain).clamp(0, 1) for picture, left in
            zip(pictures, (96, 160), strict=True)]  # fmt: skip
    region = run(studio, shown_crop(near, 256)).value(CONDITION, 3)

    def finest(region):
        *_, draft, _ = face_crops(region, None, 512)
        small = torch.nn.functional.avg_pool2d(draft.movedim(-1, 1), 2)
        return (draft.movedim(-1, 1) - torch.nn.functional.interpolate(small, scale_factor=2))[..., 250:350, 200:300].std()

    assert finest(region) > 1.5 * finest(replace(region, fine=None))


def test_any_picture_without_a_place(studio, large):
    """The rule finds the face; the same frame as Background Condition's, nobody drawn, nothing said."""
    graph = shown_crop(large, 512)
    with_place = given(run(studio, graph))
    graph.drop(CROP, "place").give(CROP, "image", "IMAGE", large[1])
    crop, mask, region, draft, words = given(run(studio, graph.only(CROP, "10")))
    assert torch.equal(draft, crop) and words == "" and mask.mean() > 0.1
    assert (crop - with_place[0]).abs().mean() < 0.01
    assert torch.allclose(region.to_frame, with_place[2].to_frame, atol=0.2)


def test_another_picture_in_the_same_place(studio, large):
    """What Composite Face gave is cut where its face was put, and the crop goes back into that picture."""
    other = (large[1] * 0.5).contiguous()
    graph = shown_crop(large, 512).give(CROP, "image", "IMAGE", other)
    crop, _, region, _, words = given(run(studio, graph))
    assert torch.equal(region.background, other) and words.startswith("terrified")
    assert torch.allclose(crop, given(run(studio, shown_crop(large, 512)))[0] * 0.5, atol=0.02)


@pytest.mark.parametrize("place", [True, False])
def test_the_artists_mask_comes_out_in_the_crop(studio, large, place):
    own = torch.zeros(1, 1024, 1024)
    own[:, :, 512:] = 1
    graph = shown_crop(large, 512).give(CROP, "mask", "MASK", own)
    if not place:
        graph.drop(CROP, "place").give(CROP, "image", "IMAGE", large[1])
    _, mask, region, *_ = given(run(studio, graph))
    split = 2 * float((region.to_frame[0] @ torch.tensor([512.0, 300.0, 1.0]))[0])
    assert 50 < split < 462 and mask[..., : int(split) - 8].max() == 0 and mask[..., int(split) + 8 :].max() > 0.9


@pytest.mark.parametrize(
    ("inputs", "wires", "said"),
    [
        ({"size": 500}, {}, "size: A crop of 500 pixels cannot be made. Choose 256 to 1536 in steps of 8, for example 496"),
        ({}, {"image": torch.rand(1, 600, 800, 3)}, "image: The picture is 800 x 600 pixels, the place belongs to one of 10"),
        ({}, {"image": torch.rand(2, 1024, 1024, 3)}, "There are 2 pictures for a batch of 1"),
        ({}, {"mask": torch.ones(1, 512, 512)}, "mask"),
        ({}, {"mask": torch.eye(1024)[None] * (torch.arange(1024) < 20)}, "The mask does not touch the chosen face"),
        ({"place": None}, {}, "place: There is nothing to cut a face from"),
        ({"place": None}, {"image": torch.full((1, 256, 256, 3), 0.5)}, "image 0: No face was found"),
    ],
)  # fmt: skip
def test_bad_input(studio, large, inputs, wires, said):
    graph = shown_crop(large, 512)
    for name, value in inputs.items():
        graph.drop(CROP, name) if value is None else graph.set(CROP, **{name: value})
    for name, value in wires.items():
        graph.give(CROP, name, name.upper(), value)
    message = refusal(studio, graph, CROP)
    assert message.startswith("Face Crop") and said in message


def test_a_batch_of_expressions_has_a_line_for_each(studio, region):
    from diffsfsr.modules.labels import prototype
    from diffsfsr.modules.pipeline.face_crop import face_crops

    codes = torch.stack([torch.from_numpy(prototype(word)) for word in ("joy", "anger")])
    both = replace(region.repeated(2), codes=codes)
    *_, words = face_crops(both, None, 256)
    assert [line.split(",")[0] for line in words.splitlines()] == ["joyful", "angry"]


# --- a noise mask on the latent of a crop ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["DiffSFSRMidpointSampler", "KSampler"])
def test_a_mask_of_the_picture_on_the_latent_of_a_crop(studio, pictures, kind, caplog):
    """Refused where its shape shows it, said where it has another size; the crop's own mask passes in silence."""
    graph = portrait(*pictures)
    if kind == "KSampler":
        kept = {k: v for k, v in graph[SAMPLER]["inputs"].items() if k in ("model", "positive", "negative", "seed", "steps")}
        graph.add(SAMPLER, "KSampler", **kept, cfg=1.0, sampler_name="euler", scheduler="karras", denoise=0.3)
    wire = "latent" if kind == "DiffSFSRMidpointSampler" else "latent_image"
    graph.add("masked", "SetLatentNoiseMask", samples=[CONDITION, 2], mask=[CROP, 1]).set(SAMPLER, **{wire: ["masked", 0]})
    graph.add(CROP, "DiffSFSRFaceCrop", place=list(PLACE), size=256, face="largest", face_index=0)
    run(studio, graph)
    assert "is it the mask of the crop" not in caplog.text
    graph.give("masked", "mask", "MASK", torch.ones(1, 480, 480))
    run(studio, graph)
    assert "noise mask: it has 480 x 480 pixels for a crop of 256 x 256" in caplog.text
    graph.give("masked", "mask", "MASK", torch.ones(1, 480, 640))
    assert "The mask is 640 x 480 pixels, the latent is that of a crop of 256 x 256" in refusal(studio, graph, SAMPLER)


def test_a_foreign_models_graph_is_looked_at_when_it_is_queued(studio, caplog):
    """The shipped graph passes; the picture's own mask on its crop, also a grown one, is named."""
    prompt = json.loads((ROOT / "tests" / "workflows" / "checkpoint_polish.api.json").read_text())
    studio.server.trigger_on_prompt({"prompt": prompt})
    assert "whole picture" not in caplog.text
    prompt["grown"] = {"class_type": "GrowMask", "inputs": {"mask": ["3", 1], "expand": 4, "tapered_corners": True}}
    (masked,) = (node for node in prompt.values() if node["class_type"] == "SetLatentNoiseMask")
    masked["inputs"]["mask"] = ["grown", 0]
    studio.server.trigger_on_prompt({"prompt": prompt})
    assert "SetLatentNoiseMask: the mask of LoadImage is one of a whole picture" in caplog.text


def test_a_clone_of_the_model_is_watched_too(studio, made):
    from comfy.patcher_extension import WrappersMP

    clone = made.value(LOADER).clone()
    assert sum(map(len, clone.wrappers[WrappersMP.OUTER_SAMPLE].values())) == 1
