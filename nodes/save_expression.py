from comfy_api.latest import io, ui

from ..modules.pipeline import kept
from .wires import CATEGORY, Expression, new_name, schema


class SaveExpression(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRSaveExpression",
            display_name="Save Expression",
            category=f"{CATEGORY}/files",
            search_aliases=["keep expression", "save emotion"],
            description=(
                "Saves an expression, or a batch of them, into models/diffsfsr/saved_expressions, for Load Expression."
            ),
            inputs=[
                Expression.Input("expression", tooltip="An expression, from any expression node."),
                new_name("my smile", "Load Expression"),
            ],
            outputs=[Expression.Output(display_name="EXPRESSION", tooltip="The same, to go on with.")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, expression, name) -> io.NodeOutput:
        return io.NodeOutput(expression, ui=ui.PreviewText(f"saved as {kept.save('expression', expression, name).stem}"))
