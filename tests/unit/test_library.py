"""The expression library's index without the host: what is in the folders, the database, two writers, retrieval."""

import json
import multiprocessing
import os
import sqlite3
from contextlib import closing

import pytest
import torch
from safetensors.torch import save_file

from diffsfsr.modules.encoders import library
from diffsfsr.modules.encoders.library import FILE, Index, Picture

WIDTH = 60


@pytest.fixture
def root(tmp_path):
    """Folders with files that only look like pictures: the index never opens them."""
    for name in ("joy/b.png", "joy/a.JPG", "Rage/x.webp", "rage/y.jpeg", "joy/note.txt", "joy/old.gif", "happy/z.png",
                 "blorp/z.png", ".hidden/z.png", "joy/.part.png"):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "joy" / "folder.png").mkdir()
    return tmp_path


def codes(count):
    return torch.rand(count, WIDTH, generator=torch.Generator().manual_seed(count))


def rows_of(*pictures):
    return dict(zip(pictures, map(library.packed, codes(len(pictures))), strict=True))


A, B, C = Picture("joy", "joy/a.png", 1, 1), Picture("joy", "joy/b.png", 2, 2), Picture("rage", "Rage/c.png", 3, 3)


# --- folders --------------------------------------------------------------------------------------


def test_scan_finds_pictures_and_says_what_it_leaves_out(root):
    present, other, unknown = library.scan(root)
    assert [(p.word, p.file) for p in present] == [
        ("joy", "joy/a.JPG"), ("joy", "joy/b.png"), ("rage", "Rage/x.webp"), ("rage", "rage/y.jpeg"),
    ]  # fmt: skip
    assert [p.file for p in other] == ["joy/old.gif"] and "PNG" in next(iter(other.values()))
    assert unknown == ("blorp", "happy")
    assert library.hints(unknown) == ["'blorp'", "'happy' (did you mean 'happiness'?)"]
    assert library.scan(root, ("joy",)) == (present[:2], other, unknown)


# --- the database ---------------------------------------------------------------------------------


def test_what_is_saved_comes_back(tmp_path):
    rows = rows_of(A, B, C) | {Picture("woe", "woe/grey.png", 4, 4): "No face was found"}
    library.save(tmp_path, "me", rows.items(), unknown=("blorp", "h\u00e4/\udcff"))
    assert library.load(tmp_path) == Index("me", False, ("blorp", "h\u00e4/\udcff"), rows)
    assert library.load(tmp_path, ("joy", "zest")).pictures == {p: rows[p] for p in (A, B)}
    assert os.listdir(tmp_path) == [FILE], "no journal is left"


def test_reading_makes_no_file(tmp_path):
    assert library.load(tmp_path) is None and library.stamp(tmp_path) == "" and not os.listdir(tmp_path)


def test_rows_are_added_renewed_and_deleted(tmp_path):
    rows = rows_of(A, B, C)
    library.save(tmp_path, "me", rows.items(), unknown=("blorp",))
    newer = Picture("joy", "joy/a.png", 9, 9)
    library.save(tmp_path, "me", {newer: "No face was found"}.items(), gone=[C])
    assert library.load(tmp_path) == Index("me", False, ("blorp",), {newer: "No face was found", B: rows[B]})
    library.save(tmp_path, "me", [], gone=[A], unknown=())
    assert library.load(tmp_path).pictures.keys() == {newer, B}, "a row that was renewed meanwhile is not the one that is gone"
    library.save(tmp_path, "others", rows_of(C).items())
    assert library.load(tmp_path, maker="others") == Index("others", False, (), rows_of(C)), "networks are never mixed"
    assert library.load(tmp_path, maker="me").pictures.keys() == {newer, B}, "and never lose each other's rows"
    assert library.load(tmp_path, maker="new").maker == "me", "who has none is told whose there are"


def test_a_batch_is_stored_whole_or_not_at_all(tmp_path):
    def cut():
        yield from rows_of(A, B).items()
        raise KeyboardInterrupt

    library.save(tmp_path, "me", rows_of(C).items())
    for maker in ("me", "others"):
        with pytest.raises(KeyboardInterrupt):
            library.save(tmp_path, maker, cut())
        assert library.load(tmp_path) == Index("me", False, (), rows_of(C))


