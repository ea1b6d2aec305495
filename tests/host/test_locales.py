"""The texts of the nodes in seven languages: as many as the schemas have, and served by the host."""

import os

import pytest

from dev import locales
from tests.host.graphs import ROOT


@pytest.fixture(scope="module")
def now(host):
    from diffsfsr.nodes import NODES

    return locales.english(node.GET_SCHEMA() for node in NODES)


def test_english_is_what_the_nodes_say(now):
    assert locales.read("en") == now, "run: python -m dev.locales"


@pytest.mark.parametrize("language", locales.LANGUAGES)
def test_every_text_of_every_node_is_translated(now, language):
    found = locales.read(language)
    assert sorted(found.keys() ^ now.keys()) == [], "run python -m dev.locales, and translate what it lists"
    assert all(text.strip() for text in found.values())
    long = {key: text for key, text in found.items() if len(now[key]) > 25}
    assert len(long) > 100 and not [key for key, text in long.items() if text == now[key]], "English is no translation"
    if language in ("zh", "ja", "ko"):
        assert not [key for key, text in long.items() if text.isascii()]


def test_the_host_serves_them(host, now, tmp_path, monkeypatch):
    from app.custom_node_manager import CustomNodeManager

    os.symlink(ROOT, tmp_path / "ComfyUI-DiffSFSR", target_is_directory=True)
    monkeypatch.setattr(host.folder_paths, "get_folder_paths", lambda name: [str(tmp_path)])
    told = CustomNodeManager().build_translations()
    assert {"en", *locales.LANGUAGES} <= told.keys()
    assert told["de"]["nodeDefs"]["DiffSFSRIdentityEncoder"]["inputs"]["face"]["name"] == "welches Gesicht"
    assert told["en"]["nodeDefs"]["DiffSFSRBackgroundCondition"]["inputs"]["grow"]["name"] == "mask grow"


def test_a_changed_text_loses_its_translations_and_a_known_one_is_filled_in(tmp_path):
    before = {("A", "x"): "the picture", ("B", "y"): "old", ("C", "gone"): "left"}
    after = {("A", "x"): "the picture", ("B", "y"): "new", ("D", "z"): "the picture"}
    german = {("A", "x"): "das Bild", ("B", "y"): "alt", ("C", "gone"): "weg"}
    kept = locales.renewed(before, after, german)
    assert kept == {("A", "x"): "das Bild", ("D", "z"): "das Bild"}
    locales.write("de", kept, tmp_path)
    assert locales.read("de", tmp_path) == kept and locales.read("fr", tmp_path) == {}
