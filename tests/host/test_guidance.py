"""Identity and expression as separate knobs in the real host: guidance weights, cost, patches, bad wires."""

import importlib
from dataclasses import replace

import pytest
import torch

from tests.host.graphs import CONDITION, EXPRESSION, LOADER, SAMPLER, counted, painted, portrait, refusal, run, trained

GUIDER = "DiffSFSRIdentityExpressionGuider"


@pytest.fixture(scope="module")
def wires(made):
    """MODEL, positive, negative and the latent [1, 16, 32, 32] of the shipped graph."""
    return made.value(LOADER), made.value(CONDITION, 0), made.value(CONDITION, 1), made.value(CONDITION, 2)["samples"]


@pytest.fixture(scope="module")
def estimates(wires):
    """n, i, p by themselves: no condition, identity alone, both."""
    from diffsfsr.modules.host.conditioning import identity_only

    model, positive, negative, latent = wires
    alone = model, identity_only(positive, negative), negative, latent
    return painted(wires, (0, 0)), painted(alone, (1, 1)), painted(wires, (1, 1))


# --- the formula and its cost ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cfg", [1.0, 1.5, 3.0])
def test_equal_weights_are_the_hosts_guider_bit_for_bit(wires, cfg):
    samplers = importlib.import_module("comfy.samplers")
    from diffsfsr.modules.host.sampler import midpoint_sampler

    model, positive, negative, latent = wires
    theirs = samplers.CFGGuider(model)
    theirs.set_conds(positive, negative)
    theirs.set_cfg(cfg)
    sigmas = samplers.calculate_sigmas(model.get_model_object("model_sampling"), "karras", 2)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(4))
    expected = theirs.sample(noise, latent, midpoint_sampler(False), sigmas, seed=0, disable_pbar=True)
    assert torch.equal(painted(wires, (cfg, cfg), steps=2), expected)


@pytest.mark.parametrize("weights", [(2.0, 3.0), (3.0, 0.5), (1.0, 3.0), (2.0, 0.0), (0.0, 2.0), (1.0, 0.0)])
def test_the_formula_on_the_real_model(wires, estimates, weights):
    n, i, p = estimates
    wanted = n + weights[0] * (i - n) + weights[1] * (p - i)
    assert torch.allclose(painted(wires, weights), wanted, atol=2e-4)
    if trained():
        assert not torch.allclose(n, i, atol=1e-3) and not torch.allclose(i, p, atol=1e-3)


@pytest.mark.parametrize(
    ("weights", "rows"),
    [((1, 1), 1), ((2, 2), 2), ((1, 3), 2), ((2, 0), 2), ((1, 0), 1), ((2, 3), 3), ((0, 2), 3), ((0.1 + 0.2, 0.3), 2)],
)
def test_cost(wires, weights, rows):
    """Rows of one model call, rounding makes no third; the host runs them as one batch."""
    model, seen = counted(wires[0])
    painted(wires, weights, steps=2, model=model)
    assert seen == [rows] * 3, "two steps are three calls"


# --- patches of the host ---------------------------------------------------------------------------------------------


def test_a_patch_in_place_of_the_guidance_gets_an_equal_pair(wires):
    model, scales = wires[0].clone(), []

    def function(args):
        scales.append(args["cond_scale"])
        return args["uncond"] + (args["cond"] - args["uncond"]) * args["cond_scale"]

    model.set_model_sampler_cfg_function(function)
    assert torch.allclose(painted(wires, (1.0, 3.0), model=model), painted(wires, (1.0, 3.0)), atol=2e-4)
    assert scales == [3.0]


def test_patches_before_and_after_see_the_true_estimates(wires, estimates):
    model, given = wires[0].clone(), {}
    n, _, p = estimates

    def before(args):
        given["before"] = args
        return args["conds_out"]

    def after(args):
        given["after"] = args
        return args["denoised"] + 1

    model.set_model_sampler_pre_cfg_function(before)
    model.set_model_sampler_post_cfg_function(after)
    result = painted(wires, (1.0, 3.0), model=model)
    assert torch.allclose(result, painted(wires, (1.0, 3.0)) + 1, atol=2e-4)
    for found, wanted in zip(given["before"]["conds_out"], (p, n), strict=True):
        assert torch.allclose(found, wanted, atol=2e-4)
    assert torch.allclose(given["after"]["cond_denoised"], p, atol=2e-4)
    assert torch.allclose(given["after"]["uncond_denoised"], n, atol=2e-4)


