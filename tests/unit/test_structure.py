"""The grain of skin: noise of its spectrum, drawn where a photo shows no skin."""

from dataclasses import replace

import pytest
import torch

from diffsfsr.modules.affine import invert
from diffsfsr.modules.warp.detail import detail, luma, photo_of
from diffsfsr.modules.warp.masks import grow
from diffsfsr.modules.warp.structure import GRAIN, LESS, grain_of, grain_place
from tests.unit.test_detail import LARGE, fine_of, place, textured


@pytest.fixture(scope="module")
def selfie():
    return textured(256 * LARGE)


def together(light: torch.Tensor, apart: int) -> float:
    """Correlation of values so many pixels apart."""
    one, other = light[:, apart:].flatten(), light[:, : light.shape[1] - apart].flatten()
    return float(torch.corrcoef(torch.stack([one, other]))[0, 1])


def test_grain_is_as_strong_and_as_fine_as_the_skin_and_has_no_pattern(face, selfie):
    photo = photo_of(selfie, torch.eye(2, 3) / LARGE, 256)
    grain = grain_of(photo, face.points, torch.ones(256, 256))
    made, seen = (light.log() - light.log().mean() for light in (grain.light[0], photo.light[0]))
    assert abs(float(made.std()) / (LESS * float(fine_of(seen).std())) - 1) < 0.25
    assert abs(together(made, 2) - together(fine_of(seen), 2)) < 0.15, "as fine"
    assert max(abs(together(made, apart)) for apart in range(12, 256, 4)) < 0.1, "nowhere again"
    assert torch.equal(grain.light, grain_of(photo, face.points, torch.ones(256, 256)).light), "the same each time"


def test_no_grain_of_what_is_hardly_seen(face, selfie):
    calm = torch.zeros(256, 256)
    calm[100:103, 100:103] = 1
    assert grain_of(photo_of(selfie, torch.eye(2, 3) / LARGE, 256), face.points, calm) is None


def test_places_of_the_grain_stay_in_it(face, selfie):
    grain = grain_of(photo_of(selfie, torch.eye(2, 3) / LARGE, 256), face.points, torch.ones(256, 256))
    at = grain_place(torch.stack([torch.linspace(0, 900, 4000), torch.zeros(4000)], -1)[None], grain)
    pixels = at @ invert(grain.matrix[None])[0, :, :2].T
    assert float(pixels.min()) >= 0 and float(pixels.max()) <= GRAIN - 1
    steps = at[0].diff(dim=0).norm(dim=-1)
    assert steps.max() < 0.23 and steps.median() > 0.22, "as far apart, and to and fro without a jump"


@pytest.mark.parametrize("another", [True, False])
def test_skin_that_is_not_the_photo_s_has_grain_in_somebody_else_s_place(face, selfie, another):
    """In the person's own photo nothing is put on."""
    region = place(face, selfie)
    crop = region.fine[0].skin
    smooth = torch.where(torch.arange(256) < 128, crop.mean((1, 2))[:, None, None], crop)  # one half was covered
    bare = (torch.ones(256, 256), face.covered.float()) if another else None
    fine = replace(region.fine[0], skin=smooth, warp=smooth, foreheads=bare)
    side = 256 * LARGE
    painted = torch.nn.functional.interpolate(smooth[None], size=side, mode="bicubic")[0].clamp(0, 1)
    window = torch.eye(2, 3)[None] / LARGE
    background = luma(selfie.permute(2, 0, 1))
    found = detail(luma(painted), 256, background, fine, region.mask[0], window)[0]
    rows, left, right = slice(420, 480), slice(270, 330), slice(side - 330, side - 270)
    put_on, own = (float(fine_of(found)[rows, columns].std()) for columns in (left, right))
    assert own > 0.01
    assert 0.4 * own < put_on < 1.2 * own if another else put_on < 0.05 * own


def test_a_neck_whose_beard_went_has_grain_as_far_as_the_face_is_the_new_one_s(face, selfie):
    region = place(face, selfie)
    crop, chin = region.fine[0].skin, int(face.points[152, 1])
    hair, mask = torch.zeros(256, 256), grow(region.mask[None], 14)[0, 0]
    hair[chin + 3 : chin + 11, 108:148] = 1
    fine = replace(region.fine[0], foreheads=(torch.ones(256, 256), face.covered.float()), outline=face.points, hair=hair)
    painted = torch.nn.functional.interpolate(crop[None], size=256 * LARGE, mode="bicubic")[0].clamp(0, 1)
    plain = torch.full((1, 256 * LARGE, 256 * LARGE), float(luma(crop).mean()))
    at = slice(LARGE * (chin + 5), LARGE * (chin + 9)), slice(LARGE * 116, LARGE * 140)
    window = torch.eye(2, 3)[None] / LARGE
    noisy = plain * torch.exp(0.05 * torch.randn(plain.shape, generator=torch.Generator().manual_seed(2)))
    found = [detail(luma(painted), 256, noisy, replace(fine, share=share), mask, window)[0] for share in (1.0, 0.0)]
    assert float(fine_of(found[0])[at].std()) > 0.005
    assert found[1][at].abs().max() < 0.01
