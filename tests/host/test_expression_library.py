"""The expression library in the real host: built from folders, kept up to date, retrieved by the Label Encoder."""

import logging
import os
import shutil
import sqlite3

import pytest
import torch

from tests.host.graphs import EXPRESSION, LOADER, astronaut, portrait, refusal, run, scaled, shown, somebody_else
from tests.host.libraries import BUILT_IN, BY_VARIATION, NEAREST, code, graph_of, measured, pixels, save


@pytest.fixture
def root(models):
    """Two words: joy with two pictures, rage with one."""
    folder = models / "expressions"
    save(astronaut(), folder / "joy" / "smile.png")
    save(somebody_else(), folder / "joy" / "other.jpg")
    save(astronaut().flip(2), folder / "rage" / "mirrored.webp")
    return folder


def test_a_library_is_built_and_used(studio, pictures, root, caplog):
    caplog.set_level(logging.INFO)
    result = run(studio, graph_of(pictures))
    found = result.value(EXPRESSION)
    assert (root / "index.sqlite").exists() and [p.name for p in root.iterdir() if p.is_file()] == ["index.sqlite"]
    assert found.codes.shape == code(studio, pictures, source=BUILT_IN).codes.shape
    assert found.names[0] in ("joy 1 (smile.png)", "joy 1 (other.jpg)")
    assert torch.isfinite(found.codes).all() and found.codes[:, :52].min() >= 0 and found.codes[:, :52].max() <= 1
    assert found.codes[0, 44:46].min() > 0.2, "the astronaut smiles"
    assert "3 pictures measured, 0 not used" in caplog.text and "is shown by joy/" in caplog.text
    told = [event for event in result.progress() if event["node"] == EXPRESSION]
    assert told[-1]["value"] == told[-1]["max"] == 3


def test_the_code_is_the_one_expression_from_image_measures(studio, pictures, root):
    found = code(studio, pictures, word="rage")
    graph = portrait(*pictures).only(EXPRESSION)
    graph.add("seen", "DiffSFSRExpressionFromImage", encoders=[LOADER, 2], face="largest", face_index=0, intensity=1.0)
    graph.give("seen", "image", "IMAGE", pixels(root / "rage" / "mirrored.webp"))
    result = run(studio, graph.add("show", "PreviewAny", source=["seen", 0]))
    torch.testing.assert_close(found.codes, result.value("seen").codes, atol=1e-3, rtol=1e-3)  # kept as half precision


def test_intensity_scales_the_picture(studio, pictures, root):
    full, half = (code(studio, pictures, intensity=amount).codes for amount in (1.0, 0.5))
    torch.testing.assert_close(half, full / 2)
    assert not code(studio, pictures, intensity=0.0).codes.any()
    strong = code(studio, pictures, intensity=1.5).codes
    torch.testing.assert_close(strong[:, 52:], full[:, 52:] * 1.5)
    assert strong[:, :52].max() <= 1


def test_variation_counts_through_the_pictures(studio, pictures, root, caplog):
    caplog.set_level(logging.INFO)
    names = [code(studio, pictures, source=BY_VARIATION, variation=n).names[0] for n in range(4)]
    assert set(names[:2]) == {"joy 1 (smile.png)", "joy 1 (other.jpg)"} and names[2:] == names[:2]
    assert names[0] == code(studio, pictures).names[0], "number 0 is the nearest"
    assert "'joy' has 2 pictures; variation 3 is number 1" in caplog.text


def test_only_new_and_changed_pictures_are_measured(studio, pictures, root, caplog):
    caplog.set_level(logging.INFO)
    run(studio, graph_of(pictures))
    index = (root / "index.sqlite").stat().st_mtime_ns
    studio.reset()
    run(studio, graph_of(pictures))
    assert (root / "index.sqlite").stat().st_mtime_ns == index and caplog.text.count("measured") == 1
    save(astronaut(), root / "woe" / "new.png")
    assert code(studio, pictures, word="woe").names == ("woe 1 (new.png)",)
    assert "1 pictures measured, 0 not used" in caplog.text
    shutil.rmtree(root / "woe")
    message = refusal(studio, graph_of(pictures, word="woe"), EXPRESSION)
    assert "has no pictures for 'woe'" in message


