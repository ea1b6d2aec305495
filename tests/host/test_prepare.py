"""A folder of pictures becomes a data folder: what is a portrait is kept, everything else is named, nothing is fatal."""

import json
import tarfile
from collections import Counter
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.host.graphs import BUILT_IN, astronaut, scaled, somebody_else, two_faces

FACE = 60.0  # the public portrait's face has 95 pixels


class Years(torch.nn.Module):
    """As faceres answers; dark pictures show a child of ten, others somebody of forty."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        years = torch.zeros(len(x), 100)
        years[:, 40] = (x.mean((1, 2, 3)) > 0.2).float()
        years[:, 10] = 1 - years[:, 40]
        return torch.zeros(len(x), 1024), years + 1e-6, torch.zeros(len(x), 1)


def save(picture, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((picture[0] * 255).round().byte().numpy()).save(path)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("prepare")


@pytest.fixture(scope="module")
def source(place):
    """Pictures with one fault each, and some without."""
    folder, good = place / "source", astronaut()
    save(good, folder / "a" / "good.png")
    (folder / "a" / "good.txt").write_text("an astronaut\n")
    save(somebody_else(), folder / "a" / "other.png")
    save(scaled(good, 640, 640), folder / "b" / "again.jpg")
    save(two_faces(), folder / "b" / "two.png")
    save(scaled(good, 160, 160), folder / "b" / "tiny.png")
    save(scaled(scaled(good, 110, 110), 512, 512), folder / "b" / "soft.png")
    save(good * 0.3, folder / "c" / "young.png")
    save(torch.full((1, 256, 256, 3), 0.5), folder / "c" / "nobody.png")
    (folder / "c" / "words.png").write_text("this is no picture")
    (folder / "c" / "half.jpg").write_bytes((folder / "b" / "again.jpg").read_bytes()[:3000])
    return folder


@pytest.fixture(scope="module")
def teachers(place):
    folder = place / "teachers"
    folder.mkdir()
    torch.jit.script(Years()).save(folder / "faceres.ts.pt")
    return folder


def prepared(source, out, teachers=None, workers=1, adults=False, ray=None, **limits):
    from diffsfsr.modules.host import folders
    from diffsfsr.training.prepare.look import Limits
    from diffsfsr.training.prepare.run import prepare

    kept = {"size": 256, "face": FACE, **limits}
    prepare(source, out, Limits(**kept), workers, folders.face_model(), BUILT_IN, teachers, adults, ray)
    return [json.loads(line) for line in (out / "people.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def done(comfy, source, place, teachers):
    return prepared(source, place / "out", teachers)


def test_every_picture_has_a_verdict(done):
    found = {row["name"]: row["verdict"] for row in done}
    assert found == {
        "a/good.png": "kept", "a/other.png": "kept", "b/again.jpg": "the same picture again", "b/soft.png": "blurred",
        "b/tiny.png": "face too small", "b/two.png": "the same picture again", "c/half.jpg": "unreadable",
        "c/nobody.png": "no face", "c/words.png": "unreadable", "c/young.png": "may be a minor",
    }  # fmt: skip


def test_what_is_kept_can_be_trained_from(done, place):
    """Read as the stages read their data: the picture fits its landmarks, captions come along, one person stays together."""
    from diffsfsr.modules.faces.landmarker import landmarks_in_crop
    from diffsfsr.modules.faces.networks import FaceNetworks
    from diffsfsr.modules.host import folders
    from diffsfsr.training.data import load_part, manifest_hash
    from diffsfsr.training.portrait import MARGIN, crop_frame

    rows = [row for row in done if row["verdict"] == "kept"]
    people = [p for part in ("train", "validation", "evaluation") for p in load_part(place / "out", part)]
    assert {p.id for p in people} == {row["id"] for row in rows} and len(manifest_hash(place / "out")) == 64
    good = next(p for p in people if p.caption == "an astronaut")
    assert good.wide().shape == (352, 352, 3) and good.wide(512).shape == (704, 704, 3) and good.age == pytest.approx(40.5)
    inner = torch.from_numpy(crop_frame(good.wide()).copy()).permute(2, 0, 1)[None].float() / 255
    points, _, _ = landmarks_in_crop(FaceNetworks.load(folders.face_model()), inner)
    assert (points[0, :, :2] + MARGIN - torch.from_numpy(good.landmarks)[:, :2]).norm(dim=1).mean() < 1.5
    mirrored = next(row for row in rows if row["name"] == "a/other.png")
    assert mirrored["person"] == next(row for row in rows if row["name"] == "a/good.png")["person"], "one person, one part"


def test_the_report_names_every_reason(done, place):
    page = (place / "out" / "report.html").read_text()
    for verdict, count in Counter(row["verdict"] for row in done).items():
        assert f"<td>{verdict}</td><td>{count}</td>" in page
    assert page.count("data:image/") == 2 and "c/words.png" in page


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_run_that_was_killed_goes_on_to_the_same_files(done, comfy, source, place, teachers, monkeypatch):
    from diffsfsr.training.prepare import run, sources

    monkeypatch.setattr(sources, "TOGETHER", 4)
    whole = prepared(source, place / "whole", teachers)
    one_chunk = run.one_chunk

    def killed(looker, out, number, chunk):
        if number == 1:
            raise KeyboardInterrupt
        return one_chunk(looker, out, number, chunk)

    monkeypatch.setattr(run, "one_chunk", killed)
    with pytest.raises(KeyboardInterrupt):
        prepared(source, place / "cut", teachers)
    assert not (place / "cut" / "people.jsonl").exists()
    monkeypatch.setattr(run, "one_chunk", one_chunk)
    assert prepared(source, place / "cut", teachers) == whole
    cut, full = files(place / "cut"), files(place / "whole")
    assert cut.keys() == full.keys()
    assert {name for name in cut if cut[name] != full[name]} == {Path("report.html")}, "it has the folder's name in it"
    assert [row["verdict"] for row in whole] == [row["verdict"] for row in done], "chunks of another size find the same"


def test_two_processes_and_a_tar_find_the_same(done, comfy, source, place, teachers):
    for k, part in enumerate(sorted(path for path in source.iterdir())):
        (place / "tars").mkdir(exist_ok=True)
        with tarfile.open(place / "tars" / f"shard-{k:03d}.tar", "w") as tar:
            for file in sorted(part.iterdir()):
                tar.add(file, file.name)
    rows = prepared(place / "tars", place / "packed", teachers, workers=2)
    assert [row["verdict"] for row in rows] == [row["verdict"] for row in done]
    assert rows[0]["name"] == "shard-000.tar/good.png" and rows[0]["caption"] == "an astronaut"
    first = next(row for row in done if row["verdict"] == "kept")
    assert rows[0]["hash"] == first["hash"] and rows[0]["yaw"] == first["yaw"]


def test_a_broken_shard_is_named_and_the_others_are_read(comfy, source, place):
    folder = place / "broken"
    folder.mkdir()
    with tarfile.open(folder / "b.tar", "w") as tar:
        tar.add(source / "a" / "good.png", "good.png")
    (folder / "a.tar").write_bytes(b"not a tar at all" * 100)
    rows = prepared(folder, place / "broken_out", adults=True)
    assert [row["verdict"] for row in rows] == ["unreadable", "kept"] and "a.tar" in rows[0]["name"]
    assert rows[1]["age"] is None


def test_limits_refuse_what_is_turned_or_has_company(comfy, source, place):
    few = place / "few"
    save(two_faces(), few / "two.png")
    save(astronaut(), few / "one.png")
    rows = prepared(few, place / "company", adults=True, several=False, yaw=0.1)
    assert [row["verdict"] for row in rows] == ["turned away", "several faces"]


def test_ages_must_be_guessed_or_promised(comfy, source, place):
    from diffsfsr.modules.errors import DiffSFSRError

    with pytest.raises(DiffSFSRError, match="Nobody can say that these are adults"):
        prepared(source, place / "ages")


@pytest.mark.parametrize("what", ["nothing", "empty"])
def test_a_source_without_pictures_is_named(comfy, place, what):
    from diffsfsr.modules.errors import DiffSFSRError

    (place / "empty").mkdir(exist_ok=True)
    with pytest.raises(DiffSFSRError, match="Name a"):
        prepared(place / what, place / "nowhere", adults=True)


def test_a_folder_is_not_mixed(done, comfy, source, place, teachers):
    from diffsfsr.modules.errors import DiffSFSRError

    with pytest.raises(DiffSFSRError, match="other limits"):
        prepared(source, place / "out", teachers, yaw=20.0)


def test_people_are_linked_and_dealt_out_for_good():
    from diffsfsr.training.prepare.people import groups, part_of, repeated

    a, b = torch.eye(4)[0], torch.eye(4)[1]
    near = torch.nn.functional.normalize(a + 0.5 * b, dim=0)
    assert groups(torch.stack([a, torch.eye(4)[2], near, a])) == [0, 1, 0, 0]
    parts = Counter(part_of(f"{k * 2654435761 % 2**32:08x}") for k in range(2000))
    assert parts["train"] > 1700 and 60 < parts["validation"] < 140 and 60 < parts["evaluation"] < 140
    same = [0b1011, 0b1010, 0xFFFF_FFFF_FFFF_FFFF]
    assert repeated(same, torch.stack([a, near, a])) == [] and repeated(same, torch.stack([a, a, a])) == [1]
