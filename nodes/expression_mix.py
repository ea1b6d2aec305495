from comfy_api.latest import io

from ..modules.encoders.expression import CURVES, MAX_STEPS, mix
from .wires import CATEGORY, Expression, schema


class ExpressionMix(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRExpressionMix",
            display_name="Expression Mix",
            category=f"{CATEGORY}/conditioning",
            search_aliases=[
                "mix emotions", "blend expressions", "interpolate expressions", "expression travel", "morph", "reenactment",
            ],  # fmt: skip
            description="Interpolates two expressions: one mix of them, or a batch of steps from the first to the second.",
            inputs=[
                Expression.Input("first", tooltip="The expression at t = 0."),
                Expression.Input("second", tooltip="The expression at t = 1."),
                io.Float.Input(
                    "t",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="How far towards the second expression: 0 is the first, 1 the second, 0.5 half of both.",
                ),
                io.Int.Input(
                    "steps",
                    default=1,
                    min=1,
                    max=MAX_STEPS,
                    tooltip="1: the mix at t alone. More: a batch of that many steps from the first to the mix at t.",
                ),
                io.Combo.Input(
                    "curve",
                    options=list(CURVES),
                    default=CURVES[0],
                    tooltip="How the steps are spaced. Slow at both ends looks natural in a film.",
                ),
            ],
            outputs=[Expression.Output(display_name="EXPRESSION", tooltip="One code, or a batch: for Background Condition.")],
        )

    @classmethod
    def execute(cls, first, second, t, steps, curve) -> io.NodeOutput:
        return io.NodeOutput(mix(first, second, t, steps, curve))
