"""Paths that begin at drafts: where they start, what the critic learns, and that a cut run goes on as if it had not been."""

import pytest
import torch

from tests.host import shared_run
from tests.host.test_training import curve, small, training  # noqa: F401  (fixtures)


@pytest.fixture
def adversarial(training, monkeypatch):  # noqa: F811
    from diffsfsr.training import adversarial

    monkeypatch.setitem(adversarial.ADVERSARIAL, "critic_alone", 0)
    torch.manual_seed(0)
    alpha_bar = training.schedule(training.UNetConfig())
    return adversarial.AdversarialLoss(alpha_bar, shared_run.Difference(), 16)


class Still(torch.nn.Module):
    """Says the velocity of a picture that has no noise to lose, so that a path ends where it began."""

    def __init__(self, alpha_bar):
        super().__init__()
        self.levels = (1 / alpha_bar - 1).sqrt()

    def forward(self, z, concat, t, *rest):
        low = t.floor().long()
        r = torch.lerp(self.levels[low].log(), self.levels[(low + 1).clamp(max=999)].log(), t - low).exp()
        return -r[:, None, None, None] * z


def test_a_path_begins_at_the_noised_guide(adversarial):
    rows = shared_run.random_samples().some(24)
    end = adversarial.path(Still(adversarial.alpha_bar), rows, torch.Generator().manual_seed(0))
    noise = (end - rows["warp"]).std((1, 2, 3))
    assert noise.min() > 0.12 and noise.max() < 0.7 and noise.std() > 0.05
    assert ((noise - 0.273).abs() < 0.02).float().mean() > 0.3, "most begin as the nodes do at their default"
    other = adversarial.path(Still(adversarial.alpha_bar), rows, torch.Generator().manual_seed(1))
    assert not torch.equal(end, other)


def test_the_critic_tells_smooth_pictures_from_portraits(adversarial):
    samples, rng = shared_run.random_samples(), torch.Generator().manual_seed(0)
    mask = torch.ones(4, 1, 8, 8)

    def smooth():
        return torch.nn.functional.avg_pool2d(torch.randn(4, 16, 8, 8, generator=rng), 3, 1, 1)

    for _ in range(40):
        adversarial.seen = smooth(), mask, torch.ones(4, 1, 4, 4)
        adversarial.teach(samples)
    with torch.no_grad():
        real, made = adversarial.critic(samples.some(8)["target"], torch.ones(8, 1, 8, 8)), adversarial.critic(smooth(), mask)
    assert real.mean() > made.mean() + 0.3


def test_the_gradient_of_critic_and_judges_reaches_the_network(adversarial, small, monkeypatch):  # noqa: F811
    from diffsfsr.training.adversarial import ADVERSARIAL
    from diffsfsr.training.denoiser import Denoiser

    model = Denoiser(small.UNetConfig(), small.TokenConfig(code_width=52))
    torch.nn.init.normal_(model.unet.out[2].weight, std=0.01)
    samples = shared_run.random_samples()
    pull = []
    for alone in (1, 0):  # without the critic, and with it
        monkeypatch.setitem(ADVERSARIAL, "critic_alone", alone)
        model.zero_grad()
        adversarial.loss(model, samples, 0).backward()
        pull.append(model.unet.out[2].weight.grad.clone())
    assert all(torch.isfinite(g).all() and g.abs().max() > 0 for g in pull)
    assert not torch.equal(*pull)
    assert all(p.grad is None for p in adversarial.critic.parameters()), "the critic learns in its own step only"


def test_its_gradient_is_that_of_the_losses(adversarial, small, monkeypatch):  # noqa: F811
    """Though the judges are gone through on the end of the path alone."""
    from diffsfsr.training.adversarial import ADVERSARIAL
    from diffsfsr.training.denoiser import Denoiser

    monkeypatch.setitem(ADVERSARIAL, "critic_alone", 1)
    model, samples = Denoiser(small.UNetConfig(), small.TokenConfig(code_width=52)), shared_run.random_samples()
    torch.nn.init.normal_(model.unet.out[2].weight, std=0.01)
    adversarial.loss(model, samples, 0).backward()
    found = model.unet.out[2].weight.grad.clone()

    model.zero_grad()
    rng = torch.Generator().manual_seed(ADVERSARIAL["seed"] * 1_000_003)
    rows = samples.batch(adversarial.recipe.paths, rng)
    end = adversarial.path(model, rows, rng)
    adversarial.judged(rows, end, rows["mask"] * end + (1 - rows["mask"]) * rows["target"]).backward()
    assert found.abs().max() > 0
    assert torch.allclose(model.unet.out[2].weight.grad, found, rtol=1e-4, atol=1e-7)


def test_a_cut_run_goes_on_as_if_it_had_not_been(small, tmp_path, monkeypatch):  # noqa: F811
    """The critic and its optimiser come back too. Each step draws three batches."""
    from diffsfsr.training.adversarial import ADVERSARIAL

    monkeypatch.setitem(small.CONFIG, "save_every", 2)
    monkeypatch.setitem(ADVERSARIAL, "critic_alone", 1)
    whole = shared_run.run(tmp_path / "whole", steps=4, adversarial=True)
    with pytest.raises(shared_run.Cut):
        shared_run.run(tmp_path / "cut", shared_run.cut_after(8), steps=4, adversarial=True)
    again = shared_run.run(tmp_path / "cut", steps=4, adversarial=True)
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")
    for name in ("own", "average"):
        one, two = (getattr(state, name).state_dict() for state in (whole, again))
        assert all(torch.equal(one[key], two[key]) for key in one)
    one, two = (state.adversarial.critic.state_dict() for state in (whole, again))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_without_judges_paths_are_held_to_their_targets_alone(small, tmp_path):  # noqa: F811
    judged = shared_run.run(tmp_path / "judged", steps=2, adversarial=True)
    plan = small.Plan(steps=2, batch=shared_run.BATCH, adversarial=True, estimate="none")
    plain = small.train(shared_run.random_samples(), tmp_path / "plain", plan, "none", small.make_accelerator())
    one, two = (state.own.state_dict() for state in (judged, plain))
    assert all(torch.isfinite(value).all() for value in two.values())
    assert not all(torch.equal(one[key], two[key]) for key in one)


def test_a_path_ends_by_the_estimate_that_is_asked_for(adversarial, monkeypatch):
    from diffsfsr.training.estimators import one_step

    rows, calls = shared_run.random_samples().some(4), []

    def model(z, concat, t, *rest):
        calls.append(len(z))
        return torch.zeros_like(z)

    for estimate in (adversarial.pictures.estimate, one_step):
        monkeypatch.setattr(adversarial.pictures, "estimate", estimate)
        adversarial.path(model, rows, torch.Generator().manual_seed(0))
    away, *rest = calls[1:]
    assert 0 < calls[0] == away < 4, "two calls for the rows that take a step without gradient"
    assert rest == [4, 4, away, away, 4], "two of a midpoint step for all; of a plain step one"


@pytest.mark.parametrize("before", [True, False])
def test_a_run_goes_on_as_it_began(small, tmp_path, before):  # noqa: F811
    shared_run.run(tmp_path, steps=1, adversarial=before)
    with pytest.raises(SystemExit, match="--adversarial"):
        shared_run.run(tmp_path, steps=2, adversarial=not before)