def test_the_node_runs_again_when_the_words_pictures_change(studio, pictures, root):
    def ran(source=NEAREST):  # a graph of its own each time: the host writes what it found into the one it is given
        return EXPRESSION in run(studio, graph_of(pictures, source=source)).executed_nodes

    assert ran() and not ran()
    save(astronaut(), root / "rage" / "unrelated.png")
    assert not ran()
    os.utime(root / "joy" / "smile.png", ns=(1, 1))
    assert ran() and not ran()
    (root / "joy" / "smile.png").unlink()
    assert code(studio, pictures).names == ("joy 1 (other.jpg)",)
    ran(BUILT_IN)
    (root / "joy" / "other.jpg").unlink()
    assert not ran(BUILT_IN)


def test_bad_pictures_and_folders_are_listed_once_and_skipped(studio, pictures, root, caplog):
    save(torch.full((1, 200, 200, 3), 0.5), root / "joy" / "grey.png")
    save(torch.zeros(1, 8, 8, 3), root / "joy" / "tiny.png")
    save(scaled(astronaut(), 180, 180), root / "joy" / "small.png")
    (root / "joy" / "broken.jpg").write_bytes(b"no picture")
    (root / "joy" / "moving.gif").write_bytes(b"GIF89a")
    save(astronaut(), root / "happy" / "smile.png")
    run(studio, graph_of(pictures))
    (warning,) = (r.message for r in caplog.records if "not used of the expression library" in r.message)
    for part in (
        "joy/grey.png: No face was found", "joy/tiny.png: The picture is only 8 x 8", "joy/small.png: The face is only",
        "joy/broken.jpg: It cannot be read", "joy/moving.gif: this format is not read",
        "folder 'happy' (did you mean 'happiness'?): not one of the 135 words",
    ):  # fmt: skip
        assert part in warning, warning
    caplog.clear()
    studio.reset()
    result = run(studio, graph_of(pictures, word="rage"))
    assert "not used" not in caplog.text and not result.progress(), "nothing is tried again"
    save(astronaut(), root / "joy" / "broken.jpg")
    code(studio, pictures, source=BY_VARIATION, variation=2)
    assert len(measured(root, "joy")) == 3


def test_words_without_a_usable_picture(studio, pictures, root):
    message = refusal(studio, graph_of(pictures, word="woe"), EXPRESSION)
    assert message.startswith("Expression Label Encoder, source") and "has no pictures for 'woe'" in message
    assert str(root / "woe") in message and BUILT_IN in message
    save(torch.full((1, 200, 200, 3), 0.5), root / "woe" / "grey.png")
    message = refusal(studio, graph_of(pictures, word="woe"), EXPRESSION)
    assert "None of the 1 pictures for 'woe' can be used (woe/grey.png: No face was found" in message


def test_no_library_at_all(studio, pictures, models):
    message = refusal(studio, graph_of(pictures, source=BY_VARIATION), EXPRESSION)
    assert "has no pictures for 'joy'" in message and str(models / "expressions" / "joy") in message


@pytest.mark.parametrize("source", ["../../etc", "library"])
def test_an_unknown_source(studio, pictures, source):
    message = refusal(studio, graph_of(pictures, source=source), EXPRESSION)
    assert message.startswith("Expression Label Encoder, source") and source in message and BY_VARIATION in message


def test_an_unknown_word_is_still_suggested_for(studio, pictures, root):
    assert "'amazement'" in refusal(studio, graph_of(pictures, word="../amazment"), EXPRESSION)


def test_a_graph_from_before_the_widget_runs_as_it_did(studio, pictures):
    graph = graph_of(pictures).drop(EXPRESSION, "source")
    assert run(studio, graph).value(EXPRESSION).names == ("joy 1",)


def test_an_interrupted_build_is_taken_up_again(studio, pictures, root, monkeypatch, caplog):
    from diffsfsr.modules.pipeline import library

    caplog.set_level(logging.INFO)
    measure, seen = library.expression_of_picture, []

    def cancelled_at_the_second(*given):
        seen.append(given)
        if len(seen) == 1:
            studio.interrupt()
        return measure(*given)

    monkeypatch.setattr(library, "expression_of_picture", cancelled_at_the_second)
    result = studio.run(graph_of(pictures))
    assert not result.success and "interrupted" in result.errors[0]
    assert len(measured(root, "joy", "rage")) == len(seen) == 1
    run(studio, graph_of(pictures))
    assert len(seen) == 2 and len(measured(root, "joy")) == 2, "the word that was asked for"
    run(studio, graph_of(pictures, word="rage"))
    assert len(seen) == 3 and len(measured(root, "joy", "rage")) == 3


