"""Training and the host must mean the same by a noise level, a velocity and a latent."""

import pytest
import torch


@pytest.fixture(scope="module")
def training(comfy):
    from diffsfsr.training import unet

    return unet


def test_schedule_is_the_hosts(training):
    from comfy.model_sampling import ModelSamplingDiscrete

    config = training.UNetConfig()
    told = {"beta_schedule": config.beta_schedule, "linear_start": config.linear_start, "linear_end": config.linear_end}
    host = ModelSamplingDiscrete(type("Config", (), {"sampling_settings": told})())
    alpha_bar = training.schedule(config)
    sigmas = ((1 - alpha_bar) / alpha_bar).sqrt()
    assert torch.allclose(sigmas, host.sigmas, rtol=1e-4)


def test_a_perfect_velocity_gives_the_clean_latent_in_the_host(training):
    from comfy.model_base import ModelType, model_sampling

    config = training.UNetConfig()
    told = {"beta_schedule": config.beta_schedule, "linear_start": config.linear_start, "linear_end": config.linear_end}
    host = model_sampling(type("Config", (), {"sampling_settings": told})(), ModelType.V_PREDICTION)
    clean, noise = torch.randn(2, 16, 4, 4), torch.randn(2, 16, 4, 4)
    t = torch.tensor([100, 800])
    a = training.schedule(config)[t][:, None, None, None]
    velocity = a.sqrt() * noise - (1 - a).sqrt() * clean
    sigma = host.sigma(t.float())
    noisy = clean + sigma[:, None, None, None] * noise
    assert torch.allclose(host.calculate_input(sigma, noisy), a.sqrt() * clean + (1 - a).sqrt() * noise, atol=1e-4)
    assert torch.allclose(host.calculate_denoised(sigma, velocity, noisy), clean, atol=1e-3)


def batch(count=2):
    rows = {name: torch.randn(count, 16, 8, 8) for name in ("target", "background", "guide")}
    selfie = torch.randint(0, 255, (count, 3, 128, 128), dtype=torch.uint8)
    rest = {"mask": torch.ones(count, 1, 8, 8), "painted": torch.zeros(count, 8, 8), "selfie": selfie}
    return {**rows, **rest, "vector": torch.randn(count, 256), "code": torch.rand(count, 52)}


def test_ten_steps_on_one_batch_lower_the_loss_and_resume_exactly(training, tmp_path):
    from diffsfsr.training.runlog import Run

    torch.manual_seed(0)
    rows, alpha_bar = batch(), training.schedule(training.UNetConfig())

    def run(state, steps):
        losses = []
        for _ in range(steps):
            rng = torch.Generator().manual_seed(7)  # the same noise each time: the loss must fall
            loss = training.velocity_loss(state.model, rows, alpha_bar, rng, False, "cpu")
            state.update(loss, 1e-3)
            losses.append(loss.item())
        return losses

    fresh = lambda: training.Training(Run(tmp_path, {}, "none"), training.UNetConfig(), training.TokenConfig(), "cpu")  # noqa: E731
    first = fresh()
    losses = run(first, 6)
    assert losses[-1] < losses[0]
    first.save(1.0)
    again = fresh()
    assert again.step == 6
    assert run(again, 2) == pytest.approx(run(first, 2), rel=1e-5)


def test_condition_dropout_uses_the_null_tokens(training):
    model = training.Denoiser(training.UNetConfig(), training.TokenConfig())
    rows = batch(1)
    concat = torch.cat([rows["background"], rows["mask"], rows["guide"]], 1)
    for module in model.unet.modules():  # the last layers start at zero, which would hide every difference
        if isinstance(module, torch.nn.Conv2d) and not module.weight.any():
            torch.nn.init.normal_(module.weight, std=0.05)
    call = lambda code, drop: model(  # noqa: E731
        rows["target"], concat, torch.tensor([500]), rows["vector"], rows["selfie"].float() / 255, code, torch.tensor([drop])
    )
    with torch.inference_mode():
        assert not torch.equal(call(rows["code"], [False, False]), call(rows["code"] * 0, [False, False]))
        assert torch.equal(call(rows["code"], [False, True]), call(rows["code"] * 0, [False, True]))


def test_a_run_can_begin_with_a_bundle_and_read_more_of_the_code(training):
    """New columns begin at zero, so the wider network says at first what the bundle's says."""
    from diffsfsr.modules.bundle import load_bundle
    from diffsfsr.modules.host import folders

    config = load_bundle(folders.BUILT_IN).config
    wide = training.TokenConfig(code_width=config.tokens.code_width + 40)
    models = [training.Denoiser(config.unet, tokens) for tokens in (config.tokens, wide)]
    for model in models:
        training.load_start(model, folders.BUILT_IN)
    code = torch.rand(2, wide.code_width)
    narrow, wider = (model.tokens.expression_tokens(code) for model in models)
    assert torch.allclose(narrow, wider, atol=1e-5) and narrow.abs().max() > 0
