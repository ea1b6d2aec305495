"""The validation curve: what a perfect and a silent network score, the columns of a run, and its picture."""

import pytest
import torch
from torch import nn

from tests.host import shared_run
from tests.host.test_picture_losses import judges, pictures  # noqa: F401  (fixtures)
from tests.host.test_training import curve, small, training  # noqa: F401


@pytest.fixture(scope="module")
def validation(training, judges):  # noqa: F811
    """On two coloured faces; the background's latent is the target itself, so that a network can know the answer."""
    from diffsfsr.training.validation import Validation
    from tests.host.graphs import astronaut, scaled

    encoder, losses = judges
    face = scaled(astronaut()[:, 20:220, 120:320], 256, 256).permute(0, 3, 1, 2)
    with torch.no_grad():
        target = encoder(torch.cat([face, face.flip(-1) * torch.tensor([0.8, 1.0, 0.9])[:, None, None]]))
    rows = {"target": target, "background": target, "warp": target * 0, "mask": torch.ones(2, 1, 32, 32)}
    rows |= {"painted": torch.zeros(2, 32, 32), "vector": torch.zeros(2, 256), "code": torch.zeros(2, 52)}
    rows |= {"selfie": torch.zeros(2, 3, 128, 128, dtype=torch.uint8)}
    torch.manual_seed(0)
    compact = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(3 * 16 * 16, 32)).requires_grad_(False)
    return Validation(rows, losses, compact, training.schedule(training.UNetConfig()))


class Knowing(nn.Module):
    """Takes the clean latent from the background's channels, and answers with a share of the true velocity."""

    def __init__(self, alpha_bar, share):
        super().__init__()
        self.levels, self.share = (1 / alpha_bar - 1).sqrt().log(), share

    def forward(self, z, concat, t, vector, selfie, code, drop):
        assert not drop.any()
        low, clean = t.long().clamp(max=998), concat[:, :16]
        r = torch.lerp(self.levels[low], self.levels[low + 1], t.float() - low).exp()[:, None, None, None]
        alpha = (1 + r**2).rsqrt()
        noise = (z - alpha * clean) / (alpha * r)
        return self.share * (alpha * noise - alpha * r * clean)


def test_a_network_that_knows_the_answer_scores_best(training, validation):  # noqa: F811
    from diffsfsr.training.validation import COLUMNS, COSINES, DISTANCES, LOSSES

    place = training.make_accelerator()
    right, again, silent = (validation.look(Knowing(validation.alpha_bar, share), place) for share in (1.0, 1.0, 0.0))
    assert right == again and set(right) == set(COLUMNS)
    assert all(right[name] < 1e-6 for name in LOSSES)
    assert all(right[name] == pytest.approx(1, abs=1e-3) for name in COSINES)
    assert all(right[name] < 1e-3 for name in DISTANCES)
    assert right["val_guide_identity"] < 1e-3 < silent["val_guide_identity"], "the sampler's end, from an empty guide"
    assert right["val_guide_points"] < 1e-3 < silent["val_guide_points"]
    assert right["val_worn_identity"] is None, "there are no worn guides"
    assert all(silent[name] > 0.1 for name in LOSSES)
    assert all(silent[name] < right[name] - 1e-3 for name in COSINES)
    assert all(silent[name] > right[name] + 1e-3 for name in DISTANCES)


def test_a_target_is_the_picture_it_was_made_of_where_that_is_known(training, validation):  # noqa: F811
    """A brighter picture than the latent's is further away from what a network that knows the latent paints."""
    from diffsfsr.training.validation import Validation

    rows = {**validation.rows, "number": torch.tensor([1, 0])}
    asked, decoded = [], validation.judges.decoded(rows["target"])
    photo = lambda number: asked.append(number) or (decoded[1 - number] * 0.5)  # noqa: E731
    other = Validation(rows, validation.judges, validation.identity, validation.alpha_bar, photo=photo)
    found = other.look(Knowing(validation.alpha_bar, 1.0), training.make_accelerator())
    assert asked == [1, 0] and found["val_compact"] < 0.999 and found["val_loss_1"] < 1e-6


class Answers:
    """In the place of a Watch: says that it was asked."""

    every, asked = 2, 0

    def look(self, model, place, folder, step):
        from diffsfsr.training.validation import COLUMNS

        assert not any(p.requires_grad for p in model.parameters()), "the average is looked at"
        self.asked += 1
        return dict.fromkeys(COLUMNS, float(self.asked))


def test_a_run_looks_every_so_often_and_at_its_end(small, tmp_path):  # noqa: F811
    from diffsfsr.training.validation import COLUMNS

    validation = Answers()
    plan = small.Plan(steps=5, batch=2)
    small.train(shared_run.random_samples(), tmp_path, plan, "none", small.make_accelerator(), None, validation)
    rows = curve(tmp_path)
    assert [row.get("val_compact") for row in rows] == [None, 1, None, 2, 3]
    assert all(name in rows[1] for name in COLUMNS)
    assert (tmp_path / "curve.png").read_bytes()[1:4] == b"PNG"


def test_without_validation_people_the_columns_are_empty(small, tmp_path):  # noqa: F811
    from diffsfsr.training.export import last_row
    from diffsfsr.training.validation import COLUMNS

    small.train(shared_run.random_samples(), tmp_path, small.Plan(steps=1, batch=2), "none", small.make_accelerator())
    header, row = (tmp_path / "curve.csv").read_text().splitlines()
    assert header.split(",")[-len(COLUMNS) :] == list(COLUMNS) and row.endswith("," * len(COLUMNS))
    assert set(last_row(tmp_path / "curve.csv")) == {"seconds", "step", "loss", "rate"}
    assert (tmp_path / "curve.png").exists()
