"""What the Expression Label Encoder offers and understands: the 135 words, *neutral*, and everyday words; or free text."""

from ..errors import DiffSFSRError, at
from .everyday import OFFERED
from .lexicon import read, unknown
from .reading import Part, Reading
from .words import MENU, WORDS, parse_choice

NEUTRAL = "neutral"


def _entry(typed: str) -> str:
    """"scared (fear)"; a face that has no other name is "tired"."""
    (part,) = read(typed).parts
    return typed if part.word == typed else f"{typed} ({part.word})"


_EVERYDAY = {_entry(typed): typed for typed in OFFERED}
CHOICES: tuple[str, ...] = (*MENU, NEUTRAL, *_EVERYDAY)  # the words stand first, in the order of always


def chosen(choice: str, text: str = "") -> Reading:
    """What is asked for: by the text if there is one, else by an entry of `CHOICES`, a bare word or any text in its place.

    Raises DiffSFSRError where neither a word of the list nor a text is understood; names the nearest words.
    """
    if text and text.strip():
        with at("in your own words"):
            return read(text)
    choice = _EVERYDAY.get(choice, choice)
    try:
        word = parse_choice(choice)
    except DiffSFSRError:
        with at("input 'expression'"):
            if not choice or unknown(choice):
                raise
            return read(choice)
    return Reading(word, (Part(word, 1.0, 1.0),), True, ())


def word_of(reading: Reading) -> str | None:
    """The word of the list that a reading is, whole and alone; None for a mix, a share of one, an everyday face or neutral."""
    whole = [part.word for part in reading.parts if part.intensity == 1 and part.word in WORDS]
    return whole[0] if len(whole) == len(reading.parts) == 1 else None
