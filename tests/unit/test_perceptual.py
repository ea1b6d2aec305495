"""STLPIPS with small random weights: what is equal, what is far, and that it is a distance."""

import pytest
import torch
from safetensors.torch import save_file

from diffsfsr.evaluation.metrics.perceptual import Stlpips
from diffsfsr.training.perceptual import FILE
from diffsfsr.training.perceptual import Stlpips as Network

WIDTHS = (4, 6, 8, 5, 5)
LAYERS = ("net.slice1.0", "net.slice2.5", "net.slice3.9", "net.slice4.11", "net.slice5.13")


def network(folder):
    """The network with few channels and random weights; what it weighs its maps by is above 0, as in the true one."""
    torch.manual_seed(0)
    state, before = {"scaling_layer.shift": torch.zeros(1, 3, 1, 1), "scaling_layer.scale": torch.full((1, 3, 1, 1), 0.5)}, 3
    for k, (name, width, side) in enumerate(zip(LAYERS, WIDTHS, (11, 5, 3, 3, 3), strict=True)):
        state[f"{name}.weight"] = torch.randn(width, before, side, side) / (before * side * side) ** 0.5
        state[f"{name}.bias"] = 0.1 * torch.randn(width)
        state[f"lin{k}.model.1.weight"] = torch.rand(1, width, 1, 1)
        before = width
    for name, width in (("net.slice1.1", 4), ("net.slice2.4", 4), ("net.slice3.8", 6)):
        state[f"{name}.filt"] = torch.ones(width, 1, 3, 3) / 9
    (folder / FILE).parent.mkdir()
    save_file(state, folder / FILE)
    return Network(folder)


@pytest.fixture(scope="module")
def near(tmp_path_factory):
    """As evaluation has it: without gradient."""
    folder = tmp_path_factory.mktemp("data")
    network(folder)
    return Stlpips(folder)


@pytest.fixture(scope="module")
def picture():
    return torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))


def test_equal_pictures_are_at_no_distance_and_it_is_symmetric(near, picture):
    assert near(picture, picture).abs().max() == 0
    there, back = near(picture[:1], picture[1:]), near(picture[1:], picture[:1])
    assert there > 0 and torch.allclose(there, back)


def test_it_grows_with_noise(near, picture):
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(2))
    found = [near(picture, (picture + amount * noise).clamp(0, 1)) for amount in (0.02, 0.1, 0.4)]
    assert (found[0] < found[1]).all() and (found[1] < found[2]).all()


def test_pictures_of_a_batch_are_measured_one_by_one(near, picture):
    other = picture.flip(-1)
    alone = torch.cat([near(picture[k : k + 1], other[k : k + 1]) for k in (0, 1)])
    assert torch.allclose(near(picture, other), alone, atol=1e-6)
