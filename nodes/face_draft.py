from comfy_api.latest import io

from ..modules.host.saving import preview_of_faces
from ..modules.pipeline.face_draft import face_drafts
from .wires import (
    CATEGORY,
    ESSENTIALS,
    Encoders,
    Expression,
    Identity,
    face_choice,
    landmarks,
    passed_through,
    schema,
    wrinkles,
)


class FaceDraft(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRFaceDraft",
            display_name="Face Draft",
            category=f"{CATEGORY}/image",
            search_aliases=[
                "preview expression", "face warp", "reenactment", "live portrait", "emotion preview", "face swap preview",
            ],  # fmt: skip
            is_output_node=True,
            essentials_category=ESSENTIALS,
            description=(
                "The coarse warp, an instant preview without the model: the selfie's face warped to the expression, on the "
                "selfie itself or in a picture. The Midpoint Sampler then paints it properly."
            ),
            inputs=[
                Encoders.Input("encoders", tooltip="From the DiffSFSR UNet Loader."),
                Identity.Input("identity", tooltip="The person, from the Identity Encoder."),
                Expression.Input("expression", tooltip="The expression. A batch gives a batch of coarse warps."),
                *face_choice(),
                io.Image.Input(
                    "image", optional=True, tooltip="A picture whose face is replaced. Without it: the selfie itself."
                ),
                wrinkles(),
                passed_through(),
                landmarks(),
            ],
            hidden=[io.Hidden.prompt],
            outputs=[io.Image.Output(display_name="draft", tooltip="The warped face crop, one for each expression.")],
        )

    @classmethod
    def execute(
        cls, encoders, identity, expression, face, face_index, image=None, wrinkles=1.0, without_face="error",
        face_landmarks=None,
    ) -> io.NodeOutput:  # fmt: skip
        wanted = (image, face, face_index, wrinkles, without_face, face_landmarks)
        drafts, made = face_drafts(encoders, identity, expression, *wanted)
        return io.NodeOutput(drafts, ui=preview_of_faces(drafts, cls.hidden, made))
