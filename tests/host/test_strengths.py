"""Identity and expression strength in the real host: what 0 means, whose a strength is, the draft, bad values."""

import pytest
import torch

from tests.host.graphs import (
    CONDITION,
    EXPRESSION,
    IDENTITY,
    LOADER,
    SAMPLER,
    counted,
    painted,
    portrait,
    refusal,
    run,
    shown,
    trained,
)

AREA = torch.zeros(1, 512, 512)
AREA[:, 50:180, 240:350] = 1


def without_guide(pictures, **strengths):
    """Only the tokens tell of person and feeling: no guide, and a mask that does not follow the word's chin."""
    return portrait(*pictures).set(CONDITION, guide=False, **strengths).give(CONDITION, "mask", "MASK", AREA)


def test_strengths_of_zero_are_the_network_without_its_conditions(studio, pictures, made):
    """The very bits of a network whose attention values are zero; so no word can change the picture."""
    off = {"identity_strength": 0.0, "expression_strength": 0.0}
    graph = without_guide(pictures, **off)
    silent = run(studio, graph).value(SAMPLER)["samples"]
    assert torch.equal(run(studio, graph.set(EXPRESSION, expression="anger: rage")).value(SAMPLER)["samples"], silent)
    model = made.value(LOADER).clone()
    values = {k: v for k, v in model.model_state_dict().items() if "to_v_identity" in k or "to_v_expression" in k}
    assert values
    model.add_patches({k: (v.clone(),) for k, v in values.items()}, -1.0)
    deaf = run(studio, without_guide(pictures).give(SAMPLER, "model", "MODEL", model)).value(SAMPLER)["samples"]
    assert torch.equal(deaf, silent)
    if trained():
        assert not torch.equal(run(studio, without_guide(pictures)).value(SAMPLER)["samples"], silent)


@pytest.mark.parametrize(("name", "other"), [("identity", "expression"), ("expression", "identity")])
def test_a_strength_is_of_its_own_group(studio, pictures, name, other):
    """With strength 0 of the expression the word does not matter; with that of the identity alone it still does."""
    if not trained():
        pytest.skip("an untrained UNet hears nothing")
    graph = without_guide(pictures, **{f"{name}_strength": 0.0})
    first = run(studio, graph).value(SAMPLER)["samples"]
    second = run(studio, graph.set(EXPRESSION, expression="anger: rage")).value(SAMPLER)["samples"]
    assert torch.equal(first, second) == (name == "expression")


def test_strengths_in_the_hosts_ksampler(studio, pictures):
    results = []
    for strength in (1.0, 2.0):
        graph = without_guide(pictures, expression_strength=strength)
        wires = {name: graph[SAMPLER]["inputs"][name] for name in ("model", "positive", "negative")}
        graph.add(SAMPLER, "KSampler", **wires, seed=0, steps=2, cfg=1.5, sampler_name="euler", scheduler="karras",
                  latent_image=[CONDITION, 2], denoise=1.0)  # fmt: skip
        results.append(run(studio, graph).value(SAMPLER)["samples"])
    assert all(torch.isfinite(r).all() for r in results)
    if trained():
        assert not torch.equal(*results)


def test_both_sides_of_the_guidance_run_as_one_batch(studio, pictures):
    """The host joins only conditions of the same strengths: positive and negative have them."""
    result = run(studio, portrait(*pictures).set(CONDITION, identity_strength=0.5, expression_strength=1.7))
    model, rows = counted(result.value(LOADER))
    painted((model, result.value(CONDITION, 0), result.value(CONDITION, 1), result.value(CONDITION, 2)["samples"]), (2, 3))
    assert rows == [3]


def test_strengths_move_the_draft_too(studio, pictures, made):
    """Identity 0: the background's own skin; expression 0: the draft of intensity 0, whatever the word."""
    draft = {}
    for who, feels in ((0.0, 1.0), (1.0, 0.0), (1.0, 1.0)):
        graph = portrait(*pictures).set(CONDITION, identity_strength=who, expression_strength=feels)
        draft[who, feels] = run(studio, graph).value(CONDITION, 4)
    assert torch.equal(draft[1.0, 1.0], made.value(CONDITION, 4))
    assert (draft[0.0, 1.0] - draft[1.0, 1.0]).abs().max() > 0.1
    neutral = run(studio, portrait(*pictures).set(EXPRESSION, intensity=0.0)).value(CONDITION, 4)
    assert torch.equal(draft[1.0, 0.0], neutral)


def test_matched_light_moves_the_draft_and_nothing_beside_the_face(studio, pictures, made):
    lit = run(studio, portrait(*pictures).set(CONDITION, match_light=1.0))
    change = (lit.value(CONDITION, 4) - made.value(CONDITION, 4)).abs().amax(-1)[0]
    mask = lit.value(CONDITION, 3).mask[0]
    assert change.max() > 0.02 and change[mask == 0].max() == 0