@pytest.mark.parametrize(("patch", "values"), [("RescaleCFG", {"multiplier": 0.7}), ("TCFG", {})])
def test_guidance_patches_of_the_host_work_with_two_weights(studio, pictures, patch, values):
    """In place of the guidance, and before it."""
    if not trained():
        pytest.skip("the estimates of an untrained UNet do not differ")
    graph = portrait(*pictures).set(SAMPLER, expression_cfg=4.0)
    free = run(studio, graph).value(SAMPLER)["samples"]
    graph.add("patch", patch, model=[LOADER, 0], **values)
    patched = run(studio, graph.set(SAMPLER, model=["patch", 0])).value(SAMPLER)["samples"]
    assert torch.isfinite(patched).all() and not torch.equal(patched, free)


# --- the nodes -------------------------------------------------------------------------------------------------------


def advanced(graph, identity, expression, sampler=None, steps=2):
    """The guider node in the host's SamplerCustomAdvanced in the place of our sampler."""
    graph.add("noise", "RandomNoise", noise_seed=0)
    graph.add("levels", "BasicScheduler", model=[LOADER, 0], scheduler="karras", steps=steps, denoise=1.0)
    if sampler is None:
        graph.add("solver", "DiffSFSRMidpointSamplerSelect")
    else:
        graph.add("solver", "KSamplerSelect", sampler_name=sampler)
    graph.add("guider", GUIDER, model=[LOADER, 0], positive=[CONDITION, 0], negative=[CONDITION, 1],
              identity_cfg=identity, expression_cfg=expression)  # fmt: skip
    return graph.add(SAMPLER, "SamplerCustomAdvanced", noise=["noise", 0], guider=["guider", 0], sampler=["solver", 0],
                     sigmas=["levels", 0], latent_image=[CONDITION, 2])  # fmt: skip


def test_new_widgets_stand_last_and_old_graphs_stay_valid(studio, pictures, made):
    """A saved graph holds values by position; a saved prompt does not name what did not exist."""
    for kind, names in (
        ("DiffSFSRBackgroundCondition", ["head_roll", "keep_in_front", "without_face", "face_landmarks"]),
        ("DiffSFSRFaceDraft", ["image", "wrinkles", "without_face", "face_landmarks"]),
        ("DiffSFSRExpressionFromImage", ["intensity", "neutral", "without_face", "face_landmarks"]),
        ("DiffSFSRIdentityEncoder", ["face_index", "without_face", "face_landmarks"]),
        ("DiffSFSRExpressionLabelEncoder", ["source", "words"]),
        ("DiffSFSRExpressionSliders", ["left_gaze_sideways", "left_gaze_up", "right_gaze_sideways", "right_gaze_up"]),
        ("DiffSFSRCompositeFace", ["image", "place", "detail"]),
        ("DiffSFSRSavePortrait", ["images", "filename_prefix", "format", "quality"]),
        ("DiffSFSRUNetLoader", ["bundle", "weight_dtype", "model", "vae", "adapter_strength"]),
        ("DiffSFSRMidpointSampler", ["expression_cfg", "reuse", "same_noise"]),
        ("DiffSFSRMidpointSamplerSelect", ["reuse", "churn", "churn_noise"]),
    ):
        entries = studio.node(kind).GET_SCHEMA().inputs
        assert [entry.id for entry in entries][-len(names) :] == names
    old = portrait(*pictures, steps=2).drop(SAMPLER, "expression_cfg", "reuse", "same_noise")
    old.drop(CONDITION, "identity_strength", "expression_strength", "match_light", "wrinkles", "skin_tone", "keep_in_front")
    old.drop(CONDITION, "without_face")
    old.drop(LOADER, "adapter_strength").drop(EXPRESSION, "source", "words")
    assert torch.equal(run(studio, old).value(SAMPLER)["samples"], made.value(SAMPLER)["samples"])


def test_expression_cfg_equal_to_cfg_changes_nothing(studio, pictures, made):
    same = run(studio, portrait(*pictures, steps=2).set(SAMPLER, expression_cfg=1.5)).value(SAMPLER)["samples"]
    assert torch.equal(same, made.value(SAMPLER)["samples"])


@pytest.mark.parametrize("weights", [(1.5, 1.5), (1.5, 4.0)])
def test_the_guider_node_is_the_samplers_two_weights(studio, pictures, weights):
    ours = run(studio, portrait(*pictures, steps=2).set(SAMPLER, cfg=weights[0], expression_cfg=weights[1]))
    theirs = run(studio, advanced(portrait(*pictures), *weights))
    assert torch.allclose(ours.value(SAMPLER)["samples"], theirs.value(SAMPLER)["samples"], atol=1e-4)


