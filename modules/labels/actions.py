"""Facial action units of FACS written as the 52 blendshape coefficients of the expression code.

Left and right are the subject's own. The order is that of MediaPipe's face blendshape network, so a
code measured on a picture and a code made from a word are the same kind of vector.

Sources: action units after Ekman & Friesen 1978 and Ekman, Friesen & Hager 2002. Which coefficient
stands for which unit is our reading of the two lists of names; the fractions are our own.
"""

import numpy as np

BLENDSHAPES: tuple[str, ...] = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight",
    "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft",
    "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight",
    "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft",
    "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight",
)
_INDEX = {name: i for i, name in enumerate(BLENDSHAPES)}
# for each coefficient the one of the other side of the face: what a mirror shows
MIRROR: tuple[int, ...] = tuple(
    _INDEX[name.replace("Left", "#").replace("Right", "Left").replace("#", "Right")] for name in BLENDSHAPES
)

# "*" stands for both sides; a unit written with a side in the table ("14R") drives that side alone
ACTION_UNITS: dict[str, dict[str, float]] = {
    "1": {"browInnerUp": 1.0},  # inner brow raiser
    "2": {"browOuterUp*": 1.0},  # outer brow raiser
    "4": {"browDown*": 1.0},  # brow lowerer
    "5": {"eyeWide*": 1.0},  # upper lid raiser
    "6": {"cheekSquint*": 1.0, "eyeSquint*": 0.5},  # cheek raiser; it lifts the lower lid too, about that far in drawn smiles
    "7": {"eyeSquint*": 1.0},  # lid tightener
    "9": {"noseSneer*": 1.0},  # nose wrinkler
    "10": {"mouthUpperUp*": 1.0},  # upper lip raiser
    "12": {"mouthSmile*": 1.0},  # lip corner puller
    "14": {"mouthDimple*": 1.0},  # dimpler
    "15": {"mouthFrown*": 1.0},  # lip corner depressor
    "16": {"mouthLowerDown*": 1.0},  # lower lip depressor
    "17": {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.4},  # chin raiser; it pushes the upper lip too
    "18": {"mouthPucker": 1.0},  # lip pucker
    "20": {"mouthStretch*": 1.0},  # lip stretcher
    "22": {"mouthFunnel": 1.0},  # lip funneler
    "23": {"mouthPress*": 0.7, "mouthRollLower": 0.4, "mouthRollUpper": 0.4},  # lip tightener
    "24": {"mouthPress*": 1.0, "mouthRollLower": 0.2, "mouthRollUpper": 0.2},  # lip pressor
    "25": {"mouthUpperUp*": 0.35, "mouthLowerDown*": 0.35, "jawOpen": 0.12},  # lips part
    "26": {"jawOpen": 0.6},  # jaw drop
    "27": {"jawOpen": 1.0},  # mouth stretched open
    "28": {"mouthRollLower": 1.0, "mouthRollUpper": 0.6},  # lip suck; also what a bitten lip looks like
    "29": {"jawForward": 1.0},  # jaw thrust
    "34": {"cheekPuff": 1.0},  # puff
    "43": {"eyeBlink*": 1.0},  # lids lowered, closed at 1
    "61": {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0},  # eyes turned to the subject's left
    "62": {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0},  # eyes turned to the subject's right
    "63": {"eyeLookUp*": 1.0},  # eyes up
    "64": {"eyeLookDown*": 1.0},  # eyes down
}


def index(name: str) -> int:
    """Position of a coefficient, 0..51, in the code vector (``KeyError`` for a name that is none of the 52)."""
    return _INDEX[name]


def _targets(unit: str) -> list[tuple[int, float]]:
    """Coefficients one action unit drives: ``(position, gain)``; ``"14R"`` is unit 14 on the right alone."""
    side = unit[-1] if unit[-1] in "LR" else ""
    sides = {"L": ("Left",), "R": ("Right",), "": ("Left", "Right")}[side]
    out = []
    for name, gain in ACTION_UNITS[unit.rstrip("LR")].items():
        if name.endswith("*"):
            out += [(_INDEX[name[:-1] + s], gain) for s in sides]
        else:
            out.append((_INDEX[name], gain))
    return out


def encode(units: dict[str, float]) -> np.ndarray:
    """Code vector of a set of action units.

    Parameters
    ----------
    units : dict
        Unit number as text, with ``L`` or ``R`` for one side alone, to its intensity 0..1.

    Returns
    -------
    ndarray, [52] float32, 0..1
        Shares of units that drive the same coefficient add up and stop at 1. Position 0 (``_neutral``) is 0.
    """
    code = np.zeros(len(BLENDSHAPES))
    for unit, amount in units.items():
        for i, gain in _targets(unit):
            code[i] += gain * amount
    return np.clip(code, 0.0, 1.0).astype(np.float32)
