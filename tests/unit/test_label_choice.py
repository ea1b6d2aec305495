"""How a choice of the menu or a typed word is understood, and what a wrong one is told."""

import pickle

import numpy as np
import pytest

from diffsfsr.modules import labels
from diffsfsr.modules.errors import DiffSFSRError, at
from diffsfsr.modules.labels import FAMILIES, MENU, WORDS, family_of, parse_choice, prototype


def test_menu_is_grouped_and_understood():
    assert len(MENU) == 135
    assert [parse_choice(m) for m in MENU] == [w for s in FAMILIES.values() for ws in s.values() for w in ws]
    assert MENU[0] == "love: adoration" and "joy: amusement" in MENU
    assert all(m == f"{family_of(parse_choice(m))}: {parse_choice(m)}" for m in MENU)
    assert np.array_equal(prototype("joy: amusement"), prototype("amusement"))


@pytest.mark.parametrize("text", ["Amusement", "  amusement ", "JOY:amusement", "joy : Amusement", "amuse ment\n"])
def test_case_and_spaces_do_not_matter(text):
    assert parse_choice(text) == "amusement"


@pytest.mark.parametrize(
    "typed, meant",
    [("amazment", "amazement"), ("happy", "happiness"), ("sad", "sadness"), ("scared", "fear"), ("angry", "anger"),
     ("worried", "worry"), ("eufphoria", "euphoria"), ("embarassment", "embarrassment"), ("suprised", "surprise"),
     ("joy: hapiness", "happiness"), ("DISGUSTED", "disgust")],
)
def test_suggestions(typed, meant):
    with pytest.raises(DiffSFSRError) as caught:
        parse_choice(typed)
    assert f"'{meant}'" in caught.value.remedy and meant in labels.suggest(typed.split(":")[-1])


@pytest.mark.parametrize("typed", ["", "   ", "xqzzk", None])
def test_nothing_near_is_said_without_a_guess(typed):
    with pytest.raises(DiffSFSRError) as caught:
        parse_choice(typed)
    assert "Did you mean" not in str(caught.value) and "Choose a word from the list" in caught.value.remedy


def test_wrong_family_is_put_right():
    with pytest.raises(DiffSFSRError, match="Write 'anger: rage', or 'rage' alone"):
        parse_choice("joy: rage")


def test_synonyms_point_into_the_list_and_hide_no_word():
    assert set(labels.SYNONYMS.values()) <= set(WORDS)
    assert not set(labels.SYNONYMS) & set(WORDS)


def test_error_names_fault_place_and_remedy():
    with pytest.raises(DiffSFSRError) as caught, at("Expression Label Encoder"):
        prototype("amazment")
    error = caught.value
    assert isinstance(error, ValueError)
    assert str(error) == f"{error.where}: {error.what}. {error.remedy}"
    assert str(error) == (
        "Expression Label Encoder, input 'expression': 'amazment' is not one of the 135 emotion words. "
        "Did you mean 'amazement' or 'amusement'? Choose a word from the list of the node."
    )
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.what, copy.where, copy.remedy) == (str(error), error.what, error.where, error.remedy)