def test_wrinkles_are_light_on_the_face_alone(studio, pictures, made):
    """Without them the skin moves as before, and no pixel beside the face changes."""
    plain, more = (run(studio, portrait(*pictures).set(CONDITION, wrinkles=w)).value(CONDITION, 4) for w in (0.0, 1.5))
    usual, mask = made.value(CONDITION, 4), made.value(CONDITION, 3).mask[0]
    change = lambda a, b: (a - b).abs().amax(-1)[0]  # noqa: E731
    assert change(usual, plain).max() > 0.02 and change(usual, plain)[mask == 0].max() == 0
    assert change(more, plain).mean() > 1.2 * change(usual, plain).mean()


@pytest.mark.parametrize("name", ["match_light", "wrinkles", "skin_tone"])
@pytest.mark.parametrize("value", [-0.1, 1.6, float("nan")])
def test_light_out_of_range(studio, pictures, name, value):
    graph = portrait(*pictures).set(CONDITION, **{name: value})
    if value == value:
        assert not studio.validate(graph).valid
    else:
        assert name.replace("_", " ") in refusal(studio, graph, CONDITION)


def test_a_strength_that_is_no_number(studio, pictures):
    message = refusal(studio, portrait(*pictures).set(CONDITION, expression_strength=float("nan")), CONDITION)
    assert message.startswith("Background Condition, expression strength") and "0 to 2" in message


@pytest.mark.parametrize(("word", "strength"), [("fear: terror", 2.0), ("joy: amusement", 2.0), ("anger: rage", 1.0)])
def test_what_is_repainted_is_hidden_from_the_model(studio, pictures, made, monkeypatch, word, strength):
    """An exaggerated face reaches beyond the area of any word: there the background's own face would shine through."""
    from diffsfsr.modules.pipeline.memo import Memo

    vae, encoded = made.value(LOADER, 1), []
    monkeypatch.setattr(made.value(LOADER, 2), "memo", Memo())  # nothing is known, and nothing of this is remembered
    monkeypatch.setattr(vae, "encode", lambda picture: encoded.append(picture) or torch.zeros(1, 16, 32, 32))
    graph = portrait(*pictures).set(EXPRESSION, expression=word).set(CONDITION, expression_strength=strength)
    graph.give(CONDITION, "vae", "VAE", vae)
    mask = run(studio, shown(graph.only(IDENTITY, EXPRESSION, CONDITION), CONDITION, 4)).value(CONDITION, 3).mask[0]
    grey = (encoded[0][0] == 0.5).all(-1)
    assert mask.any() and bool(grey[mask > 0].all()), f"{int((~grey)[mask > 0].sum())} pixels are not grey"


@pytest.mark.parametrize(("name", "axis", "degrees"), [("yaw", 0, -6.0), ("pitch", 1, 10.0), ("roll", 2, 7.0)])
def test_the_head_turns_and_the_picture_around_it_stays(studio, pictures, made, name, axis, degrees):
    from diffsfsr.modules.faces.pose import angles
    from diffsfsr.modules.pipeline.face import measured

    shape = made.value(LOADER, 2).shape

    def pose(draft):
        points, code = measured(draft[0].permute(2, 0, 1))
        return angles(shape.fit(points[None], code[None]).rotation[0])

    graph = portrait(*pictures).set(CONDITION, **{f"head_{name}": degrees})
    turned = run(studio, shown(graph.only(IDENTITY, EXPRESSION, CONDITION), CONDITION, 4)).value(CONDITION, 4)
    change = pose(turned) - pose(made.value(CONDITION, 4))
    # the pitch of a face that turns is partly read as another shape of it
    assert 0.3 < change[axis] / degrees < 1.4 and change.abs().argmax() == axis
    assert torch.equal(turned[0, :8], made.value(CONDITION, 4)[0, :8])
    assert not studio.validate(graph.set(CONDITION, **{f"head_{name}": 2 * degrees})).valid


def test_at_skin_tone_0_the_picture_is_led_to_the_face_and_the_mask_says_where(studio, pictures):
    """What changes is in the mask, and more of it than by default."""
    masks = []
    for tone in (0.0, 0.6):
        result = run(studio, portrait(*pictures).set(CONDITION, skin_tone=tone).set(SAMPLER, denoise=0.3))
        picture, soft = result.value("9"), result.value("9", 1)
        assert torch.equal(picture[soft == 0], pictures[1][soft == 0])
        masks.append(float(soft.sum()))
    assert masks[0] > 1.03 * masks[1]
