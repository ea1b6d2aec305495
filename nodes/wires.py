"""Our wire types and the inputs that several nodes share."""

from comfy_api.latest import io

from ..modules.faces.select import RULES

Encoders = io.Custom("DIFFSFSR_ENCODERS")
Identity = io.Custom("DIFFSFSR_IDENTITY")
Expression = io.Custom("DIFFSFSR_EXPRESSION")
Place = io.Custom("DIFFSFSR_PLACE")
CATEGORY = "DiffSFSR"


def face_choice() -> list[io.Input]:
    """Which face of a picture is meant."""
    return [
        io.Combo.Input(
            "face",
            options=list(RULES),
            default="largest",
            display_name="which face",
            tooltip="Which face of the picture is meant when there are several.",
        ),
        io.Int.Input(
            "face_index",
            default=0,
            min=0,
            max=63,
            display_name="face index",
            tooltip="Only for 'index': 0 is the largest face, 1 the next.",
        ),
    ]
