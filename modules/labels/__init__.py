"""The 135 emotion words and the expression code each of them stands for. Needs numpy alone."""

from .actions import ACTION_UNITS, BLENDSHAPES, MIRROR, encode, index
from .lexicon import Part, Reading, coefficients, read
from .listing import MAX_LINES, read_lines
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
    "ACTION_UNITS", "BLENDSHAPES", "FAMILIES", "JUST_NOTICEABLE", "MAX_INTENSITY", "MAX_LINES", "MENU", "MIRROR",
    "Part", "Reading",
    "SYNONYMS", "VARIANTS", "WORDS", "action_units", "affect", "asked", "checked_intensity", "checked_variation",
    "coefficients", "distance_matrix", "encode", "family_of", "index", "nearest_word", "nearest_words", "neighbours",
    "parse_choice", "prototype", "prototype_matrix", "read", "read_lines", "sources_of", "subcluster_of", "suggest",
    "suggest_among", "tree_distance",
]
