"""The expression library's index among several processes, faults of disks and folders, and rows that are not whole."""

import multiprocessing
import os
import signal
import sqlite3
from contextlib import closing

import pytest
import torch

from diffsfsr.modules.encoders import library
from diffsfsr.modules.encoders.library import FILE, Index, Picture
from tests.unit.test_library import WIDTH, A, B, C, as_nobody, rows_of

FORK = "fork" in multiprocessing.get_all_start_methods()
needs_fork = pytest.mark.skipif(not FORK, reason="needs fork")
D = Picture("woe", "woe/d.png", 4, 4)


def together(*calls):
    """Each call in a process of its own, all at once; their exit codes."""
    context = multiprocessing.get_context("fork")
    start = context.Barrier(len(calls))

    def one(call):
        start.wait()
        call()

    running = [context.Process(target=one, args=(call,)) for call in calls]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
    return [process.exitcode for process in running]


def rows_from(number, count=20):
    """Rows that only this writer has, with its number in each code."""
    code = library.packed(torch.full((WIDTH,), float(number)))
    return [(Picture("joy", f"joy/{number}-{k:02d}.png", 1, 1), code) for k in range(count)]


def writer(folder, number, maker="me"):
    """Stores one by one, as a server does that measures now and then."""

    def write():
        for row in rows_from(number):
            library.load(folder, maker=maker)
            library.save(folder, maker, [row], gone=[C])

    return write


def unprivileged(folder, call):
    """The call by a user whom permissions bind."""
    folder.chmod(0o755)
    return as_nobody(folder / "x", call) if os.getuid() == 0 else call()


# --- races ---------------------------------------------------------------------------------------------------------------


@needs_fork
@pytest.mark.parametrize("before", ["nothing", "damage"])
def test_servers_that_begin_at_the_same_time_lose_nothing(tmp_path, before):
    """They make the database, or set a damaged one aside and make it again; each adds its rows to those of the others."""
    if before == "damage":
        (tmp_path / FILE).write_bytes(b"no database at all" * 99)
    assert together(*(writer(tmp_path, number) for number in range(3))) == [0, 0, 0]
    pictures = library.load(tmp_path).pictures
    assert len(pictures) == 60 and {float(library.unpacked([code])[0, 0]) for code in pictures.values()} == {0, 1, 2}


@needs_fork
def test_servers_with_different_bundles_keep_their_rows(tmp_path):
    """Two of one bundle, one of another, on one library: each bundle finds all of its rows again, and no other's."""
    makers = ["one", "one", "other"]
    assert together(*(writer(tmp_path, number, maker) for number, maker in enumerate(makers))) == [0, 0, 0]
    for maker, numbers in (("one", {0, 1}), ("other", {2})):
        found = library.load(tmp_path, maker=maker)
        assert found.maker == maker and len(found.pictures) == 20 * len(numbers)
        assert {float(library.unpacked([code])[0, 0]) for code in found.pictures.values()} == numbers


def test_a_late_finding_of_damage_leaves_the_new_index(tmp_path):
    """Two processes read the damaged file; one has made a new one when the other comes to set it aside."""
    (tmp_path / FILE).write_bytes(b"no database at all" * 99)
    seen = library._stamp(tmp_path / FILE)
    library.load(tmp_path)
    library.save(tmp_path, "me", rows_of(A).items())
    library._set_aside(tmp_path / FILE, seen)
    assert library.load(tmp_path).pictures == rows_of(A)


@needs_fork
@pytest.mark.parametrize("made", ["before", "during"])
def test_a_server_that_was_killed_while_it_wrote(tmp_path, made):
    """What was stored stays, what was begun does not, and nobody waits for the dead."""
    library.save(tmp_path, "me", rows_of(A).items())

    def killed():
        def rows():
            yield from rows_of(B).items()
            yield from rows_from(1, 5000)  # more than sqlite holds back: pages are on the disk, their old state in a journal
            os.kill(os.getpid(), signal.SIGKILL)

        library.save(tmp_path, "me" if made == "before" else "others", rows())

    assert together(killed) == [-signal.SIGKILL]
    assert library.load(tmp_path) == Index("me", False, (), rows_of(A))
    library.save(tmp_path, "me", rows_of(C).items())
    assert library.load(tmp_path).pictures.keys() == {A, C}


