"""Every node in the real host: what it gives, and that the host's own nodes take it. What it declares: test_schemas.py."""

import importlib
from dataclasses import replace

import pytest
import torch

from tests.host.graphs import (
    COMPOSITE,
    CONDITION,
    DECODE,
    EXPRESSION,
    IDENTITY,
    LOADER,
    SAMPLER,
    SAVE,
    portrait,
    run,
    scaled,
    shown,
    trained,
    two_faces,
)

# --- what comes out --------------------------------------------------------------------------------------------------


def test_outputs(made, pictures):
    from diffsfsr.modules.types import Expression, Identity

    identity, expression, place = made.value(IDENTITY), made.value(EXPRESSION), made.value(CONDITION, 3)
    assert isinstance(identity, Identity) and isinstance(expression, Expression)
    assert identity.vector.norm().item() == pytest.approx(1, abs=1e-3)
    assert identity.bundle == expression.bundle == made.value(LOADER, 2).id
    crop, draft = made.value(IDENTITY, 1), made.value(CONDITION, 4)
    assert crop.shape == draft.shape == (1, 256, 256, 3)
    assert made.value(CONDITION, 2)["samples"].shape == made.value(SAMPLER)["samples"].shape == (1, 16, 32, 32)
    assert place.background is not None and torch.equal(place.background, pictures[1])
    assert made.value(DECODE).shape == (1, 256, 256, 3)
    for image in (crop, draft, made.value(DECODE), made.value(COMPOSITE)):
        assert torch.isfinite(image).all() and image.min() >= 0 and image.max() <= 1


def test_the_model_is_the_hosts_own_kind(made):
    import comfy.model_patcher
    import comfy.sd

    assert isinstance(made.value(LOADER), comfy.model_patcher.ModelPatcher)
    assert isinstance(made.value(LOADER, 1), comfy.sd.VAE)


def test_preview_pictures_are_shown_in_the_nodes(made):
    for node in (IDENTITY, CONDITION, SAVE):
        assert made.outputs[node]["images"]


def test_progress_is_told(made):
    told = [event for event in made.progress() if event["node"] == SAMPLER]
    assert told and told[-1]["value"] == told[-1]["max"] == 2


def test_composite_is_exact_outside_the_mask(made, pictures):
    picture, mask = made.value(COMPOSITE), made.value(COMPOSITE, 1)
    assert picture.shape == pictures[1].shape and mask.shape == (1, 512, 512)
    outside = mask == 0
    assert 0.02 < (~outside).float().mean() < 0.5
    assert torch.equal(picture[outside], pictures[1][outside])
    assert not torch.equal(picture[~outside], pictures[1][~outside])


def test_detail_is_for_faces_larger_than_the_crop_and_a_coarse_selfie_is_told_once(studio, pictures, made, caplog):
    crop, composed = made.value(DECODE), studio.node("DiffSFSRCompositeFace").execute
    small = made.value(CONDITION, 3)
    plain = composed(crop, small, 0.0).result[0]
    assert torch.equal(plain, composed(crop, replace(small, lost=None), 1.0).result[0])
    given = (composed(crop, small, 1.0).result[0] - plain).abs()
    assert 0 < given.max() and given.mean() < 0.01, "what the autoencoder took, and nothing else"
    assert not caplog.records
    large = run(studio, portrait(pictures[0], scaled(pictures[1], 2048, 2048).repeat(2, 1, 1, 1), steps=1))
    crops, places = large.value(DECODE), large.value(CONDITION, 3)
    plain = composed(crops, places, 0.0).result
    caplog.clear()
    sharp = composed(crops, places).result
    assert [record.getMessage() for record in caplog.records if "softer" in record.getMessage()] == [
        "Composite Face: the face in the selfie is 4.0 times smaller than its place in the picture and stays that much softer; "
        "a larger photo helps"
    ]
    changed = (sharp[0] != plain[0]).any(-1)
    assert changed.any() and not changed[plain[1] == 0].any() and torch.equal(sharp[1], plain[1])
    assert torch.equal(composed(crops, replace(places, fine=None)).result[0], plain[0])


def test_the_face_is_where_the_mask_is(made, pictures):
    """The mirrored face of the background: its middle is about (293, 110) of the picture."""
    rows, columns = torch.nonzero(made.value(COMPOSITE, 1)[0] > 0.5, as_tuple=True)
    assert abs(columns.float().mean() - 293) < 25 and abs(rows.float().mean() - 115) < 30


