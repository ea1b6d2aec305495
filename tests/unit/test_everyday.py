"""Words as people type them: each gets a face that a person would accept, or a no; and the list offers the common ones."""

import re
from pathlib import Path

import numpy as np
import pytest

from diffsfsr.evaluation.media.tables import everyday_table
from diffsfsr.modules.errors import DiffSFSRError
from diffsfsr.modules.labels import BLENDSHAPES, CHOICES, FACES, MENU, WORDS, asked, chosen, coefficients, read, word_of
from diffsfsr.modules.labels.everyday import OFFERED, UNSEEN
from diffsfsr.modules.labels.vocabulary import FILLERS, FORMS, JOINERS, MODIFIERS, NEGATIONS, NEUTRAL, SYNONYMS
from tests.unit.test_labels import hidden

ROOT = Path(__file__).resolve().parents[2]
# Typed words, and the faces that a person would accept for any of them: words of the list, everyday faces, neutral, or no
ACCEPTED = (
    ("happy glad cheerful", "happiness gladness cheerfulness joy"),
    ("smile smiling grin grinning smiley sunny upbeat perky bubbly carefree", "cheerfulness happiness joy"),
    ("joyful radiant beaming great wonderful fantastic awesome delighted", "joy delight cheerfulness"),
    ("laughing laugh laughter chuckling amused silly goofy funny joking playful", "amusement glee joviality"),
    ("giggling giddy giggly gleeful", "glee amusement"), ("ecstatic euphoric", "ecstasy euphoria"),
    ("excited stoked hyped pumped thrilled", "excitement thrill enthusiasm"), ("enthusiastic inspired", "enthusiasm"),
    ("energetic lively bouncy adventurous energized", "zest zeal"), ("overjoyed celebrating jubilant cheering", "jubilation"),
    ("grateful thankful lucky", "gladness"), ("proud confident self-assured poised", "pride"),
    ("triumphant victorious successful powerful", "triumph"), ("hopeful encouraged expectant", "hope"),
    ("optimistic positive", "optimism"), ("relieved reassured", "relief"), ("eager keen", "eagerness"),
    ("content good fine okay comfortable cozy safe peaceful", "contentment"), ("satisfied fulfilled", "satisfaction"),
    ("calm relaxed serene tranquil chill patient cool", "calm contentment"), ("dreamy daydreaming", "dreamy"),
    ("loving loved romantic", "love"), ("affectionate warm adorable", "affection"),
    ("friendly kind-hearted pleasant", "liking caring"),
    ("caring kind supportive protective helpful generous", "caring compassion"), ("gentle soft sweet tender", "tenderness"),
    ("sympathetic understanding", "sympathy compassion"), ("flirty flirting charming", "attraction"),
    ("seductive sexy sultry", "desire"), ("lovesick wistful nostalgic moved touched", "longing sentimentality"),
    ("surprised startled", "surprise"), ("amazed impressed awestruck", "amazement"),
    ("astonished astounded stunned", "astonishment shock"), ("speechless gaping jaw-dropped", "speechless astonishment"),
    ("shocked shaken", "shock"), ("angry mad cross", "anger annoyance"), ("furious livid fuming seething infuriated", "fury"),
    ("enraged raging", "rage"), ("annoyed irritated irked bothered snappy", "annoyance irritation"),
    ("frustrated", "frustration"), ("grumpy cranky moody sulky", "grumpiness"), ("grouchy surly", "grouchiness"),
    ("impatient exasperated", "exasperation"), ("hostile aggressive glaring", "hostility"),
    ("fierce violent savage vicious", "ferocity"), ("outraged indignant", "outrage"), ("bitter sour", "bitterness"),
    ("resentful cheated", "resentment"), ("hateful", "hate"), ("mean rude disapproving", "disapproving spite"),
    ("frowning frown", "disapproving displeasure"), ("scowling glowering", "anger"), ("vengeful", "vengefulness"),
    ("jealous", "jealousy"), ("envious", "envy"), ("disgusted sickened yuck", "disgust"),
    ("repulsed nauseated", "revulsion disgust"), ("contemptuous arrogant condescending", "contempt"),
    ("scornful sneering mocking", "scorn"), ("smirking smirk smug sly cocky mischievous sarcastic naughty", "smirk"),
    ("shouting yelling", "shouting fury"), ("sad unhappy", "sadness unhappiness"),
    ("crying weeping sobbing bawling", "grief"), ("tearful teary weepy", "sorrow grief"), ("depressed", "depression"),
    ("miserable terrible awful", "misery"), ("gloomy sombre bleak", "gloom"), ("glum sullen", "glumness"),
    ("dejected downcast down discouraged", "dejection disappointment"), ("disappointed gutted", "disappointment"),
    ("heartbroken devastated broken inconsolable", "grief anguish"), ("desperate helpless powerless", "despair"),
    ("hopeless", "hopelessness"), ("lonely alone", "loneliness"), ("ignored abandoned unloved", "neglect"),
    ("rejected unwanted", "rejection"), ("homesick", "homesickness"), ("hurt betrayed wounded", "hurt"), ("guilty", "guilt"),
    ("ashamed", "shame"), ("sorry apologetic", "regret"), ("remorseful", "remorse"),
    ("embarrassed blushing shy bashful awkward", "embarrassment"), ("humiliated disgraced", "humiliation"),
    ("insecure vulnerable weak", "insecurity"), ("melancholic", "melancholy"), ("upset overwhelmed distressed", "distress"),
    ("suffering pained aching", "suffering"), ("resigned beaten", "defeat"), ("scared afraid fearful cowardly", "fear"),
    ("terrified petrified", "terror"), ("frightened spooked", "fright"), ("horrified aghast", "horror"),
    ("panicked frantic", "panic"), ("hysterical", "hysteria"), ("alarmed rattled", "alarm"),
    ("worried concerned troubled", "worry"), ("anxious", "anxiety"), ("nervous jittery restless fidgety", "nervousness"),
    ("tense stressed edgy uptight", "tenseness"), ("uneasy uncomfortable", "uneasiness"),
    ("apprehensive cautious wary hesitant timid reluctant", "apprehension"),
    ("tired exhausted weary fatigued drained lazy", "tired"), ("sleepy drowsy groggy", "sleepy"),
    ("asleep sleeping", "asleep"), ("yawning", "yawning"), ("bored unimpressed apathetic", "bored"),
    ("sick ill unwell queasy feverish", "sick"), ("drunk tipsy stoned", "drunk"), ("dizzy dazed numb", "dazed"),
    ("confused puzzled perplexed baffled lost unsure", "confused"),
    ("doubtful sceptical skeptical suspicious distrustful dubious", "doubtful"),
    ("thoughtful pensive thinking", "thoughtful"), ("focused concentrated attentive busy", "focused"),
    ("curious interested intrigued alert", "curious"), ("serious stern strict solemn", "serious"),
    ("determined brave stubborn defiant strong", "determined"), ("winking wink", "wink"), ("pouting pout", "pout"),
    ("kissing kiss", "kiss"), ("grimacing cringing wincing", "grimace"), ("screaming", "screaming terror"),
    ("squinting", "squinting"), ("staring wide-eyed", "staring"), ("pleading begging innocent", "pleading"),
    ("polite fake", "forced_smile"), ("creepy eerie", "creepy"), ("evil sinister wicked cruel menacing", "evil"),
    ("crazy insane manic", "crazy"), ("talking singing", "singing"),
    ("neutral blank expressionless emotionless stoic indifferent deadpan", "neutral"),
    ("hungry thirsty cold hot dead old young rich tall pregnant handsome ugly smart stupid naked purple square", "no"),
)  # fmt: skip
TYPED = [(word, accepted) for words, accepted in ACCEPTED for word in words.split()]


