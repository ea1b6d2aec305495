from comfy_api.latest import io

from ..modules.encoders.expression import encode_lines
from .wires import CATEGORY, Encoders, Expression, intensity, schema


class ExpressionWords(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRExpressionWords",
            display_name="Expression Words",
            category=f"{CATEGORY}/conditioning",
            search_aliases=["emotion list", "emotions from text", "expression prompt", "many expressions", "all emotions"],
            description=(
                "Many expressions at once, one a line, in plain words: 'rage', 'a bit worried', 'happily surprised'. As a "
                "list, the nodes behind this one run once for each of them."
            ),
            inputs=[
                Encoders.Input("encoders", tooltip="From the DiffSFSR UNet Loader."),
                io.String.Input(
                    "text",
                    multiline=True,
                    default="amazement\na bit worried\nhappily surprised\nrage 0.7",
                    tooltip="One expression a line. 'all', 'family: joy' and 'subcluster: rage' stand for their words; text "
                    "after a # is ignored.",
                ),
                intensity("For all lines: 0 is a neutral face, 1 as written, 1.5 an exaggerated one."),
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
                    display_name="each", is_output_list=True, tooltip="A list: the next nodes run once for each expression."
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
