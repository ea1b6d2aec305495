"""Our wire types and the inputs that several nodes share."""

from collections.abc import Collection
from dataclasses import fields

from comfy_api.latest import io

from ..modules.errors import DiffSFSRError
from ..modules.faces.selection import RULES
from ..modules.host import folders
from ..modules.pipeline import kept
from ..modules.pipeline.faceless import PASS_ON
from ..modules.pipeline.place import TURNS
from ..modules.warp.rim import SKIN_TONE

Encoders = io.Custom("DIFFSFSR_ENCODERS")
Identity = io.Custom("DIFFSFSR_IDENTITY")
Expression = io.Custom("DIFFSFSR_EXPRESSION")
PasteRegion = io.Custom("DIFFSFSR_PLACE")
FaceLandmarks = io.Custom("FACE_LANDMARKS")  # of hosts newer than 0.3.75
CATEGORY = "DiffSFSR"
ESSENTIALS = "Image Tools"  # a part of the Essentials tab of newer hosts
ADVANCED = ("face_index", "reuse")  # in every node that has them
FOUND, MASK_ALONE = "what is found", "only the mask"  # what is kept before a face
REUSE = True  # by default: a fifth of the distance to the converged end at the same cost (docs/results.md)


def schema(advanced: Collection[str] = (), **about) -> io.Schema:
    """io.Schema, without the fields that this host does not have yet: after 0.3.75 came search_aliases, essentials_category
    (a place in the Essentials tab) and has_intermediate_output (what the node shows is there again after a reload).

    advanced: inputs that newer front ends fold away until they are asked for; older hosts have no argument for that, but pass
    it on.
    """
    for entry in about["inputs"]:
        if entry.id in (*advanced, *ADVANCED):
            entry.extra_dict["advanced"] = True
    known = {field.name for field in fields(io.Schema)}
    return io.Schema(**{name: value for name, value in about.items() if name in known})


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
            tooltip="Only for 'index': 0 is the largest clear face, 1 the next.",
        ),
    ]


def amount(name: str, default: float, tooltip: str, most: float = 1.0) -> io.Input:
    """How much of something, 0 to `most`. Optional: what was added later stands last, and saved graphs stay valid."""
    return io.Float.Input(
        name, default=default, min=0.0, max=most, step=0.05, optional=True, display_name=name.replace("_", " "), tooltip=tooltip
    )


def strengths() -> list[io.Input]:
    """The strength of each condition."""
    about = {
        "identity": "Strength of the identity: 0 is the background's own face, 1 is usual, above 1 exaggerates the person.",
        "expression": "Strength of the expression: 0 is a neutral face, 1 is usual, above 1 exaggerates it.",
    }
    return [amount(f"{name}_strength", 1.0, tooltip, 2.0) for name, tooltip in about.items()]


def new_name(example: str, loader: str) -> io.Input:
    """The name under which something is saved."""
    told = f"The name in the list of {loader}. A name that is taken gets a number: nothing is overwritten."
    return io.String.Input("name", default=example, tooltip=told)


def saved_choice(kind: str) -> io.Input:
    """One of what was saved."""
    told = f"What lies in models/diffsfsr/{folders.SAVED[kind]}. Press R for what was saved since."
    return io.Combo.Input("name", options=kept.choices(kind), tooltip=told)


def match_light() -> io.Input:
    return amount(
        "match_light", 0.0,
        "How far the selfie's side light is changed to that of the face in the picture. 0 keeps the selfie's own, "
        "which is nearest to the person; .5 to 1 fits the picture better.",
    )  # fmt: skip


def wrinkles() -> io.Input:
    return amount(
        "wrinkles", 1.0,
        "The light of an expression on the skin: its folds, frown lines and crow's feet. 1 is what real faces have, "
        "0 moves the skin alone. It grows with the intensity of the expression.", 1.5,
    )  # fmt: skip


