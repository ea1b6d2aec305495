"""The commands of `python -m evaluation`: rows and their errors, the table of measures, the demonstration."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

HEADER = "selfie,background,label,intensity\n"


def run(*words) -> int:
    from evaluation.__main__ import main

    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A folder with the astronaut as selfie, and mirrored and cut as somebody else's picture; and a table of three rows."""
    from skimage.data import astronaut

    folder = tmp_path_factory.mktemp("people")
    picture = Image.fromarray(astronaut())
    picture.save(folder / "selfie.png")
    picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).crop((120, 0, 420, 260)).save(folder / "place.png")
    rows = "selfie.png,place.png,amazement,\nselfie.png,nowhere.png,rage,1\nselfie.png,place.png,joy: amusement,0.5\n"
    (folder / "pairs.csv").write_text(HEADER + rows)
    return folder


@pytest.fixture(scope="module")
def made(comfy, people):
    """The table made twice with one step: the two output folders."""
    folders = people / "first", people / "second"
    for folder in folders:
        folder.mkdir()
        (folder / "00001.png").write_bytes(b"of an earlier run")
        assert run("generate", "--pairs", people / "pairs.csv", "--out", folder, "--steps", 1) == 0
    return folders


def results(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def test_generate_goes_on_after_a_bad_row(made):
    rows = results(made[0])
    assert [r["row"] for r in rows] == [0, 1, 2]
    assert [r["file"] for r in rows] == ["00000.png", None, "00002.png"]
    assert rows[0]["error"] is None and rows[0]["warnings"] == [] and rows[0]["seconds"] > 0
    assert "line 3, background" in rows[1]["error"] and "nowhere.png" in rows[1]["error"]
    assert not (made[0] / "00001.png").exists()


def test_generate_marks_the_png_and_keeps_the_background(made, people):
    with Image.open(made[0] / "00000.png") as picture:
        assert "DiffSFSR" in json.loads(picture.text["diffsfsr"])["generated"]
        assert json.loads(picture.text["settings"])["steps"] == 1
        result = np.asarray(picture)
    place = np.asarray(Image.open(people / "place.png"))
    same = (result == place).all(-1)
    assert result.shape == place.shape and same.mean() > 0.6 and same[[0, -1]].all() and not same.all()


def test_generate_is_repeatable(made):
    for name in ("00000.png", "00002.png"):
        first, second = (np.asarray(Image.open(folder / name)) for folder in made)
        assert (first == second).all()


ROWS = {
    "selfie.png,place.png,amazment,1": "Did you mean 'amazement'",
    "selfie.png,place.png,rage,much": "'much' is no number",
    "selfie.png,place.png,rage,nan": "outside 0 to 1.5",
    "selfie.png,place.png,rage,2": "outside 0 to 1.5",
    "selfie.png,,rage,1": "no value for background",
    "selfie.png,place.png,rage,1,2": "5 cells under 4 columns",
    "selfie.png,grey.png,rage,1": "No face was found",
    "pairs.csv,place.png,rage,1": "cannot be read as a picture",
    "tiny.png,place.png,rage,1": "only 1 x 1 pixels",
    "~nobody-has-this-name/a.png,place.png,rage,1": "'~nobody-has-this-name/a.png' is no path",
}


def test_generate_names_the_fault_of_each_row(comfy, people, capsys):
    Image.new("RGB", (96, 96), "grey").save(people / "grey.png")
    Image.new("RGB", (1, 1)).save(people / "tiny.png")
    (people / "bad.csv").write_text(HEADER + "\n".join(ROWS) + "\n")
    assert run("generate", "--pairs", people / "bad.csv", "--out", people / "bad", "--steps", 1) == 1
    rows = results(people / "bad")
    assert len(rows) == len(ROWS)
    for row, expected in zip(rows, ROWS.values(), strict=True):
        assert row["file"] is None and expected in row["error"], row
    assert "0 of 10 rows made" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "The table is empty"),
        (HEADER, "no rows"),
        ("selfie,label\na,b\n", "not so: background"),
        ("a.png,b.png,rage,1\n", "not so: selfie, background, label"),
        ("selfie;background;label;intensity\na.png;b.png;rage;0,5\n", "divided by semicolons"),
        ("selfie\tbackground\tlabel\na.png\tb.png\trage\n", "divided by tabs"),
        ("selfie,background,label,intensty\na.png,b.png,rage,0.5\n", "no column 'intensty'. Did you mean 'intensity'"),
        ('selfie,background,label\n"a,b,c\n', "not a CSV in UTF-8"),
        (b"selfie,background,label\n\xff\xfe,b,c\n", "not a CSV in UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_generate_refuses_a_table_it_cannot_read(comfy, tmp_path, capsys, text, complaint):
    table = tmp_path / "pairs.csv"
    if text is not None:
        table.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert run("generate", "--pairs", table, "--out", tmp_path / "out") == 1
    shown = capsys.readouterr().err.strip()
    assert complaint in shown and "pairs.csv" in shown and "\n" not in shown


def test_generate_names_columns_it_does_not_use_and_finds_the_home_folder(comfy, people, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(people))
    monkeypatch.setenv("USERPROFILE", str(people))
    (people / "home.csv").write_text("selfie,background,label,mood\n~/selfie.png,~/place.png,rage,bright\n")
    assert run("generate", "--pairs=~/home.csv", "--out=~/at home", "--steps", 1) == 0
    assert "columns that are not used: mood" in capsys.readouterr().out
    assert (people / "at home" / "00000.png").exists()


@pytest.mark.parametrize("flag", [("--steps", 0), ("--cfg", "nan"), ("--bundle", "none"), ("--seed", -1)])
def test_generate_refuses_settings_outside_the_nodes_range(comfy, people, capsys, flag):
    assert run("generate", "--pairs", people / "pairs.csv", "--out", people / "refused", *flag) == 1
    assert flag[0].strip("-") in capsys.readouterr().err


def test_pictures_are_read_upright(comfy, tmp_path):
    from diffsfsr.modules.images import read_picture

    picture, exif = Image.new("RGB", (40, 60), "red"), Image.Exif()
    exif[0x0112] = 6  # turn by a quarter to look at it
    picture.save(tmp_path / "turned.jpg", exif=exif)
    assert read_picture(tmp_path / "turned.jpg").shape == (1, 40, 60, 3)
    Image.fromarray(np.full((40, 40), 65535 // 2, np.uint16)).save(tmp_path / "deep.png")
    assert float(read_picture(tmp_path / "deep.png").mean()) == pytest.approx(0.5, abs=0.01)


def test_several_expressions_are_one_batch_from_one_noise(comfy, people):
    from diffsfsr.evaluation.pipeline import Pipeline
    from diffsfsr.modules.images import read_picture

    pipeline = Pipeline(steps=1, seed=3)
    who, _ = pipeline.identity(read_picture(people / "selfie.png"))
    place = read_picture(people / "place.png")
    both = pipeline.render(who, place, pipeline.expression([("rage", 1.0), ("sorrow", 1.0)]))
    alone = pipeline.render(who, place, pipeline.expression([("sorrow", 1.0)]))
    assert len(both.images) == 2
    assert float((both.images[1] - alone.images[0]).abs().max()) < 0.02
    assert float(((both.images - place).abs().amax(-1) * (both.mask == 0)).max()) == 0


def test_kept_work_warns_again(comfy):
    import logging

    from diffsfsr.evaluation.pipeline import Kept, warnings_heard

    kept, made = Kept(1), []

    def work():
        made.append(1)
        logging.getLogger("diffsfsr.modules.images").warning("grey")
        return 5

    for expected in (1, 1):
        with warnings_heard() as texts:
            assert kept.get("a", work) == 5
        assert texts == ["grey"] and len(made) == expected


def test_sheet_shows_every_word(comfy):
    from diffsfsr.evaluation.metrics.sheet import chosen

    assert len(chosen(60)) == 60 and {k for _, k in chosen(60)} == set(range(1, 13)) and len(set(chosen(60))) == 60
    assert len(chosen(2)) == 24


def test_curve_counts_evaluations_and_finds_the_reference_at_no_distance(comfy, tmp_path, monkeypatch, capsys):
    from diffsfsr.evaluation.studies import curve

    chosen = {name: curve.METHODS[name] for name in ("midpoint, reusing", "midpoint", "euler", "ddim")}
    monkeypatch.setattr(curve, "METHODS", chosen)
    monkeypatch.setattr(curve, "REFERENCE", 4)
    assert run("curve", "--out", tmp_path, "--seeds", 1, "--budgets", 7, "--cfgs", 1) == 0
    found = json.loads((tmp_path / "curve_1.json").read_text())
    assert [found[f"{name}, 7"][3] for name in chosen] == [7, 7, 7, 7]
    assert found["midpoint, 7"][1] == 0  # it is the reference here
    assert 0 < found["midpoint, reusing, 7"][1] < found["euler, 7"][1]
    assert "| euler |" in capsys.readouterr().out


# the demonstration


def test_demo_runs_the_shipped_graph(host, people, tmp_path):
    from diffsfsr.evaluation import demo
    from diffsfsr.modules.images import read_picture

    files = {"selfie": people / "selfie.png", "background": people / "place.png"}
    pictures = {name: read_picture(file) for name, file in files.items()}
    demo.make(host, pictures, ["joy", "rage"], tmp_path, steps=1)
    told = json.loads((tmp_path / "demo.json").read_text())
    assert told["steps"] == 1 and [r["label"] for r in told["results"]] == ["joy", "rage"]
    assert told["results"][0]["parts"]["DiffSFSRMidpointSampler"] > 0
    assert "DiffSFSRIdentityEncoder" not in told["results"][1]["parts"]  # from the host's cache
    with Image.open(tmp_path / "demo.png") as strip:
        assert strip.width == 4 * demo.SIDE and "diffsfsr" in strip.text


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--label", "amazment"), "Did you mean 'amazement'"),
        (("--selfie", "nowhere.png"), "There is no file nowhere.png"),
        (("--background", "nowhere.png"), "There is no file nowhere.png"),
    ],
)
def test_demo_refuses_in_one_line(comfy, capsys, words, complaint):
    assert run("demo", *words) == 1
    shown = capsys.readouterr().err.strip()
    assert complaint in shown and "\n" not in shown


def test_demo_without_its_people_names_the_remedy(comfy, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("dev.people.FOLDER", tmp_path)
    assert run("demo") == 1
    shown = capsys.readouterr().err.strip()
    assert "run make setup" in shown and "\n" not in shown


def test_the_pictures_of_the_demo_show_two_people_who_do_not_exist(comfy):
    from argparse import Namespace

    from dev.people import PEOPLE
    from diffsfsr.evaluation import demo
    from diffsfsr.modules.faces.landmarker import find_faces
    from diffsfsr.modules.faces.networks import FaceNetworks

    networks = FaceNetworks.load(demo.ROOT / "weights" / "face_landmarker.safetensors")
    for image in demo.load_inputs(Namespace(selfie=None, background=None)).values():
        (face,) = find_faces(networks, image[0])
        assert image.shape == (1, 640, 640, 3) and 200 < np.ptp(face.points[:, 0].numpy()) < 260
    assert demo.SELFIE[0] != demo.BACKGROUND[0] and {demo.SELFIE[0], demo.BACKGROUND[0]} <= set(PEOPLE)


def test_a_thumbnail_shows_every_picture_of_a_list(comfy):
    """Expression Words gives a list, and the host then makes a batch for each of its items."""
    import torch

    from dev.host import Result
    from diffsfsr.evaluation.media.thumbnails import picture_of

    class Words:
        def run(self, prompt):
            node, slot = next(n["inputs"]["images"] for n in prompt.values() if n["class_type"] == "DiffSFSRSavePortrait")
            return Result(True, values={node: [[torch.zeros(1, 8, 8, 3)] * 9] * (slot + 1)})

    assert len(picture_of(Words(), "expression_sheet")) == 9


def test_demo_has_four_words_and_their_main_parts(comfy):
    from diffsfsr.evaluation.demo import main_parts, words_for

    assert words_for("Rage") == ["rage", "amazement", "cheerfulness", "sorrow"]
    assert words_for("joy: amusement")[0] == "amusement" and len(words_for("amusement")) == 5
    assert "mouthSmile" in main_parts("cheerfulness") and "jawOpen" in main_parts("amazement")
