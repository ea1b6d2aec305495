"""Free text to words of the list: what is understood, what it weighs, and what is refused with a suggestion."""

import numpy as np
import pytest

from diffsfsr.modules.errors import DiffSFSRError, at
from diffsfsr.modules.labels import MAX_INTENSITY, WORDS, asked, coefficients, family_of, prototype, read, read_lines
from diffsfsr.modules.labels.vocabulary import FILLERS, FORMS, JOINERS, MODIFIERS, NEGATIONS, NEUTRAL, SYNONYMS

WHERE = "Expression Words, text"


def understood(text):
    return read(text).name()


def refused(text):
    with pytest.raises(DiffSFSRError) as caught, at(WHERE):
        read(text)
    return caught.value


# --- the lists ------------------------------------------------------------------------------------


def test_every_word_has_forms_and_no_typed_word_has_two_meanings():
    forms = [form for listed in FORMS.values() for form in listed.split()]
    assert set(FORMS) == set(WORDS) and set(SYNONYMS.values()) <= set(WORDS)
    lists = [WORDS, forms, SYNONYMS, MODIFIERS, JOINERS, NEGATIONS, NEUTRAL, FILLERS]
    typed = [t for listed in lists for t in listed]
    assert sorted(t for t in set(typed) if typed.count(t) > 1) == []
    assert all(t == t.lower() for t in typed)


def test_degrees_are_ordered():
    assert all(0 < factor <= MAX_INTENSITY for factor in MODIFIERS.values())
    rising = ("a hint of", "slightly", "a bit", "somewhat", "rather", "quite", "really", "very", "totally", "extremely")
    factors = [MODIFIERS[name] for name in rising]
    assert factors == sorted(factors) and len(set(factors)) == len(factors)


@pytest.mark.parametrize("word", WORDS)
def test_every_word_and_its_forms_are_understood(word):
    for typed in (word, *FORMS[word].split()):
        (part,) = read(f"  {typed.upper()} ").parts
        assert (part.word, part.weight, part.intensity) == (word, 1, 1), typed
    assert read(word).plain and not read(FORMS[word].split()[0]).plain


# --- single feelings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a bit worried", "worry 0.5"), ("Lovingly", "love 1"), ("slightly anxious", "anxiety 0.4"),
        ("she's looking slightly anxious", "anxiety 0.4"), ("with a hint of scorn", "scorn 0.3"),
        ("very happy", "happiness 1.2"), ("very, very happy", "happiness 1.5"), ("worried a bit", "worry 0.5"),
        ("EXTREMELY angry!", "anger 1.5"), ("happily", "happiness 1"), ("gently", "tenderness 1"),
        ("hysterically", "hysteria 1"), ("angriness", "anger 1"), ("grief-stricken", "grief 1"),
        ("sad-looking face", "sadness 1"), ("joy: amusement", "amusement 1"), ("lonely", "loneliness 1"),
        ("rage 0.7", "rage 0.7"), ("70% rage", "rage 0.7"), ("(rage:0.7)", "rage 0.7"), ("rage 0,7", "rage 0.7"),
        ("a bit of rage 0.5", "rage 0.25"), ("neutral", "neutral"), ("a neutral face", "neutral"), ("“sad”", "sadness 1"),
        ("sad, very sad", "sadness 1.2"), ("hopeless", "hopelessness 1"), ("more or less happy", "happiness 0.8"),
    ],
)  # fmt: skip
def test_one_feeling(text, name):
    assert understood(text) == name


def test_what_only_comes_near_is_noted():
    reading = read("grinning and in tears")
    assert reading.near == ("grinning", "in tears") and not reading.plain
    assert reading.told() == "'grinning and in tears' is read as cheerfulness 0.71 + grief 0.71"
    assert read("worried").near == ()


def test_name_with_an_intensity_of_the_whole():
    assert read("rage 0.7").name(0.5) == "rage 0.35"
    assert read("very happy").name(1.5) == "happiness 1.5", "no more than the strongest there is"


# --- mixes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("happily surprised", "happiness 0.6 + surprise 0.8"), ("surprised, happily", "surprise 0.71 + happiness 0.71"),
        ("surprised happily", "surprise 0.8 + happiness 0.6"), ("sad but hopeful", "sadness 0.71 + hope 0.71"),
        ("sad + hopeful", "sadness 0.71 + hope 0.71"), ("sad; hopeful", "sadness 0.71 + hope 0.71"),
        ("joy 0.7 + fear 0.3", "joy 0.7 + fear 0.3"), ("70% joy 30% fear", "joy 0.7 + fear 0.3"),
        ("worried a bit and happy", "worry 0.35 + happiness 0.71"), ("happy but a bit sad", "happiness 0.71 + sadness 0.35"),
        ("joy, fear and anger", "joy 0.58 + fear 0.58 + anger 0.58"),
    ],
)  # fmt: skip
def test_mixes(text, name):
    assert understood(text) == name


@pytest.mark.parametrize("text", ["happily surprised", "sad and glad", "joy, fear and anger", "angry but happily surprised"])
def test_squares_of_weights_add_up_to_one(text):
    assert sum(part.weight**2 for part in read(text).parts) == pytest.approx(1)


