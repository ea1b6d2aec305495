"""Expressions by hand: a dozen sliders in artists' words, and single coefficients by name, as the code's 52 coefficients."""

import logging
from dataclasses import dataclass

import torch

from ..errors import DiffSFSRError, check_number, here
from ..labels import BLENDSHAPES, index

MAX_ALONE = 1.0  # of a coefficient


@dataclass(frozen=True)
class Slider:
    """`up` and `down`: coefficients for positive and negative positions, with their share. "*" stands for both sides."""

    name: str
    about: str
    up: dict[str, float]
    down: dict[str, float] | None = None

    @property
    def low(self) -> float:
        return 0.0 if self.down is None else -1.0


SLIDERS: tuple[Slider, ...] = (
    Slider("brows", "Brows: lowered (-1) to raised (1).", {"browOuterUp*": 1, "browInnerUp": 0.7}, {"browDown*": 1}),
    Slider("inner brows", "Inner ends of the brows up: worry, pity, pleading.", {"browInnerUp": 1}),
    Slider("eyes", "Lids: closed (-1) to wide open (1).", {"eyeWide*": 1}, {"eyeBlink*": 1}),
    Slider("squint", "Narrowed eyes with lifted cheeks.", {"eyeSquint*": 1, "cheekSquint*": 0.6}),
    Slider(
        "gaze sideways", "Eyes turned to the person's right (-1) or left (1).",
        {"eyeLookOutLeft": 1, "eyeLookInRight": 1}, {"eyeLookInLeft": 1, "eyeLookOutRight": 1},
    ),
    Slider("gaze up", "Eyes turned down (-1) or up (1).", {"eyeLookUp*": 1}, {"eyeLookDown*": 1}),
    Slider("smile", "Corners of the mouth up.", {"mouthSmile*": 1}),
    Slider("frown", "Corners of the mouth down.", {"mouthFrown*": 1, "mouthShrugLower": 0.3}),
    Slider("jaw", "How far the mouth opens.", {"jawOpen": 1}),
    Slider("teeth", "Lips pressed together (-1) or drawn apart (1).",
           {"mouthUpperUp*": 0.7, "mouthLowerDown*": 0.7}, {"mouthPress*": 1, "mouthRollLower": 0.3}),
    Slider("pucker", "Lips pushed forward, as for a kiss; -1 stretches them wide.", {"mouthPucker": 1}, {"mouthStretch*": 1}),
    Slider("sneer", "Nose wrinkled, upper lip raised.", {"noseSneer*": 1, "mouthUpperUp*": 0.5}),
    Slider("cheeks", "Cheeks puffed with air.", {"cheekPuff": 1}),
)  # fmt: skip
# of one eye alone, added to the gaze of both: eyes that cross or part
ONE_EYE: tuple[Slider, ...] = (
    Slider("left gaze sideways", "The person's left eye alone, turned to their right (-1) or left (1).",
           {"eyeLookOutLeft": 1}, {"eyeLookInLeft": 1}),
    Slider("left gaze up", "The person's left eye alone, turned down (-1) or up (1).",
           {"eyeLookUpLeft": 1}, {"eyeLookDownLeft": 1}),
    Slider("right gaze sideways", "The person's right eye alone, turned to their right (-1) or left (1).",
           {"eyeLookInRight": 1}, {"eyeLookOutRight": 1}),
    Slider("right gaze up", "The person's right eye alone, turned down (-1) or up (1).",
           {"eyeLookUpRight": 1}, {"eyeLookDownRight": 1}),
)  # fmt: skip


