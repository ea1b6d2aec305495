"""The studies of the sampler and of the estimates, as commands, small: what is kept, what is drawn, what must agree."""

from __future__ import annotations

import json

import pytest


def run(*words) -> int:
    from evaluation.__main__ import main

    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def few():
    """Few methods and a cheap reference; undone at the end."""
    from diffsfsr.evaluation.studies import curve

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curve, "METHODS", {name: curve.METHODS[name] for name in ("midpoint, reusing", "midpoint", "uni_pc")})
        patch.setattr(curve, "REFERENCE", 8)
        yield curve


@pytest.fixture(scope="module")
def studied(comfy, few, tmp_path_factory):
    out = tmp_path_factory.mktemp("curve")
    assert run("curve", "--out", out, "--seeds", 2, "--cfgs", 1, "--denoises", 0.3, "--budgets", 5, 7) == 0
    return out


def files(folder, pattern):
    return {path.name: path for path in folder.rglob(pattern)}


def test_budgets_are_kept_to(studied):
    found = json.loads((studied / "curve_1.json").read_text())
    assert {key: value[3] for key, value in found.items() if "midpoint" in key} == {
        "midpoint, reusing, 5": 5, "midpoint, reusing, 7": 7, "midpoint, 5": 5, "midpoint, 7": 7}  # fmt: skip
    for name in ("midpoint, reusing", "midpoint"):
        assert 0 < found[f"{name}, 7"][1] < found[f"{name}, 5"][1]
    assert found["midpoint, reusing, 7"][1] < found["midpoint, 7"][1]


def test_rows_of_a_batch_are_single_runs(studied):
    """All seeds go through the network as one batch: that must not change their ends beyond rounding."""
    (checks,) = json.loads(files(studied, "*_checks.json").popitem()[1].read_text()).values()
    assert checks["alone"] < 1e-3
    assert 0 < checks["twice"] < json.loads((studied / "curve_1.json").read_text())["midpoint, 7"][1]


def test_a_run_that_was_cut_short_goes_on(studied, few, monkeypatch, capsys):
    """Only what is missing is made: here one budget of one method; the reference and all others are read."""
    one = files(studied, "*_midpoint_reusing.json").popitem()[1]
    known = json.loads(one.read_text())
    lost = known.pop("7")
    one.write_text(json.dumps(known))
    made, ends = [], few.Study.ends
    monkeypatch.setattr(few.Study, "ends", lambda self, make, steps, *rows: made.append(steps) or ends(self, make, steps))
    assert run("curve", "--out", studied, "--seeds", 2, "--cfgs", 1, "--denoises", 0.3, "--budgets", 5, 7) == 0
    assert made == [6]
    assert json.loads(one.read_text())["7"]["errors"] == pytest.approx(lost["errors"], abs=1e-5)
    assert "| uni_pc |" in capsys.readouterr().out


def test_all_step_counts_begin_at_the_level_of_the_default(studied, few):
    """Else a budget would be another problem. At the default steps the levels are the node's own."""
    from diffsfsr.evaluation.pipeline import Pipeline
    from diffsfsr.modules.host.sampler import schedule

    pipeline = Pipeline()
    study = few.Study(pipeline, few.Scene(pipeline, 1), 1.0, 0.6)
    seen = {}

    def solver(model, x, sigmas, **_):
        seen[len(sigmas)] = sigmas
        return x

    samplers = few.comfy.samplers
    for steps in (3, 6, 9):
        study.ends(lambda: samplers.KSAMPLER(solver), steps)
    assert {float(s[0]) for s in seen.values()} == {study.start}
    assert seen[7] == pytest.approx(schedule(pipeline.model, "karras", 6, 0.6), rel=1e-4)
    assert float(schedule(pipeline.model, "karras", 9, 0.6)[0]) != pytest.approx(study.start, rel=1e-3)


def test_the_curve_is_drawn(studied):
    assert (studied / "sampler_curve.png").stat().st_size > 10_000


def test_estimates_are_told_apart(comfy, tmp_path, monkeypatch, capsys):
    """At a low level the second-order ones are nearer to the end of the path, the re-noised one is farthest."""
    from diffsfsr.evaluation.studies import estimates

    monkeypatch.setattr(estimates, "LEVELS", (0.3,))
    monkeypatch.setattr(estimates, "END", 6)
    monkeypatch.setattr(estimates, "FINISHED", 3)
    assert run("estimates", "--out", tmp_path, "--seeds", 1) == 0
    found = json.loads((tmp_path / "estimates.json").read_text())["levels"]["0.3"]
    end = {name: told["end"] for name, told in found.items()}
    assert end["end"] == 0 < end["explicit midpoint"] < end["one step"] < end["re-noised, c = 1/2"]
    assert end["Ralston, c = 2/3"] < end["one step"]
    assert (tmp_path / "sampler_estimates.png").exists() and "| 0.3 | one step |" in capsys.readouterr().out
