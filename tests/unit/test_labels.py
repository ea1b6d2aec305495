"""The 135 words, their expression codes and the variants of these."""

from pathlib import Path

import numpy as np
import pytest

from diffsfsr.modules import labels
from diffsfsr.modules.errors import DiffSFSRError
from diffsfsr.modules.labels import (
    BLENDSHAPES,
    FAMILIES,
    JUST_NOTICEABLE,
    VARIANTS,
    WORDS,
    family_of,
    index,
    prototype,
    subcluster_of,
    tree_distance,
)

SIZES = {"love": 16, "joy": 33, "surprise": 3, "anger": 29, "sadness": 37, "fear": 17}
# what a variant must keep; mouth opening and pressing are what variants are allowed to play with
MAIN = ("browDown", "browInnerUp", "browOuterUp", "eyeWide", "cheekSquint", "noseSneer", "mouthSmile", "mouthFrown")


def get(word, name):
    """Smaller of the two sides of a coefficient; for one without sides, itself."""
    code = prototype(word)
    names = [name] if name in BLENDSHAPES else [name + "Left", name + "Right"]
    return min(float(code[index(n)]) for n in names)


@pytest.fixture(scope="module")
def distances():
    return labels.distance_matrix()


@pytest.fixture(scope="module")
def tree():
    return np.array([[tree_distance(a, b) for b in WORDS] for a in WORDS])


# --- the list -------------------------------------------------------------------------------------


def test_there_are_135_words_in_6_families_of_25_subclusters():
    assert len(WORDS) == len(set(WORDS)) == 135
    assert list(WORDS) == sorted(WORDS) and WORDS[0] == "adoration" and WORDS[-1] == "zest"
    assert {f: sum(map(len, s.values())) for f, s in FAMILIES.items()} == SIZES
    assert list(FAMILIES) == list(SIZES)
    assert sum(map(len, FAMILIES.values())) == 25


def test_families_and_words_agree():
    listed = [(w, f, s) for f, subs in FAMILIES.items() for s, words in subs.items() for w in words]
    assert sorted(w for w, _, _ in listed) == list(WORDS)
    for word, family, subcluster in listed:
        assert (family_of(word), subcluster_of(word)) == (family, subcluster)


@pytest.mark.parametrize(
    "word, family, subcluster",
    [("disgust", "anger", "disgust"), ("shock", "fear", "horror"), ("distress", "fear", "nervousness"),
     ("sadness", "sadness", "sadness"), ("pity", "sadness", "sympathy"), ("relief", "joy", "relief")],
)
def test_words_one_might_look_for_elsewhere(word, family, subcluster):
    assert (family_of(word), subcluster_of(word)) == (family, subcluster)


def test_tree_distance():
    assert tree_distance("joy", "joy") == 0
    assert tree_distance("joy", "glee") == 1
    assert tree_distance("joy", "relief") == 2
    assert tree_distance("joy", "rage") == 3
    assert tree_distance("grief", "sorrow") == 1  # family and subcluster share the name "sadness"


# --- the codes ------------------------------------------------------------------------------------


def test_order_of_the_coefficients():
    assert len(BLENDSHAPES) == len(set(BLENDSHAPES)) == 52
    assert BLENDSHAPES[0] == "_neutral" and BLENDSHAPES[1] == "browDownLeft" and BLENDSHAPES[-1] == "noseSneerRight"
    assert index("jawOpen") == 25 and index("mouthSmileLeft") == 44
    assert list(BLENDSHAPES[1:]) == sorted(BLENDSHAPES[1:])


@pytest.mark.parametrize("word", WORDS)
def test_every_code_is_a_possible_face(word):
    code = prototype(word)
    assert code.shape == (52,) and code.dtype == np.float32
    assert code[0] == 0 and code.min() >= 0 and code.max() <= 1
    assert code.max() >= 0.3, "too weak to be seen"
    on = {n: float(v) for n, v in zip(BLENDSHAPES, code, strict=True)}
    for a, b in (("LookIn", "LookOut"), ("LookUp", "LookDown"), ("Wide", "Blink")):
        for side in ("Left", "Right"):
            assert min(on[f"eye{a}{side}"], on[f"eye{b}{side}"]) == 0, f"eye cannot {a} and {b} at once"
    assert min(on["jawOpen"], on["mouthPressLeft"]) < 0.3, "lips cannot be pressed on an open jaw"
    assert labels.sources_of(word)
    assert all(-1 <= x <= 1 for x in labels.affect(word))


