"""What the autoencoder takes from a coarse warp is given back to a crop, as far as the crop lacks it."""

from types import SimpleNamespace

import pytest
import torch

from diffsfsr.modules.warp.paste import whole

RNG = torch.Generator().manual_seed(0)
WARP, LOST = 0.3 + 0.4 * torch.rand(3, 32, 32, generator=RNG), 0.05 * torch.randn(3, 32, 32, generator=RNG)
CHANGE = torch.zeros(3, 32, 32)
CHANGE[:, 8:16, 8:16] = 0.1


def region(**changed):
    fine = (SimpleNamespace(warp=WARP),)
    return SimpleNamespace(**{"lost": LOST[None], "fine": fine, "size": 32, "mask": torch.ones(1, 32, 32), **changed})


def crop(picture):
    return picture.permute(1, 2, 0)


@pytest.mark.parametrize(("detail", "share"), [(1.0, 1.0), (0.5, 0.5), (0.0, 0.0)])
def test_a_blurred_crop_gets_it_by_detail_and_keeps_the_models_change(detail, share):
    made = crop(WARP - LOST + CHANGE)
    assert torch.allclose(whole(made, region(), 0, detail), crop(WARP - (1 - share) * LOST + CHANGE), atol=6e-3)


def test_a_crop_that_has_it_gets_none():
    assert torch.allclose(whole(crop(WARP), region(), 0, 1.0), crop(WARP), atol=1e-5)


@pytest.mark.parametrize("changed", [{"lost": None}, {"fine": None}, {"size": 64}])
def test_nothing_is_added_where_nothing_is_known(changed):
    made = crop(WARP - LOST)
    assert torch.equal(whole(made, region(**changed), 0, 1.0), made)
