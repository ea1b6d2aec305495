"""Which of several faces is meant."""

import math

from ..errors import DiffSFSRError
from .detector import LEAST_FACE, smallest

RULES = ("largest", "most central", "index")


def choose_face(faces, rule="largest", index=0, size=None):
    """faces: list of DetectedFace as `find_faces` gives it; size: (H, W) of the picture -> one of them.

    rule   "largest": by the extent of its points; "most central": the box nearest to the picture's middle, which
           needs `size`; both among the clear faces, if there are any. "index": position `index` in the list, 0 is the
           largest clear one
    """
    if rule not in RULES:
        raise DiffSFSRError(f"'{rule}' is no rule for choosing a face", f"Choose one of: {', '.join(RULES)}.")
    if not faces:
        extent = f" in the picture of {size[1]} x {size[0]} pixels" if size else ""
        least = f"at least about {smallest(*size) if size else LEAST_FACE:.0f} pixels large"
        remedy = f"Use a picture where the face is turned to the camera and {least}, or crop the picture around it."
        raise DiffSFSRError(f"No face was found{extent}", remedy)
    if rule == "index":
        if not 0 <= index < len(faces):
            what = f"Face {index} was asked for, but there {_count(faces)}"
            last = len(faces) - 1
            raise DiffSFSRError(what, f"Set the index to {f'0 to {last}' if last else '0'} (0 is the largest).")
        return faces[index]
    clear = [face for face in faces if face.clear] or faces
    if rule == "most central":
        if size is None:
            raise ValueError("the rule 'most central' needs the picture's size")
        return min(clear, key=lambda face: math.dist(face.centre, (size[1] / 2, size[0] / 2)))
    return max(clear, key=lambda face: face.size)


def _count(faces):
    """'are 2: face 0 of 210 px (score .94), face 1 of 80 px (score .71)'."""
    each = ", ".join(f"face {i} of {face.size:.0f} px (score {face.score:.2f})" for i, face in enumerate(faces))
    return f"{'is only 1' if len(faces) == 1 else f'are {len(faces)}'}: {each}"
