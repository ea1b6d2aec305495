"""The 135 emotion words, everyday faces, and the expression code each of them stands for. Needs numpy alone."""

from .actions import ACTION_UNITS, BLENDSHAPES, MIRROR, encode, index
from .everyday import FACES
from .lexicon import read
from .listing import MAX_LINES, read_lines
from .menu import CHOICES, chosen, word_of
from .prototypes import (
    JUST_NOTICEABLE,
    MAX_INTENSITY,
    VARIANTS,
    action_units,
    affect,
    asked,
    checked_intensity,
    checked_variation,
    distance_matrix,
    nearest_word,
    nearest_words,
    neighbours,
    prototype,
    prototype_matrix,
)
from .reading import Part, Reading, coefficients
from .words import (
    FAMILIES,
    MENU,
    SYNONYMS,
    WORDS,
    family_of,
    parse_choice,
    sources_of,
    subcluster_of,
    suggest,
    suggest_among,
    tree_distance,
)

__all__ = [
    "ACTION_UNITS", "BLENDSHAPES", "CHOICES", "FACES", "FAMILIES", "JUST_NOTICEABLE", "MAX_INTENSITY", "MAX_LINES",
    "MENU", "MIRROR", "SYNONYMS", "VARIANTS", "WORDS", "Part", "Reading", "action_units", "affect", "asked",
    "checked_intensity", "checked_variation", "chosen", "coefficients", "distance_matrix", "encode", "family_of",
    "index", "nearest_word", "nearest_words", "neighbours", "parse_choice", "prototype", "prototype_matrix", "read",
    "read_lines", "sources_of", "subcluster_of", "suggest", "suggest_among", "tree_distance", "word_of",
]  # fmt: skip
