"""What the UNet is asked for: ways from guides to targets, worn guides, true expressions, weights of losses."""

import pytest
import torch

from tests.host import shared_run
from tests.host.test_training import small, training  # noqa: F401  (fixtures)


def worn_samples(truths=None):
    """Random latents with worn guides; the last six rows are of true expressions."""
    from diffsfsr.training.samples import FIRST, Samples

    (rows,) = shared_run.random_samples().shards
    worn = torch.randn(rows["warp"].shape, generator=torch.Generator().manual_seed(1))
    return Samples([{**rows, "worn": worn, "person": torch.tensor([0] * 18 + [FIRST] * 6)}], truths)


def test_the_exact_slope_leads_from_the_noised_guide_to_the_target(comfy):
    """From wherever a row stands on its way, a plain step by it ends at the target; at the start it is the noised guide."""
    from diffsfsr.training.velocity import bridged

    target, guide, noise = torch.randn(3, 4, 16, 8, 8, generator=torch.Generator().manual_seed(0)).unbind()
    begin, left = torch.tensor([0.2, 0.3, 0.5, 0.3]), torch.tensor([1.0, 0.7, 0.3, 0.1])
    y, slope, r = bridged(target, guide, noise, begin, left)
    assert torch.allclose(y - r[:, None, None, None] * slope, target, atol=1e-5) and torch.equal(r, begin * left)
    assert torch.allclose(y[0], guide[0] + 0.2 * noise[0], atol=1e-6)


class Knowing(torch.nn.Module):
    """Answers with the velocity of the straight way from the noised guide, at the usual beginning; the target stands in the
    background's channels.
    """

    def __init__(self, alpha_bar):
        super().__init__()
        self.levels, self.unused = (1 / alpha_bar - 1).sqrt().log(), torch.nn.Parameter(torch.zeros(1))

    def forward(self, z, concat, t, *rest):
        low, clean = t.long().clamp(max=998), concat[:, :16]
        r = torch.lerp(self.levels[low], self.levels[low + 1], t - low).exp()[:, None, None, None]
        slope = (z * (1 + r**2).sqrt() - clean) / r
        return slope * (1 + r**2).sqrt() - r * z


@pytest.mark.parametrize("worn", [0.0, 1.0])
def test_a_network_that_knows_the_way_has_no_loss_on_it(training, worn):  # noqa: F811
    from diffsfsr.training.recipe import Recipe
    from diffsfsr.training.velocity import velocity_loss

    alpha_bar = training.schedule(training.UNetConfig())
    batch = worn_samples().some(8)
    rng = lambda: torch.Generator().manual_seed(3)  # noqa: E731
    told = {**batch, "background": batch["target"]}
    known = velocity_loss(Knowing(alpha_bar), told, alpha_bar, rng(), recipe=Recipe(bridge=8, worn=worn))
    assert known < 1e-3
    wrong = velocity_loss(Knowing(alpha_bar), batch, alpha_bar, rng(), recipe=Recipe(bridge=8, worn=worn))
    assert wrong > 1


def test_the_share_of_worn_guides_is_the_one_that_is_asked_for(comfy):
    from diffsfsr.training.recipe import guided

    batch = worn_samples().some(24)
    counts = [
        int((guided(batch, share, torch.Generator().manual_seed(0))["warp"] == batch["worn"]).flatten(1).all(1).sum())
        for share in (0.0, 0.5, 1.0)
    ]
    assert counts[0] == 0 and 5 < counts[1] < 19 and counts[2] == 24
    assert "worn" not in guided(batch, 0.5, torch.Generator())


@pytest.mark.parametrize(("truths", "low", "high"), [(None, 12, 38), (0.0, 0, 0), (0.6, 45, 75), (1.0, 100, 100)])
def test_the_share_of_true_expressions_is_the_one_that_is_asked_for(comfy, truths, low, high):
    from diffsfsr.training.samples import FIRST

    rows = worn_samples(truths).batch(100, torch.Generator().manual_seed(0))
    assert low <= int((rows["person"] >= FIRST).sum()) <= high


def test_weights_are_numbers_of_known_losses(comfy):
    from diffsfsr.training.recipe import WEIGHTS, Recipe, weights_of

    assert weights_of(["stlpips=1", "identity=0"]) == {**WEIGHTS, "stlpips": 1.0, "identity": 0.0}
    found = {"identity": torch.ones(2), "stlpips": torch.ones(2)}
    assert Recipe(weights=weights_of(["stlpips=2", "identity=.5"])).total(found).tolist() == [2.5, 2.5]
    for words, complaint in ((["lpips=1"], "lpips"), (["stlpips"], "NAME=NUMBER")):
        with pytest.raises(SystemExit, match=complaint):
            weights_of(words)


def test_a_run_keeps_its_recipe_and_takes_turns(small, tmp_path):  # noqa: F811
    """The critic and the judges are asked every second step alone."""
    import json

    from diffsfsr.training.recipe import Recipe

    recipe = Recipe(bridge=2, worn=0.5, truths=0.5, paths=2, paths_every=2)
    shared_run.run(tmp_path, worn_samples(0.5), steps=3, adversarial=True, recipe=recipe, accumulate=2)
    told = json.loads((tmp_path / "run.json").read_text())["config"]["recipe"]
    assert told["bridge"] == 2 and told["weights"]["critic"] == 0.3
    sizes, samples = [], worn_samples(0.5)
    whole = samples.batch
    samples.batch = lambda size, rng: sizes.append(size) or whole(size, rng)
    shared_run.run(tmp_path / "again", samples, steps=3, adversarial=True, recipe=recipe)
    assert sizes == [4, 2, 8, 4, 4, 2, 8], "rows of the step; of paths and of the critic in turns"


def test_the_picture_of_a_row_is_that_of_its_pair(comfy, tmp_path):
    """Shards in the order of their names, as their latents; without one of them there are none."""
    from diffsfsr.training.samples import Samples

    (rows,) = shared_run.random_samples().shards
    samples = Samples([{name: value[:4] for name, value in rows.items()}, {name: value[4:7] for name, value in rows.items()}])
    values = torch.arange(7, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 2, 2).contiguous()
    for name, part in (("pairs_0_0000", values[:4]), ("pairs_truth0", values[4:])):
        (tmp_path / f"{name}.safetensors").touch()
        torch.save({"target": part}, tmp_path / f"{name}.pt")
    photo = samples.photos_from(tmp_path, tmp_path)
    assert [round(float(photo(k).mean() * 255)) for k in range(7)] == list(range(7))
    assert samples.rows(torch.tensor([5, 2]))["number"].tolist() == [5, 2]
    (tmp_path / "pairs_truth0.pt").unlink()
    assert samples.photos_from(tmp_path, tmp_path) is None
