"""How the 135 faces lie to each other: distinct, visibly so, ordered as Shaver's tree. Rules: docs/expressions.md."""

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from diffsfsr.evaluation.media.tables import word_table
from diffsfsr.modules import labels
from diffsfsr.modules.labels import FAMILIES, JUST_NOTICEABLE, WORDS, family_of, subcluster_of, tree_distance

ROOT = Path(__file__).resolve().parents[2]
JUST_VISIBLE = 0.02  # of the distance between the eyes' centres
EYES = ((33, 133), (362, 263))


@pytest.fixture(scope="module")
def distances():
    return labels.distance_matrix()


@pytest.fixture(scope="module")
def tree():
    return np.array([[tree_distance(a, b) for b in WORDS] for a in WORDS])


def upper(matrix):
    return matrix[np.triu_indices(len(WORDS), 1)]


def gaps_on_the_face(codes):
    """[n, 52] -> [n, n]: how far the most different of the 478 points lies apart, seen from the front, in eye distances."""
    with safe_open(ROOT / "weights" / "diffsfsr_default_256.safetensors", "np") as file:
        mean, expression = file.get_tensor("shape.mean"), file.get_tensor("shape.expression").astype(np.float64)
    left, right = (mean[list(pair)].mean(0) for pair in EYES)
    points = np.einsum("we,epc->wpc", codes, expression)[..., :2] / np.linalg.norm(left - right)
    return np.stack([np.linalg.norm(points - one, axis=-1).max(-1) for one in points])


def strays(distances, groups):
    """Words that are on the mean no nearer to the others of their group than to some other family."""
    found = []
    for i, word in enumerate(WORDS):
        mates = [j for j in range(len(WORDS)) if groups[j] == groups[i] and j != i]
        others = {f: [j for j in range(len(WORDS)) if family_of(WORDS[j]) == f] for f in FAMILIES if f != family_of(word)}
        if mates and distances[i, mates].mean() >= min(distances[i, away].mean() for away in others.values()):
            found.append(word)
    return found


def test_no_two_words_are_the_same_code(distances):
    assert upper(distances).min() > JUST_NOTICEABLE


def test_any_two_words_can_be_seen_apart():
    codes = labels.prototype_matrix().astype(np.float64)
    gaps = upper(gaps_on_the_face(codes))
    first, second = np.triu_indices(len(WORDS), 1)
    near = [(WORDS[first[k]], WORDS[second[k]], round(float(gaps[k]), 4)) for k in np.flatnonzero(gaps < JUST_VISIBLE)]
    assert near == []


def test_the_visible_gap_notices_a_change_too_small_to_see():
    code = labels.prototype("joy").astype(np.float64)
    changed = code.copy()
    changed[labels.index("mouthSmileLeft")] -= 0.02
    assert 0 < gaps_on_the_face(np.stack([code, changed]))[0, 1] < JUST_VISIBLE


def test_words_of_a_subcluster_belong_together(distances):
    groups = [(family_of(word), subcluster_of(word)) for word in WORDS]
    assert strays(distances, groups) == []


def test_a_word_in_the_wrong_place_is_noticed(distances):
    groups = [(family_of(word), subcluster_of(word)) for word in WORDS]
    groups[WORDS.index("rage")] = ("joy", "zest")
    assert "rage" in strays(distances, groups)


def test_cophenetic_correlation_with_the_tree(distances, tree):
    """The tree's own cophenetic distances (1, 2, 3) against the distances of the codes, over all pairs."""
    assert np.corrcoef(upper(distances), upper(tree))[0, 1] >= 0.6


def test_the_tree_in_the_codes_is_like_the_published_one(distances, tree):
    hierarchy, spatial = pytest.importorskip("scipy.cluster.hierarchy"), pytest.importorskip("scipy.spatial.distance")
    found = hierarchy.cophenet(hierarchy.linkage(spatial.squareform(distances, checks=False), "average"))
    assert np.corrcoef(found, upper(tree))[0, 1] >= 0.6


def test_the_page_holds_the_present_table_and_figures(distances, tree):
    text = (ROOT / "docs" / "expressions.md").read_text("utf-8")
    table = word_table()
    assert table in text, "run: python -m evaluation words --tables"
    assert sum(line.startswith(f"| {word} |") for word in WORDS for line in table.splitlines()) == 135
    correlation = np.corrcoef(upper(distances), upper(tree))[0, 1]
    assert f"| {correlation:.2f} |" in text and f"| {upper(distances).min():.2f} (" in text
    means = [upper(distances)[upper(tree) == k].mean() for k in (1, 2, 3)]
    assert "Mean distance: {:.2f} inside a subcluster, {:.2f} inside a family, {:.2f} between".format(*means) in text
    visible = upper(gaps_on_the_face(labels.prototype_matrix().astype(np.float64))).min()
    assert f"| {visible:.1%} (".replace("%", " %") in text