def test_another_face_model_makes_an_index_beside_the_first(studio, pictures, root, monkeypatch, caplog):
    from diffsfsr.modules.pipeline import library

    caplog.set_level(logging.INFO)
    run(studio, graph_of(pictures))
    monkeypatch.setattr(library, "maker_of", lambda encoders: "somebody else")
    studio.reset()
    run(studio, graph_of(pictures))
    assert "of another bundle or face model" in caplog.text and caplog.text.count("3 pictures measured") == 2
    monkeypatch.undo()
    studio.reset()
    run(studio, graph_of(pictures))
    assert caplog.text.count("pictures measured") == 2, "the first index is as it was"


def test_an_index_that_cannot_be_opened(studio, pictures, root, caplog):
    caplog.set_level(logging.INFO)
    (root / "index.sqlite").mkdir()
    assert code(studio, pictures, word="rage").names == ("rage 1 (mirrored.webp)",)
    assert f"the index cannot be written into {root} (unable to open database file)" in caplog.text
    assert "1 pictures measured, 0 not used" in caplog.text, "nothing is kept: only the word that is asked for"


def test_a_folder_that_cannot_be_written(studio, pictures, root, monkeypatch, caplog):
    from diffsfsr.modules.encoders import library

    caplog.set_level(logging.INFO)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(library, "_connect", lambda path: (_ for _ in ()).throw(sqlite3.OperationalError("read-only")))
    assert code(studio, pictures, word="rage").names == ("rage 1 (mirrored.webp)",)
    assert "cannot be written into" in caplog.text and "1 pictures measured, 0 not used" in caplog.text


def test_a_damaged_index_is_named_and_made_again(studio, pictures, root, caplog):
    (root / "index.sqlite").write_bytes(b"no database at all" * 99)
    assert code(studio, pictures).names[0].startswith("joy 1 (")
    assert f"{root / 'index.sqlite'} cannot be used" in caplog.text and len(measured(root, "joy", "rage")) == 3
    assert (root / "index.sqlite.unusable").exists()


def test_what_another_server_took_in_is_kept(studio, pictures, root, monkeypatch):
    """It writes after this one has looked at the folder: its row stays, and so do ours."""
    from diffsfsr.modules.encoders import library

    code(studio, pictures)
    scan, maker, some_code = library.scan, library.load(root).maker, *list(measured(root, "joy").values())[:1]

    def and_then_another_writes(*given):
        found = scan(*given)
        save(astronaut(), root / "joy" / "theirs.png")
        (theirs,) = (p for p in library.pictures_of(root / "joy", "joy") if p.file == "joy/theirs.png")
        library.save(root, maker, [(theirs, some_code)])
        return found

    monkeypatch.setattr(library, "scan", and_then_another_writes)
    save(astronaut(), root / "joy" / "ours.png")
    code(studio, pictures)
    assert {p.file for p in measured(root, "joy")} == {f"joy/{n}" for n in ("smile.png", "other.jpg", "ours.png", "theirs.png")}


def test_an_unreadable_face_model_is_not_blamed_on_the_pictures(studio, pictures, root, monkeypatch):
    from diffsfsr.modules.host import folders

    monkeypatch.setattr(folders, "face_model", lambda: root / "nowhere.safetensors")
    assert "face model cannot be read" in refusal(studio, graph_of(pictures), EXPRESSION)
    assert not (root / "index.sqlite").exists()


def test_several_folders_are_one_library(studio, pictures, root, tmp_path_factory):
    second = tmp_path_factory.mktemp("more")
    known = studio.folder_paths.folder_names_and_paths["diffsfsr"][0]
    known.append(str(second))
    save(astronaut().flip(2), second / "expressions" / "Joy" / "third.png")
    names = {code(studio, pictures, source=BY_VARIATION, variation=n).names[0] for n in range(3)}
    assert names == {f"joy 1 ({file})" for file in ("smile.png", "other.jpg", "third.png")}
    known.remove(str(second))


def test_the_index_is_no_bundle(studio, pictures, root, models):
    from diffsfsr.modules.host import folders

    run(studio, graph_of(pictures))
    (models / "my_bundle.safetensors").write_bytes(b"")
    studio.folder_paths.filename_list_cache.pop(folders.KEY, None)
    names = folders.bundle_names()
    assert "my_bundle.safetensors" in names and not [name for name in names if "index" in name]


def test_the_picture_reaches_the_draft(studio, pictures, root):
    from tests.host.graphs import CONDITION, SAVE

    graph = shown(portrait(*pictures).set(EXPRESSION, expression="rage", source=NEAREST), CONDITION, 4)
    del graph[SAVE]
    assert run(studio, graph).value(CONDITION, 4).shape == (1, 256, 256, 3)