def is_looked_for(kept: str) -> bool:
    """Whether what stands before a face is looked for; a text over a wire may be none of the two."""
    if kept not in (FOUND, MASK_ALONE):
        where = "Background Condition, keep in front"
        raise DiffSFSRError(f"'{kept}' is no choice", f"Choose '{FOUND}' or '{MASK_ALONE}'", where)
    return kept == FOUND


def keep_in_front() -> io.Input:
    return io.Combo.Input(
        "keep_in_front",
        options=[FOUND, MASK_ALONE],
        default=FOUND,
        optional=True,
        display_name="keep in front",
        tooltip="What stands before the face and stays: hands, hair, cloth, glasses and things that are found, and the mask at "
        "in front; or only that mask. What is in doubt, as a thin strand, is painted over.",
    )


def without_face(instead: str, tooltip: str) -> io.Input:
    """What to do with a picture in which no face is found."""
    return io.Combo.Input(
        "without_face",
        options=["error", instead],
        default="error",
        optional=True,
        display_name="without a face",
        tooltip=tooltip,
    )


def passed_through() -> io.Input:
    return without_face(
        PASS_ON,
        "What to do with a picture in which no face is found: stop, or let it through as it is, so that one frame does not "
        "stop a film; a warning names it.",
    )


def landmarks() -> io.Input:
    """Faces that the host's own node has found."""
    return FaceLandmarks.Input(
        "face_landmarks",
        optional=True,
        display_name="face landmarks",
        tooltip="From MediaPipe Face Landmarker of newer ComfyUI, with the same pictures: the faces that are there to choose "
        "from, in place of our own search.",
    )


def skin_tone() -> io.Input:
    return amount(
        "skin_tone", SKIN_TONE,
        "How far the selfie's skin tone goes to that of the face in the picture: 0 keeps the selfie's own, 1 takes the "
        "picture's; what is left at the face's border is evened out on the skin around it, inside the mask.",
    )  # fmt: skip


def head_turn() -> list[io.Input]:
    """How far the face is turned beyond the picture's own pose."""
    about = {
        "yaw": "to the right of the picture (below 0: to the left)",
        "pitch": "up (below 0: down)",
        "roll": "anticlockwise (below 0: clockwise)",
    }
    return [
        io.Float.Input(
            f"head_{name}",
            default=0.0,
            min=-TURNS[name],
            max=TURNS[name],
            step=0.5,
            optional=True,
            display_name=f"head {name}",
            tooltip=f"Turns the face by so many degrees {where}. Hair, ears and neck stay as they are.",
        )
        for name, where in about.items()
    ]


def prompts() -> list[io.Input]:
    """The prompts of a Stable Diffusion bundle, beside identity and expression."""
    about = "Only for bundles made for Stable Diffusion: {} from CLIP Text Encode. It still controls hair, clothes and light."
    sides = {"positive": "the prompt", "negative": "the negative prompt (may be empty)"}
    return [
        io.Conditioning.Input(f"text_{side}", optional=True, display_name=f"text {side}", tooltip=about.format(what))
        for side, what in sides.items()
    ]


def guidance(name: str, default: float, tooltip: str, **options) -> io.Input:
    """A guidance weight, 0 to 20."""
    return io.Float.Input(
        name, default=default, min=0.0, max=20.0, step=0.1, round=0.01, display_name=name.replace("_", " "), tooltip=tooltip,
        **options,
    )  # fmt: skip


def intensity(tooltip: str) -> io.Float.Input:
    """How much of an expression, 0 to 1.5."""
    return io.Float.Input(
        "intensity",
        default=1.0,
        min=0.0,
        max=1.5,
        step=0.05,
        display_mode=io.NumberDisplay.slider,
        tooltip=tooltip,
    )


def reuse_input() -> io.Boolean.Input:
    """Whether the midpoint sampler reuses evaluations."""
    return io.Boolean.Input(
        "reuse",
        default=REUSE,
        optional=True,
        tooltip="One model call a step (and one more for the first) instead of two: the half step to the middle is "
        "extrapolated from the slopes of the steps before.",
    )
