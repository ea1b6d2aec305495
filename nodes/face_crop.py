from comfy_api.latest import io

from ..modules.host.saving import preview_of_crops
from ..modules.pipeline.face_crop import CELL, LEAST, MOST, face_crops
from .wires import CATEGORY, ESSENTIALS, PasteRegion, face_choice, schema


class FaceCrop(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRFaceCrop",
            display_name="Face Crop",
            category=f"{CATEGORY}/image",
            search_aliases=["crop face", "face detailer", "inpaint crop", "face enhance", "img2img face", "checkpoint"],
            essentials_category=ESSENTIALS,
            has_intermediate_output=True,
            description=(
                "Cuts a face out for any model to paint: the crop, its mask, and the coarse warp at that size. Composite Face "
                "pastes what was painted back."
            ),
            inputs=[
                PasteRegion.Input(
                    "place", optional=True, tooltip="PLACE of Background Condition. Without it: the face found in the picture."
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="A picture whose face is cut out. With a place: the picture that is cut there, for example what "
                    "Composite Face gave.",
                ),
                io.Int.Input(
                    "size",
                    default=512,
                    min=LEAST,
                    max=MOST,
                    step=CELL,
                    tooltip="Side of the crop in pixels: 512 for SD 1.5, 1024 for SDXL and newer models.",
                ),
                *face_choice(),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Your own mask of what may be painted, in the size of the picture; it comes out in the crop's.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="crop", tooltip="The picture's own pixels, for VAE Encode."),
                io.Mask.Output(display_name="mask", tooltip="What will be pasted, in the crop: for Set Latent Noise Mask."),
                PasteRegion.Output(display_name="PLACE", tooltip="For Composite Face."),
                io.Image.Output(
                    display_name="draft",
                    tooltip="The coarse warp in that size, of a PLACE of Background Condition; else the crop again.",
                ),
                io.String.Output(
                    display_name="words", tooltip="What the face shall show, for a prompt; empty where no expression was asked."
                ),
            ],
            hidden=[io.Hidden.prompt],
        )

    @classmethod
    def execute(cls, size, face, face_index, place=None, image=None, mask=None) -> io.NodeOutput:
        given = face_crops(place, image, size, face, face_index, mask)
        drawn = given[2].warps is not None and bool(given[2].mask.any())
        return io.NodeOutput(*given, ui=preview_of_crops(given[3], cls.hidden, drawn))