@pytest.mark.parametrize("sampler", ["euler", "euler_cfg_pp", "dpmpp_2m"])
def test_the_guider_node_with_the_hosts_samplers(studio, pictures, sampler):
    samples = run(studio, advanced(portrait(*pictures), 1.5, 3.0, sampler)).value(SAMPLER)["samples"]
    assert torch.isfinite(samples).all()
    if trained():
        other = run(studio, advanced(portrait(*pictures), 3.0, 1.5, sampler)).value(SAMPLER)["samples"]
        assert not torch.equal(samples, other)


def test_progress_and_noise_mask(studio, pictures, made):
    """Half of the latent may be repainted: the other half stays as it was."""
    latent, mask = made.value(CONDITION, 2), torch.zeros(1, 32, 32)
    mask[..., :16] = 1
    graph = portrait(*pictures, steps=2).set(SAMPLER, expression_cfg=3.0)
    result = run(studio, graph.give(SAMPLER, "latent", "LATENT", {**latent, "noise_mask": mask}))
    shown = [event for event in result.progress() if event["node"] == SAMPLER]
    assert shown[-1]["value"] == shown[-1]["max"] == 2
    moved = (result.value(SAMPLER)["samples"] - latent["samples"]).abs()
    assert moved[..., 16:].max() < 1e-4 < moved[..., :16].max()


def test_a_batch_equals_its_pictures_one_by_one(studio, pictures):
    both = torch.cat([pictures[1], pictures[1] * 0.7])
    together = run(studio, portrait(pictures[0], both).set(SAMPLER, expression_cfg=3.0)).value(SAMPLER)["samples"]
    for k in range(2):
        one = portrait(pictures[0], both[k : k + 1].clone()).set(SAMPLER, expression_cfg=3.0, seed=k)
        assert torch.allclose(together[k : k + 1], run(studio, one).value(SAMPLER)["samples"], atol=2e-3)


def test_a_time_range_on_positive_reaches_the_identity_alone_too(studio, pictures):
    """Whatever a host node notes beside the tokens is kept by all three."""
    graph = portrait(*pictures, steps=2).set(SAMPLER, expression_cfg=3.0)
    plain = run(studio, graph).value(SAMPLER)["samples"]
    graph.add("range", "ConditioningSetTimestepRange", conditioning=[CONDITION, 0], start=0.0, end=1.0)
    ranged = run(studio, graph.set(SAMPLER, positive=["range", 0])).value(SAMPLER)["samples"]
    assert torch.allclose(ranged, plain, atol=1e-4)


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("node", "name", "value"), [(CONDITION, "identity_strength", 2.1), (SAMPLER, "expression_cfg", -1)])
def test_numbers_out_of_range_are_refused_by_the_host(studio, pictures, node, name, value):
    assert not studio.validate(portrait(*pictures).set(node, **{name: value})).valid


@pytest.mark.parametrize("name", ["positive", "negative"])
def test_text_conditioning_in_the_guider(studio, pictures, name):
    text = [[torch.zeros(1, 77, 192), {"pooled_output": None}]]
    graph = advanced(portrait(*pictures), 1.5, 3.0).give("guider", name, "CONDITIONING", text)
    message = refusal(studio, graph, "guider")
    assert message.startswith(f"Identity & Expression Guider, {name}") and "Background Condition" in message


class Foreign:
    """A MODEL of another kind, as far as wires can tell."""

    model, model_options = object(), {}

    def get_attachment(self, key):
        return None


def test_our_conditioning_on_a_foreign_model_in_the_guider(studio, pictures):
    graph = advanced(portrait(*pictures), 1.5, 3.0).give("guider", "model", "MODEL", Foreign())
    assert refusal(studio, graph, "guider").startswith("Identity & Expression Guider, model")


def test_two_weights_on_a_foreign_model_with_its_own_conditioning(studio, pictures):
    """One weight is plain guidance and works with any model; two need to know what the identity is."""
    text = [[torch.zeros(1, 77, 192), {}]]
    graph = advanced(portrait(*pictures), 1.5, 3.0).give("guider", "model", "MODEL", Foreign())
    for name in ("positive", "negative"):
        graph.give("guider", name, "CONDITIONING", text)
    message = refusal(studio, graph, "guider")
    assert "cannot be guided apart" in message and "Background Condition" in message


def test_conditioning_of_another_bundle_in_the_guider(studio, pictures, made):
    text, extras = made.value(CONDITION, 1)[0]
    other = [[text, {**extras, "diffsfsr": replace(extras["diffsfsr"], bundle="another")}]]
    graph = advanced(portrait(*pictures), 1.5, 3.0).give("guider", "negative", "CONDITIONING", other)
    assert refusal(studio, graph, "guider").startswith("Identity & Expression Guider, negative: This was made with bundle")
