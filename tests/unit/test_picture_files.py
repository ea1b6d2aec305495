"""Files that are opened as pictures: each gives the right pixels, or is refused by what it is, before it takes memory."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from diffsfsr.modules.errors import DiffSFSRError, at
from diffsfsr.modules.images import TooLarge, cast, checked_image, checked_mask, read_picture

RED = (200, 60, 20)


def file_of(picture, format="PNG", **options):
    data = io.BytesIO()
    picture.save(data, format, **options)
    data.seek(0)
    return data


def plain(mode="RGB", colour=RED, size=(40, 30)):
    return Image.new(mode, size, colour)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(side):
    """A PNG of 1 bit a pixel: a few kB that say they are side x side pixels, and are."""
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    body = zlib.compress(bytes((side // 8 + 1) * side), 9)
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))


@pytest.mark.parametrize("side", [8_000, 20_000])
def test_the_size_is_looked_at_before_anything_is_decoded(side, monkeypatch):
    def decoded(self):
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", decoded)
    file = bomb(side)
    assert len(file.getvalue()) < 100_000
    with pytest.raises(TooLarge, match="megapixels"):
        read_picture(file)


SIXTEEN = Image.fromarray(np.full((30, 40), 128 * 257, np.uint16))
CLEAR = plain("RGBA", (*RED, 128))
TURNED = Image.Exif()
TURNED[0x0112] = 6


@pytest.mark.parametrize(
    ("file", "colour", "size"),
    [
        (file_of(plain()), RED, (30, 40)), (file_of(plain(), "TIFF"), RED, (30, 40)),
        (file_of(plain("L", 90)), (90,) * 3, (30, 40)), (file_of(plain("1", 1)), (255,) * 3, (30, 40)), (file_of(CLEAR), RED,
        (30, 40)),
        (file_of(CLEAR, "TIFF"), RED, (30, 40)),
        (file_of(plain("P", 0)), (0,) * 3, (30, 40)), (file_of(plain("CMYK", (0, 0, 0, 0)), "TIFF"), (255,) * 3, (30, 40)),
        (file_of(SIXTEEN), (128,) * 3, (30, 40)), (file_of(SIXTEEN, "TIFF"), (128,) * 3, (30, 40)),
        (file_of(plain(), "JPEG", quality=100, subsampling=0, exif=TURNED), RED, (40, 30)),
        (file_of(plain(), "MPO", quality=100, subsampling=0, save_all=True, append_images=[plain()]), RED, (30, 40)),
    ],
)  # fmt: skip
def test_what_is_right(file, colour, size):
    picture = read_picture(file)
    assert picture.shape == (1, *size, 3) and picture.dtype == torch.float32
    assert (picture * 255 - torch.tensor(colour)).abs().max() < 3


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        (file_of(plain(), save_all=True, append_images=[plain(colour=(1, 2, 3))]), r"2 pictures \(PNG\)"),
        (file_of(plain(), "GIF", save_all=True, append_images=[plain(colour=(1, 2, 3))]), r"2 pictures \(GIF\)"),
        (file_of(plain(), "TIFF", save_all=True, append_images=[plain()]), r"2 pictures \(TIFF\)"),
        (file_of(plain(), "WEBP", save_all=True, append_images=[plain(colour=(1, 2, 3))]), r"2 pictures \(WEBP\)"),
        (file_of(plain("F", 0.5), "TIFF"), "floating-point"), (file_of(plain("I", 2**30), "TIFF"), "32-bit"),
        (file_of(plain(), "EPS"), "cannot be read as a picture"), (io.BytesIO(b""), "cannot be read as a picture"),
        (io.BytesIO(file_of(plain()).getvalue()[:60]), "cannot be read as a picture"),
    ],
)  # fmt: skip
def test_what_is_refused_by_name(file, fault):
    with pytest.raises(DiffSFSRError, match=fault) as caught, at("--selfie"):
        read_picture(file)
    assert caught.value.where == "--selfie" and caught.value.remedy


def test_transparency_that_is_left_out_is_said(caplog):
    with at("--background"):
        read_picture(file_of(plain("RGBA", (*RED, 255))))
        assert not caplog.text
        read_picture(file_of(CLEAR))
    assert "--background: the alpha channel is not used" in caplog.text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", tmp_path):
        with pytest.raises(DiffSFSRError, match="It is no file"):
            read_picture(path)


# --- wires ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "dtype", "wanted"),
    [
        (0.5, torch.bfloat16, 0.5), (True, torch.bool, 1.0), (255, torch.uint8, 1.0), (1, torch.uint8, 1 / 255),
        (51, torch.int64, 0.2), (1, torch.int32, 1.0), (0, torch.int16, 0.0), (0.25, torch.float8_e4m3fn, 0.25),
    ],
)  # fmt: skip
def test_other_types_are_cast_once(value, dtype, wanted):
    image = torch.full((1, 32, 32, 3), value).to(dtype)
    for made in (checked_image(image), checked_mask(image[..., 0], 1, 32, 32) if wanted else None):
        assert made is None or (made.dtype == torch.float32 and torch.allclose(made, torch.tensor(wanted)))
    assert cast(image).dtype == torch.float32


@pytest.mark.parametrize("image", [torch.full((1, 32, 32, 3), 4000), torch.zeros(1, 32, 32, 3, dtype=torch.complex64)])
def test_numbers_that_are_no_pixels(image):
    with pytest.raises(DiffSFSRError, match=r"up to 4000|complex"):
        checked_image(image)


@pytest.mark.parametrize("mask", [[[1.0]], "mask", torch.ones(32, 32, dtype=torch.complex64), torch.ones(())])
def test_what_is_no_mask(mask):
    with pytest.raises(DiffSFSRError, match=r"MASK is|complex"):
        checked_mask(mask, 1, 32, 32)
