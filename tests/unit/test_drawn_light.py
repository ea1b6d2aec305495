"""Samples that the network for hard light learns from, drawn over a plain face."""

import numpy as np
import pytest
import torch

from diffsfsr.modules.faces.lights import FAINT, GAMMA, LightNetwork
from diffsfsr.modules.warp.masks import grow
from diffsfsr.training.ladder import mirrored, stacked
from diffsfsr.training.light import lamps
from diffsfsr.training.light.learn import loss_of
from diffsfsr.training.light.paint import MOST, Painter
from diffsfsr.training.light.people import model
from diffsfsr.training.portrait import MARGIN
from tests.unit.faces import HAIR, SKIN, canonical_face, moved
from tests.unit.ladders import learns_and_folds

SIZE = 128


class Plain:
    """A portrait in plain colours."""

    id, group = "plain", "portraits"

    def __init__(self, face):
        self.face = moved_to_wide(face)

    def wide(self):
        return (torch.where(self.face.covered[..., None], SKIN, HAIR) * 255).byte().numpy()

    def points(self):
        return self.face.points


def moved_to_wide(face):
    wide = moved(face, face.points + torch.tensor([MARGIN, MARGIN, 0.0]))
    return type(wide).of(wide.points, wide.topology, 256 + 2 * MARGIN)


@pytest.fixture(scope="module")
def painter():
    face = canonical_face()
    return Painter([model(Plain(face), face.topology, torch.zeros(468, 2), SIZE)], SIZE)


@pytest.mark.parametrize("seed", range(8))
def test_the_gain_takes_drawn_light_away(painter, seed):
    """A face of one colour is that again, but for exposure and where nothing is seen any more."""
    seen = painter.sample(np.random.default_rng(seed), worn=False)
    assert all(value.isfinite().all() for value in seen) and seen.image.min() >= 0 and seen.image.max() <= 1
    inside = (grow((seen.weight > 0.99).float()[None, None], -3)[0, 0] > 0) & (seen.gain.abs() < MOST).all(0)
    light = torch.log(seen.image[:, inside] ** GAMMA + FAINT)
    before, after = light.std(1).mean(), (light + seen.gain[:, inside]).std(1).mean()
    assert before > 0.05 and after < 0.1 * before


@pytest.mark.parametrize("kind", lamps.PATTERNS)
def test_what_stands_in_the_way_has_an_edge(painter, kind):
    """Light and shadow both, and a border between them that is narrow."""
    passed, way = [], np.array([0.3, 0.3, 0.9], np.float32)
    for seed in range(6):
        share = lamps.behind(kind, way, painter.models[0].height.astype(np.float32), np.random.default_rng(seed))
        assert 0 <= share.min() <= share.max() <= 1
        passed.append(share)
    shares = np.stack(passed)
    assert (shares > 0.9).any() and (shares < 0.3).any()


def test_portraits_in_their_own_light_ask_for_nothing(painter):
    assert not painter.sample(np.random.default_rng(0), light=None).gain.any()


def test_a_nose_throws_a_shadow(painter):
    """To the side that a low lamp does not stand on, and to no other."""
    who = painter.models[0]
    lit = lamps.seen_from(np.array([0.9, 0.0, 0.4], np.float32), who.height.astype(np.float32), np.random.default_rng(0))
    x, y = (who.points[4] * len(lit)).astype(int)
    rows = slice(y - 3, y + 4)
    assert lit[rows, x - 12 : x - 4].mean() < 0.5 < 0.9 < lit[rows, x + 4 : x + 12].mean()


def test_the_same_seed_draws_the_same(painter):
    first, same, other = (painter.sample(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, same, strict=True)) and not torch.equal(first.image, other.image)


def test_it_learns_and_folds(painter):
    """From mirrored samples, too."""
    rng = np.random.default_rng(3)
    samples = [painter.sample(rng, worn=False) for _ in range(2)]
    seen = stacked(samples + [mirrored(sample, rng) for sample in samples])
    learns_and_folds(LightNetwork, lambda gain: loss_of(gain, seen), seen[:3], 12, 2e-3)