def test_any_name_of_a_file_comes_back(tmp_path):
    pictures = [Picture("joy", name, 0, 2**60) for name in ("joy/\u00fc\u4f60.png", "joy/bad\udcff.png", "joy/'\"\n;--.png")]
    library.save(tmp_path, "me", rows_of(*pictures).items())
    assert library.load(tmp_path).pictures == rows_of(*pictures)


def test_the_node_leaves_an_index_from_a_table_alone(tmp_path):
    library.save(tmp_path, "me", rows_of(A).items(), fixed=True)
    with pytest.raises(sqlite3.OperationalError, match="table"):
        library.save(tmp_path, "me", rows_of(B).items())
    assert library.load(tmp_path) == Index("me", True, (), rows_of(A))
    with pytest.raises(sqlite3.OperationalError, match="table"):
        library.save(tmp_path, "others", rows_of(B).items(), fixed=False)
    assert library.load(tmp_path) == Index("me", True, (), rows_of(A))
    library.save(tmp_path, "others", rows_of(B).items(), fixed=True)
    assert library.load(tmp_path, maker="others") == Index("others", True, (), rows_of(B)), "another table does, beside it"
    assert library.load(tmp_path) == Index("me", True, (), rows_of(A))


def damaged_page(path):
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)


def sql(*commands):
    def run(path):
        with closing(sqlite3.connect(path)) as db, db:
            for command in commands:
                db.execute(command)

    return run


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"no database at all" * 99), lambda path: path.write_bytes(path.read_bytes()[:5000]),
        damaged_page, sql("DROP TABLE settings"), sql("ALTER TABLE pictures ADD COLUMN more"), sql("CREATE TABLE mine (a)"),
        sql("UPDATE settings SET value = '4' WHERE name = 'version'"), sql("DELETE FROM settings WHERE name = 'fixed'"),
        sql("UPDATE settings SET value = 'no json' WHERE name = 'unknown'"),
        sql("UPDATE pictures SET file = 'text'"), sql("UPDATE settings SET value = CAST(x'ff' AS TEXT) WHERE name = 'unknown'"),
    ],
)  # fmt: skip
def test_a_damaged_or_foreign_file_is_named_set_aside_and_made_again(tmp_path, caplog, spoil):
    library.save(tmp_path, "me", rows_of(Picture("amazement", "amazement/a.png", 1, 1), A, C).items())
    spoil(tmp_path / FILE)
    content = (tmp_path / FILE).read_bytes()
    assert library.load(tmp_path) is None
    assert f"index {tmp_path / FILE} cannot be used" in caplog.text and "kept as index.sqlite.unusable" in caplog.text
    assert (tmp_path / f"{FILE}.unusable").read_bytes() == content
    library.save(tmp_path, "me", rows_of(B).items())
    assert library.load(tmp_path).pictures == rows_of(B)


def test_an_empty_file_is_no_index_yet(tmp_path):
    (tmp_path / FILE).write_bytes(b"")
    assert library.load(tmp_path) is None
    library.save(tmp_path, "me", rows_of(A).items())
    assert library.load(tmp_path).pictures == rows_of(A)


def test_an_index_that_cannot_be_read_now_stays(tmp_path, monkeypatch, caplog):
    library.save(tmp_path, "me", rows_of(A).items())
    monkeypatch.setattr(library, "TIMEOUT", 0.01)
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert library.load(tmp_path) is None and "cannot be read (database is locked)" in caplog.text
    assert library.load(tmp_path).pictures == rows_of(A)


@pytest.fixture
def read_only(tmp_path):
    """Makes the folder read-only. Where permissions do not bind the user who runs the tests, the calls run as another one."""

    def call(function):
        tmp_path.chmod(0o555)
        for file in tmp_path.iterdir():
            file.chmod(0o444)
        if not os.access(tmp_path, os.W_OK):
            return function()
        return as_nobody(tmp_path, function)

    if not hasattr(os, "fork"):
        pytest.skip("folders are not made read-only by their permissions")
    yield call
    tmp_path.chmod(0o755)


def as_nobody(folder, function):
    for parent in folder.parents:  # pytest's own folders are private
        if parent.stat().st_uid == os.getuid() and parent.name.startswith(("pytest", "popen")):
            parent.chmod(parent.stat().st_mode | 0o011)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def child():
        os.setuid(65534)
        theirs.send(function())

    process = context.Process(target=child)
    process.start()
    answer = ours.recv() if ours.poll(20) else None
    process.join(20)
    return answer


