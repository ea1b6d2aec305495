"""Nodes of the host between ours: what they do works, or is refused with a remedy; nothing is left out in silence."""

from pathlib import Path

import pytest
import torch

from tests.host.graphs import COMPOSITE, CONDITION, DECODE, EXPRESSION, LOADER, SAMPLER, portrait, refusal, run


def between(graph, kind: str, node: str, name: str, source: list, **inputs):
    """The graph with a node of the host before an input."""
    taken = {"samples": source} if "Latent" in kind else {}
    return graph.add("between", kind, **taken, **inputs).set(node, **{name: ["between", 0]})


def test_a_repeated_latent_gives_several_pictures_of_each_place(studio, pictures):
    graph = between(portrait(*pictures), "RepeatLatentBatch", SAMPLER, "latent", [CONDITION, 2], amount=2)
    both = run(studio, graph).value(COMPOSITE)
    single = run(studio, portrait(*pictures)).value(COMPOSITE)
    assert len(both) == 2 and (both[0] - single[0]).abs().max() < 0.02, "the first has the noise of the single one"
    assert (both[1] - both[0]).abs().max() > 0.02 and torch.equal(both[1, :20], both[0, :20])


@pytest.mark.parametrize("detail", [0.0, 1.0])
def test_several_crops_of_several_places_come_in_turns(studio, pictures, detail):
    from diffsfsr.modules.pipeline.composite import paste

    result = run(studio, portrait(*pictures).set(SAMPLER, steps=1))
    crops, place = result.value(DECODE), result.value(CONDITION, 3)
    two, _ = paste(torch.cat([crops, crops.flip(0)]), place, None, detail)
    assert torch.equal(two[0], two[1]) and torch.equal(two[:1], paste(crops, place, None, detail)[0])


def test_one_row_of_a_batch_is_refused_where_it_would_get_another_ones_face(studio, pictures):
    words = {"encoders": [LOADER, 2], "text": "joy\nrage\nfear", "intensity": 1.0, "variation": 0}
    many = portrait(*pictures).add("words", "DiffSFSRExpressionWords", **words).set(CONDITION, expression=["words", 2])
    graph = between(many, "LatentFromBatch", SAMPLER, "latent", [CONDITION, 2], batch_index=2, length=1)
    assert "Image From Batch" in refusal(studio, graph, SAMPLER)
    graph = many.set(SAMPLER, latent=[CONDITION, 2])
    graph.add("one", "ImageFromBatch", image=[DECODE, 0], batch_index=1, length=1)
    assert "behind Composite Face" in refusal(studio, graph.set(COMPOSITE, image=["one", 0]), COMPOSITE)


def test_mixed_and_emptied_conditioning_is_refused_and_not_ignored(studio, pictures):
    graph = portrait(*pictures)
    graph.add("rage", "DiffSFSRExpressionLabelEncoder", **{**graph[EXPRESSION]["inputs"], "expression": "anger: rage"})
    graph.add("other", graph[CONDITION]["class_type"], **{**graph[CONDITION]["inputs"], "expression": ["rage", 0]})
    sides = {"conditioning_to": [CONDITION, 0], "conditioning_from": ["other", 0]}
    mixed = between(graph, "ConditioningAverage", SAMPLER, "positive", [], **sides, conditioning_to_strength=0.5)
    assert "Expression Mix" in refusal(studio, mixed, SAMPLER)
    empty = between(portrait(*pictures), "ConditioningZeroOut", SAMPLER, "negative", [], conditioning=[CONDITION, 0])
    assert "output 'negative'" in refusal(studio, empty, SAMPLER)


def test_conditioning_for_a_part_of_the_steps_works(studio, pictures):
    graph = portrait(*pictures).set(SAMPLER, steps=2)
    graph.add("early", "ConditioningSetTimestepRange", conditioning=[CONDITION, 0], start=0.0, end=1.0)
    wanted = run(studio, graph).value(COMPOSITE)
    assert torch.allclose(run(studio, graph.set(SAMPLER, positive=["early", 0])).value(COMPOSITE), wanted, atol=1e-3)


def test_the_vae_can_be_saved(studio, pictures):
    run(studio, portrait(*pictures).add("saved", "VAESave", vae=[LOADER, 1], filename_prefix="vae/ours"))
    assert list(Path(studio.folder_paths.get_output_directory()).rglob("ours*.safetensors"))
