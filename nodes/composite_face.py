from comfy_api.latest import io

from ..modules.pipeline.composite import paste
from .wires import CATEGORY, PasteRegion, amount, schema


class CompositeFace(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRCompositeFace",
            display_name="Composite Face",
            category=f"{CATEGORY}/image",
            search_aliases=["paste face", "face swap", "stitch", "uncrop", "blend face"],
            description="Pastes the painted face back. Outside the mask the background stays exactly as it was.",
            inputs=[
                io.Image.Input("image", tooltip="The painted face crop, from VAE Decode: square, of any size, from any model."),
                PasteRegion.Input("place", tooltip="PLACE of Background Condition or Face Crop."),
                amount(
                    "detail", 1.0,
                    "How much of the selfie's own fine skin is added where the face is larger in the picture than the "
                    "crop it was painted in. 0 pastes the crop alone.",
                ),  # fmt: skip
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE"),
                io.Mask.Output(display_name="mask", tooltip="What was repainted, in the picture's size."),
            ],
            hidden=[io.Hidden.extra_pnginfo],
        )

    @classmethod
    def execute(cls, image, place, detail=1.0) -> io.NodeOutput:
        return io.NodeOutput(*paste(image, place, cls.hidden.extra_pnginfo if cls.hidden else None, detail))
