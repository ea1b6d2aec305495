"""Photos of several people, and ArcFace as a second network, through the real host."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors import safe_open

from dev.people import head, person
from diffsfsr.modules.faces.landmarker import find_faces
from diffsfsr.modules.faces.networks import FaceNetworks
from tests.conftest import ROOT
from tests.host.graphs import BUILT_IN, IDENTITY, LOADER, portrait, refusal, scaled, shown

MODEL = ROOT / "weights" / "face_landmarker.safetensors"
ARCFACE = "insightface-arcface"


@pytest.fixture(scope="module")
def nobody():
    """[1, 512, 512, 3]: a man who does not exist."""
    pixels = torch.from_numpy(np.array(Image.open(person("P008", "portrait")).convert("RGB")))
    return scaled(pixels[None].float() / 255, 512, 512)


def photos(pictures, nobody, who: str) -> torch.Tensor:
    """One batch: `a` a photo of the astronaut, each another; `n` of nobody; `-` a picture without a face."""
    looks = iter((1.0, 0.8, 0.65, 0.9, 0.75))
    made = {"a": lambda: pictures[0] * next(looks), "n": lambda: nobody, "-": lambda: torch.full((1, 512, 512, 3), 0.5)}
    return torch.cat([made[letter]() for letter in who])


def encoded(studio, images, **settings):
    """Identity and aligned crops of one batch."""
    graph = shown(portrait(images, images[:1]).only(IDENTITY).set(IDENTITY, **settings), IDENTITY, 1)
    result = studio.run(graph)
    assert result.success, result.errors
    return result.value(IDENTITY), result.value(IDENTITY, 1)


# --- several photos --------------------------------------------------------------------------------------------------


def test_a_stranger_among_five_is_left_out_and_named(studio, pictures, nobody, caplog):
    identity, crops = encoded(studio, photos(pictures, nobody, "aaana"))
    assert "Identity Encoder, image 3: this photo looks like another person, left out" in caplog.text
    assert len(crops) == len(identity.selfies) == 4
    alone, _ = encoded(studio, photos(pictures, nobody, "aaaa"))
    assert torch.allclose(identity.vector, alone.vector, atol=1e-4)
    assert caplog.text.count("left out") == 1, "photos of one person give no warning"


def test_the_number_is_that_of_the_batch_when_pictures_were_skipped(studio, pictures, nobody, caplog):
    identity, _ = encoded(studio, photos(pictures, nobody, "-aana"), without_face="skip this image")
    assert "image 3: this photo looks like another person" in caplog.text and len(identity.selfies) == 3


def test_two_photos_that_disagree_are_both_kept_and_it_is_said(studio, pictures, nobody, caplog):
    identity, _ = encoded(studio, photos(pictures, nobody, "an"))
    assert "images 0, 1: they look like different people" in caplog.text and "left out" not in caplog.text
    assert len(identity.selfies) == 2 and identity.vector.norm().item() == pytest.approx(1, abs=1e-3)


def test_progress_counts_the_photos(studio, pictures, nobody):
    images = photos(pictures, nobody, "aaa")
    graph = shown(portrait(images, images[:1]).only(IDENTITY), IDENTITY, 1)
    result = studio.run(graph)
    steps = [event for event in result.progress() if event["node"] == IDENTITY]
    assert result.success and steps[-1]["value"] == steps[-1]["max"] == 3


# --- ArcFace ---------------------------------------------------------------------------------------------------------


def arcface_like(file, seed=0, inputs=(3, 112, 112), width=512):
    """A tiny network in the form of ArcFace: means of 16 x 16 tiles, then one matrix [768, 512], which is returned."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    matrix = np.random.default_rng(seed).normal(size=(inputs[0] * (inputs[1] // 7) * (inputs[2] // 7), width))
    matrix = matrix.astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["data"], ["tiles"], kernel_shape=[7, 7], strides=[7, 7]),
        helper.make_node("Flatten", ["tiles"], ["flat"]),
        helper.make_node("Gemm", ["flat", "matrix"], ["fc1"]),
    ]
    given = [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["n", *inputs])]
    told = [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, ["n", width])]
    graph = helper.make_graph(nodes, "tiny", given, told, [numpy_helper.from_array(matrix, "matrix")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    file.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(file))
    return matrix


@pytest.fixture(scope="module")
def asking(studio, tmp_path_factory):
    """A bundle that asks for ArcFace: its tokens are made from 768 values."""
    from diffsfsr.modules.bundle import load_bundle, save_bundle

    folder, config = tmp_path_factory.mktemp("asking"), load_bundle(BUILT_IN).config
    with safe_open(BUILT_IN, framework="pt") as file:
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118  (not a dict)
    name = "tokens.recognition.0.weight"
    tensors[name] = torch.cat([tensors[name], torch.randn(len(tensors[name]), 512).half() * 0.02], 1)
    wide = replace(config, identity=(config.identity[0], ARCFACE), tokens=replace(config.tokens, identity_width=768))
    save_bundle(folder / "with arcface.safetensors", wide, tensors)
    studio.folder_paths.add_model_folder_path("diffsfsr", str(folder))
    yield "with arcface.safetensors"
    studio.folder_paths.folder_names_and_paths["diffsfsr"][0].remove(str(folder))
    studio.folder_paths.filename_list_cache.pop("diffsfsr", None)


@pytest.fixture
def models(studio, tmp_path, monkeypatch):
    """An empty models/insightface of the host, under a models folder of its own; nothing cached of earlier runs."""
    monkeypatch.setattr(studio.folder_paths, "models_dir", str(tmp_path))
    monkeypatch.delitem(studio.folder_paths.folder_names_and_paths, "insightface", raising=False)
    studio.reset()
    return tmp_path / "insightface"


def with_arcface(pictures, bundle):
    return portrait(*pictures).set(LOADER, bundle=bundle)


def test_arcface_is_the_second_part_of_the_vector(studio, pictures, asking, models):
    """Found in a pack's folder, beside a detector and a broken file; its part is what it says of the aligned chip."""
    matrix = arcface_like(models / "models" / "buffalo_l" / "w600k_r50.onnx")
    arcface_like(models / "models" / "buffalo_l" / "det_10g.onnx", inputs=(3, 63, 63), width=8)
    (models / "models" / "antelope.onnx").write_bytes(b"not a network")
    result = studio.run(with_arcface(pictures, asking))
    assert result.success, result.errors
    identity = result.value(IDENTITY)
    assert identity.vector.shape == (768,)
    own, theirs = identity.vector[:256], identity.vector[256:]
    assert own.norm().item() == pytest.approx(1, abs=1e-3)

    from diffsfsr.modules.encoders.identity import chip

    square = chip(identity.face.image[None], identity.face.points[None])[0].clamp(0, 1)
    tiles = torch.nn.functional.avg_pool2d((square * 255 - 127.5) / 127.5, 7).flatten()
    wanted = torch.nn.functional.normalize(tiles @ torch.from_numpy(matrix), dim=0)
    assert torch.allclose(theirs, wanted, atol=1e-4)


def test_a_folder_that_the_host_knows_is_searched_too(studio, pictures, asking, models, tmp_path):
    arcface_like(tmp_path / "elsewhere" / "glintr100.onnx")
    studio.folder_paths.add_model_folder_path("insightface", str(tmp_path / "elsewhere"))
    graph = shown(with_arcface(pictures, asking).only(IDENTITY), IDENTITY, 1)
    result = studio.run(graph)
    assert result.success, result.errors
    assert result.value(IDENTITY).vector.shape == (768,)


def test_without_a_model_the_loader_says_where_to_put_one(studio, pictures, asking, models):
    arcface_like(models / "det_10g.onnx", inputs=(3, 63, 63), width=8)
    message = refusal(studio, with_arcface(pictures, asking), LOADER)
    assert ARCFACE in message and "among 1 ONNX files" in message and str(models) in message and "w600k_r50" in message


def test_without_onnxruntime_the_loader_says_what_to_install(studio, pictures, asking, models, monkeypatch):
    arcface_like(models / "w600k_r50.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    message = refusal(studio, with_arcface(pictures, asking), LOADER)
    assert ARCFACE in message and "pip install onnxruntime" in message and str(models) in message


def test_bundles_that_do_not_ask_need_neither(studio, pictures, models, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    graph = shown(portrait(*pictures).only(IDENTITY), IDENTITY, 1)
    result = studio.run(graph)
    assert result.success, result.errors


def test_a_network_that_gives_no_numbers(studio, pictures, asking, models, monkeypatch):
    from diffsfsr.modules.host import insightface

    arcface_like(models / "w600k_r50.onnx")
    monkeypatch.setattr(insightface, "chip", lambda images, points: torch.full((len(images), 3, 112, 112), float("nan")))
    graph = with_arcface(pictures, asking)
    message = refusal(studio, graph, IDENTITY)
    assert "not numbers" in message and "w600k_r50.onnx" in message


# --- a photo that does not show the whole face -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "cut, said",
    [
        (lambda image: image[:, :345], "the selfie's chin lies outside the picture"),
        (lambda image: image[:, :, :290], "the selfie's right side lies outside the picture"),
        (lambda image: image, None),
    ],
)
def test_what_the_photo_cuts_off_is_said_once(studio, nobody, caplog, cut, said):
    identity, crops = encoded(studio, cut(nobody))
    assert caplog.text.count("outside the picture") == (said is not None) and (said or "") in caplog.text
    assert (identity.face.shown is None) == (said is None)


@pytest.mark.parametrize("masked", [True, False])
def test_a_selfie_with_a_mask_before_it_is_said(studio, caplog, masked):
    picture = head("P008", "portrait")
    if masked:
        (face,) = find_faces(FaceNetworks.load(MODEL), torch.from_numpy(np.array(picture)).float() / 255)
        edge = (234, 117, 6, 346, 454, 361, 397, 378, 152, 149, 172, 132)
        ImageDraw.Draw(picture).polygon([tuple(face.points[k, :2].tolist()) for k in edge], fill=(170, 200, 220))
    encoded(studio, torch.from_numpy(np.array(picture)).float()[None] / 255)
    assert ("face below the eyes is covered" in caplog.text) == masked