def test_a_read_only_folder_answers_and_says_that_it_cannot_be_written(tmp_path, read_only):
    library.save(tmp_path, "me", rows_of(A).items())

    def ask():
        try:
            library.save(tmp_path, "me", rows_of(B).items())
        except sqlite3.OperationalError as error:
            return library.load(tmp_path), str(error)

    index, error = read_only(ask)
    assert index.pictures == rows_of(A) and "readonly" in error


def test_an_old_index_in_a_read_only_folder_answers(tmp_path, read_only):
    old_index(tmp_path)
    assert read_only(lambda: library.load(tmp_path, ("joy",))).pictures.keys() == {A, B}
    assert not (tmp_path / FILE).exists()


# --- an index of version 2 ------------------------------------------------------------------------


def old_index(folder, fixed="0", **changed):
    """Writes the layout that version 2 had."""
    names, sizes, times = zip(*((p.file.encode(), p.size, p.changed) for p in (A, B, C)), strict=True)
    counts = torch.tensor([0, *(2 if word == "joy" else int(word == "rage") for word in library.SORTED)])
    tensors = {
        "codes": codes(3).half(), "lengths": torch.zeros(3), "starts": counts.cumsum(0),
        "names": torch.tensor(list(b"".join(names)), dtype=torch.uint8), "ends": torch.tensor(list(map(len, names))).cumsum(0),
        "sizes": torch.tensor(sizes), "changed": torch.tensor(times),
    }  # fmt: skip
    told = {"version": "2", "maker": "me", "unknown": '["blorp"]', "fixed": fixed,
            "refused": json.dumps([["woe", "woe/grey.png", 4, 4, "No face was found"]])}  # fmt: skip
    tensors |= {name: value for name, value in changed.items() if isinstance(value, torch.Tensor)}
    told |= {name: value for name, value in changed.items() if isinstance(value, str)}
    save_file(tensors, folder / library.OLD_FILE, told)


@pytest.mark.parametrize("fixed", [False, True])
def test_an_old_index_is_taken_over_once(tmp_path, fixed):
    old_index(tmp_path, str(int(fixed)))
    rows = rows_of(A, B, C) | {Picture("woe", "woe/grey.png", 4, 4): "No face was found"}
    assert library.load(tmp_path, ("rage",)).pictures == {C: rows[C]}
    assert library.load(tmp_path) == Index("me", fixed, ("blorp",), rows)
    assert (tmp_path / library.OLD_FILE).exists(), "it stays"
    library.save(tmp_path, "me", [], gone=[A], fixed=fixed)
    assert A not in library.load(tmp_path).pictures, "and is not looked at again"


def test_a_second_server_that_takes_it_over_too_changes_nothing(tmp_path):
    old_index(tmp_path)
    library.save(tmp_path, "others", rows_of(B).items())
    library._imported(tmp_path, library.SORTED)
    assert library.load(tmp_path) == Index("others", False, (), rows_of(B))


def test_a_damaged_database_is_made_again_from_the_old_index(tmp_path, caplog):
    old_index(tmp_path)
    (tmp_path / FILE).write_bytes(b"no database at all")
    assert library.load(tmp_path, ("rage",)).pictures == {C: rows_of(A, B, C)[C]} and "cannot be used" in caplog.text


@pytest.mark.parametrize(
    "changed",
    [
        {"version": "1"}, {"refused": "no json"}, {"refused": "[[1]]"}, {"unknown": "3"},
        {"codes": torch.zeros(2, WIDTH).half()}, {"codes": torch.zeros(3, WIDTH)}, {"codes": torch.zeros(3).half()},
        {"starts": torch.zeros(136, dtype=torch.int64)}, {"starts": torch.tensor([0, 3])}, {"ends": torch.tensor([9, 18])},
        {"sizes": torch.zeros(9)}, {"changed": torch.tensor(1)},
    ],
)  # fmt: skip
def test_a_spoilt_old_index_is_passed_over(tmp_path, changed):
    old_index(tmp_path, **changed)
    assert library.load(tmp_path) is None and not (tmp_path / FILE).exists()


@pytest.mark.parametrize("content", [b"", b"no safetensors at all", b"\xff" * 64])
def test_a_file_that_is_no_old_index_is_passed_over(tmp_path, content):
    (tmp_path / library.OLD_FILE).write_bytes(content)
    assert library.load(tmp_path) is None
