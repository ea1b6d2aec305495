"""Words beside true expressions: the arithmetic and the tables of `python -m evaluation expressions`."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from diffsfsr.modules.labels import FAMILIES, WORDS, family_of
from diffsfsr.modules.types import Face
from diffsfsr.modules.warp.aperture import Aperture


@pytest.fixture(scope="module")
def studies(comfy):
    from diffsfsr.evaluation.studies import expressions, likeness, nearness

    return SimpleNamespace(expressions=expressions, likeness=likeness, nearness=nearness)


@pytest.fixture(scope="module")
def likeness(studies):
    return studies.likeness


@pytest.fixture(scope="module")
def nearness(studies):
    return studies.nearness


def test_bundles_draw_with_another_face_model(studies):
    """Also with one that has fewer directions than the bundle's tokens read."""
    from diffsfsr.modules.bundle import load_bundle
    from diffsfsr.modules.host.folders import BUILT_IN
    from diffsfsr.modules.pipeline.encoders import build_encoders
    from diffsfsr.training.movement import strip

    bundle = load_bundle(BUILT_IN)
    plain = strip(build_encoders(bundle).shape)
    state = {name: value.float() for name, value in plain.state_dict().items()}
    drawn = build_encoders(studies.expressions._with(bundle, state))
    assert len(drawn.shape.basis) == len(plain.basis) < len(build_encoders(bundle).shape.basis)


def test_a_part_is_compared_alone(studies):
    difference = lambda a, b: (a - b).abs().mean()[None]  # noqa: E731
    compare = studies.expressions.part_compared

    points = torch.zeros(478, 3)
    points[:4, :2] = torch.tensor([[50.0, 60.0], [50.0, 70.0], [40.0, 65.0], [60.0, 65.0]])
    truth = Face(torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(3)), points, torch.zeros(52))
    where = ((Aperture((0,), (1,), (2, 3)),), 0.3, truth)
    elsewhere, there = truth.image.clone(), truth.image.clone()
    elsewhere[:, 90:], there[:, 60:70, 45:55] = 0, 0
    assert compare(*where, elsewhere, difference) == 0 < compare(*where, there, difference)


def test_a_row_for_each_way_to_draw_and_the_true_picture(studies):
    names = {"size": 1.0, "error": 0.6, "stlpips": 0.05, "mouth": 0.2, "eyes": 0.1, "identity": 0.8}
    made = [{"way": way, **names, "stlpips": 0.1 * k} for k, way in enumerate(studies.expressions.DRAWN)]
    made += [{"way": studies.expressions.TRUE, "error": 0.7, "identity": 0.9}]
    lines = studies.expressions.ways_table(made).splitlines()
    assert "| with light | 1.00 | 0.60 | 0.200 | 0.200 | 0.100 | 0.80 |" in lines
    assert lines[-1] == "| true picture (error: of the others' median) | 1 | 0.70 | 0 | 0 | 0 | 0.90 |"


# --- likeness -----------------------------------------------------------------------------------------------------


def test_every_person_has_the_strong_words_and_one_of_each_family_at_each_intensity(likeness):
    asked = likeness.words_for(7)
    assert asked[: len(likeness.STRONG)] == [(word, 1.0) for word in likeness.STRONG]
    rest = asked[len(likeness.STRONG) :]
    assert [(family_of(word), i) for word, i in rest] == [(family, i) for family in FAMILIES for i in likeness.INTENSITIES]
    assert {word for k in range(60) for word, _ in likeness.words_for(k)} == set(WORDS), "60 people have all the words"


def drawn(likeness, number: int, own, other, vectors, found=None):
    found = np.ones(len(vectors), bool) if found is None else np.array(found)
    words = [(word, 1.0) for word in likeness.STRONG[: len(vectors)]]
    return likeness.Drawn(f"p{number}", words, np.array(own), np.array(other), np.array(vectors), found)


def test_who_a_drawn_face_is_like(likeness):
    a, b, c = np.eye(3)
    near_a, between = np.array([0.8, 0.6, 0.0]), np.array([0.6, 0.8, 0.0])
    first = drawn(likeness, 0, a, c, [near_a, between, near_a], [True, True, False])
    rows = likeness.rows_of([first, drawn(likeness, 1, b, a, [near_a, b])])
    assert [r["first"] for r in rows] == [True, False, False, False, True]
    assert [r["closer"] for r in rows] == [True, True, False, False, True]
    assert [round(r["cosine"], 2) for r in rows] == [0.8, 0.6, 0.0, 0.6, 1.0]
    assert {r["family"] for r in rows if r["word"] == "shame"} == {"sadness"}


def test_the_table_says_which_targets_are_met(likeness):
    made = []
    for k in range(10):
        for number, (word, i) in enumerate(likeness.words_for(k)):
            about = {"person": f"p{k}", "word": word, "family": family_of(word), "intensity": i, "strong": number < 8}
            made.append({**about, "cosine": 0.5, "closer": True, "first": word != "rage" or k > 2})
    lines = likeness.table(made).splitlines()
    assert next(line for line in lines if line.startswith("| rage")).endswith("| no |")
    assert next(line for line in lines if line.startswith("| terror")) == "| terror | 1.00 | 1.00 (1.00 to 1.00) | 0.50 | yes |"
    assert "| love | 0.50 / 1.00 | 0.50 / 1.00 | 0.50 / 1.00 |" in lines


# --- nearness -----------------------------------------------------------------------------------------------------


def face(*levels: float):
    """Flat pictures of these grey levels whose points lie as many tenths of a pixel to the right."""
    pictures = np.stack([np.full((4, 4, 3), level, np.uint8) for level in levels])
    points = np.stack([np.full((468, 2), (level / 10, 0.0)) for level in levels])
    inside = np.zeros((4, 4), bool)
    inside[1:3, 1:3] = True
    pictures[:, 0] = np.arange(len(levels))[:, None, None]  # beside the face
    return pictures, points, inside


def test_how_far_two_drawn_words_are_apart(nearness):
    assert nearness.apart(0, 2, *face(10, 20, 50)) == (40.0, 4.0)
    assert nearness.apart(1, 1, *face(10, 20)) == (0.0, 0.0)


def test_the_nearest_pair_is_first_and_only_words_of_a_subcluster_meet(nearness):
    words = ["joy", "delight", "rage", "anger", "wrath"]
    pairs = nearness.pairs_of([face(10, 40, 11, 31, 33), face(10, 40, 11, 31, 33)], words)
    assert [pair.words for pair in pairs][0] == ("anger", "wrath") and pairs[0].grey == 2
    assert ("joy", "rage") not in [pair.words for pair in pairs] and len(pairs) == 4


def test_words_that_are_nearer_than_a_word_to_itself_are_named(nearness):
    assert nearness.itself([face(10, 40, 12, 46)], 2) == (4.0, pytest.approx(0.4))
    pairs = nearness.pairs_of([face(10, 40, 11, 31, 33)], ["joy", "delight", "rage", "anger", "wrath"])
    text = nearness.table(pairs, (4.0, 0.1), 1)
    assert "not told apart: anger and wrath." in text and "| anger: rage | anger and wrath | 2.00 | 0.20 |" in text
    assert "not told apart: none." in nearness.table(pairs, (1.0, 0.1), 1)
