"""Bad input through the real host: each one ends in an error that names the input and says what to do about it."""

import pytest
import torch

from tests.host.graphs import (
    COMPOSITE,
    CONDITION,
    DECODE,
    EXPRESSION,
    IDENTITY,
    LOADER,
    SAMPLER,
    SAVE,
    astronaut,
    portrait,
    refusal,
    scaled,
    shown,
    two_faces,
)


def both_nodes(pictures, image):
    """The same bad picture as a selfie and as a background: [(graph, node, how the message begins)]."""
    selfie = shown(portrait(image, pictures[1]).only(IDENTITY), IDENTITY, 1)
    background = shown(portrait(pictures[0], image), CONDITION, 4)
    del background[SAVE]
    return [(selfie, IDENTITY, "Identity Encoder, image"), (background, CONDITION, "Background Condition, image")]


def with_nan():
    image = astronaut()
    image[0, 100, 200, 1] = float("nan")
    return image


BAD_PICTURES = {
    "no face": (torch.full((1, 256, 256, 3), 0.5), "No face was found", "40 pixels"),
    "a face too small": (scaled(astronaut(), 180, 180), "face is only 3", "enlarge it"),
    "1x1": (torch.zeros(1, 1, 1, 3), "only 1 x 1 pixels", "at least 32"),
    "8k x 8k": (torch.zeros(1).expand(1, 8192, 8192, 3), "8192 x 8192", "Upscale Image By"),
    "NaN": (with_nan(), "not numbers", "VAE Decode"),
    "empty batch": (torch.zeros(0, 512, 512, 3), "batch is empty", "at least one picture"),
    "three dimensions": (astronaut()[0], "four dimensions", "Load Image"),
    "two channels": (astronaut()[..., :2], "2 colour channels", "RGB"),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_bad_pictures(studio, pictures, name):
    image, fault, remedy = BAD_PICTURES[name]
    for graph, node, beginning in both_nodes(pictures, image):
        message = refusal(studio, graph, node)
        assert message.startswith(beginning), message
        assert fault in message and remedy in message, message


def test_which_picture_of_a_batch_is_bad(studio, pictures):
    batch = torch.cat([astronaut(), torch.full((1, 512, 512, 3), 0.5)])
    for graph, node, beginning in both_nodes(pictures, batch):
        assert refusal(studio, graph, node).startswith(f"{beginning} 1: No face was found")


def test_several_faces_and_an_index_beyond_them(studio, pictures):
    for graph, node, _ in both_nodes(pictures, two_faces()):
        message = refusal(studio, graph.set(node, face="index", face_index=5), node)
        assert "Face 5 was asked for, but there are 2" in message and "Set the index to 0 to 1" in message


@pytest.mark.parametrize("channels", [4, 1])
def test_rgba_and_grey_are_understood_and_it_is_said(studio, pictures, channels, caplog):
    """No error but no silence either; alpha comes back as it came, a grey picture with three equal channels."""
    selfie, background = (torch.cat([p, p.mean(-1, keepdim=True)], -1)[..., -channels:] for p in pictures)
    graph = portrait(selfie.clone(), background.clone())
    result = studio.run(graph)
    assert "alpha channel is not used" in caplog.text if channels == 4 else "grey picture" in caplog.text
    assert result.success, result.errors
    picture, outside = result.value(COMPOSITE), result.value(COMPOSITE, 1) == 0
    assert torch.equal(picture[outside][..., -1], background[outside][..., -1])


def test_skipping_pictures_without_a_face(studio, pictures):
    batch = torch.cat([torch.full((1, 512, 512, 3), 0.5), astronaut()])
    graph = shown(portrait(batch, pictures[1]).only(IDENTITY).set(IDENTITY, without_face="skip this image"), IDENTITY, 1)
    result = studio.run(graph)
    assert result.success, result.errors
    assert result.value(IDENTITY, 1).shape == (1, 256, 256, 3)
    nobody = graph.give(IDENTITY, "image", "IMAGE", batch[:1].clone())
    assert "None of the pictures shows a usable face" in refusal(studio, nobody, IDENTITY)


def test_a_picture_treated_as_a_crop(studio, pictures):
    image = torch.full((1, 300, 200, 3), 0.5)
    graph = portrait(image, pictures[1]).only(IDENTITY).set(IDENTITY, without_face="treat as an aligned crop")
    result = studio.run(shown(graph, IDENTITY, 1))
    assert result.success, result.errors
    assert result.value(IDENTITY, 1).shape == (1, 256, 256, 3)


def corner():
    """[1, 512, 512]: a mask of the lower left corner, far from the face."""
    mask = torch.zeros(1, 512, 512)
    mask[:, 472:, :40] = 1
    return mask


# --- masks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "fault", "remedy"),
    [
        (torch.ones(1, 256, 512), "The mask is 512 x 256, the picture 512 x 512", "same size"),
        (torch.ones(3, 512, 512), "3 masks for 1 pictures", "one mask"),
        (torch.zeros(1, 512, 512), "mask is empty", "disconnect"),
        (torch.full((1, 512, 512), float("nan")), "not numbers", "node that made it"),
        (corner(), "does not touch the chosen face", "over the face"),
    ],
)
def test_masks(studio, pictures, mask, fault, remedy):
    graph = portrait(*pictures).give(CONDITION, "mask", "MASK", mask)
    message = refusal(studio, graph, CONDITION)
    where = message.partition(":")[0]
    assert where.startswith("Background Condition,") and where.endswith(", mask") and fault in message and remedy in message