@pytest.mark.parametrize(
    "word, name, least",
    [
        ("amazement", "jawOpen", 0.45), ("amazement", "browInnerUp", 0.8), ("amazement", "browOuterUp", 0.8),
        ("amazement", "eyeWide", 0.8), ("cheerfulness", "mouthSmile", 0.75), ("cheerfulness", "cheekSquint", 0.6),
        ("rage", "browDown", 0.9), ("rage", "eyeSquint", 0.6), ("rage", "noseSneer", 0.6),
        ("rage", "mouthUpperUp", 0.6), ("rage", "mouthLowerDown", 0.6), ("wrath", "mouthPress", 0.5),
        ("sorrow", "browInnerUp", 0.8), ("sorrow", "mouthFrown", 0.6), ("sorrow", "eyeLookDown", 0.2),
        ("terror", "eyeWide", 0.9), ("terror", "mouthStretch", 0.7), ("terror", "browInnerUp", 0.9),
        ("euphoria", "mouthSmile", 0.9), ("disgust", "noseSneer", 0.8), ("revulsion", "mouthUpperUp", 0.8),
        ("embarrassment", "eyeLookDown", 0.4), ("shame", "eyeLookDown", 0.6), ("grief", "mouthFrown", 0.7),
    ],
)
def test_marks_of_the_strong_words(word, name, least):
    assert get(word, name) >= least


def test_contentment_is_a_gentle_closed_smile():
    assert 0.4 <= get("contentment", "mouthSmile") <= 0.65
    assert get("contentment", "jawOpen") == 0 and get("contentment", "mouthUpperUp") == 0


@pytest.mark.parametrize("word", WORDS)
def test_marks_of_the_family(word):
    family = family_of(word)
    if family == "joy":
        assert get(word, "mouthSmile") >= 0.55 and get(word, "cheekSquint") >= 0.3 and get(word, "mouthFrown") == 0
    elif family == "surprise":
        assert min(get(word, n) for n in ("browInnerUp", "browOuterUp", "eyeWide")) >= 0.7
        assert get(word, "jawOpen") >= 0.45 and get(word, "mouthSmile") == 0 and get(word, "browDown") == 0
    elif family == "anger":
        assert get(word, "browDown") >= 0.5 and get(word, "mouthSmile") == 0 and get(word, "noseSneer") > 0
    elif family == "sadness":
        assert get(word, "browInnerUp") >= 0.5 and get(word, "mouthFrown") >= 0.3
        assert get(word, "mouthFrown") > get(word, "mouthSmile")
    elif family == "fear":
        raised = (get(word, "browInnerUp"), get(word, "browOuterUp"), get(word, "browDown"))
        assert min(raised) >= 0.3 and get(word, "eyeWide") >= 0.5 and get(word, "mouthStretch") >= 0.4
    else:
        assert get(word, "browDown") < 0.31 and get(word, "mouthFrown") == 0 and get(word, "mouthSmile") > 0


@pytest.mark.parametrize("word", [w for w in WORDS if subcluster_of(w) == "disgust"])
def test_disgust_differs_from_anger_by_nose_and_lip(word):
    code, anger = prototype(word), prototype("anger")
    lip, brow = index("mouthUpperUpRight"), index("browDownRight")
    assert code[lip] > 0.5 > anger[lip] and code[brow] < anger[brow]


def hidden(units):
    """What of an expression cannot be seen beside the rest of it, as the drawn faces were measured (docs/expressions.md)."""
    amount = lambda unit: units.get(unit, 0.0)  # noqa: E731
    faults = {
        "inner brows beside lowered ones": min(amount("1"), amount("4")) > 0.3,
        "wide eyes beside tight lids": amount("5") > 0 and amount("7") >= 0.45,
        "a pucker too faint, or beside a smile or a raised chin": amount("18") > 0.2
        and (amount("18") < 0.8 or amount("12") > 0.1 or amount("17") > 0),
    }
    return [name for name, found in faults.items() if found]


@pytest.mark.parametrize("word", WORDS)
def test_nothing_is_asked_that_hides_itself(word):
    assert hidden(labels.action_units(word)) == []


@pytest.mark.parametrize("units", [{"1": 0.9, "4": 0.6}, {"4": 1.0, "5": 0.4, "7": 0.75}, {"18": 0.4}, {"17": 0.7, "18": 0.9}])
def test_what_hides_itself_is_noticed(units):
    assert len(hidden(units)) == 1



# --- distances ------------------------------------------------------------------------------------


def test_no_two_words_are_the_same_face(distances):
    off = distances[~np.eye(len(WORDS), dtype=bool)]
    assert off.min() > JUST_NOTICEABLE
    assert np.allclose(distances, distances.T) and np.all(np.diag(distances) == 0)


