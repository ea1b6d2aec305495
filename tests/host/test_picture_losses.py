"""Losses on what a painted face shows: the midpoint estimate, and judges that see a difference and pass it back."""

import pytest
import torch
from torch import nn


@pytest.fixture(scope="module")
def pictures(comfy):
    from diffsfsr.training import pictures

    return pictures


@pytest.fixture(scope="module")
def judges(pictures, host):
    """The shipped decoder, the real landmark network, and in the place of the recognition network any fixed one."""
    from comfy.taesd.taesd import TAESD

    from diffsfsr.modules.bundle import load_bundle
    from diffsfsr.modules.faces.networks import FaceNetworks
    from diffsfsr.modules.host import folders
    from tests.unit.faces import MODEL

    state = {k: v.float() for k, v in load_bundle(folders.BUILT_IN).vae.items()}
    model = TAESD(latent_channels=16)
    model.load_state_dict(state, strict=False)
    torch.manual_seed(0)
    network = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(3 * 14 * 14, 32)).requires_grad_(False)
    losses = pictures.PictureLosses(model.taesd_decoder.requires_grad_(False), FaceNetworks.load(MODEL), network)
    return model.taesd_encoder, losses


@pytest.mark.parametrize(("name", "least", "most"), [("midpoint", 7, 1000), ("one-step", 2.5, 4.5)])
def test_the_order_of_the_estimates_is_kept_in_steps_and_velocities(pictures, name, least, most):
    """Gaussian data of spread .5 have an exact denoiser and an exact path: y0 = y s / sqrt(s^2 + r^2)."""
    from diffsfsr.training.unet import UNetConfig, schedule

    alpha_bar, spread = schedule(UNetConfig()), 0.5

    levels = (1 / alpha_bar - 1).sqrt().double()

    def predict(z, t):
        low = t.floor().long()
        r = torch.lerp(levels[low].log(), levels[(low + 1).clamp(max=999)].log(), (t - low).double()).exp()
        a = (1 + r**2).rsqrt()
        y = z / a
        clean = y * spread**2 / (spread**2 + r**2)
        return a * (y - clean) / r - a * r * clean

    def error(r: float) -> float:
        step = (levels - r).abs().argmin()[None]
        y, r = torch.ones(1, 1, 1, 1, dtype=torch.float64), levels[step]
        z = y * (1 + r**2).rsqrt()
        estimate = pictures.ESTIMATES[name]
        found = pictures.clean_estimate(estimate, predict, z, predict(z, step), step, alpha_bar.double())
        return float((found - y * spread / (spread**2 + r**2).sqrt()).abs())

    assert least < error(0.4) / error(0.2) < most and least < error(0.2) / error(0.1) < most


def test_the_same_picture_costs_nothing_and_a_change_is_seen_and_passed_back(pictures, judges):
    from tests.host.graphs import astronaut, scaled

    encoder, losses = judges
    face = scaled(astronaut()[:, 20:220, 120:320], 256, 256).permute(0, 3, 1, 2)
    with torch.no_grad():
        target = encoder(face)
    same = losses(target, target)
    assert set(same) == {"identity", "points", "code"}
    assert all(value.abs().max() < 1e-5 for value in same.values())
    moved = torch.roll(target, 1, 3).requires_grad_(True)
    found = losses(moved, target)
    assert all(value.item() > 1e-3 for value in found.values())
    for value in found.values():
        (gradient,) = torch.autograd.grad(value.sum(), moved, retain_graph=True)
        assert torch.isfinite(gradient).all() and gradient.abs().max() > 0


def test_only_rows_with_little_noise_are_looked_at(comfy):
    from diffsfsr.training.velocity import UNetConfig, readable, schedule

    alpha_bar = schedule(UNetConfig())
    assert readable(torch.tensor([999, 900]), alpha_bar) == []
    assert readable(torch.tensor([999, 10, 200, 5]), alpha_bar) == [2]
    assert readable(torch.tensor([999, 10, 200, 5] * 4), alpha_bar) == [2, 10], "one of each eight"


@pytest.fixture(scope="module")
def near(tmp_path_factory):
    """STLPIPS with random weights, on fixed pictures."""
    from tests.unit.test_perceptual import network

    return network(tmp_path_factory.mktemp("data"))


def test_patches_see_each_face_and_pass_their_gradient(judges, near):
    encoder, losses = judges
    from dataclasses import replace

    losses = replace(losses, near=near)
    true = torch.randn(2, 16, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.5
    rng = lambda seed=0: torch.Generator().manual_seed(seed)  # noqa: E731
    assert losses.patches(true, true, rng()) == 0
    made = (true + 0.3).requires_grad_()
    found = losses.patches(made, true, rng())
    assert found > 0 and found == losses.patches(made, true, rng()) != losses.patches(made, true, rng(1))
    found.backward()
    touched = made.grad.abs().amax(1) > 0
    assert all(200 < int(one.sum()) <= 256 for one in touched), "a window of 16 x 16 cells of each"


def test_what_was_seen_of_a_target_is_kept_by_its_number(judges, monkeypatch):
    _, losses = judges
    calls, seen = [], losses.seen
    monkeypatch.setattr(losses, "seen", lambda latents: calls.append(len(latents)) or seen(latents))
    monkeypatch.setattr(losses, "known", {})
    made, true = torch.randn(2, 1, 16, 32, 32, generator=torch.Generator().manual_seed(0)).unbind()
    with torch.no_grad():
        first, again = (losses(made, true, [7]) for _ in range(2))
        fresh = losses(made, true)
    assert calls == [1, 1, 1, 1, 1], "the target once by its number, and once without"
    for name in first:
        assert torch.equal(first[name], again[name]) and torch.allclose(first[name], fresh[name], atol=2e-3)
