"""The midpoint sampler inside the real host: levels, interruption, callback, errors, churn."""

from __future__ import annotations

import importlib

import pytest
import torch

from tests.host.graphs import CONDITION, LOADER, SAMPLER, Graph, portrait, refusal, run


@pytest.fixture(scope="module")
def wires(made):
    """MODEL, positive, negative and LATENT samples of one run."""
    return made.value(LOADER), made.value(CONDITION), made.value(CONDITION, 1), made.value(CONDITION, 2)["samples"]


def sampled(wires, solver, steps=3, denoise=1.0, seed=0, rows=1, **options):
    """The wires through our guider with any SAMPLER; row k has the noise of seed + k."""
    from diffsfsr.modules.host.sampler import guider, noise_for, schedule

    model, positive, negative, latent = wires
    latent = latent.expand(rows, -1, -1, -1)
    sigmas = schedule(model, "karras", steps, denoise)
    guide = guider(model, positive, negative, 1.0, 1.0)
    with torch.inference_mode():
        return guide.sample(noise_for(latent, seed, None), latent, solver, sigmas, seed=seed, disable_pbar=True, **options)


def midpoint(*how):
    from diffsfsr.modules.host.sampler import midpoint_sampler

    return midpoint_sampler(*how)


# --- levels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheduler", ["karras", "normal", "sgm_uniform", "beta"])
@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("denoise", [1.0, 0.6, 0.05])
def test_levels_are_those_of_the_hosts_ksampler(wires, scheduler, steps, denoise):
    from diffsfsr.modules.host.sampler import schedule

    samplers = importlib.import_module("comfy.samplers")
    theirs = samplers.KSampler(wires[0], steps, torch.device("cpu"), "euler", scheduler, denoise).sigmas
    ours = schedule(wires[0], scheduler, steps, denoise)
    assert torch.equal(ours, theirs) and len(ours) == steps + 1 and ours[-1] == 0


@pytest.mark.parametrize("reuse", [False, True])
def test_a_denoise_that_is_almost_nothing_keeps_the_draft(wires, reuse):
    kept = sampled(wires, midpoint(reuse), steps=2, denoise=0.02)
    changed = sampled(wires, midpoint(reuse), steps=2, denoise=1.0)
    near, far = ((x - wires[3]).pow(2).mean().sqrt() for x in (kept, changed))
    assert near < 0.5 * far


# --- interruption ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("asked", [1, 2, 4])
def test_cancel_is_heard_within_one_evaluation(studio, pictures, wires, reuse, asked):
    """Cancelled while the network works for the n-th time, it is not asked an n + 1-th time, nor does it finish this one."""
    begun, finished, cancel = [], [], importlib.import_module("comfy.model_management").interrupt_current_processing

    def wrapper(apply, args):
        begun.append(1)
        if len(begun) == asked:
            cancel(True)
        answer = apply(args["input"], args["timestep"], **args["c"])
        finished.append(1)
        return answer

    model = wires[0].clone()
    model.set_model_unet_function_wrapper(wrapper)
    graph = portrait(*pictures, steps=6).set(SAMPLER, reuse=reuse).give(SAMPLER, "model", "MODEL", model)
    stopped = studio.run(graph)
    assert not stopped.success and "interrupted" in stopped.errors[0]
    assert len(begun) == asked and len(finished) == asked - 1
    again = run(studio, graph.set(SAMPLER, steps=1))
    assert torch.isfinite(again.value(SAMPLER)["samples"]).all()


# --- callback and preview --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reuse", [False, True])
def test_the_callback_is_called_as_by_the_hosts_euler(wires, reuse):
    def heard(solver):
        calls = []
        sampled(wires, solver, steps=3, callback=lambda step, x0, x, total: calls.append((step, x0, x, total)))
        return calls

    ours, theirs = heard(midpoint(reuse)), heard(importlib.import_module("comfy.samplers").sampler_object("euler"))
    assert [(step, total) for step, _, _, total in ours] == [(step, total) for step, _, _, total in theirs]
    for (_, x0, x, _), (_, their_x0, their_x, _) in zip(ours, theirs, strict=True):
        assert x0.shape == their_x0.shape and x.shape == their_x.shape and torch.isfinite(x0).all()
    assert torch.equal(ours[0][2], theirs[0][2]), "both begin with the same noise"


