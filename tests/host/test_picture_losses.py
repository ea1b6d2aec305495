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
