"""The command that makes the index of a large expression library, and the node on it."""

import csv

import pytest
import torch

from tests.host.graphs import BUILT_IN, EXPRESSION, astronaut, refusal, somebody_else
from tests.host.libraries import code, graph_of, measured, save


@pytest.fixture
def folder(models):
    root = models / "expressions"
    save(astronaut(), root / "joy" / "smile.png")
    save(somebody_else(), root / "joy" / "other.jpg")
    save(astronaut().flip(2), root / "rage" / "mirrored.webp")
    save(torch.full((1, 200, 200, 3), 0.5), root / "rage" / "grey.png")
    return root


def index(folder, table, workers=1):
    """Runs the command; its index as it is stored."""
    from diffsfsr.modules.encoders import library
    from diffsfsr.training import expressions

    expressions.index(folder, table, BUILT_IN, workers)
    return library.load(folder)


def test_the_command_makes_what_the_node_would_make(studio, pictures, folder, capsys):
    from diffsfsr.modules.encoders import library

    made = index(folder, None)
    said = capsys.readouterr().out
    assert "4 pictures, 4 to be measured" in said and "3 pictures in the index; 1 not used" in said
    assert "1: No face was found" in said
    assert [p.file for p in sorted(measured(folder, "joy", "rage"))] == ["joy/other.jpg", "joy/smile.png", "rage/mirrored.webp"]
    assert code(studio, pictures).names[0] in ("joy 1 (smile.png)", "joy 1 (other.jpg)")
    (folder / "index.sqlite").unlink()
    studio.reset()
    code(studio, pictures)
    assert library.load(folder) == made


def test_two_processes_find_the_same_and_a_cut_run_goes_on(comfy, folder, monkeypatch):
    from diffsfsr.training import expressions

    one = index(folder, None)
    (folder / "index.sqlite").unlink()
    monkeypatch.setattr(expressions, "TOGETHER", 2)
    measure, calls = expressions.measured_file, []

    def cut(*given):
        calls.append(given)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return measure(*given)

    monkeypatch.setattr(expressions, "measured_file", cut)
    with pytest.raises(KeyboardInterrupt):
        index(folder, None)
    assert index(folder, None) == one and len(calls) == 5, "what was measured of the batch was stored too"
    (folder / "index.sqlite").unlink()
    monkeypatch.undo()
    assert index(folder, None, workers=2) == one


def test_a_picture_that_is_gone_leaves_the_index(comfy, folder):
    index(folder, None)
    (folder / "joy" / "smile.png").unlink()
    (folder / "rage" / "grey.png").unlink()
    assert sorted(p.file for p in index(folder, None).pictures) == ["joy/other.jpg", "rage/mirrored.webp"]


def test_a_table_says_what_a_picture_shows(studio, pictures, folder, tmp_path, capsys, caplog):
    """Its words may be said otherwise; its pictures lie anywhere in the folder; what is in no folder of a word stays known."""
    save(astronaut(), folder / "unsorted" / "a.png")
    rows = [("unsorted/a.png", "happy", "x"), ("joy/other.jpg", "Rage", ""), ("gone.png", "joy", ""), ("../a.png", "joy", ""),
            ("joy/smile.png", "blorpish", "")]  # fmt: skip
    with (tmp_path / "labels.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerows([("file", "word", "note"), *rows])
    made = index(folder, tmp_path / "labels.csv", workers=2)
    said = capsys.readouterr().out
    assert "'blorpish' is none of the 135 words (1 rows left out)" in said and "2: there is no such file" in said
    found = [(p.word, p.file) for p in sorted(measured(folder, "happiness", "rage", "joy"))]
    assert found == [("happiness", "unsorted/a.png"), ("rage", "joy/other.jpg")] and made.fixed
    assert code(studio, pictures, word="happiness").names == ("happiness 1 (a.png)",)
    assert code(studio, pictures, word="rage").names == ("rage 1 (other.jpg)",), "the folders are not looked at"


def test_more_pictures_than_a_graph_should_measure(studio, pictures, folder, monkeypatch, caplog):
    from diffsfsr.modules.pipeline import library

    monkeypatch.setattr(library, "MOST", 1)
    message = refusal(studio, graph_of(pictures), EXPRESSION)
    assert "'joy' has 2 pictures" in message and "python -m training expressions" in message
    monkeypatch.setattr(library, "MOST", 500)
    index(folder, None)
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