# --- values that an old host lets through -----------------------------------------------------------------------------


NEAR = [("amazment", "'amazement'"), ("hapyness", "'happiness'"), ("hungry", "'eagerness'"), ("joy: rage", "anger: rage")]


@pytest.mark.parametrize(("word", "near"), NEAR)
def test_unknown_words_get_a_suggestion(studio, pictures, word, near):
    message = refusal(studio, portrait(*pictures).set(EXPRESSION, expression=word), EXPRESSION)
    assert "Expression Label Encoder, input 'expression'" in message and near in message


@pytest.mark.parametrize(
    ("node", "name", "beginning"),
    [
        (LOADER, "bundle", "DiffSFSR UNet Loader, bundle"),
        (LOADER, "weight_dtype", "DiffSFSR UNet Loader, precision"),
        (IDENTITY, "without_face", "Identity Encoder"),
        (IDENTITY, "face", "Identity Encoder, image 0"),
        (CONDITION, "face", "Background Condition, image 0"),
        (SAMPLER, "scheduler", "Midpoint Sampler"),
    ],
)
def test_list_values_that_do_not_exist(studio, pictures, node, name, beginning):
    message = refusal(studio, portrait(*pictures).set(node, **{name: "../../etc/passwd"}), node)
    assert message.startswith(beginning) and "../../etc/passwd" in message


# --- crops and places ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("crops", "fault"),
    [
        (torch.rand(1, 256, 128, 3), "should be square"),
        (torch.full((1, 256, 256, 3), float("nan")), "not numbers"),
    ],
)
def test_crops_that_do_not_belong(studio, pictures, crops, fault):
    graph = portrait(*pictures).give(COMPOSITE, "image", "IMAGE", crops)
    message = refusal(studio, graph, COMPOSITE)
    assert message.startswith("Composite Face") and fault in message


@pytest.mark.parametrize("detail", [float("nan"), -0.1, 1.1])
def test_detail_is_a_share(studio, pictures, detail):
    place = studio.run(portrait(*pictures)).value(CONDITION, 3)
    with pytest.raises(ValueError, match="Composite Face, detail: .* is outside 0 to 1"):
        studio.node("DiffSFSRCompositeFace").execute(torch.rand(1, 256, 256, 3), place, detail)


def test_after_an_error_the_next_run_is_fine(studio, pictures):
    assert not studio.run(portrait(BAD_PICTURES["NaN"][0], pictures[1])).success
    result = studio.run(portrait(*pictures))
    assert result.success, result.errors
    assert result.value(DECODE).shape == (1, 256, 256, 3)