def test_two_words_give_two_pictures_and_reuse_the_rest(studio, pictures, made):
    graph = portrait(*pictures, steps=2)
    run(studio, graph)
    other = run(studio, graph.set(EXPRESSION, expression="joy: cheerfulness"))
    assert set(other.executed_nodes) == {EXPRESSION, CONDITION, SAMPLER, DECODE, COMPOSITE, SAVE}
    assert not torch.equal(other.value(COMPOSITE), made.value(COMPOSITE))


def test_all_words_repaint_the_same_place_and_stronger_ones_no_less(studio, pictures, made):
    """Else the background would differ from word to word, and have to be encoded for each."""
    usual, masks = made.value(CONDITION, 3).mask, {}
    for word, intensity in (("sorrow", 1.0), ("cheerfulness", 1.0), ("terror", 1.5)):
        graph = portrait(*pictures, steps=1).set(EXPRESSION, expression=word, intensity=intensity)
        masks[word] = run(studio, graph).value(CONDITION, 3).mask
    assert torch.equal(masks["sorrow"], usual) and torch.equal(masks["cheerfulness"], usual)
    assert (masks["terror"] >= usual).all()


def test_a_change_of_the_sampler_leaves_the_encoders_alone(studio, pictures):
    graph = portrait(*pictures)
    run(studio, graph)
    assert set(run(studio, graph.set(SAMPLER, cfg=2.0)).executed_nodes) == {SAMPLER, DECODE, COMPOSITE, SAVE}


def test_bare_words_and_any_case_are_understood(studio, pictures):
    graph = portrait(*pictures)
    listed = run(studio, graph).value(EXPRESSION).codes
    assert torch.equal(run(studio, graph.set(EXPRESSION, expression="Amazement ")).value(EXPRESSION).codes, listed)


def test_intensity_zero_is_the_neutral_face(studio, pictures):
    assert run(studio, portrait(*pictures).set(EXPRESSION, intensity=0.0)).value(EXPRESSION).codes.abs().max() == 0


# --- repeatability ---------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits(studio, pictures, made):
    studio.reset()
    assert torch.equal(run(studio, portrait(*pictures, steps=2)).value(COMPOSITE), made.value(COMPOSITE))
    other = run(studio, portrait(*pictures, steps=2).set(SAMPLER, seed=1))
    assert not torch.equal(other.value(COMPOSITE), made.value(COMPOSITE))


def test_the_global_random_state_is_left_alone(studio, pictures):
    """Other packs draw from torch's global generator; encoders and conditioning neither seed it nor draw from it."""
    graph = shown(portrait(*pictures), CONDITION, 4)
    del graph[SAVE]
    run(studio, graph)
    torch.manual_seed(5)
    run(studio, graph.set(EXPRESSION, variation=3).set(IDENTITY, face="most central").set(CONDITION, grow=8))
    drawn = torch.rand(4)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(4), drawn)


@pytest.fixture(scope="module")
def pair(studio, pictures):
    """A batch of two backgrounds: the second one darker."""
    both = torch.cat([pictures[1], pictures[1] * 0.7])
    graph = portrait(pictures[0], both, steps=2)
    return both, run(studio, graph)


def test_a_batch_of_two_backgrounds(pair):
    both, result = pair
    picture, mask = result.value(COMPOSITE), result.value(COMPOSITE, 1)
    assert picture.shape == both.shape and mask.shape == (2, 512, 512)
    assert torch.equal(picture[mask == 0], both[mask == 0])
    for i in range(2):
        assert not torch.equal(picture[i], both[i])


def test_a_batch_equals_its_pictures_one_by_one(studio, pictures, pair, made):
    """Picture k of a batch has the noise of seed + k; rounding differs a little between batch sizes, and by a level of a
    picture where the autoencoder works in bfloat16.
    """
    both, result = pair
    assert torch.allclose(result.value(COMPOSITE)[:1], made.value(COMPOSITE), atol=2 / 255)
    second = both[1:].clone()
    alone = run(studio, portrait(pictures[0], second, steps=2).set(SAMPLER, seed=1))
    assert torch.allclose(result.value(COMPOSITE)[1:], alone.value(COMPOSITE), atol=2 / 255)


