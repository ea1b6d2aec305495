"""Places and selfies of another kind: black and white, sepia, night, burnt, long beards. The whole graph, and what it leaves
alone.
"""

import logging

import pytest
import torch

from diffsfsr.evaluation.pictures import painted
from diffsfsr.modules.affine import FRAME
from diffsfsr.modules.warp.palette import Exposure, Palette, lit
from tests.host.graphs import COMPOSITE, astronaut, portrait, run, somebody_else

SEPIA = torch.tensor([1.0, 0.8, 0.55])


def grey(image):
    return image.mean(-1, keepdim=True).expand_as(image).clone()


PLACES = {"grey": grey, "sepia": lambda x: grey(x) * SEPIA, "night": lambda x: x * 0.06}


@pytest.fixture(scope="module")
def results(studio):
    """name -> the place, the finished picture and the mask, of one run over a batch of places."""
    batch = torch.cat([change(somebody_else()) for change in PLACES.values()])
    result = run(studio, portrait(astronaut(), batch).set("7", denoise=0.3))
    made, masks = result.value(COMPOSITE), result.value(COMPOSITE, 1)
    return {name: (batch[i], made[i], masks[i] > 0.9) for i, name in enumerate(PLACES)}


@pytest.mark.parametrize(("name", "tint"), [("grey", torch.ones(3)), ("sepia", SEPIA)])
def test_result_keeps_the_palette_of_its_place(results, name, tint):
    """Lips, teeth and eyes too, also behind the model."""
    _, made, inside = results[name]
    face = made[inside]
    assert len(face) > 1000 and face.std() > 0.05
    off = (face - face.mean(1, keepdim=True) * tint / tint.mean()).abs().amax(1)
    assert off.quantile(0.95) < 0.03 and off.max() < 0.12  # shine may be brighter than all of the place


def test_face_is_as_dark_as_its_place(results):
    place, made, inside = results["night"]
    assert made[inside].mean() < 1.5 * place[inside].mean()
    assert made[inside].max() < 2 * place[inside].max()


def test_grey_selfie_takes_the_colour_of_the_place(studio):
    """All of it, though *skin tone* asks for six tenths: a grey selfie has none of its own."""
    there = astronaut().flip(2)
    result = run(studio, portrait(grey(somebody_else()), there).set("7", denoise=0.3))
    inside = result.value(COMPOSITE, 1)[0] > 0.9
    redness = lambda x: ((x[..., 0] - x[..., 1]) / x.mean(-1).clamp_min(0.1))[inside].median()  # noqa: E731
    made, place = redness(result.value(COMPOSITE)[0]), redness(there[0])
    assert made > 0.9 * place > 0.05


def test_selfie_in_which_little_can_be_seen_is_warned_of(studio, caplog):
    for name, selfie in (("dark", astronaut() * 0.1), ("burnt", (astronaut() * 3.5).clamp(0, 1))):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            run(studio, portrait(selfie, somebody_else()).only("4", "5").add("show", "PreviewImage", images=["4", 1]))
        assert f"the face is {name}" in caplog.text


def test_ordinary_pictures_stay_as_they_are():
    """Not one bit of them: the same object comes back."""
    image = astronaut()[0, :FRAME, 100 : 100 + FRAME].permute(2, 0, 1)
    there = image.flip(-1)
    assert lit(image) == (image, 0.0) and Palette.of(image).on(there) is there
    assert Exposure.of(image)[1:] == (0.0, 0.0)


def test_a_burnt_face_in_the_picture_is_said(studio, caplog):
    batch = torch.cat([somebody_else(), (somebody_else() * 2.0).clamp(0, 1)])
    run(studio, portrait(astronaut(), batch).set("7", steps=1))
    assert "Background Condition, image 1: the face in the picture is burnt out" in caplog.text
    assert "image 0" not in caplog.text


def test_a_long_beard_in_the_picture_stays_under_the_chin_and_is_said(studio, caplog):
    """Not in the same person's own place, nor of a short one."""
    places = torch.cat([painted(who, "portrait", 512) for who in ("P002", "P005", "P008")])
    run(studio, portrait(astronaut(), places).set("7", steps=1))
    assert "Background Condition, image 1: the beard in the picture goes on below the face's crop" in caplog.text
    caplog.clear()
    run(studio, portrait(places[1:2], places[1:2]).set("7", steps=1))
    assert "beard" not in caplog.text
