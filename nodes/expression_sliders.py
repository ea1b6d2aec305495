from comfy_api.latest import io

from ..modules.encoders.expression import from_sliders
from ..modules.encoders.sliders import ONE_EYE, SLIDERS
from .wires import CATEGORY, Encoders, Expression, schema


class ExpressionSliders(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRExpressionSliders",
            display_name="Expression Sliders",
            category=f"{CATEGORY}/conditioning",
            search_aliases=[
                "emotion sliders", "expression editor", "facial expression", "smile", "blink", "brows", "gaze", "mouth",
                "blendshapes", "arkit",
            ],  # fmt: skip
            advanced=("coefficients", *(_id(s.name) for s in ONE_EYE)),
            description="Sets the expression by hand: brows, eyes, mouth. On its own, or added to another expression.",
            inputs=[
                Encoders.Input("encoders", tooltip="From the DiffSFSR UNet Loader."),
                *(_slider(s.name, s.low, s.about) for s in SLIDERS),
                _slider("asymmetry", -1.0, "Only the person's right side (-1), both sides alike (0), only the left side (1)."),
                io.String.Input(
                    "coefficients",
                    default="",
                    multiline=True,
                    tooltip="For experts: single coefficients by their ARKit name, one a line, such as: mouthDimpleLeft 0.4. "
                    "They replace the sliders' value of that coefficient.",
                ),
                Expression.Input(
                    "expression",
                    optional=True,
                    tooltip="An expression to start from: the sliders are added to it. A batch is changed as a whole.",
                ),
                *(_slider(s.name, s.low, f"{s.about} Added to the gaze of both eyes.", optional=True) for s in ONE_EYE),
            ],
            outputs=[Expression.Output(display_name="EXPRESSION", tooltip="For Background Condition or Face Draft.")],
        )

    @classmethod
    def execute(cls, encoders, asymmetry, coefficients, expression=None, **sliders) -> io.NodeOutput:
        positions = {s.name: sliders.get(_id(s.name), 0.0) for s in SLIDERS + ONE_EYE}
        given = from_sliders(encoders.shape, encoders.id, positions, asymmetry, coefficients, expression)
        return io.NodeOutput(given)


def _id(name: str) -> str:
    return name.replace(" ", "_")


def _slider(name: str, low: float, about: str, optional: bool = False) -> io.Float.Input:
    return io.Float.Input(
        _id(name), default=0.0, min=low, max=1.0, step=0.05, round=0.001,
        display_mode=io.NumberDisplay.slider, display_name=name, tooltip=about, optional=optional,
    )  # fmt: skip
