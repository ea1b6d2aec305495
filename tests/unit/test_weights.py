"""A file of weights is what was written, or is refused: bits, types, values, and what a configuration asks for."""

import json
import os
from dataclasses import asdict

import pytest
import torch
from safetensors.torch import load, save

from dev.seal import sealed
from diffsfsr.modules import weights
from diffsfsr.modules.bundle import check_fit, check_layers, load_bundle, save_bundle
from diffsfsr.modules.denoiser.config import UNetConfig
from diffsfsr.modules.errors import DiffSFSRError
from diffsfsr.modules.faces.morphable import FaceShape
from diffsfsr.modules.faces.networks import FaceNetworks
from tests.unit.faces import MODEL
from tests.unit.test_bundle import config, path, refusal, rewrite, saved  # noqa: F401  (fixtures)
from tests.unit.test_bundle import weights as some_weights


def flip(file, place):
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)


# --- the checksum ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["0.0008", "compact", ""])
def test_a_flipped_bit_is_damage(path, saved, where):  # noqa: F811
    """In a number of the configuration, which stays a number; in a name, which is unknown then; in a weight."""
    flip(path, path.read_bytes().index(where.encode()) + len(where) if where else -9)
    assert ("damaged" if where != "compact" else "does not have") in refusal(path).what


def test_a_file_without_a_checksum_loads_and_can_be_given_one(path, saved):  # noqa: F811
    before = load_bundle(path)
    rewrite(path, sha256=None)
    flip(path, -9)
    assert load_bundle(path).config == before.config, "nobody can tell"
    path.write_bytes(sealed(path.read_bytes()))
    assert load_bundle(path).config == before.config
    flip(path, -9)
    assert "damaged" in refusal(path).what


def test_it_is_made_once_and_again_when_the_file_changes(path, saved, monkeypatch):  # noqa: F811
    made, real = [], weights.checksum
    monkeypatch.setattr(weights, "checksum", lambda *given: made.append(1) or real(*given))
    load_bundle(path), load_bundle(path)
    assert len(made) == 1
    os.utime(path, ns=(1, 1))
    load_bundle(path)
    assert len(made) == 2


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (torch.tensor([float("nan")]), "not numbers"), (torch.tensor([float("inf")]).half(), "not numbers"),
        (torch.ones(2, dtype=torch.uint8), "type"), (torch.ones(2).to(torch.float8_e4m3fn), "type"),
        (torch.ones(2, dtype=torch.complex64), "type"), (torch.ones(2, dtype=torch.bool), "type"),
    ],
)  # fmt: skip
def test_values_and_types_that_no_network_has(path, saved, value, fault):  # noqa: F811
    rewrite(path, {**some_weights(), "unet.a.weight": value}, sha256=None)
    error = refusal(path)
    assert fault in error.what and "unet.a.weight" in error.what


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_and_a_folder_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "self.safetensors").symlink_to(tmp_path / "self.safetensors")
    for name in ("pipe", "folder"):
        assert "no plain file" in refusal(tmp_path / f"{name}.safetensors").what
    assert "no such bundle" in refusal(tmp_path / "self.safetensors").what


# --- what a configuration asks for -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("unet.model_channels", "64"), ("unet.model_channels", 10**9), ("unet.model_channels", True), ("unet.channel_mult", 3),
        ("unet.num_res_blocks", [10**9] * 3), ("unet.num_res_blocks", [2, 2]), ("unet.channel_mult", [[1], [2], [3]]),
        ("unet.transformer_depth", [0] * 10_000), ("unet.linear_start", float("nan")), ("unet.linear_start", 0.4),
        ("unet.beta_schedule", "magic"), ("unet.token_width", 64), ("unet.step_window", -1), ("unet.latent_channels", 0),
        ("tokens.tokens", 21), ("tokens.recognition", 20), ("tokens.selfie", 10**6), ("tokens.width", None),
        ("resolution", 250), ("resolution", 10**6), ("resolution", 256.0), ("identity", "compact-v2"), ("identity", [["x"]]),
        ("latent_rgb", [[0, 0, 0]]), ("latent_rgb", [[0, 0]] * 17), ("latent_scale", 0), ("latent_scale", float("inf")),
        ("runs", [1]), ("metrics", {"a": 1}), ("licence", None), ("id", 7), ("kind", ["full"]),
    ],
)  # fmt: skip
def test_values_of_a_configuration(path, saved, where, value):  # noqa: F811
    told = json.loads(json.dumps(asdict(config())))
    *above, name = where.split(".")
    (told[above[0]] if above else told)[name] = value
    rewrite(path, config=json.dumps(told))
    error = refusal(path)
    assert "configuration cannot be read" in error.what and name in error.what and len(error.what) < 400