def test_a_preview_is_sent_for_each_step(studio, pictures, monkeypatch):
    """With previews on, each progress event carries a picture made of the estimate of that step."""
    preview = importlib.import_module("latent_preview")
    monkeypatch.setattr(preview.args, "preview_method", preview.LatentPreviewMethod.Latent2RGB)
    seen, progress = [], studio._progress

    def hook(value, total, image, prompt_id=None, node_id=None):
        seen.append((value, total, image))
        progress(value, total, image, prompt_id=prompt_id, node_id=node_id)

    monkeypatch.setattr(studio, "_progress", hook)
    run(studio, portrait(*pictures, steps=3).set(SAMPLER, seed=11))
    shown = [(value, total) for value, total, image in seen if image is not None]
    assert shown == [(1, 3), (2, 3), (3, 3)]
    pixels = [image[1].convert("RGB").tobytes() for *_, image in seen if image is not None]
    assert len(set(pixels)) == 3


# --- errors ----------------------------------------------------------------------------------------------------------


def test_an_answer_that_is_not_finite_names_step_and_remedy(studio, pictures, wires):
    asked, model = [], wires[0].clone()

    def wrapper(apply, args):
        asked.append(1)
        answer = apply(args["input"], args["timestep"], **args["c"])
        return answer * float("nan") if len(asked) == 3 else answer  # the third call is that of the second step

    model.set_model_unet_function_wrapper(wrapper)
    graph = portrait(*pictures, steps=4).give(SAMPLER, "model", "MODEL", model)
    said = refusal(studio, graph, SAMPLER)
    assert "step 2 is not finite" in said and "fp32" in said


# --- churn -----------------------------------------------------------------------------------------------------------


def churned(pictures, seed=0, **how) -> Graph:
    graph = portrait(*pictures, steps=2)
    graph.add("solver", "DiffSFSRMidpointSamplerSelect", **how)
    graph.add("levels", "BasicScheduler", model=[LOADER, 0], scheduler="karras", steps=3, denoise=0.6)
    wires = {name: graph[SAMPLER]["inputs"][name] for name in ("model", "positive", "negative")}
    return graph.add(SAMPLER, "SamplerCustom", **wires, add_noise=True, noise_seed=seed, cfg=1.0, sampler=["solver", 0],
                     sigmas=["levels", 0], latent_image=[CONDITION, 2])  # fmt: skip


def test_churn_in_the_graph(studio, pictures):
    """A saved prompt that does not know churn is as before; with it the seed alone decides."""
    samples = lambda **how: run(studio, churned(pictures, **how)).value(SAMPLER)["samples"]  # noqa: E731
    old = samples()
    assert torch.equal(samples(reuse=True, churn=0.0, churn_noise=1.0), old)
    noisy = samples(churn=2.0)
    assert not torch.equal(noisy, old)
    studio.reset()
    assert torch.equal(samples(churn=2.0), noisy)
    assert not torch.equal(samples(churn=2.0, seed=1), noisy)


def test_churned_rows_of_a_batch_are_their_single_runs(wires):
    both = sampled(wires, midpoint(True, 2.0), denoise=0.6, rows=2)
    for k in range(2):
        alone = sampled(wires, midpoint(True, 2.0), denoise=0.6, seed=k)
        assert torch.allclose(alone[0], both[k], atol=1e-3)
    assert not torch.allclose(both[0], both[1], atol=1e-2)


def test_our_model_is_told_the_step_between_two(studio, made):
    """The host's own schedule rounds to whole steps: the answer would jump along the way."""
    sampling = made.value(LOADER).get_model_object("model_sampling")
    steps = torch.tensor([0.0, 0.25, 10.5, 500.75, 999.0])
    assert torch.allclose(sampling.timestep(sampling.sigma(steps)), steps, atol=2e-3)


def test_the_last_step_asks_nothing_below_the_least_noise(studio, made):
    """From the table's lowest noise the reusing form lands on the estimate; from a higher level it keeps its middle."""
    import comfy.samplers

    from diffsfsr.modules.host.sampler import midpoint_sampler

    asked, model = [], made.value(LOADER).clone()

    def wrapper(apply, args):
        asked.append(float(args["timestep"][0]))
        return apply(args["input"], args["timestep"], **args["c"])

    model.set_model_unet_function_wrapper(wrapper)
    least = float(model.get_model_object("model_sampling").sigma_min)
    positive, latent = made.value(CONDITION, 0), made.value(CONDITION, 2)["samples"]
    guide = comfy.samplers.CFGGuider(model)
    guide.set_conds(positive, positive)
    for last, lowest in ((least, least), (4 * least, 2 * least)):
        asked.clear()
        sigmas = torch.tensor([0.5, 0.2, last, 0.0])
        guide.sample(torch.randn_like(latent), latent, midpoint_sampler(True), sigmas, disable_pbar=True)
        assert min(asked) == pytest.approx(lowest, rel=1e-3) and len(asked) == 4
