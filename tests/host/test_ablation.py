"""The ablation and the grid of both knobs: what a variant changes, what is counted, what the commands write."""

import importlib

import numpy as np
import pytest
import torch
from PIL import Image

from diffsfsr.modules.types import Strength
from tests.host.graphs import trained


@pytest.fixture(scope="module")
def study(comfy, tmp_path_factory):
    """The ablation on the astronaut, one step, three labels, without a judge."""
    from skimage.data import astronaut

    from diffsfsr.evaluation.pipeline import Pipeline
    from diffsfsr.evaluation.studies.ablation import Ablation

    folder = tmp_path_factory.mktemp("ablation")
    (folder / "pairs").mkdir()
    picture = Image.fromarray(astronaut())
    picture.save(folder / "a.png")
    picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "b.png")
    files = {"a": folder / "a.png", "b": folder / "b.png"}
    return Ablation(Pipeline(steps=1, cfg=1.0), Judge(), files, folder, {"test": 1})


class Judge:
    """Sees a face in everything, and counts what it looked at."""

    def __init__(self):
        self.count = 0

    def look(self, pictures, near=None):
        from diffsfsr.evaluation.metrics.measure import Seen

        self.count += len(pictures)
        n = len(pictures)
        vector = np.eye(1024, dtype=np.float32)[[self.count % 1024] * n]
        return Seen(np.ones(n, bool), vector, np.zeros((n, 52), np.float32), np.zeros((n, 3), np.float32))


@pytest.fixture(scope="module")
def painted(study):
    """Samples [3, 16, 32, 32] of every variant, by its name, guide off; and the conditioning they came from."""
    from diffsfsr.evaluation.pipeline import BackgroundCondition, call
    from diffsfsr.evaluation.studies.ablation import VARIANTS, painted, told

    p = study.pipeline
    given = dict(encoders=p.encoders, vae=p.vae, image=study.picture("b"), identity=study.identity("a"))
    mask = torch.zeros(1, 512, 512)
    mask[:, 50:180, 240:350] = 1  # one area for every word
    feels = p.expression([("rage", 1.0), ("joy", 1.0), ("joy", 0.0)])
    positive, negative, latent, *_ = call(BackgroundCondition, **given, expression=feels, mask=mask)
    latent = {**latent, "batch_index": [0] * 3}
    sides = {v.name: told(positive, negative, v, False) for v in VARIANTS}
    made = {v.name: painted(p, positive, negative, latent, v, False)["samples"] for v in VARIANTS}
    return made, sides, (positive, negative)


def test_told_changes_what_the_variant_says_and_nothing_else(painted):
    _, sides, (positive, negative) = painted
    before, null = positive[0][1]["diffsfsr"], negative[0][1]["diffsfsr"]
    alone = sides["identity only"][0][0][1]["diffsfsr"]
    assert torch.equal(alone.expression, null.expression) and torch.equal(alone.identity, before.identity)
    loud = sides["expression tokens x3"][0][0][1]["diffsfsr"]
    assert torch.equal(loud.expression, before.expression * 3) and torch.equal(loud.identity, before.identity)
    assert sides["identity strength 3"][0][0][1]["diffsfsr"].strength == Strength(3.0, 1.0)
    assert (alone.warp == 0).all() and before.warp.any() and before.strength == Strength()
    assert torch.equal(alone.background, before.background) and torch.equal(alone.mask, before.mask)


def test_the_size_of_tokens_does_not_matter_unless_it_is_let_past_the_norm(painted):
    samples, _, _ = painted
    for group in ("identity", "expression"):
        assert torch.allclose(samples[f"{group} tokens x3"], samples["both"], atol=1e-3)
        if trained():
            assert not torch.allclose(samples[f"{group} tokens x3, not normalised"], samples["both"], atol=1e-3)


def test_without_the_expression_all_words_are_one_picture(painted):
    samples, _, _ = painted
    for name in ("identity only", "neither"):
        assert torch.allclose(samples[name][1:], samples[name][:1].expand(2, -1, -1, -1), atol=1e-4)
    if trained():
        assert not torch.allclose(samples["expression only"][0], samples["expression only"][1], atol=1e-3)


def test_the_factor_past_the_norm_is_one_for_the_trained_network(study):
    """The patched weights are 3 times the trained ones, in a clone: the MODEL itself stays."""
    from diffsfsr.evaluation.studies.ablation import Variant, unnormalised

    model = study.pipeline.model
    assert unnormalised(model, Variant("none")) is model
    changed = unnormalised(model, Variant("x", bare={"identity": 3.0}))
    keys = set(changed.patches)
    assert keys and all("attn2.norm_identity.weight" in key for key in keys) and not model.patches
    key = min(keys)
    before = model.model_state_dict()[key].clone()
    calculate = importlib.import_module("comfy.lora").calculate_weight
    assert torch.allclose(calculate(changed.patches[key], before.clone(), key), before * 3)
    assert torch.equal(model.model_state_dict()[key], before)


def test_the_same_picture_is_looked_at_once(study):
    samples = torch.zeros(3, 16, 32, 32)
    samples[1] = 0.5
    samples[2] += 1e-5
    study.observer.count, known = 0, []
    rows = study._look(samples, known)
    assert study.observer.count == 2 and rows["vector"].shape == (3, 1024)
    assert torch.equal(rows["vector"][0], rows["vector"][2]) and not torch.equal(rows["vector"][0], rows["vector"][1])
    study._look(samples, known)
    assert study.observer.count == 2