def test_the_largest_seed_works_in_a_batch(studio, pictures, pair):
    result = run(studio, portrait(pictures[0], pair[0]).set(SAMPLER, seed=0xFFFFFFFFFFFFFFFF))
    assert result.value(COMPOSITE).shape == pair[0].shape


def test_several_photos_of_a_person(studio, pictures):
    photos = torch.cat([pictures[0], pictures[0].flip(2), pictures[0] * 0.8])
    result = run(studio, shown(portrait(photos, pictures[1]).only(IDENTITY), IDENTITY, 1))
    identity = result.value(IDENTITY)
    assert result.value(IDENTITY, 1).shape == (3, 256, 256, 3) and identity.selfies.shape[0] == 3
    assert identity.vector.norm().item() == pytest.approx(1, abs=1e-3)


# --- choices ---------------------------------------------------------------------------------------------------------


def test_which_face(studio, pictures):
    """Middles of the chosen faces, in picture pixels: the small one stands nearer to the centre."""
    from diffsfsr.modules import affine

    two, middle = two_faces(), {}
    for face, index in (("index", 0), ("index", 1), ("largest", 0), ("most central", 0)):
        graph = shown(portrait(pictures[0], two).set(CONDITION, face=face, face_index=index), CONDITION, 4)
        del graph[SAVE]
        place = run(studio, graph).value(CONDITION, 3)
        centre = torch.tensor([[[128.0, 128.0]]])
        middle[face, index] = affine.apply(affine.invert(place.to_frame), centre)[0, 0].tolist()
    large, small = middle["index", 0], middle["index", 1]
    assert large[0] < 512 < small[0] and middle["largest", 0] == pytest.approx(large)
    assert middle["most central", 0] == pytest.approx(small)


def test_load_image_mask_of_a_picture_without_alpha_is_no_mask(studio, pictures, made):
    graph = portrait(*pictures, steps=2).give(CONDITION, "mask", "MASK", torch.zeros(1, 64, 64))
    assert torch.equal(run(studio, graph).value(COMPOSITE), made.value(COMPOSITE))


def test_grow_and_feather(studio, pictures):
    area = {}
    for way in ((-10, 0), (9, 0), (9, 8), (30, 0)):
        graph = portrait(*pictures).set(CONDITION, grow=way[0], feather=way[1])
        area[way] = run(studio, graph).value(COMPOSITE, 1).sum().item()
    assert area[-10, 0] < area[9, 8] < area[9, 0] < area[30, 0]


def test_without_the_guide_it_runs_and_differs(studio, pictures, made):
    result = run(studio, portrait(*pictures, steps=2).set(CONDITION, guide=False))
    assert (result.value(CONDITION)[0][1]["diffsfsr"].warp == 0).all()
    if trained():
        assert not torch.equal(result.value(COMPOSITE), made.value(COMPOSITE))


@pytest.mark.parametrize("guide", [True, False])
def test_denoise_zero_is_the_draft_or_without_it_the_background_itself(studio, pictures, guide):
    graph = portrait(*pictures).set(SAMPLER, denoise=0.0).set(CONDITION, guide=guide)
    result = run(studio, graph)
    samples = result.value(SAMPLER)["samples"]
    assert torch.equal(samples, result.value(CONDITION, 2)["samples"])
    drafted = result.value(CONDITION)[0][1]["diffsfsr"].warp
    assert torch.equal(samples, drafted) == guide


@pytest.mark.parametrize("expression_cfg", [0.0, 3.0])
def test_interruption_stops_the_sampler_and_the_next_run_is_fine(studio, pictures, monkeypatch, expression_cfg):
    graph, record = portrait(*pictures, steps=20).set(SAMPLER, expression_cfg=expression_cfg), studio._record

    def cancel_at_first_progress(event, data, sid=None):
        record(event, data, sid)
        if event == "progress" and data["node"] == SAMPLER:
            importlib.import_module("comfy.model_management").interrupt_current_processing(True)

    monkeypatch.setattr(studio, "_record", cancel_at_first_progress)
    stopped = studio.run(graph)
    monkeypatch.undo()
    assert not stopped.success and "interrupted" in stopped.errors[0]
    assert len([event for event in stopped.progress() if event["node"] == SAMPLER]) < 5
    run(studio, graph.set(SAMPLER, steps=1))
