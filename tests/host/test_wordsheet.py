"""The page of all words: its grid, its size, its command; and the table that another option renews."""

import pytest
from PIL import Image


@pytest.fixture
def wordsheet(comfy):
    from diffsfsr.evaluation.media import wordsheet

    return wordsheet


def test_the_grid_holds_every_word_by_family(wordsheet):
    names = wordsheet.every_word()
    faces = {word: Image.new("RGB", (176, 176), (i, 100, 50)) for i, word in enumerate(names)}
    page = wordsheet.sheet(faces)
    rows = [2, 3, 1, 3, 4, 2]  # 16, 33, 3, 29, 37, 17 words, twelve in a row
    assert len(names) == len(set(names)) == 135
    assert page.size == (12 * wordsheet.SIDE, sum(rows) * (wordsheet.SIDE + wordsheet.LINE) + 6 * wordsheet.HEADING)
    middle = wordsheet.HEADING + wordsheet.SIDE // 2
    shown = [page.getpixel((int((i + 0.5) * wordsheet.SIDE), middle)) for i in range(12)]
    assert shown == [(i, 100, 50) for i in range(12)]


def test_the_file_stays_small_and_says_that_it_is_generated(wordsheet, tmp_path):
    from diffsfsr.modules.errors import DiffSFSRError

    picture = Image.effect_noise((600, 600), 60).convert("RGB")
    size = wordsheet.save_small(picture, tmp_path / "a.jpg", 200_000)
    assert size == (tmp_path / "a.jpg").stat().st_size < 200_000
    assert "does not exist" in str(Image.open(tmp_path / "a.jpg").info["comment"])
    with pytest.raises(DiffSFSRError, match="does not fit"):
        wordsheet.save_small(picture, tmp_path / "b.jpg", 1000)


def test_the_command_draws_words(comfy, wordsheet, tmp_path, monkeypatch, capsys):
    from evaluation.__main__ import main

    monkeypatch.setattr(wordsheet, "every_word", lambda: ["joy", "rage"])
    assert main(["words", "--draft", "--out", str(tmp_path / "new" / "page.jpg")]) == 0
    assert Image.open(tmp_path / "new" / "page.jpg").size[0] == 12 * wordsheet.SIDE
    assert "2 faces (coarse warps)" in capsys.readouterr().out


def test_the_table_is_put_between_its_marks(wordsheet, tmp_path):
    from diffsfsr.modules.errors import DiffSFSRError

    page = tmp_path / "page.md"
    page.write_text(f"before\n{wordsheet.BEGIN}\nold\n{wordsheet.END}\nafter\n")
    wordsheet.write_table(page)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text and "| amazement |" in text
    wordsheet.write_table(page)
    assert page.read_text() == text
    page.write_text("no marks")
    with pytest.raises(DiffSFSRError, match="needs the marks"):
        wordsheet.write_table(page)
