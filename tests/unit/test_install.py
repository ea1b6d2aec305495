"""install.py: it says whether the pack is complete, in any Python and on any console, and changes nothing."""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import safe_open

from diffsfsr.modules import bundle
from diffsfsr.modules.faces import networks
from diffsfsr.modules.faces.covers import CoverNetwork
from diffsfsr.modules.faces.lights import LightNetwork

ROOT = Path(__file__).resolve().parents[2]
FACE = "face_landmarker.safetensors"


@pytest.fixture
def install():
    spec = importlib.util.spec_from_file_location("diffsfsr_install", ROOT / "install.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copied(install, tmp_path, monkeypatch):
    """install.py on a copy of the face model, which a test may damage."""
    (tmp_path / "weights").mkdir()
    monkeypatch.setattr(install, "PACK", str(tmp_path))
    monkeypatch.setattr(install, "WEIGHTS", {FACE: install.WEIGHTS[FACE]})
    return install, Path(shutil.copy(ROOT / "weights" / FACE, tmp_path / "weights"))


def as_script(*options, python=(), **environment):
    command = [sys.executable, *python, str(ROOT / "install.py"), *options]
    return subprocess.run(command, capture_output=True, env={**os.environ, **environment}, check=False)


def test_a_whole_pack_is_said_to_be_whole():
    done = as_script(PYTHONIOENCODING="cp1252")
    assert done.returncode == 0 and b"everything is there" in done.stdout and not done.stderr


def test_a_python_that_is_not_the_hosts_is_said(install):
    """-S: a Python that has the standard library alone, as a user's wrong Python may."""
    done = as_script(python=("-S", "-E"), PYTHONIOENCODING="cp1252")
    assert done.returncode == 1 and not done.stderr and done.stdout.count(b"\n") == 1
    assert b"torch is not installed" in done.stdout and b"the Python that starts ComfyUI" in done.stdout


@pytest.mark.parametrize("package", ["numpy", "PIL"])
@pytest.mark.parametrize("fault", ["missing", "broken"])
def test_a_package_that_is_missing_or_broken_is_named(install, tmp_path, package, fault):
    """In a console that knows Windows' letters only: one sentence, whatever the package says."""
    name = next(name for name, module in install.PACKAGES.items() if module == package)
    if fault == "broken":
        (tmp_path / f"{package}.py").write_text("raise RuntimeError('\u6f22\\nDLL load failed')", encoding="utf-8")
        done = as_script(PYTHONIOENCODING="cp1252", PYTHONPATH=str(tmp_path))
    else:
        code = "import importlib.util as u, runpy, sys; find = u.find_spec; sys.argv = ['install.py']; " \
            f"u.find_spec = lambda name, *a: None if name == {package!r} else find(name, *a); " \
            f"runpy.run_path({str(ROOT / 'install.py')!r}, run_name='__main__')"
        environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=False)
    said = done.stdout.decode("cp1252")
    assert done.returncode == 1 and not done.stderr and said.count("\n") == 1 and name in said
    assert "What to do: python -m pip install" in said and ("does not start" in said) == (fault == "broken")


def test_a_python_that_is_too_old_is_told_so(install, monkeypatch, capsys):
    """The file itself has nothing that Python 3.6 does not know."""
    ast.parse((ROOT / "install.py").read_text(), feature_version=(3, 6))
    monkeypatch.setattr(install.sys, "version_info", (3, 8, 0))
    assert install.main([]) == 1 and "this Python is 3.8" in capsys.readouterr().out


def test_a_folder_that_is_mistyped_is_not_made(tmp_path):
    done = as_script("--models-dir", str(tmp_path / "modles"), str(tmp_path / "\u00fc"), PYTHONIOENCODING="cp1252")
    assert done.returncode == 0 and b"not needed any more" in done.stdout and not os.listdir(tmp_path)


@pytest.mark.parametrize("options", [["--models-dir", "x"], ["--wheel", "x"], ["--task", "x"]])
def test_options_of_before_are_answered(install, capsys, options):
    assert install.main(options) == 0
    assert capsys.readouterr().out.count("not needed any more") == 1


def test_it_knows_the_formats_that_the_pack_reads(install):
    known = {
        FACE: (networks.FORMAT, str(networks.FORMAT_VERSION)),
        CoverNetwork.FILE: (CoverNetwork.FORMAT, str(CoverNetwork.FORMAT_VERSION)),
        LightNetwork.FILE: (LightNetwork.FORMAT, str(LightNetwork.FORMAT_VERSION)),
        "diffsfsr_default_256.safetensors": (bundle.FORMAT, str(bundle.VERSION)),
    }
    assert {name: expected[:2] for name, expected in install.WEIGHTS.items()} == known
    assert {path.name for path in (ROOT / "weights").glob("*.safetensors")} == set(install.WEIGHTS)
    for name, (*_, tensor) in install.WEIGHTS.items():
        with safe_open(ROOT / "weights" / name, framework="np") as file:
            assert tensor in set(file.keys())


def test_it_asks_for_what_the_pack_requires(install):
    assert sorted(install.PACKAGES) == sorted((ROOT / "requirements.txt").read_text().split())


def damaged(data):
    """What a clone that went wrong may leave in the place of the face model."""
    return {
        "absent": None,
        "empty": b"",
        "half": data[: len(data) // 2],
        "half a header": data[:1000],
        "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "another format": data.replace(b"diffsfsr.face_landmarker", b"diffsfsr.face_landmarkes"),
        "another version": data.replace(b'"format_version":"1"', b'"format_version":"9"'),
        "no mesh": data.replace(b'"mesh.triangles"', b'"mesh.triangels"'),
        "a list": (2).to_bytes(8, "little") + b"[]",
        "no metadata": (2).to_bytes(8, "little") + b"{}",
    }


@pytest.mark.parametrize("fault", damaged(b""))
def test_damaged_weights_are_named(copied, capsys, fault):
    install, path = copied
    data = damaged(path.read_bytes())[fault]
    path.unlink() if data is None else path.write_bytes(data)
    assert install.main([]) == 1
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and f"weights/{FACE}" in said and "What to do" in said and said.isascii()


def test_it_writes_nothing(copied):
    install, path = copied
    before = {file: file.stat().st_mtime_ns for file in path.parents[1].rglob("*")}
    assert install.main([]) == 0
    assert {file: file.stat().st_mtime_ns for file in path.parents[1].rglob("*")} == before
