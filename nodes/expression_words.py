from comfy_api.latest import io

from ..modules.encoders.expression import encode_lines
from .wires import CATEGORY, Encoders, Expression, intensity


class ExpressionWords(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="DiffSFSRExpressionWords",
            display_name="Expression Words",
            category=f"{CATEGORY}/conditioning",
            description=(
                "Many expressions at once, one a line, in plain words: 'rage', 'a bit worried', 'happily surprised'. As a "
                "list everything behind this node runs once for each of them."
            ),
            inputs=[
                Encoders.Input("encoders", tooltip="From the DiffSFSR UNet Loader."),
                io.String.Input(
                    "text",
                    multiline=True,
                    default="amazement\na bit worried\nhappily surprised\nrage 0.7",
                    tooltip="One expression a line. 'all', 'family: joy' and 'subcluster: rage' stand for their words; what "
                    "follows a # is not read.",
                ),
                intensity("Of all lines together: 0 is a neutral face, 1 as it is written, 1.5 overdone."),
                io.Int.Input(
                    "variation",
                    default=0,
                    min=0,
                    max=0xFFFFFFFF,
                    control_after_generate=False,
                    tooltip="0 is the plain expression. Other numbers choose the same kind of variant for every word.",
                ),
            ],
            outputs=[
                Expression.Output(
                    display_name="each", is_output_list=True, tooltip="One after the other: what follows runs for each."
                ),
                io.String.Output(
                    display_name="names", is_output_list=True, tooltip="What was understood, for captions and file names."
                ),
                Expression.Output(display_name="batch", tooltip="All in one EXPRESSION: a batch in Background Condition."),
            ],
        )

    @classmethod
    def execute(cls, encoders, text, intensity, variation) -> io.NodeOutput:
        return io.NodeOutput(*encode_lines(encoders.shape, encoders.id, text, intensity, variation))
