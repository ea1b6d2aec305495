"""Expressions from pictures, sliders and mixes in the real host, and the draft that shows them."""

import pytest
import torch

from tests.host.graphs import (
    CONDITION,
    EXPRESSION,
    IDENTITY,
    LOADER,
    SAMPLER,
    Graph,
    astronaut,
    portrait,
    refusal,
    run,
    scaled,
    shown,
    two_faces,
)

ENCODERS = [LOADER, 2]
CALM = {"face": "largest", "face_index": 0}


@pytest.fixture(scope="module")
def graph(pictures):
    """Loader, identity and one word; what a test adds is shown by a draft."""
    made = portrait(*pictures).only(IDENTITY, EXPRESSION)
    return lambda: Graph({k: {**v, "inputs": dict(v["inputs"])} for k, v in made.items()})


def drafted(graph, expression, **extra):
    graph.add("draft", "DiffSFSRFaceDraft", encoders=ENCODERS, identity=[IDENTITY, 0], expression=expression, **CALM, **extra)
    return shown(graph, "draft")


def from_image(graph, image, **change):
    inputs = {"encoders": ENCODERS, "intensity": 1.0, **CALM, **change}
    return graph.add("read", "DiffSFSRExpressionFromImage", **inputs).give("read", "image", "IMAGE", image)


def sliders(graph, **change):
    from diffsfsr.nodes.expression_sliders import ExpressionSliders

    plain = {i.id: i.default for i in ExpressionSliders.define_schema().inputs if getattr(i, "default", None) is not None}
    return graph.add("hand", "DiffSFSRExpressionSliders", **{"encoders": ENCODERS, **plain, **change})


def value(codes, *names):
    from diffsfsr.modules.labels import index

    return sum(codes[..., index(name)] for name in names)


WIDTH = 52 + 80  # coefficients and directions of geometry
SMILE = ("mouthSmileLeft", "mouthSmileRight")


# --- from a picture --------------------------------------------------------------------------------------------------


def test_the_astronauts_smile_is_read(studio, graph, pictures):
    result = run(studio, drafted(from_image(graph(), pictures[0]), ["read", 0]))
    expression, crops, reading = (result.value("read", k) for k in range(3))
    assert expression.codes.shape == (1, WIDTH) and crops.shape == (1, 256, 256, 3)
    assert value(expression.codes[0], *SMILE) > 1.0, "she smiles broadly"
    assert "mouthSmile" in reading and "nearest words" in reading
    assert expression.codes[0, 52:].abs().max() > 0.05, "the points say so too"


def test_a_calm_picture_of_the_same_person_takes_out_who_it_is(studio, graph, pictures):
    """Her own picture as the neutral one: nothing moves between the two."""
    made = from_image(graph(), pictures[0]).give("read", "neutral", "IMAGE", pictures[0])
    geometry = run(studio, drafted(made, ["read", 0])).value("read").codes[0, 52:]
    assert geometry.abs().max() < 1e-4


def test_intensity_scales_what_was_read(studio, graph, pictures):
    codes = [
        run(studio, drafted(from_image(graph(), pictures[0], intensity=amount), ["read", 0])).value("read").codes
        for amount in (0.0, 0.5, 1.0)
    ]
    assert codes[0].abs().max() == 0
    assert torch.allclose(codes[1] * 2, codes[2], atol=1e-6)


def test_a_batch_is_read_as_its_pictures_alone(studio, graph, pictures):
    both = torch.cat([pictures[0], pictures[1]])
    codes = run(studio, drafted(from_image(graph(), both), ["read", 0])).value("read").codes
    alone = run(studio, drafted(from_image(graph(), pictures[1]), ["read", 0])).value("read").codes
    assert codes.shape == (2, WIDTH) and torch.allclose(codes[1:], alone, atol=1e-4)


def test_several_faces_follow_the_rule_and_say_so(studio, graph, caplog):
    caplog.set_level("INFO")
    run(studio, drafted(from_image(graph(), two_faces(), face="most central"), ["read", 0]))
    assert any("2 faces" in message and "most central" in message for message in caplog.messages)