def test_a_measure_that_failed_is_no_damage(path):  # noqa: F811
    save_bundle(path, config(metrics={"unet": {"loss": float("nan"), "step": 7}}), some_weights())
    assert load_bundle(path).config.metrics["unet"]["step"] == 7


def test_a_nested_configuration(path, saved):  # noqa: F811
    rewrite(path, config='{"unet": ' + "[" * 50_000 + "]" * 50_000 + "}")
    assert "configuration cannot be read" in refusal(path).what


def test_nothing_is_made_before_the_shapes_are_known_to_fit():
    """Weights of 16 TB, and more layers than there are weights."""
    with pytest.raises(DiffSFSRError, match=r"part 'x' does not fit .* first: weight"):
        check_fit(lambda: torch.nn.Linear(2_000_000, 2_000_000), {"weight": torch.zeros(3, 3), "bias": torch.zeros(3)}, "x")
    with pytest.raises(DiffSFSRError, match="asks for 39 layers of the UNet, the file has 6 weights"):
        check_layers(UNetConfig(transformer_depth=(16, 7)), dict(enumerate(torch.zeros(6))))


@pytest.mark.parametrize("dtype", [torch.int64, torch.float16])
def test_a_weight_of_another_kind(dtype):
    """Whole numbers are not turned into weights, nor weights into counts."""
    state = {name: value.to(dtype) for name, value in torch.nn.BatchNorm1d(2).state_dict().items()}
    wrong = "first: weight" if dtype == torch.int64 else "first: num_batches_tracked"
    with pytest.raises(DiffSFSRError, match=wrong):
        check_fit(lambda: torch.nn.BatchNorm1d(2), state, "x")


@pytest.mark.parametrize(
    ("name", "shape"), [("movement", (478, 3)), ("light_axes", (16, 79)), ("corrections", (9, 478, 3)), ("mouth_box", (1, 3))]
)
def test_parts_of_a_face_model_that_do_not_go_together(name, shape):
    state = load_bundle(MODEL.with_name("diffsfsr_default_256.safetensors")).parts["shape"]
    with pytest.raises(DiffSFSRError, match=f"makes no network .*{name} is"):
        check_fit(lambda: FaceShape.like({**state, name: torch.zeros(shape)}), state, "shape")


# --- the face networks -------------------------------------------------------------------------------------------------


def graphs_of(data):
    return json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["graphs"])


def spoilt(**changes):
    """The face networks without a checksum, with other tensors or operator lists."""
    data = MODEL.read_bytes()
    graphs, tensors = graphs_of(data), load(data)
    told = {"format": "diffsfsr.face_landmarker", "format_version": "1"}
    for name, change in changes.items():
        change(graphs if name == "graphs" else tensors)
    return save(tensors, {**told, "graphs": json.dumps(graphs)})


def operator(name, number=3, **values):
    return lambda graphs: graphs[name]["ops"][number].update(values)


@pytest.mark.parametrize(
    "changes",
    [
        {"graphs": operator("mesh", out=-5)}, {"graphs": operator("detector", **{"in": [99]})},
        {"graphs": operator("detector", 0, stride=[1, 1])}, {"graphs": operator("detector", 0, pad=[10**9] * 4)},
        {"graphs": operator("mesh", op="rm")}, {"graphs": lambda graphs: graphs.pop("mesh")},
        {"graphs": lambda graphs: graphs.update(mesh=[])}, {"graphs": lambda graphs: graphs["blendshapes"].update(outputs=[])},
        {"tensors": lambda tensors: tensors.update({"mesh.triangles": torch.full((898, 3), 900)})},
        {"tensors": lambda tensors: tensors.update({"mesh.vertices": torch.zeros(3, 3)})},
        {"tensors": lambda tensors: tensors.update({"mesh.vertices": torch.full((468, 3), torch.nan)})},
    ],
    ids=range(11),
)  # fmt: skip
def test_face_networks_that_cannot_work(tmp_path, changes):
    file = tmp_path / "face_landmarker.safetensors"
    file.write_bytes(spoilt(**changes))
    with pytest.raises(DiffSFSRError, match=r"incomplete|damaged") as caught:
        FaceNetworks.load(file)
    assert caught.value.where == str(file) and "clone it again" in caught.value.remedy


def test_a_flipped_bit_of_the_face_networks(tmp_path):
    file = tmp_path / "face_landmarker.safetensors"
    file.write_bytes(spoilt())
    assert FaceNetworks.load(file).triangles.shape == (898, 3), "whole, and from before there were checksums"
    file.write_bytes(sealed(file.read_bytes()))
    FaceNetworks.load(file)
    flip(file, -9)
    with pytest.raises(DiffSFSRError, match="damaged"):
        FaceNetworks.load(file)
