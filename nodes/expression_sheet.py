from comfy_api.latest import io

from ..modules.host.saving import preview_of_crops
from ..modules.pipeline.sheet import contact_sheet
from .wires import CATEGORY, schema


class ExpressionSheet(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRExpressionSheet",
            display_name="Expression Sheet",
            category=f"{CATEGORY}/image",
            search_aliases=["contact sheet", "image grid", "emotion sheet", "all emotions", "overview", "expression sheet"],
            description="Puts many faces on one picture, each with its name below: a sheet of all words, ready to be saved.",
            is_input_list=True,
            is_output_node=True,
            inputs=[
                io.Image.Input("images", tooltip="Faces or pictures: a batch, or the list that Expression Words leads to."),
                io.Int.Input("columns", default=0, min=0, max=64, tooltip="Pictures in a row. 0 makes the sheet about square."),
                io.Int.Input(
                    "size", default=192, min=48, max=1024, step=16, tooltip="Side of each picture on the sheet, in pixels."
                ),
                io.String.Input(
                    "names", optional=True, force_input=True, tooltip="Text below each picture: names of Expression Words."
                ),
            ],
            outputs=[io.Image.Output(display_name="sheet", tooltip="One picture, for Save Image.")],
            hidden=[io.Hidden.prompt],
        )

    @classmethod
    def execute(cls, images, columns, size, names=None) -> io.NodeOutput:
        sheet = contact_sheet(images, names, columns[0], size[0])
        return io.NodeOutput(sheet, ui=preview_of_crops(sheet, cls.hidden))