def coefficients(positions: dict[str, float], asymmetry: float = 0.0) -> torch.Tensor:
    """Slider positions by name (missing: 0) -> coefficients [52] 0..1.

    asymmetry -1..1: at 1 only the person's left side moves, at -1 only the right, at 0 both alike. Shares that meet in one
    coefficient add up and stop at 1. Raises DiffSFSRError for a name that is none, or a position outside its range.
    """
    known = {slider.name: slider for slider in SLIDERS + ONE_EYE}
    code = torch.zeros(len(BLENDSHAPES))
    check("asymmetry", asymmetry, -1.0)
    for name, position in positions.items():
        if name not in known:
            raise DiffSFSRError(f"'{name}' is no slider", f"The sliders are: {', '.join(known)}")
        check(name, position, known[name].low)
        shares = known[name].up if position > 0 else known[name].down or {}
        for shape, share in shares.items():
            for side in ("Left", "Right") if shape.endswith("*") else ("",):
                code[index(shape.rstrip("*") + side)] += share * abs(position)
    for k, shape in enumerate(BLENDSHAPES):
        if not shape.startswith("eyeLook"):  # eyes turn together
            code[k] *= 1 - max(0.0, asymmetry) * shape.endswith("Right") + min(0.0, asymmetry) * shape.endswith("Left")
    return code.clamp(0, 1)


def check(name: str, value: float, low: float, high: float = MAX_ALONE) -> None:
    check_number(name, value, high, 0, low)


def named(text: str) -> dict[int, float]:
    """"jawOpen 0.4, mouthSmileLeft = 0.2" (commas or lines) -> {position in the code: value 0..1}."""
    found = {}
    for part in text.replace("\n", ",").split(","):
        words = part.replace("=", " ").replace(":", " ").split()
        if not words:
            continue
        where = f"coefficients, '{part.strip()}'"
        if len(words) != 2 or words[0] not in BLENDSHAPES[1:]:
            near = next((b for b in BLENDSHAPES[1:] if b.lower() == words[0].lower()), "jawOpen")
            raise DiffSFSRError("This is no coefficient and value", f"Write for example: {near} 0.4", where)
        try:
            value = float(words[1])
        except ValueError as error:
            raise DiffSFSRError(f"'{words[1]}' is no number", "Write a number from 0 to 1", where) from error
        if not 0 <= value <= MAX_ALONE:
            raise DiffSFSRError(f"{value:g} is outside 0 to 1", "Write a number from 0 to 1", where)
        if index(words[0]) in found:
            raise DiffSFSRError(f"{words[0]} is named twice", "Name each coefficient once", where)
        found[index(words[0])] = value
    return found


# --- movements that cannot be seen together: asking for both is no error, but somebody should be told ---

LEAST = 0.3  # of both coefficients, before it is worth a word
OPPOSITES = (
    ("mouthSmile*", "mouthFrown*"), ("eyeWide*", "eyeBlink*"), ("jawOpen", "mouthPress*"), ("mouthPucker", "mouthStretch*"),
    *((f"eyeLook{a}{side}", f"eyeLook{b}{side}") for a, b in (("Up", "Down"), ("In", "Out")) for side in ("Left", "Right")),
)  # fmt: skip
log = logging.getLogger(__name__)


def contradictions(coefficients: torch.Tensor) -> list[tuple[str, str]]:
    """Pairs of movements that one code of [E, 52] asks for at once, each with at least `LEAST`."""
    both = lambda a, b: torch.minimum(_amount(coefficients, a), _amount(coefficients, b))  # noqa: E731
    return [(a.rstrip("*"), b.rstrip("*")) for a, b in OPPOSITES if (both(a, b) >= LEAST).any()]


def warn_of_contradictions(coefficients: torch.Tensor) -> None:
    """One warning that names what cancels out in codes [E, >= 52]."""
    found = contradictions(coefficients)
    if found:
        log.warning("%s: asked together, but they cancel: %s", here(), "; ".join(f"{a} and {b}" for a, b in found))


def _amount(coefficients: torch.Tensor, name: str) -> torch.Tensor:
    sides = [name[:-1] + side for side in ("Left", "Right")] if name.endswith("*") else [name]
    return coefficients[:, [index(side) for side in sides]].amin(1)  # both sides: one-sided faces are no contradiction
