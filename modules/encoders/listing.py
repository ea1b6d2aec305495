"""Many expressions from one text: a code for each line."""

import logging

import torch

from ..faces.shape import FaceShape
from ..labels import Reading, checked_intensity, checked_variation, coefficients, read_lines
from .expression import compound
from .wires import Expression

WHERE = "Expression Words"
log = logging.getLogger(__name__)


def encode_lines(
    shape: FaceShape, bundle: str, text: str, intensity: float, variation: int
) -> tuple[list[Expression], list[str], Expression]:
    """A text with one expression a line -> each as an Expression [1, 52 + K], their names, and all in one [E, 52 + K].

    intensity 0..1.5 and variation 0.. hold for all of them. What was read into a line is said in the log.
    """
    amount, number = checked_intensity(intensity, WHERE), checked_variation(variation, WHERE)
    found = read_lines(text, f"{WHERE}, text")
    for line, reading in found:
        _tell(line, reading)
    readings = [reading for _, reading in found]
    names = [reading.name(amount) for reading in readings]
    codes = torch.stack([torch.from_numpy(coefficients(reading, amount, number)) for reading in readings])
    codes = compound(shape, codes)
    each = [Expression(code[None], (name,), bundle) for code, name in zip(codes, names, strict=True)]
    return each, names, Expression(codes, tuple(names), bundle)


def _tell(line: int, reading: Reading) -> None:
    if reading.near:
        near = ", ".join(f"'{word}'" for word in reading.near)
        log.warning("%s, line %d: %s; %s only comes near a word of the list", WHERE, line, reading.told(), near)
    elif not reading.plain:
        log.info("%s, line %d: %s", WHERE, line, reading.told())