@pytest.mark.parametrize(("change", "says"), [
    ({"image": torch.full((1, 256, 256, 3), 0.5)}, "Expression From Image, image 0: No face was found"),
    ({"image": scaled(astronaut(), 180, 180)}, "Expression From Image, image 0: The face is only"),
    ({"neutral": torch.full((1, 256, 256, 3), 0.5)}, "Expression From Image, image 0, neutral: No face"),
    ({"neutral": astronaut().expand(2, -1, -1, -1)}, "2 neutral pictures"),
    ({"face": "prettiest"}, "no rule for choosing"),
])  # fmt: skip
def test_bad_references_are_refused(studio, graph, pictures, change, says):
    images = {k: v for k, v in change.items() if isinstance(v, torch.Tensor)}
    made = from_image(graph(), pictures[0], **{k: v for k, v in change.items() if k not in images})
    for name, image in images.items():
        made.give("read", name, "IMAGE", image)
    assert says in refusal(studio, drafted(made, ["read", 0]), "read")


# --- by hand, and between --------------------------------------------------------------------------------------------


def test_sliders_reach_the_draft(studio, graph):
    """Without wrinkles: the light is learnt of whole expressions, and a dropped jaw lights the brows a little too."""
    calm = run(studio, drafted(sliders(graph()), ["hand", 0]).set("draft", wrinkles=0.0)).value("draft")
    opened = run(studio, drafted(sliders(graph(), jaw=0.8), ["hand", 0]).set("draft", wrinkles=0.0))
    assert value(opened.value("hand").codes[0], "jawOpen") == pytest.approx(0.8)
    difference = (opened.value("draft") - calm).abs().mean((0, 3))
    assert difference[180:230].mean() > 10 * difference[90:130].mean(), "the mouth moves, the eyes hardly"


def test_sliders_start_from_another_expression(studio, graph):
    made = sliders(graph(), smile=0.4, expression=[EXPRESSION, 0])
    result = run(studio, drafted(made, ["hand", 0]))
    base, changed = result.value(EXPRESSION).codes, result.value("hand").codes
    assert value(changed, *SMILE) > value(base, *SMILE) + 0.5
    assert value(changed, "jawOpen") == value(base, "jawOpen")


def test_experts_coefficients_are_checked(studio, graph):
    message = refusal(studio, drafted(sliders(graph(), coefficients="jawOpen 2"), ["hand", 0]), "hand")
    assert message.startswith("Expression Sliders, coefficients, 'jawOpen 2': 2 is outside 0 to 1")


def test_travel_makes_a_batch_in_one_place(studio, graph, pictures):
    made = portrait(*pictures)
    made.add("calm", "DiffSFSRExpressionSliders", **sliders(graph())["hand"]["inputs"])
    made.add("mix", "DiffSFSRExpressionMix", first=["calm", 0], second=[EXPRESSION, 0], t=1.0, steps=3, curve="even")
    made.set(CONDITION, expression=["mix", 0])
    result = run(studio, made)
    drafts, samples = result.value(CONDITION, 4), result.value(SAMPLER)["samples"]
    assert drafts.shape == (3, 256, 256, 3) and samples.shape[0] == 3
    steps = [(drafts[k + 1] - drafts[k]).abs().mean() for k in range(2)]
    assert min(steps) > 0.002


def test_a_mix_outside_its_range_is_refused_by_the_host(studio, graph):
    made = graph()
    made.add("mix", "DiffSFSRExpressionMix", first=[EXPRESSION, 0], second=[EXPRESSION, 0], t=1.5, steps=1, curve="even")
    assert not studio.validate(drafted(made, ["mix", 0])).valid


# --- the draft -------------------------------------------------------------------------------------------------------


def test_a_draft_on_the_selfie_keeps_the_selfie_around_the_face(studio, graph):
    result = run(studio, drafted(graph(), [EXPRESSION, 0]))
    draft, crop = result.value("draft"), result.value(IDENTITY, 1)
    assert draft.shape == crop.shape == (1, 256, 256, 3)
    assert (draft - crop)[0, :20].abs().max() < 1e-5 and (draft - crop)[0, 150:230, 90:170].abs().mean() > 0.01
    assert result.outputs["draft"]["images"], "it is shown in the node"


def test_a_draft_in_a_picture_is_what_background_condition_shows(studio, graph, pictures):
    made = drafted(graph(), [EXPRESSION, 0]).give("draft", "image", "IMAGE", pictures[1])
    alone = run(studio, made).value("draft")
    whole = run(studio, portrait(*pictures)).value(CONDITION, 4)
    assert torch.equal(alone, whole)


def test_an_expression_of_another_bundle_is_refused(studio, graph):
    from diffsfsr.modules.types import Expression

    made = drafted(graph(), [EXPRESSION, 0])
    made.give("draft", "expression", "DIFFSFSR_EXPRESSION", Expression(torch.zeros(1, 92), ("x",), "elsewhere"))
    assert "bundle elsewhere" in refusal(studio, made, "draft")
