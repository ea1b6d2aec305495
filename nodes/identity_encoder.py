from comfy_api.latest import io

from ..modules.host.saving import preview_of_crops
from ..modules.pipeline.identity import WITHOUT_FACE, encode_identity
from .wires import CATEGORY, Encoders, Identity, face_choice, landmarks, schema


class IdentityEncoder(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRIdentityEncoder",
            display_name="Identity Encoder",
            category=f"{CATEGORY}/conditioning",
            search_aliases=["selfie", "face id", "faceid", "identity", "person", "reference face", "face swap", "likeness"],
            has_intermediate_output=True,
            description=(
                "Encodes the identity. Give one clear photo of the person, or a batch of several photos of the same "
                "person. Only use pictures of people who agreed to it."
            ),
            inputs=[
                Encoders.Input("encoders", tooltip="From the DiffSFSR UNet Loader."),
                io.Image.Input(
                    "image",
                    tooltip="A selfie, or a batch of photos of one person. Frontal and sharp works best. Of several photos one "
                    "that shows somebody else is left out, and the log names it.",
                ),
                *face_choice(),
                io.Combo.Input(
                    "without_face",
                    options=list(WITHOUT_FACE),
                    default=WITHOUT_FACE[0],
                    display_name="without a face",
                    tooltip="What to do with a picture in which no face is found: stop, leave that picture out, or use the "
                    "whole picture as a face that is already cropped and aligned.",
                ),
                landmarks(),
            ],
            outputs=[
                Identity.Output(display_name="IDENTITY", tooltip="For Background Condition."),
                io.Image.Output(display_name="aligned crop", tooltip="The aligned face of each photo that is used."),
            ],
            hidden=[io.Hidden.prompt],
        )

    @classmethod
    def execute(cls, encoders, image, face, face_index, without_face, face_landmarks=None) -> io.NodeOutput:
        identity, crops = encode_identity(encoders, image, face, face_index, without_face, face_landmarks)
        return io.NodeOutput(identity, crops, ui=preview_of_crops(crops, cls.hidden))
