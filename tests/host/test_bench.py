"""The bench: that a second queue uses what is known, that ratios are ratios, and that a missed target is said."""

from __future__ import annotations

import json
import sys

import pytest


def run(*words) -> int:
    from evaluation.__main__ import main

    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def desk(host, tmp_path_factory):
    from diffsfsr.evaluation.bench.queues import Desk

    host.reset()
    desk = Desk(tmp_path_factory.mktemp("desk"), {"steps": 1})
    yield desk
    desk.close()


def test_what_runs_in_each_queue(desk):
    """All new: everything but the word. Another word: not loader, pictures and person. Another seed: not the place either."""
    after = ["sampler", "decode", "composite", "save"]
    desk.new_pictures(0)
    desk.say("rage")
    assert sorted(desk.queue().ran) == sorted(["loader", "selfie", "background", "identity", "word", "place", *after])
    desk.new_pictures(1)
    assert sorted(desk.queue().ran) == sorted(["selfie", "background", "identity", "place", *after])
    desk.say("sorrow")
    assert sorted(desk.queue().ran) == sorted(["word", "place", *after])
    desk.graph.set("sampler", "seed", 5)
    assert desk.queue().ran == after
    assert desk.queue().ran == []


def test_another_word_neither_looks_for_the_faces_nor_encodes_the_background_again(desk, monkeypatch):
    import comfy.sd

    looked, encoded, encode = [], [], comfy.sd.VAE.encode
    monkeypatch.setattr(comfy.sd.VAE, "encode", lambda self, pixels: encoded.append(1) or encode(self, pixels))
    for name, module in list(sys.modules.items()):
        if name.endswith(("modules.pipeline.face", "modules.pipeline.film")):  # the host has its own copy of the pack
            find = module.find_faces
            monkeypatch.setattr(module, "find_faces", lambda *given, find=find: looked.append(1) or find(*given))
    desk.new_pictures(7)
    desk.queue()
    assert len(looked) == 2  # the selfie's and the background's
    assert len(encoded) == 2  # the background without the face, and the draft
    desk.say("envy")
    assert "place" in desk.queue().ran and len(looked) == 2 and len(encoded) == 3
    desk.new_pictures(8)
    desk.queue()
    assert len(looked) == 4 and len(encoded) == 5


def test_a_round_notices_a_node_that_runs_again(desk):
    from diffsfsr.evaluation.bench.bench import _queued

    desk.new_pictures(2)
    with pytest.raises(AssertionError, match="ran again: .'identity'"):
        _queued(desk, set(), {"identity"})
    with pytest.raises(AssertionError, match="did not run: .'sampler'"):
        _queued(desk, {"sampler"}, set())


def test_a_round_times_every_part(desk):
    from diffsfsr.evaluation.bench.bench import PARTS, one_round

    seconds = one_round(desk, 3)
    assert all(value > 0 for name, value in seconds.items())
    assert seconds["seed"] < seconds["word"] < seconds["whole"]
    assert sum(seconds[f"part {name}"] for name in PARTS if name != "word") < seconds["whole"]
    assert 0 < seconds["unet"] < seconds["whole"]


def test_the_samplers_overhead_is_small(desk):
    """Ours beside the host's euler, without the network's own seconds; a sampler that wastes a tenth of a call is noticed."""
    import time

    from diffsfsr.evaluation.bench import bench

    found = bench.overhead(desk, desk.queue(), calls=5, rounds=3)
    assert 0.9 < found["reuse"] < 1.1 and 0.9 < found["plain"] < 1.1
    usual = bench.midpoint_sampler

    def wasteful(reuse):
        solver = usual(reuse)
        function = solver.sampler_function
        solver.sampler_function = lambda *args, **how: (time.sleep(0.5), function(*args, **how))[1]
        return solver

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "midpoint_sampler", wasteful)
        assert bench.overhead(desk, desk.queue(), calls=5, rounds=3)["reuse"] > found["reuse"] + 0.1


def test_a_sheet_is_one_batch_and_leaves_the_graph_as_it_was(desk):
    from diffsfsr.evaluation.bench.queues import sheet

    before = json.dumps(desk.graph.prompt)
    assert sheet(desk, ["joy", "grief", "rage"]) > 0
    assert json.dumps(desk.graph.prompt) == before


def test_drafts_alone_read_no_person_again(desk):
    from diffsfsr.evaluation.bench.queues import WHO, drafts

    desk.new_pictures(9)
    desk.queue()
    before = set(desk.graph.prompt)
    assert drafts(desk, ["joy", "grief"]) > 0 and set(desk.graph.prompt) == before
    desk.graph.set(WHO, "without_face", "skip this image")
    with pytest.raises(ValueError, match="its person was read again"):
        drafts(desk, ["joy", "grief"])
    desk.graph.set(WHO, "without_face", "error")


def test_a_target_says_yes_or_no():
    from diffsfsr.evaluation.bench.bench import Target

    assert Target("a", 1.2, 1.25).row() == "| a | 1.20 | 1.25 | yes |"
    assert Target("a", 1.3, 1.25, " s").row() == "| a | 1.30 s | 1.25 s | no |"
    assert Target("a", 1.3).row() == "| a | 1.30 |  |  |"


def test_the_command(host, tmp_path, monkeypatch, capsys):
    """Once through, small; the two figures of fresh processes and the other forms have their own minutes and are given."""
    from diffsfsr.evaluation.bench import bench, queues

    monkeypatch.setattr(queues, "WARM", 1)
    monkeypatch.setattr(bench, "overhead", lambda *_: {"reuse": 1.0, "plain": 1.2})
    monkeypatch.setattr(bench, "import_seconds", lambda: 0.1)
    peaks = {kind: {"idle": 1.0, "peak": 2.0} for kind in ("plain", "ours", "soft", "sharp")}
    monkeypatch.setattr(bench.memory, "peaks", lambda: peaks)
    monkeypatch.setattr(bench.layouts, "ratios", lambda *_: {"decode": {"bf16": 0.5}})
    host.reset()
    assert run("bench", "--steps", 1, "--rounds", 1, "--words", 2, "--prompts", 1, "--out", tmp_path) == 0
    told, text = json.loads((tmp_path / "bench.json").read_text()), capsys.readouterr().out
    assert told["steps"] == 1 and len(told["id"]) == 12 and told["queue"]["prompts"] == 1
    assert "background of 1024 pixels |" in text and "megabytes more at most | 0.00 | 250 | yes |" in text
    assert "plain form | 1.20 | 1.03 | no |" in text and "seconds this pack adds" in text
    assert host.folder_paths.get_output_directory() != str(tmp_path)


def test_what_a_fresh_process_measures_memory_with_can_be_imported(comfy):
    import importlib
    import re

    from diffsfsr.evaluation.bench import memory

    ((package, name),) = re.findall(r"from (diffsfsr\S+) import (\w+)", memory.SCRIPT)
    assert importlib.import_module(f"{package}.{name}") is memory and callable(memory.ours) and callable(memory.plain)


def test_forms_are_ratios_to_the_plain_one(comfy):
    import torch

    from diffsfsr.evaluation.bench.layouts import _against_plain

    x = torch.rand(300, 300)
    ways = {"plain": lambda: x @ x, "twice": lambda: (x @ x) @ x @ x, "same": lambda: x @ x}
    found = _against_plain(ways, 7)
    assert found["twice"] > 1.5 > found["same"]
