"""Training and the host must mean the same by a noise level, a velocity and a latent."""

import json
import subprocess
import sys

import pytest
import torch

from tests.host import shared_run


@pytest.fixture(scope="module")
def training(comfy):
    from diffsfsr.training import unet

    return unet


@pytest.fixture
def small(training, monkeypatch):
    """Runs of seconds: half the channels, a row in the curve at each step, judges at each step."""
    monkeypatch.setattr(training, "UNetConfig", shared_run.small_unet)
    for name in ("log_every", "pictures_every"):
        monkeypatch.setitem(training.CONFIG, name, 1)
    return training


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
    rows = {name: torch.randn(count, 16, 8, 8) for name in ("target", "background", "warp")}
    selfie = torch.randint(0, 255, (count, 3, 128, 128), dtype=torch.uint8)
    rest = {"mask": torch.ones(count, 1, 8, 8), "painted": torch.zeros(count, 8, 8), "selfie": selfie}
    return {**rows, **rest, "vector": torch.randn(count, 256), "code": torch.rand(count, 52)}


def test_steps_on_one_batch_lower_the_loss(training, tmp_path):
    from diffsfsr.training.runlog import Run
    from diffsfsr.training.velocity import velocity_loss

    torch.manual_seed(0)
    rows, alpha_bar = batch(), training.schedule(training.UNetConfig())
    place, losses = training.make_accelerator(), []
    networks = training.UNetConfig(), training.TokenConfig()
    state = training.Training(Run(tmp_path, {}, "none"), *networks, place, training.Plan())
    for _ in range(6):
        rng = torch.Generator().manual_seed(7)  # the same noise each time: the loss must fall
        losses.append(state.update([lambda rng=rng: velocity_loss(state.model, rows, alpha_bar, rng)], 1e-3).item())
    assert losses[-1] < losses[0]


def curve(folder):
    from diffsfsr.training.runlog import read_curve

    return [{name: value for name, value in row.items() if name != "seconds"} for row in read_curve(folder / "curve.csv")]


def test_a_run_that_was_cut_off_goes_on_as_if_it_had_not_been(small, tmp_path, monkeypatch):
    """Also the rows that it logged after its last checkpoint are there once."""
    monkeypatch.setitem(small.CONFIG, "save_every", 2)
    whole = shared_run.run(tmp_path / "whole", steps=5)
    with pytest.raises(shared_run.Cut):
        shared_run.run(tmp_path / "cut", shared_run.cut_after(3), steps=5)
    assert [row["step"] for row in curve(tmp_path / "cut")] == [1, 2, 3]
    again = shared_run.run(tmp_path / "cut", steps=5)
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole") and len(curve(tmp_path / "whole")) == 5
    for name in ("own", "average"):
        one, two = (getattr(state, name).state_dict() for state in (whole, again))
        assert all(torch.equal(one[key], two[key]) for key in one)
    record = json.loads((tmp_path / "cut" / "run.json").read_text())
    assert len(record["resumed"]) == 1 and record["config"]["steps"] == 5 and record["config"]["estimate"] == "midpoint"


def test_the_rate_follows_the_steps_where_they_are_told(small, tmp_path):
    rates = [row["rate"] for row in curve_of(tmp_path, steps=4)]
    wanted = [small.learning_rate(step, step / 4, small.CONFIG["lr"]) for step in range(4)]
    assert rates == pytest.approx(wanted)
    plan = small.Plan(minutes=2)
    assert [plan.done(999, seconds) for seconds in (0, 60, 120)] == [0, 0.5, 1]
    assert "steps" not in plan.record() and "minutes" not in small.Plan(steps=3).record()


def test_a_short_run_learns_at_the_highest_rate_too(training):
    """A warm-up of 200 steps would be all of it."""
    for steps in (40, 120, 1000):
        rates = [training.learning_rate(step, step / steps, 1.0) for step in range(steps)]
        assert max(rates) == 1.0 and rates[0] <= 0.01, steps


def curve_of(folder, steps):
    shared_run.run(folder, steps=steps)
    return curve(folder)


def test_two_processes_learn_what_one_learns(small, tmp_path):
    """The same batches, noise and dropped conditions, in two halves, over gloo; one writes."""
    one = shared_run.run(tmp_path / "one", steps=3)
    # accelerate's word for several processes is --multi_gpu; the run itself says that it wants CPUs
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    done = subprocess.run(
        [*launch, "-m", "tests.host.shared_run", str(tmp_path / "two"), "3"],
        cwd=shared_run.ROOT, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    record = json.loads((tmp_path / "two" / "run.json").read_text())
    assert record["config"]["processes"] == 2 and "resumed" not in record
    assert [row["step"] for row in curve(tmp_path / "two")] == [1, 2, 3]
    for both in zip(curve(tmp_path / "one"), curve(tmp_path / "two"), strict=True):
        assert both[0]["loss"] == pytest.approx(both[1]["loss"], rel=1e-4)
    saved = torch.load(tmp_path / "two" / "checkpoint.pt", weights_only=True)
    assert saved["step"] == 3
    moved = 0.0
    for name, value in one.average.state_dict().items():
        assert torch.allclose(saved["average"][name], value, atol=2e-5), name
        moved = max(moved, (value - saved["model"][name]).abs().max().item())
    assert moved > 0


def test_halves_of_a_batch_add_up(small):
    """What each process takes from one batch: the mean of their losses is the loss of the whole."""
    from diffsfsr.training.denoiser import Denoiser
    from diffsfsr.training.velocity import Share, velocity_loss

    torch.manual_seed(0)
    model, samples = Denoiser(small.UNetConfig(), small.TokenConfig()), shared_run.random_samples()
    alpha_bar, judges = small.schedule(small.UNetConfig()), shared_run.Difference()

    def loss(share):
        rng = torch.Generator().manual_seed(5)
        return velocity_loss(model, samples.batch(16, rng), alpha_bar, rng, judges, share).item()

    for world in (2, 4):
        parts = [loss(Share(rank, world)) for rank in range(world)]
        assert sum(parts) / world == pytest.approx(loss(Share()), rel=1e-5)
        assert max(parts) - min(parts) > 1e-3


def test_a_batch_that_cannot_be_shared_is_refused(small, tmp_path):
    class Three:
        process_index, num_processes = 0, 3

    with pytest.raises(SystemExit, match="batch of 8 cannot be shared by 3"):
        small.train(shared_run.random_samples(), tmp_path, small.Plan(), "none", Three())


def test_condition_dropout_uses_the_null_tokens(training):
    model = training.Denoiser(training.UNetConfig(), training.TokenConfig())
    rows = batch(1)
    concat = torch.cat([rows["background"], rows["mask"], rows["warp"]], 1)
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
