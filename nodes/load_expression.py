from comfy_api.latest import io

from ..modules.pipeline import kept
from .wires import CATEGORY, Expression, saved_choice, schema


class LoadExpression(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRLoadExpression",
            display_name="Load Expression",
            category=f"{CATEGORY}/files",
            search_aliases=["saved expression", "load emotion"],
            description="An expression that Save Expression wrote. It belongs to the bundle that it was made with.",
            inputs=[saved_choice("expression")],
            outputs=[Expression.Output(display_name="EXPRESSION", tooltip="For Background Condition, Face Draft or a mix.")],
        )

    @classmethod
    def execute(cls, name) -> io.NodeOutput:
        return io.NodeOutput(kept.load("expression", name))

    @classmethod
    def fingerprint_inputs(cls, name):
        return kept.stamp("expression", name)