def answer(typed: str) -> str:
    """The face that a typed word gets: a name, "neutral", or "no" when it is refused."""
    try:
        reading = read(typed)
    except DiffSFSRError as error:
        assert typed in str(error) and error.remedy, "the no names the word and a way out"
        return "no"
    assert len(reading.parts) < 2
    return reading.parts[0].word.replace(" ", "_") if reading.parts else "neutral"


def test_typed_words_get_an_acceptable_face():
    assert len(TYPED) == len(dict(TYPED)) > 400
    known = {*WORDS, *(name.replace(" ", "_") for name in FACES), "neutral", "no"}
    assert {name for _, accepted in TYPED for name in accepted.split()} <= known
    wrong = {typed: found for typed, accepted in TYPED if (found := answer(typed)) not in accepted.split()}
    assert wrong == {}


def test_what_no_face_shows_is_refused_with_faces_near_it():
    for state, near in UNSEEN.items():
        assert answer(state) == "no" and all(answer(name) == name for name in near), state


def test_no_typed_word_has_two_meanings():
    forms = [form for listed in FORMS.values() for form in listed.split()]
    faces = [form for name, (listed, _) in FACES.items() for form in (name, *listed.split("|"))]
    typed = [*WORDS, *forms, *SYNONYMS, *MODIFIERS, *JOINERS, *NEGATIONS, *NEUTRAL, *FILLERS, *faces, *UNSEEN]
    assert sorted(t for t in set(typed) if typed.count(t) > 1) == [] and all(t == t.lower() for t in typed)
    assert {f: n for n, (listed, _) in FACES.items() for f in listed.split("|") if read(f).parts[0].word != n} == {}


