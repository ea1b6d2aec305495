"""An expression in the words of a prompt: the feeling, how strong it is, and what is plain to see."""

import numpy as np
import pytest

from diffsfsr.modules.labels import BLENDSHAPES, FACES, WORDS, asked, prototype, read
from diffsfsr.modules.labels.prompt import FAINT, NEUTRAL, PARTS, adjective, in_prompt
from diffsfsr.modules.labels.reading import coefficients
from diffsfsr.modules.labels.vocabulary import FORMS, SYNONYMS


def code(**values):
    return np.array([values.get(name, 0.0) for name in BLENDSHAPES], np.float32)


@pytest.mark.parametrize("amount", [0.5, 0.8, 1.0, 1.5])
def test_every_word_is_known_again_as_itself_weaker_and_stronger(amount):
    """Everyday faces, too: who is asleep is not passionate."""
    for word in (*WORDS, *FACES):
        code = asked(word, amount).clip(0, 1)
        if np.linalg.norm(code) >= 0.3:
            said = in_prompt(code).split(",")[0].removeprefix("slightly ").removeprefix("extremely ")
            assert said == adjective(word), word


def test_every_everyday_word_is_what_it_is_read_as():
    """All words that people type; what no face shows is refused before."""
    known = {form for forms in FORMS.values() for form in forms.split()} | set(SYNONYMS)
    known |= {form for forms, _ in FACES.values() for form in forms.split("|")}
    assert len(known) > 800
    for text in sorted(known):
        reading = read(text)
        said, (part, *more) = in_prompt(coefficients(reading).clip(0, 1)), reading.parts or (None,)
        if said != NEUTRAL and not more:
            assert adjective(part.word) in said.split(",")[0], text


def test_it_is_never_empty_and_names_no_feeling_that_is_not_there():
    """Every single slider, every pair of them, and mixes of feelings: a phrase, or that it is subtle."""
    phrases = {phrase for part in PARTS for sign in part for phrase in (sign.phrase, sign.strong)}
    feelings = {adjective(word) for word in (*WORDS, *FACES)}
    for i, name in enumerate(BLENDSHAPES[1:]):
        assert (found := in_prompt(code(**{name: 1.0}))) and (found != FAINT or name in ("mouthClose", "mouthShrugUpper")
                or name.startswith("eyeLook") or name.startswith("cheekSquint")), name  # fmt: skip
        for other in BLENDSHAPES[i + 2 :]:
            first = in_prompt(code(**{name: 0.7, other: 0.7})).split(", ")[0]
            assert first in phrases | {FAINT} or first.removeprefix("slightly ") in feelings | {"parted lips"}, (name, other)


def test_a_mix_is_both_or_one_that_lies_between():
    """Never two others; where they are two names of nearly one face, one is enough."""
    rng, both = np.random.default_rng(0), 0
    for _ in range(300):
        words = rng.choice((*WORDS, *FACES), 2, replace=False)
        said = in_prompt((0.5 * asked(words[0]) + 0.5 * asked(words[1])).clip(0, 1)).split(",")[0]
        both += " and " in said
        assert said and (" and " not in said or set(said.split(" and ")) == {adjective(word) for word in words}), words
    assert both > 150


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (prototype("terror"), "terrified, wide open eyes, raised and knitted brows, downturned mouth, open mouth"),
        (prototype("cheerfulness"), "cheerful, broad smile, parted lips, teeth showing"),
        (prototype("terror", 0.3), "slightly terrified"),
        (prototype("joy", 0.0), "neutral expression"),
        (asked("asleep"), "asleep, closed eyes"),
        (0.5 * asked("tired") + 0.5 * asked("happiness"), "happy and tired, smile"),
        (asked("kiss"), "kissing, half-closed eyes, puckered lips"),
        (code(eyeBlinkLeft=1), "one closed eye"),
        (code(browOuterUpLeft=1.0), "one raised brow"),
        (code(mouthSmileLeft=0.9), "lopsided smile"),
        (code(jawLeft=0.9, cheekPuff=0.8), "jaw to one side, puffed cheeks"),
        (code(eyeLookOutLeft=0.9, eyeLookInRight=0.9), "looking to the side"),
        (code(mouthClose=0.9), FAINT),
    ],
)
def test_what_is_plain_to_see(given, said):
    found = in_prompt(given)
    assert said in found if said.startswith("slightly") else found == said
