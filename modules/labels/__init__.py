"""The 135 emotion words and the expression code each of them stands for. Needs numpy alone."""

from .actions import ACTION_UNITS, BLENDSHAPES, encode, index
from .prototypes import (
    JUST_NOTICEABLE,
    MAX_INTENSITY,
    VARIANTS,
    action_units,
    affect,
    distance_matrix,
    nearest_word,
    neighbour_table,
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
    tree_distance,
)

__all__ = [
    "ACTION_UNITS", "BLENDSHAPES", "FAMILIES", "JUST_NOTICEABLE", "MAX_INTENSITY", "MENU", "SYNONYMS",
    "VARIANTS", "WORDS", "action_units", "affect", "distance_matrix", "encode", "family_of", "index",
    "nearest_word", "neighbour_table", "neighbours", "parse_choice", "prototype", "prototype_matrix", "sources_of",
    "subcluster_of", "suggest", "tree_distance",
]
