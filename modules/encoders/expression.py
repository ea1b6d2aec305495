"""From a word to the expression code that the bundle's tokens are made from."""

import torch

from ..labels import parse_choice, prototype
from .wires import Expression


def encode_label(choice: str, intensity: float, variation: int, bundle: str) -> Expression:
    """One of the 135 words (or its menu entry), intensity 0..1.5, variation 0.. -> Expression with one code [1, 52]."""
    word = parse_choice(choice)
    code = torch.from_numpy(prototype(word, intensity, variation))
    return Expression(code[None], (f"{word} {intensity:g}",), bundle)
