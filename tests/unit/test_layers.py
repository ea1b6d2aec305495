"""Layers of a photo's own pixels: where each is drawn, and which are streaks."""

from dataclasses import replace

import pytest
import torch

from diffsfsr.modules.warp.detail import _drawn, photo_of
from diffsfsr.modules.warp.layers import Layer, streaked
from tests.unit.test_detail import LARGE, textured


@pytest.mark.parametrize("led", [False, True])
def test_a_small_layer_is_drawn_where_it_is_as_a_large_one_is_there(led):
    """Its tone, too, where it is led to that of the layers before: that is averaged from beyond it."""
    photo = photo_of(textured(256 * LARGE), torch.eye(2, 3) / LARGE, 256)
    x, y = torch.meshgrid(torch.arange(256) + 0.5, torch.arange(256) + 0.5, indexing="xy")
    here, small, faint = torch.stack([x, y])[None], torch.zeros(256, 256), torch.full((256, 256), 1e-7)
    small[100:140, 90:130] = 1
    below, other = Layer(photo, here, 1 - small), replace(photo, light=0.5 * photo.light * (x + y).repeat(3, 3) / 256)
    painted, window = torch.full((1, 768, 768), 0.4), torch.eye(2, 3)[None] / LARGE
    weights = small, torch.maximum(small, faint)
    one, two = (_drawn([below, Layer(other, here, weight, led)], painted, window, 768.0)[1] for weight in weights)
    assert (one - two).abs().max() < 1e-4 and float(one.std()) > 0.01


@pytest.mark.parametrize(("across", "down", "streaks"), [(1.0, 1.0, 0), (0.5, 0.5, 0), (0.9, 0.3, 1), (0.9, 2.7, 1)])
def test_lips_drawn_larger_one_way_than_the_other_are_streaks(across, down, streaks):
    """Pixels of the photo to one of the drawing."""
    x, y = torch.meshgrid(across * torch.arange(64.0), down * torch.arange(64.0), indexing="xy")
    found = streaked(torch.stack([x, y])[None], 1.0)
    assert (found[8:-8, 8:-8] - streaks).abs().max() < 0.1
