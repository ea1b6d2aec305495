"""An expression in the words of a prompt: the feeling, how strong it is, and what is plain to see."""

import numpy as np
import pytest

from diffsfsr.modules.labels import BLENDSHAPES, WORDS, prototype
from diffsfsr.modules.labels.prompt import adjective, in_prompt


def code(**values):
    return np.array([values.get(name, 0.0) for name in BLENDSHAPES], np.float32)


def test_every_word_is_known_again_as_itself_also_when_weaker():
    for word, amount in ((word, amount) for word in WORDS for amount in (0.5, 0.8, 1.0)):
        if np.linalg.norm(prototype(word, amount)) >= 0.3:
            assert in_prompt(prototype(word, amount)).split(",")[0].removeprefix("slightly ") == adjective(word)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (prototype("terror"), "terrified, wide open eyes, raised and knitted brows, downturned mouth, open mouth"),
        (prototype("cheerfulness"), "cheerful, broad smile, parted lips, teeth showing"),
        (prototype("terror", 0.3), "slightly terrified"),
        (prototype("joy", 0.0), "neutral expression"),
        (code(eyeBlinkLeft=1, eyeBlinkRight=1), ", closed eyes"),
        (code(browOuterUpLeft=1.0), ", one raised brow"),
        (code(mouthSmileLeft=0.9), ", lopsided smile"),
        (code(eyeLookOutLeft=0.9, eyeLookInRight=0.9), ", looking to the side"),
    ],
)
def test_what_is_plain_to_see(given, said):
    found = in_prompt(given)
    assert said in found if said.startswith((",", "slightly")) else found == said