def test_distances_grow_with_the_tree(distances, tree):
    upper = np.triu_indices(len(WORDS), 1)
    means = [distances[upper][tree[upper] == k].mean() for k in (1, 2, 3)]
    assert means == sorted(means)


@pytest.mark.parametrize("family, name", [(f, s) for f in FAMILIES for s in FAMILIES[f] if len(FAMILIES[f][s]) > 1])
def test_subclusters_hold_together(family, name, distances):
    here = [WORDS.index(w) for w in FAMILIES[family][name]]
    away = [i for i, w in enumerate(WORDS) if family_of(w) != family]
    inside = distances[np.ix_(here, here)].sum() / (len(here) * (len(here) - 1))
    assert inside < distances[np.ix_(here, away)].mean()


def test_neighbours_and_nearest_word():
    near = labels.neighbours("joy", 4)
    assert len(near) == 4 and "joy" not in dict(near)
    assert [d for _, d in near] == sorted(d for _, d in near)
    assert labels.nearest_word(prototype("dread")) == ("dread", 0.0)


def test_docs_show_the_present_map():
    text = (Path(__file__).parents[2] / "docs" / "expressions.md").read_text("utf-8")
    for unit, shares in labels.ACTION_UNITS.items():
        row = ", ".join(n if g == 1 else f"{n} {g:g}" for n, g in shares.items())
        assert f"| {unit} | " in text and row in text, f"action unit {unit} is not up to date"


# --- intensity and variation ----------------------------------------------------------------------


@pytest.mark.parametrize("word", WORDS)
def test_intensity_scales_and_stops(word):
    base = prototype(word)
    assert not prototype(word, 0.0).any() and not prototype(word, 0.0, variation=7).any()
    np.testing.assert_allclose(prototype(word, 0.5), base / 2, atol=1e-6)
    np.testing.assert_allclose(prototype(word, 1.5), np.minimum(base * 1.5, 1.0), atol=1e-6)
    np.testing.assert_allclose(labels.asked(word, 1.5), base * 1.5, atol=1e-6)


@pytest.mark.parametrize("value", [-0.01, 1.51, float("nan"), float("inf"), None, "1"])
def test_intensity_out_of_range(value):
    with pytest.raises(DiffSFSRError, match="input 'intensity'.*Set a value from 0"):
        prototype("joy", value)


@pytest.mark.parametrize("value", [-1, 1.5, None, "1", True])
def test_variation_out_of_range(value):
    with pytest.raises(DiffSFSRError, match="input 'variation'.*Set 0 for the standard"):
        prototype("joy", 1.0, value)


@pytest.mark.parametrize("seed", [*range(1, 11), 2**31, 2**64 - 1])
def test_variations_are_repeatable_others_and_the_same_word(seed):
    base = labels.prototype_matrix()
    codes = labels.prototype_matrix(variation=seed)
    assert np.array_equal(codes, labels.prototype_matrix(variation=seed))
    assert codes.min() >= 0 and codes.max() <= 1 and not codes[:, 0].any()
    gaps = np.linalg.norm(codes - base, axis=1)
    assert gaps.min() > JUST_NOTICEABLE and gaps.max() < 1.0
    main = [i for i, n in enumerate(BLENDSHAPES) if n.startswith(MAIN)]
    assert np.all(codes[:, main] >= 0.6 * base[:, main] - 1e-6)
    assert np.all(codes[:, main][base[:, main] == 0] == 0), "a variant adds no main action"
    kept = [family_of(labels.nearest_word(c)[0]) == family_of(w) for c, w in zip(codes, WORDS, strict=True)]
    assert all(kept)


def test_each_kind_of_variant_does_what_it_says():
    base = prototype("happiness")
    by = {kind: prototype("happiness", variation=i + 1) for i, kind in enumerate(VARIANTS)}
    jaw, smile = index("jawOpen"), [index("mouthSmileLeft"), index("mouthSmileRight")]
    assert by["soft"].sum() < base.sum() < by["strong"].sum()
    assert by["closed"][jaw] < base[jaw] < by["open"][jaw]
    assert abs(np.subtract(*by["uneven"][smile])) > 0.1
    assert np.subtract(*base[smile]) == 0


def test_a_variant_never_changes_between_versions():
    """Saved graphs hold seeds: these numbers may only change together with a note to users."""
    code = prototype("excitement", 1.0, 1234)
    names = ("mouthSmileLeft", "browInnerUp", "jawOpen")
    np.testing.assert_allclose([code[index(n)] for n in names], (1.0, 0.440723, 0.298676), atol=1e-5)
