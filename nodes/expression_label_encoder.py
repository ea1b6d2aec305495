from comfy_api.latest import io

from ..modules.labels import CHOICES
from ..modules.pipeline.library import SOURCES, encode_word, stamp
from .wires import CATEGORY, Encoders, Expression, intensity, schema


class ExpressionLabelEncoder(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRExpressionLabelEncoder",
            display_name="Expression Label Encoder",
            category=f"{CATEGORY}/conditioning",
            search_aliases=[
                "emotion", "feeling", "mood", "facial expression", "face expression", "happy", "sad", "angry", "smile",
                "neutral face",
            ],  # fmt: skip
            advanced=("source",),
            description=(
                "The expression as one of 135 emotion words, grouped by family, or in everyday words: happy, tired, a bit "
                "worried. Type in the list to search."
            ),
            inputs=[
                Encoders.Input("encoders", tooltip="From the DiffSFSR UNet Loader."),
                io.Combo.Input(
                    "expression",
                    options=list(CHOICES),
                    default="surprise: amazement",
                    tooltip="135 emotion words in six families: love, joy, surprise, anger, sadness, fear; then neutral, and "
                    "everyday words.",
                ),
                intensity("0 is a neutral face, 1 the word's usual strength, 1.5 an exaggerated one."),
                io.Int.Input(
                    "variation",
                    default=0,
                    min=0,
                    max=0xFFFFFFFF,
                    control_after_generate=False,
                    tooltip="0 is the plain expression. Other numbers choose variants: softer, stronger, mouth open or "
                    "closed, uneven, another gaze.",
                ),
                io.Combo.Input(
                    "source",
                    options=list(SOURCES),
                    default=SOURCES[0],
                    optional=True,
                    tooltip="Where the expression comes from: the built-in prototype of the word, or a picture of it in "
                    "models/diffsfsr/expressions/<word>: the nearest to it, or number 'variation' in that order.",
                ),
                io.String.Input(
                    "words",
                    default="",
                    optional=True,
                    display_name="in your own words",
                    tooltip="Instead of the list, if not empty: a bit worried, tired but happy, rage 0.7.",
                ),
            ],
            outputs=[Expression.Output(display_name="EXPRESSION", tooltip="For Background Condition.")],
        )

    @classmethod
    def execute(cls, encoders, expression, intensity, variation, source=SOURCES[0], words="") -> io.NodeOutput:
        return io.NodeOutput(encode_word(encoders, expression, intensity, variation, source, words))

    @classmethod
    def fingerprint_inputs(cls, encoders=None, expression=None, intensity=None, variation=None, source=SOURCES[0], words=""):
        return stamp(expression, source, words)
