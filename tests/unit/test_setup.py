"""`make setup`: what it downloads is the file the project was tested with, and of the painted people it takes only some."""

import hashlib
import importlib
import re
import zipfile
from pathlib import Path

import pytest

from dev import people
from tests.unit.test_packaging import our_texts

NAMED = re.compile(r"\bP0\d\d\b")


@pytest.fixture
def setup(monkeypatch):
    """dev/setup.py as it is run: its own folder is where it imports from. `setup.people` is a copy of `dev.people`."""
    monkeypatch.syspath_prepend(people.ROOT / "dev")
    return importlib.import_module("setup")


@pytest.fixture
def served(setup, tmp_path, monkeypatch):
    """pip in its place gives a wheel with every person of this list, one file too many each; returns the wheel's sha256."""
    inside = [*setup.people.members(), "openpeople/data/curated/P999/assets/studio_portrait.jpg", "openpeople/io.py"]
    with zipfile.ZipFile(tmp_path / "openpeople.whl", "w") as wheel:
        for name in inside:
            wheel.writestr(name, name)
    content = (tmp_path / "openpeople.whl").read_bytes()
    monkeypatch.setattr(setup, "run", lambda command, *_: (Path(command[-2]) / "a.whl").write_bytes(content))
    monkeypatch.setattr(setup.people, "FOLDER", tmp_path / "people")
    return hashlib.sha256(content).hexdigest()


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_only_the_named_files_are_unpacked(setup, served, tmp_path, monkeypatch):
    monkeypatch.setattr(setup.people, "SHA256", served)
    setup.unpack_people()
    found = files_in(tmp_path / "people")
    assert found == {f"{who}/{file}" for who in people.PEOPLE for file in people.FILES.values()}
    assert (tmp_path / "people/P001/amateur_selfie.jpg").read_text().endswith("P001/assets/amateur_selfie.jpg")


def test_another_wheel_is_refused(setup, served, tmp_path, monkeypatch):
    with pytest.raises(setup.SetupError, match=f"received sha256 {served}"):
        setup.unpack_people()
    monkeypatch.setattr(setup, "HOST", tmp_path / "host")
    with pytest.raises(setup.SetupError, match=f"expected sha256 {setup.HOST_SHA256}"):
        setup.unpack_host()
    assert not (tmp_path / "people").exists() and not (tmp_path / "host").exists()


def test_a_missing_picture_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(people, "FOLDER", tmp_path)
    with pytest.raises(people.PeopleError, match="make setup"):
        people.person("P001", "selfie")
    with pytest.raises(people.PeopleError, match="no selfie of P999"):
        people.person("P999", "selfie")
    people.members()["openpeople/data/curated/P001/assets/amateur_selfie.jpg"].parent.mkdir()
    people.members()["openpeople/data/curated/P001/assets/amateur_selfie.jpg"].touch()
    assert people.person("P001", "selfie").name == "amateur_selfie.jpg"


def strangers(texts: dict[Path, str]) -> dict[str, set[str]]:
    """Files outside dev/ that name people of the package other than those that are taken: they are kept for a later test."""
    named = {str(path): set(NAMED.findall(text)) - set(people.PEOPLE) for path, text in texts.items() if path.parts[0] != "dev"}
    return {path: who for path, who in named.items() if who}


def test_nothing_names_anybody_else():
    assert set(people.PEOPLE) == {"P001", "P002", "P004", "P005", "P008"}
    assert strangers(our_texts()) == {}


def test_somebody_else_would_be_noticed():
    other = "P0" + "42"  # in two parts, so that this file is not the one that is found
    assert strangers({Path("a.py"): f'person("P001"), person("{other}")', Path("dev/b.py"): other}) == {"a.py": {other}}