@pytest.mark.parametrize("name", FACES)
def test_every_everyday_face_is_a_possible_one(name):
    """What holds for the words (test_labels.py); one side may close an eye that the other has open."""
    on = dict(zip(BLENDSHAPES, asked(name).tolist(), strict=True))
    assert max(on.values()) <= 1 and sum(on.values()) > 0.3 and hidden(FACES[name][1]) == []
    for a, b in (("LookIn", "LookOut"), ("LookUp", "LookDown"), ("Wide", "Blink")):
        assert all(min(on[f"eye{a}{side}"], on[f"eye{b}{side}"]) == 0 for side in ("Left", "Right"))
    assert min(on["jawOpen"], on["mouthPressLeft"]) < 0.3
    base, other = asked(name), asked(name, 1.0, 3)
    assert not np.array_equal(base, other) and np.linalg.norm(base - other) < 1
    np.testing.assert_allclose(asked(name, 0.5), base / 2, atol=1e-6)


def test_an_everyday_face_mixes_like_a_word():
    assert read("tired but happy").name() == "tired 0.71 + happiness 0.71" and read("very tired").name() == "tired 1.2"
    code = coefficients(read("tired but happy"))
    np.testing.assert_allclose(code, np.clip(0.5**0.5 * (asked("tired") + asked("happiness")), 0, 1), atol=1e-6)


def test_the_page_shows_them():
    page = (ROOT / "docs" / "expressions.md").read_text("utf-8")
    assert everyday_table() in page, "run: python -m evaluation words --tables"


# --- the list of the node ---------------------------------------------------------------------------------------------


def test_the_list_begins_as_always_and_holds_what_people_type():
    assert CHOICES[:135] == MENU and CHOICES[135] == "neutral" and len(set(CHOICES)) == len(CHOICES)
    assert {"happy (happiness)", "angry (anger)", "scared (fear)", "smile (cheerfulness)", "tired", "confused"} <= set(CHOICES)
    for typed, entry in zip(OFFERED, CHOICES[136:], strict=True):
        assert entry.startswith(typed) and chosen(entry).parts == read(typed).parts


@pytest.mark.parametrize(
    ("choice", "text", "name", "word"),
    [
        ("joy: amusement", "", "amusement 1", "amusement"), ("amusement", "", "amusement 1", "amusement"),
        ("happy (happiness)", "", "happiness 1", "happiness"), ("scared", "", "fear 1", "fear"),
        ("neutral", "", "neutral", None), ("tired", "", "tired 1", None), ("a bit worried", "", "worry 0.5", None),
        ("joy: joy", "a bit worried", "worry 0.5", None), ("joy: joy", "  ", "joy 1", "joy"),
        ("nonsense", "rage", "rage 1", "rage"), ("joy: joy", "tired but happy", "tired 0.71 + happiness 0.71", None),
    ],
)  # fmt: skip
def test_what_is_chosen(choice, text, name, word):
    assert (chosen(choice, text).name(), word_of(chosen(choice, text))) == (name, word)


@pytest.mark.parametrize(
    ("choice", "text", "fault", "remedy"),
    [
        ("amazment", "", "'amazment' is not one of the 135", "'amazement'"),
        ("joy: rage", "", "does not hold 'rage'", "anger: rage"), ("not happy", "", "does not feel", "instance"),
        (None, "", "is not one of the 135", "list"),
        ("hungry", "", "'hungry' does not show in a face", "'eagerness' or 'longing'"),
        ("joy: joy", "tird", "'tird' is not", "'tired'"),
    ],
)  # fmt: skip
def test_what_is_not_understood(choice, text, fault, remedy):
    with pytest.raises(DiffSFSRError) as caught:
        chosen(choice, text)
    assert fault in caught.value.what and remedy in caught.value.remedy and ("words" in caught.value.where) == bool(text)


def test_names_are_names_of_files():
    """Expression Words gives them to the node that saves, behind the name of a folder."""
    texts = (*WORDS, *FACES, *SYNONYMS, "happily surprised", "a bit worried, very tired", "joy + fear", "neutral")
    for text in texts:
        assert re.fullmatch(r"[\w +.-]*[\w]", read(text).name(1.5)), text
