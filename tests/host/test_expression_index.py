"""The command that makes the index of a large expression library, and the node on it."""

import csv

import pytest
import torch

from tests.host.graphs import BUILT_IN, EXPRESSION, astronaut, refusal, somebody_else
from tests.host.test_expression_library import code, graph_of, models, save  # noqa: F401  (a fixture)


@pytest.fixture
def folder(models):  # noqa: F811
    root = models / "expressions"
    save(astronaut(), root / "joy" / "smile.png")
    save(somebody_else(), root / "joy" / "other.jpg")
    save(astronaut().flip(2), root / "rage" / "mirrored.webp")
    save(torch.full((1, 200, 200, 3), 0.5), root / "rage" / "grey.png")
    return root


def index(*given, workers=1):
    from diffsfsr.training.expressions import index

    return index(*given, BUILT_IN, workers)


def test_the_command_makes_what_the_node_would_make(studio, pictures, folder, capsys):
    from diffsfsr.modules.encoders import library

    made = index(folder, None)
    assert "1: No face was found" in capsys.readouterr().out and not (folder / "index.parts").exists()
    assert [p.file for p in made.pictures] == ["joy/other.jpg", "joy/smile.png", "rage/mirrored.webp"]
    assert code(studio, pictures).names[0] in ("joy 1 (smile.png)", "joy 1 (other.jpg)")
    stored = library.load(folder)
    (folder / "index.safetensors").unlink()
    from diffsfsr.modules.pipeline import library as host

    host._loaded.clear()
    studio.reset()
    code(studio, pictures)
    by_node = library.load(folder)
    assert by_node.pictures == stored.pictures and torch.equal(by_node.codes, stored.codes) and by_node.maker == stored.maker
    assert by_node.refused == stored.refused


def test_two_processes_find_the_same_and_a_cut_run_goes_on(comfy, folder, monkeypatch):
    from diffsfsr.training import expressions

    one = index(folder, None)
    (folder / "index.safetensors").unlink()
    monkeypatch.setattr(expressions, "TOGETHER", 1)
    whole, calls = expressions.one_part, []

    def cut(*given):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(*given)

    monkeypatch.setattr(expressions, "one_part", cut)
    with pytest.raises(KeyboardInterrupt):
        index(folder, None)
    again = index(folder, None)
    assert len(calls) == 5 and torch.equal(again.codes, one.codes) and again.pictures == one.pictures
    (folder / "index.safetensors").unlink()
    monkeypatch.undo()
    assert torch.equal(index(folder, None, workers=2).codes, one.codes)


def test_a_table_says_what_a_picture_shows(studio, pictures, folder, tmp_path, capsys, caplog):
    """Its words may be said otherwise; its pictures lie anywhere in the folder; what is in no folder of a word stays known."""
    save(astronaut(), folder / "unsorted" / "a.png")
    rows = [("unsorted/a.png", "happy", "x"), ("joy/other.jpg", "Rage", ""), ("gone.png", "joy", ""), ("../a.png", "joy", ""),
            ("joy/smile.png", "blorpish", "")]  # fmt: skip
    with (tmp_path / "labels.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerows([("file", "word", "note"), *rows])
    made = index(folder, tmp_path / "labels.csv")
    said = capsys.readouterr().out
    assert "'blorpish' is none of the 135 words (1 rows left out)" in said and "2: there is no such file" in said
    assert [(p.word, p.file) for p in made.pictures] == [("happiness", "unsorted/a.png"), ("rage", "joy/other.jpg")]
    assert code(studio, pictures, word="happiness").names == ("happiness 1 (a.png)",)
    assert code(studio, pictures, word="rage").names == ("rage 1 (other.jpg)",), "the folders are not looked at"


def test_more_pictures_than_a_graph_should_measure(studio, pictures, folder, monkeypatch, caplog):
    from diffsfsr.modules.pipeline import library

    monkeypatch.setattr(library, "MOST", 1)
    message = refusal(studio, graph_of(pictures), EXPRESSION)
    assert "'joy' has 2 pictures" in message and "python -m training expressions" in message
    monkeypatch.setattr(library, "MOST", 500)
    index(folder, None)
    library._loaded.clear()
    studio.reset()
    monkeypatch.setattr(library, "MOST", 0)
    save(astronaut(), folder / "joy" / "third.png")
    assert code(studio, pictures).names[0] in ("joy 1 (smile.png)", "joy 1 (other.jpg)")
    assert "'joy' has 1 pictures" in caplog.text and "those that are in it are used" in caplog.text


@pytest.mark.parametrize("content", ["a,b\n1,2\n", ""])
def test_a_table_without_its_columns_is_named(comfy, folder, tmp_path, content):
    from diffsfsr.modules.errors import DiffSFSRError

    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(DiffSFSRError, match="no columns 'file' and 'word'"):
        index(folder, tmp_path / "labels.csv")
