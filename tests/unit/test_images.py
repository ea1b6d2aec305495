"""What comes in on IMAGE and MASK wires: everything usable is understood, everything else refused with a remedy."""

import logging

import pytest
import torch

from diffsfsr.modules.errors import DiffSFSRError, at
from diffsfsr.modules.images import broadcast, checked_image, checked_mask

WHERE = "Some Node, image"


def refused(call, *args):
    """The three parts of the refusal, which names its place and says what to do."""
    with pytest.raises(DiffSFSRError) as caught, at(WHERE):
        call(*args)
    error = caught.value
    assert error.where == WHERE and str(error).startswith(WHERE)
    assert len(error.remedy) > 10 and error.remedy[0].isupper()
    return error


def picture(*shape):
    """A picture of any size without memory for it: one value, seen everywhere."""
    return torch.zeros(1).expand(*shape)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_colour_channels_and_types(channels, dtype):
    image = torch.rand(2, 40, 50, channels).to(dtype)
    checked = checked_image(image)
    assert checked.shape == (2, 40, 50, 3) and checked.dtype == torch.float32
    wanted = image.float().expand(-1, -1, -1, 3) if channels == 1 else image.float()[..., :3]
    assert torch.equal(checked, wanted)


@pytest.mark.parametrize(("channels", "word"), [(1, "grey"), (4, "alpha")])
def test_what_is_left_out_is_said(channels, word, caplog):
    with caplog.at_level(logging.WARNING), at(WHERE):
        checked_image(torch.rand(1, 40, 40, channels))
    assert [r.getMessage().split(":")[0] for r in caplog.records] == [WHERE] and word in caplog.text


def test_values_outside_the_range_are_cut_and_the_input_stays():
    image = torch.tensor([-0.5, 0.2, 1.5]).expand(1, 32, 32, 3).clone()
    kept = image.clone()
    checked = checked_image(image)
    assert torch.equal(checked[0, 0, 0], torch.tensor([0.0, 0.2, 1.0])) and torch.equal(image, kept)


@pytest.mark.parametrize("shape", [(40, 40, 3), (1, 2, 40, 40, 3), (40,)])
def test_wrong_number_of_dimensions(shape):
    assert "four dimensions" in refused(checked_image, torch.rand(*shape)).what


def test_something_else_than_a_picture():
    assert "NoneType" in refused(checked_image, None).what
    assert "list" in refused(checked_image, [torch.rand(1, 40, 40, 3)]).what


@pytest.mark.parametrize("odd", [lambda x: x.to("meta"), lambda x: x.to_sparse(),
                                 lambda x: torch.quantize_per_tensor(x, 1 / 255, 0, torch.quint8)])  # fmt: skip
@pytest.mark.filterwarnings("ignore:torch.quantize")
def test_values_that_are_not_plain_numbers_in_memory(odd):
    assert "not plain numbers" in refused(checked_image, odd(torch.rand(1, 40, 40, 3))).what
    assert "not plain numbers" in refused(checked_mask, odd(torch.rand(1, 40, 40)), 1, 40, 40).what


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64, torch.int32])
def test_whole_numbers_of_any_width(dtype):
    image = torch.arange(40 * 40 * 3).remainder(256).view(1, 40, 40, 3)
    assert torch.equal(checked_image(image.to(dtype)), image / 255)
    assert "whole numbers up to 65535" in refused(checked_image, (image * 257).to(dtype)).what


def test_empty_batch():
    assert "empty" in refused(checked_image, torch.zeros(0, 40, 40, 3)).what


@pytest.mark.parametrize("channels", [0, 2, 5, 16])
def test_colour_channels_that_mean_nothing(channels):
    assert f"{channels} colour channels" in refused(checked_image, torch.zeros(1, 40, 40, channels)).what


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 4000), (31, 500), (0, 40)])
def test_too_small(height, width):
    error = refused(checked_image, torch.zeros(1, height, width, 3))
    assert f"{width} x {height}" in error.what and "32" in error.remedy


def test_smallest_that_passes():
    assert checked_image(torch.zeros(1, 32, 32, 3)).shape == (1, 32, 32, 3)


def test_8k_by_8k_is_refused_before_anything_is_computed():
    """The picture takes four bytes here; a check that made it real would need 800 MB."""
    error = refused(checked_image, picture(1, 8192, 8192, 3))
    assert "8192 x 8192" in error.what and "Upscale Image By" in error.remedy


def test_a_long_narrow_picture_counts_by_its_pixels():
    assert "too large" in refused(checked_image, picture(1, 40, 1_000_000, 3)).what


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels_that_are_not_numbers(bad, channels):
    image = torch.rand(2, 40, 40, channels)
    image[1, 30, 7, 0] = bad
    error = refused(checked_image, image)
    assert "not numbers" in error.what and "VAE Decode" in error.remedy


# --- masks -----------------------------------------------------------------------------------------------------------


def mask_of(mask, batch=2, height=48, width=80):
    return checked_mask(mask, batch, height, width)


def refused_mask(mask):
    return refused(mask_of, mask)


def painted(*shape):
    mask = torch.zeros(*shape)
    mask[..., 10:20, 10:20] = 1
    return mask


def test_masks_that_pass():
    assert mask_of(None) is None
    assert torch.equal(mask_of(painted(48, 80)), painted(1, 48, 80))
    assert torch.equal(mask_of(painted(1, 48, 80)), painted(1, 48, 80))
    assert torch.equal(mask_of(painted(2, 48, 80)), painted(2, 48, 80))
    assert mask_of(painted(48, 80).half()).dtype == torch.float32
    assert mask_of(painted(48, 80) * 3 - 1).max() == 1 and mask_of(painted(48, 80) * 3 - 1).min() == 0


def test_load_image_without_alpha_means_no_mask():
    """The host gives 64 x 64 zeros then, whatever the picture's size."""
    assert mask_of(torch.zeros(1, 64, 64)) is None
    assert mask_of(torch.zeros(64, 64)) is None


def test_a_painted_mask_of_64_pixels_is_a_mask():
    assert "64 x 64" in refused_mask(painted(1, 64, 64)).what
    assert torch.equal(checked_mask(painted(1, 64, 64), 1, 64, 64), painted(1, 64, 64))


@pytest.mark.parametrize("size", [(80, 48), (47, 80), (96, 160), (1, 1)])
def test_mask_of_another_size(size):
    error = refused_mask(torch.ones(1, *size))
    assert f"{size[1]} x {size[0]}" in error.what and "80 x 48" in error.what and "same size" in error.remedy


@pytest.mark.parametrize("count", [0, 3, 5])
def test_number_of_masks(count):
    assert f"{count} masks for 2 pictures" in refused_mask(painted(count, 48, 80)).what


def test_empty_mask():
    error = refused_mask(torch.zeros(1, 48, 80))
    assert "empty" in error.what and "disconnect" in error.remedy


def test_mask_values_that_are_not_numbers():
    mask = painted(48, 80)
    mask[3, 3] = float("nan")
    assert "not numbers" in refused_mask(mask).what


@pytest.mark.parametrize("shape", [(80,), (1, 1, 48, 80)])
def test_mask_of_another_shape(shape):
    assert "[batch, height, width]" in refused_mask(torch.ones(*shape)).what


def test_one_or_as_many():
    broadcast(1, 5, "expressions")
    broadcast(5, 5, "expressions")
    error = refused(broadcast, 2, 5, "expressions")
    assert "2 expressions" in error.what and "5" in error.remedy