def test_the_table_of_known_measures():
    """Everybody looks like the selfie and does exactly what was asked; then nobody moves at all."""
    from diffsfsr.evaluation.metrics.measure import Seen
    from diffsfsr.evaluation.metrics.protocol import LABELS
    from diffsfsr.evaluation.studies.ablation import table
    from diffsfsr.modules.labels import prototype

    asked = np.stack([prototype(word, amount) for word, amount in LABELS])
    own = {k: Seen(np.ones(1, bool), np.eye(4)[[i]], np.zeros((1, 52)), np.zeros((1, 3))) for i, k in enumerate("abcd")}
    pairs, records = [("a", "b"), ("c", "d")], []
    for selfie, _ in pairs:
        vector = np.repeat(own[selfie].vector, len(LABELS), 0)
        good = Seen(np.ones(len(LABELS), bool), vector, asked, np.zeros((len(LABELS), 3)))
        still = Seen(np.ones(len(LABELS), bool), vector * 0, asked * 0, np.zeros((len(LABELS), 3)))
        seen = {"both": good.as_dict(), "neither": still.as_dict()}
        records.append({"seen": seen, "asked": torch.from_numpy(asked)})
    text = table(pairs, records, own, {"id": "x", "steps": 1, "cfg": 1.0, "scheduler": "karras", "seed": 0})
    good, still = (line for line in text.splitlines() if line.startswith(("| both", "| neither")))
    assert good == "| both | 1.00 (1.00 to 1.00) | 0.00 | 1.00 | 1.00 (1.00 to 1.00) | 1.00 | 1.00 |"
    assert still == "| neither | 0.00 (0.00 to 0.00) | 0.00 | 0.00 | 0.00 (0.00 to 0.00) | 0.00 | 1.00 |"


def test_the_table_goes_between_its_own_marks(tmp_path):
    from diffsfsr.evaluation.metrics.report import BEGIN, write_docs
    from diffsfsr.evaluation.studies.ablation import MARKS

    page = tmp_path / "results.md"
    write_docs("results\n", page)
    page.write_text(page.read_text() + "What is wrong.\n")
    for text in ("first\n", "second\n"):
        write_docs(text, page, MARKS)
    found = page.read_text()
    assert "results" in found and "What is wrong." in found and "second" in found and "first" not in found
    assert found.count(MARKS[0]) == found.count(BEGIN) == 1


def test_commands_have_their_own_defaults():
    from evaluation.__main__ import arguments

    args = arguments(["ablation", "--data", "x"])
    assert (args.steps, args.cfg, args.write_docs) == (3, 1.0, False) and args.pairs > 2
    assert arguments(["balance"]).out.name == "balance.jpg" and arguments(["evaluate", "--data", "x"]).steps is None


def test_the_grid_of_both_knobs(comfy, tmp_path, monkeypatch):
    from diffsfsr.evaluation.media import balance
    from evaluation.__main__ import main

    for name in ("STRENGTHS", "WEIGHTS"):
        monkeypatch.setattr(balance, name, (0.0, 2.0))
    assert main(["balance", "--steps", "1", "--out", str(tmp_path / "grid.jpg")]) == 0
    with Image.open(tmp_path / "grid.jpg") as grid:
        assert grid.width > 4 * balance.SIDE and grid.height > 2 * balance.SIDE
    assert (tmp_path / "grid.jpg").stat().st_size < 400_000
    assert main(["balance", "--label", "amazment", "--out", str(tmp_path / "none.jpg")]) == 1
    assert not (tmp_path / "none.jpg").exists()


def test_another_persons_tokens_stand_on_the_positive_side_alone(painted):
    from diffsfsr.evaluation.studies.ablation import Variant, told

    _, _, (positive, negative) = painted
    before, null = positive[0][1]["diffsfsr"], negative[0][1]["diffsfsr"]
    other = torch.randn(1, *before.identity.shape[1:], generator=torch.Generator().manual_seed(0))
    sides = told(positive, negative, Variant("another", another=True), True, other)
    one, two = (side[0][1]["diffsfsr"] for side in sides)
    assert torch.equal(one.identity, other.expand_as(one.identity)) and torch.equal(one.expression, before.expression)
    assert torch.equal(two.identity, null.identity)


def test_displacement_errors_are_shares_of_the_way():
    from diffsfsr.evaluation.studies.worn import displacement_errors

    asked = torch.zeros(3, 478, 3)
    asked[1:, :, 0] = 4.0
    found = asked[..., :2].clone()
    found[2, :, 1] = 2.0
    records = [{"points": asked, "seen": {"both": {"points": found}}}]
    assert displacement_errors(records, "both").tolist() == [[0.0, 0.5]]


def test_worn_guides_are_painted_by_every_variant(study, tmp_path, monkeypatch):
    """The guide of the sampler is the worn one, and something is painted on it."""
    from diffsfsr.evaluation.studies import worn as studies

    monkeypatch.setattr(studies, "LABELS", studies.LABELS[:2])
    (tmp_path / "pairs").mkdir()
    worn = studies.Worn(study.pipeline, Judge(), study.files, tmp_path, {"test": 1})
    record = worn.pair("a", "b")
    assert list(record["seen"]) == [*(v.name for v in studies.VARIANTS), "the worn guide itself"]
    labels = len(record["asked"])
    assert all(seen["points"].shape == (labels, 478, 2) for seen in record["seen"].values())
    guide = record["seen"]["the worn guide itself"]["points"]
    assert (record["seen"]["both"]["points"] - guide).norm(dim=-1).mean() > 0.05
