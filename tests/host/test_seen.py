"""Asked against measured, word by word: the figures and the table of `python -m evaluation seen`."""

import numpy as np
import pytest

from diffsfsr.modules.labels import BLENDSHAPES, prototype

JAW = BLENDSHAPES.index("jawOpen")


@pytest.fixture(scope="module")
def seen(comfy):
    from diffsfsr.evaluation.studies import seen

    return seen


@pytest.fixture(scope="module")
def asked():
    return np.stack([np.zeros(52, np.float32), *(prototype(word) for word in ("amazement", "grumpiness", "rage", "euphoria"))])


def test_what_measures_as_asked_follows_wholly(seen, asked):
    follows = seen.following(asked, np.stack([asked, asked]))
    assert len(follows) == 8 and all(r == pytest.approx(1) for r in follows.values())


def test_a_coefficient_that_goes_the_wrong_way_is_told(seen, asked):
    measured = np.stack([asked, asked])
    measured[..., JAW] = 1 - measured[..., JAW]
    follows = seen.following(asked, measured)
    assert follows["jawOpen"] == pytest.approx(-1) and follows["smile"] == pytest.approx(1)
    text = seen.table(["neutral", "amazement", "grumpiness", "rage", "euphoria"], asked, measured)
    assert "| neutral | 0.00 / 0.00 | 0.00 / 1.00 |" in text and "| **correlation** | 1.00 | -1.00 |" in text
    assert "Mean correlation 0.750." in text
