from comfy_api.latest import io

from ..modules.encoders.expression import encode_label
from ..modules.labels import MENU
from .wires import CATEGORY, Encoders, Expression


class ExpressionLabelEncoder(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="DiffSFSRExpressionLabelEncoder",
            display_name="Expression Label Encoder",
            category=f"{CATEGORY}/conditioning",
            description="What the face feels: one of 135 emotion words, grouped by family. Type in the list to search.",
            inputs=[
                Encoders.Input("encoders", tooltip="From the DiffSFSR UNet Loader."),
                io.Combo.Input(
                    "expression",
                    options=list(MENU),
                    default="surprise: amazement",
                    tooltip="135 emotion words in six families: love, joy, surprise, anger, sadness, fear.",
                ),
                io.Float.Input(
                    "intensity",
                    default=1.0,
                    min=0.0,
                    max=1.5,
                    step=0.05,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="0 is a neutral face, 1 the word as it is meant, 1.5 overdone.",
                ),
                io.Int.Input(
                    "variation",
                    default=0,
                    min=0,
                    max=0xFFFFFFFF,
                    control_after_generate=False,
                    tooltip="0 is the plain expression. Other numbers choose variants: softer, stronger, mouth open or "
                    "closed, uneven, another gaze.",
                ),
            ],
            outputs=[Expression.Output(display_name="EXPRESSION", tooltip="For Background Condition.")],
        )

    @classmethod
    def execute(cls, encoders, expression, intensity, variation) -> io.NodeOutput:
        return io.NodeOutput(encode_label(expression, intensity, variation, encoders.id))