@needs_fork
def test_a_table_that_is_made_while_a_server_runs_stays_and_is_seen(tmp_path):
    library.save(tmp_path, "me", rows_of(A).items())
    known = library.load(tmp_path)
    assert library.stamp(tmp_path) == "", "an index of folders follows what lies in them"
    assert together(lambda: library.save(tmp_path, "me", rows_of(B, C).items(), known.pictures, fixed=True)) == [0]
    with pytest.raises(sqlite3.OperationalError, match="table"):
        library.save(tmp_path, known.maker, rows_of(D).items(), known.pictures)
    assert library.load(tmp_path) == Index("me", True, (), rows_of(B, C))
    first = library.stamp(tmp_path)
    library.save(tmp_path, "me", rows_of(D).items(), fixed=True)
    assert "" != first != library.stamp(tmp_path) != ""


def test_a_writer_waits_for_another_and_gives_up_after_a_while(tmp_path, monkeypatch):
    library.save(tmp_path, "me", rows_of(A).items())
    monkeypatch.setattr(library, "TIMEOUT", 0.05)
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert library.load(tmp_path).pictures == rows_of(A), "it can be read meanwhile"
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            library.save(tmp_path, "me", rows_of(B).items())


# --- disks and folders ---------------------------------------------------------------------------------------------------


@needs_fork
def test_a_full_disk_loses_nothing(tmp_path):
    """A limit on the size of files stands in for it: sqlite gets the same answer from the system, half way."""
    import resource

    library.save(tmp_path, "me", rows_of(A).items())

    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        with pytest.raises(sqlite3.Error):
            library.save(tmp_path, "me", rows_from(1, 5000))
        assert library.load(tmp_path).pictures == rows_of(A)

    assert together(full) == [0]
    assert library.load(tmp_path).pictures == rows_of(A)


@needs_fork
def test_a_library_that_nobody_may_enter_is_none(tmp_path):
    closed = tmp_path / "closed"
    (closed / "joy").mkdir(parents=True)
    library.save(closed, "me", rows_of(A).items())
    closed.chmod(0)
    try:
        assert unprivileged(tmp_path, lambda: (library.load(closed), library.stamp(closed))) == (None, "")
    finally:
        closed.chmod(0o755)


@needs_fork
def test_a_closed_folder_is_named_and_what_is_known_of_it_stays(tmp_path):
    for name in ("joy", "rage"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"x")
    (tmp_path / "joy").chmod(0)
    try:
        present, other, unknown = unprivileged(tmp_path, lambda: library.scan(tmp_path))
    finally:
        (tmp_path / "joy").chmod(0o755)
    assert [p.file for p in present] == ["rage/a.png"] and not unknown
    assert {p.file: why for p, why in other.items()} == {"joy/": "the folder cannot be read (Permission denied)"}
    known = {A, B, Picture("joy", "Joy/a.png", 1, 1), C}
    assert library.still_there(known, present, other) == {A, B, *present, *other}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_what_is_no_file_is_named_and_not_waited_for(tmp_path, caplog):
    (tmp_path / "joy").mkdir()
    os.mkfifo(tmp_path / "joy" / "pipe.png")
    for name, to in (("self.png", "self.png"), ("nothing.png", "gone.png"), ("all", "..")):
        (tmp_path / "joy" / name).symlink_to(to)
    (tmp_path / "rage").symlink_to("rage")
    present, other, _ = library.scan(tmp_path)
    assert not present and {p.file for p in other} == {"joy/pipe.png", "joy/self.png", "joy/nothing.png"}
    for name in (FILE, library.OLD_FILE):
        os.mkfifo(tmp_path / name)
    assert library.load(tmp_path) is None and "no plain file" in caplog.text
    os.unlink(tmp_path / FILE)
    (tmp_path / FILE).symlink_to(FILE)
    assert library.load(tmp_path) is None
    with pytest.raises(sqlite3.Error):
        library.save(tmp_path, "me", rows_of(A).items())


# --- rows ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [b"\0", bytes(2), b"", bytes(2 * WIDTH - 2) + b"\0\x7e", bytes(2 * WIDTH + 2)])
def test_a_row_without_a_whole_code_is_named_and_the_others_stay(tmp_path, caplog, code):
    rows = rows_of(A, B, C)
    library.save(tmp_path, "me", rows.items())
    with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
        db.execute("UPDATE pictures SET code = ? WHERE word = 'rage'", (code,))
    for width in (None, WIDTH):
        caplog.clear()
        assert library.load(tmp_path, width=width).pictures == {A: rows[A], B: rows[B]}
        assert "Rage/c.png" in caplog.text and "joy" not in caplog.text
    assert library.load(tmp_path, ("rage",), WIDTH).pictures == {}, "alone it would be what most have"
    library.save(tmp_path, "me", {C: rows[C]}.items())
    assert library.load(tmp_path).pictures == rows, "measured again"
