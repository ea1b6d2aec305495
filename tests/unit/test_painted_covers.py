"""Samples that the network for what stands in front learns from, drawn over a plain face."""

import numpy as np
import pytest
import torch

from diffsfsr.modules.faces.covers import CoverNetwork
from diffsfsr.modules.warp.covers import place_map
from diffsfsr.training.front.learn import loss_of
from diffsfsr.training.front.paint import KINDS, UNSEEN, Painter
from diffsfsr.training.front.people import Sitter
from diffsfsr.training.ladder import stacked
from tests.unit.faces import HAIR, SKIN, canonical_face, moved
from tests.unit.ladders import learns_and_folds

SIZE = 192


@pytest.fixture(scope="module")
def painter():
    """Of one bare face and one with hair over it, both plain."""
    face = canonical_face()
    wide = moved(face, face.points + torch.tensor([48.0, 48.0, 0.0]))
    mesh = type(wide).of(wide.points * 0.75, wide.topology, 264)
    image = torch.where(mesh.covered[..., None], SKIN, HAIR)
    places = torch.rand(468, 2, generator=torch.Generator().manual_seed(0))
    fringe = np.zeros((264, 264), bool)
    fringe[60:110, 90:170] = True
    points, place = mesh.points[:, :2].numpy(), place_map(mesh, places).half().numpy()
    bare = Sitter("bare", (image * 255).byte().numpy(), points, place, np.zeros_like(fringe))
    haired = Sitter("haired", np.full((264, 264, 3), (60, 90, 200), np.uint8), points, place, fringe, bare=False)
    return Painter([bare, haired], SIZE, wide.topology.mirror)


@pytest.mark.parametrize("kind", [*KINDS, *UNSEEN])
def test_what_is_drawn_is_what_is_labelled(painter, kind):
    """Where the label is 1 another thing is seen; far from it the face is as it was, but for shadows."""
    changed = []
    for seed in range(3):
        with_it, without = (painter.sample(np.random.default_rng(seed), kinds, worn=False) for kinds in ((kind,), ()))
        assert all(value.isfinite().all() for value in with_it), kind
        assert with_it.label.min() >= 0 and with_it.label.max() <= 1 and 0 <= with_it.image.min() <= with_it.image.max() <= 1
        change, sure = (with_it.image - without.image).abs().amax(0), with_it.label > 0.9
        changed.append(change[sure] > 0.02)
        lighter = (with_it.image - without.image).amax(0) > 0.1
        assert not (lighter & (with_it.label == 0) & (with_it.weight > 0)).any(), "what is lighter there is no shadow"
    changed = torch.cat(changed).float()
    assert len(changed) > 50 and changed.mean() > 0.6


def test_nothing_drawn_is_no_label(painter):
    seen = painter.sample(np.random.default_rng(0), ())
    assert not seen.label.any() and seen.weight[seen.face].mean() > 0.5


def test_the_same_seed_draws_the_same(painter):
    first, again, other = (painter.sample(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True)) and not torch.equal(first.image, other.image)


def test_it_learns_and_folds(painter):
    seen = stacked([painter.sample(np.random.default_rng(k), ("mask",)) for k in range(2)])
    learns_and_folds(CoverNetwork, lambda logits: loss_of(logits, seen), (seen.image, seen.place), 8, 1e-3)
