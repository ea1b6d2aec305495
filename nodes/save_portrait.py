from comfy_api.latest import io

from ..modules.host.saving import SUFFIX
from ..modules.pipeline.save import save_portraits
from .wires import CATEGORY, schema


class SavePortrait(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRSavePortrait",
            display_name="Save Portrait",
            category=f"{CATEGORY}/image",
            search_aliases=["save image", "export", "save jpeg", "save webp", "watermark", "metadata", "c2pa", "ai label"],
            description=(
                "Saves pictures as Save Image does, and marks those with a face that was painted here, so that programs "
                "and websites which read such marks (XMP, IPTC Digital Source Type) know it."
            ),
            inputs=[
                io.Image.Input("images", tooltip="The pictures, from Composite Face."),
                io.String.Input(
                    "filename_prefix",
                    default="DiffSFSR",
                    display_name="filename prefix",
                    tooltip="The file's name before its number; folder/name makes a folder. %year%, %month%, %day%, "
                    "%width% and %height% are filled in.",
                ),
                io.Combo.Input(
                    "format",
                    options=list(SUFFIX),
                    default="PNG",
                    tooltip="PNG keeps every pixel; WebP and JPEG are smaller. All of them keep the workflow and the marks.",
                ),
                io.Int.Input(
                    "quality",
                    default=95,
                    min=1,
                    max=100,
                    tooltip="For WebP and JPEG alone. WebP at 100 keeps every pixel.",
                ),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, images, filename_prefix, format, quality) -> io.NodeOutput:
        hidden = cls.hidden
        told = (hidden.prompt, hidden.extra_pnginfo) if hidden else (None, None)
        return io.NodeOutput(ui=save_portraits(images, filename_prefix, format, quality, *told))
