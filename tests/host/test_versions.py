"""Versions of the model that lack a part: what is painted without it, and the table of them."""

import pytest
import torch
from PIL import Image

from tests.host.graphs import trained
from tests.host.test_report import evidence


@pytest.fixture(scope="module")
def rendered(comfy, tmp_path_factory):
    """The astronaut's rage by the default pipeline and by every changed one, one step: latents' pictures [1, S, S, 3]."""
    from skimage.data import astronaut

    from diffsfsr.evaluation.studies.versions import CHANGED, Changed, Full, Trained
    from diffsfsr.modules.images import read_picture

    file = tmp_path_factory.mktemp("versions") / "a.png"
    Image.fromarray(astronaut()).save(file)
    picture, made = read_picture(file), {}
    full = Full(steps=1)
    who, rage = full.identity(picture)[0], full.expression([("rage", 1.0)])
    for name, pipeline in {"plain": full, **{n: Changed(full, n) for n in CHANGED}}.items():
        made[name] = pipeline, pipeline.render(who, picture, rage)
    own = Trained(full, full.settings["bundle"])
    own.settings["steps"] = 1
    return {**made, "trained": (own, own.render(who, picture, rage))}


def test_a_bundle_is_told_its_own_tokens_on_the_full_model_s_coarse_warps(rendered):
    """So the same bundle paints the same."""
    (full, one), (_, other) = rendered["plain"], rendered["trained"]
    assert other.drafts is one.drafts and torch.equal(other.crops, one.crops)
    assert full.last[1][3] is other.place, "drawn once"


def test_a_version_lacks_its_part_and_nothing_else(rendered):
    plain, before = rendered["plain"]
    for name, (pipeline, after) in rendered.items():
        if name in ("plain", "trained"):
            continue
        assert torch.equal(after.drafts, before.drafts) and torch.equal(after.mask, before.mask)
        assert pipeline.settings == {**plain.settings, "version": name}, "results are kept under settings of their own"
        if trained():
            far = (after.crops - before.crops).abs().mean()
            assert far > (0.02 if "guide" in name else 1e-5)


def test_the_table_of_known_measures(comfy):
    from diffsfsr.evaluation.studies.versions import FULL, table

    text = table({FULL: evidence(), "without": evidence()}, {"id": "abc", "steps": 6, "cfg": 1.0, "denoise": 0.3})
    assert text.startswith("Bundle `abc`, 6 midpoint steps, cfg 1, denoise 0.3: 4 pairs")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows] == [
        "| version", "| portraits through the autoencoder", "| coarse warp alone", f"| {FULL}", "| without",
    ]  # fmt: skip
    assert len({row.count("|") for row in rows}) == 1
    assert "| 3.00 (3.00 to 3.00) |" in rows[2] and "| 2.00 (2.00 to 2.00) |" in rows[3], "seams of drafts and results"
    assert rows[3].removeprefix(f"| {FULL}") == rows[4].removeprefix("| without")


def test_bundles_that_were_trained_otherwise_have_names(comfy, tmp_path, capsys):
    from diffsfsr.evaluation.studies.versions import trained
    from evaluation.__main__ import main

    assert trained(["no losses=a.safetensors", "b = c=b.safetensors"]) == {"no losses": "a.safetensors", "b": "c=b.safetensors"}
    assert main(["versions", "--data", str(tmp_path), "--out", str(tmp_path), "--trained", "a.safetensors"]) == 1
    assert '"NAME=BUNDLE"' in capsys.readouterr().err
    assert main(["versions", "--data", str(tmp_path), "--out", str(tmp_path), "--trained", "full model=a.safetensors"]) == 1
    assert "Two versions are called 'full model'" in capsys.readouterr().err
    assert main(["versions", "--data", str(tmp_path), "--part", "validation", "--write-docs"]) == 1
    assert "--write-docs" in capsys.readouterr().err


def test_the_table_of_true_pictures_counts_the_pairs_in_which_the_result_is_nearer(comfy):
    from diffsfsr.evaluation.studies.truths import PARTS, couples, each_table, table

    names = ("face", *PARTS)
    pair = lambda draft, result: {  # noqa: E731
        "person": "P005", "from": "Neutral", "to": "Happy",
        "draft": dict.fromkeys(names, draft), "result": dict.fromkeys(names, result),
    }  # fmt: skip
    text = table({"full model": [pair(0.06, 0.04), pair(0.04, 0.05)]})
    assert "| coarse warp alone | 0.0500 | 0.0500 | 0.0500 |" in text
    assert "| full model | 0.0450 (1 of 2) |" in text
    assert "| P005 | Neutral | Happy | 0.0600 | 0.0400 |" in each_table([pair(0.06, 0.04)])
    assert couples(["Happy", "Neutral", "Sad"]) == [
        ("Neutral", "Happy"), ("Neutral", "Sad"), ("Happy", "Neutral"), ("Sad", "Neutral"),
    ]  # fmt: skip