def test_coefficients_are_the_weighted_sum():
    code = coefficients(read("happily surprised"))
    wanted = np.clip(0.6 * prototype("happiness") + 0.8 * prototype("surprise"), 0, 1)
    np.testing.assert_allclose(code, wanted, atol=1e-6)
    assert code.dtype == np.float32 and code.shape == (52,)


@pytest.mark.parametrize("variation", [0, 3])
def test_a_single_word_is_the_words_own_prototype(variation):
    for text, intensity in (("rage", 1.0), ("rage", 1.5), ("rage 0.5", 1.0)):
        share = 0.5 if "0.5" in text else 1.0
        code = coefficients(read(text), intensity, variation)
        np.testing.assert_allclose(code, asked("rage", share * intensity, variation), atol=1e-6)
    assert not coefficients(read("neutral")).any()


def test_contradictory_feelings_stay_possible():
    code = coefficients(read("extremely happy and extremely sad and terrified"), 1.5)
    assert code.min() >= 0 and code.max() <= 1.5 and code[0] == 0


def test_words_that_add_up_stop_at_1_but_a_caricature():
    assert coefficients(read("delighted and overjoyed")).max() == 1
    assert coefficients(read("delighted and overjoyed"), 1.5).max() == 1.5


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault", "remedy"),
    [
        ("amazment", "'amazment' is not understood", "Did you mean 'amazement'"),
        ("the blorp looks hapy", "'blorp', 'hapy' are not understood in 'the blorp looks hapy'", "'happiness'"),
        ("not happy", "what the face does not feel", "for instance"), ("isn't sad", "does not feel", "for instance"),
        ("fearless", "does not feel", "for instance"), ("unafraid", "does not feel", "for instance"),
        ("without joy", "does not feel", "neutral"), ("", "The text is empty", "a bit worried"),
        (None, "The text is empty", "a bit worried"), ("she looks", "No feeling is named", "a bit worried"),
        ("very", "No feeling is named", "a bit worried"), ("rage 2", "The number 2", "0.5 or 50%"),
        ("rage -0.5", "The number -0.5", "0.5 or 50%"), ("rage 900%", "The number 9", "0.5 or 50%"),
        ("joy: rage", "a family that does not hold 'rage'", "anger: rage"), ("neutral but sad", "something else", "a bit"),
        ("joy fear anger rage dread", "names 5 feelings", "at most 4"), ("happy or sad", "'or' is not understood", "words"),
        ("rage nan", "'nan' is not understood", "words"), ("😀", "is not understood", "words"),
    ],
)  # fmt: skip
def test_refusals(text, fault, remedy):
    error = refused(text)
    assert fault in error.what and remedy in error.remedy and error.where == WHERE, str(error)


def test_a_negation_suggests_words_of_another_mood():
    from diffsfsr.modules.labels.lexicon import opposites

    assert all(family_of(word) in ("sadness", "anger", "fear") for word in opposites("happiness"))
    assert all(family_of(word) in ("love", "joy") for word in opposites("sadness"))


# --- one a line -----------------------------------------------------------------------------------


def test_lines_comments_and_shorthands():
    text = "# a sheet\n\nfamily: joy 0.5\n  a bit worried # at the door\nSubcluster: Rage\nrage 0.7"
    found = read_lines(text)
    assert [n for n, _ in found] == [3] * 33 + [4] + [5] * 15 + [6]
    assert found[0][1].name() == "amusement 0.5" and found[33][1].name() == "worry 0.5"
    assert {family_of(reading.parts[0].word) for n, reading in found if n == 3} == {"joy"}
    assert [reading.name() for n, reading in found if n == 5][:2] == ["anger 1", "rage 1"]
    assert len(read_lines("all")) == 135


@pytest.mark.parametrize(
    ("text", "where", "fault", "remedy"),
    [
        ("joy\n\nblorp", ", line 3", "'blorp'", "words"), ("joy\nrage 7", ", line 2", "The number 7", "0.5"),
        ("family: joi", ", line 1", "'joi' is no family", "Did you mean 'joy'"),
        ("joy\nsubcluster:", ", line 2", "The subcluster has no name", "There are: affection"),
        ("subcluster: joy", ", line 1", "'joy' is no subcluster", "cheerfulness"),
        ("all: joy", ", line 1", "'all: joy'", "family: joy"), ("all 2", ", line 1", "The number 2", "0.5"),
        ("", "", "The text is empty", "one expression a line"), ("# joy\n  \n", "", "The text is empty", "one expression"),
        ("all\nall", "", "names 270 expressions, more than 200", "several nodes"),
        ("joy\n" * 201, "", "names 201 expressions", "fewer lines"),
    ],
)  # fmt: skip
def test_bad_lines(text, where, fault, remedy):
    with pytest.raises(DiffSFSRError) as caught, at(WHERE):
        read_lines(text)
    error = caught.value
    assert error.where == WHERE + where and fault in error.what and remedy in error.remedy, str(error)
