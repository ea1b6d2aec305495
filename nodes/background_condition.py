from comfy_api.latest import io, ui

from ..modules.pipeline.background import Request, condition
from ..modules.types import Strength
from .wires import CATEGORY, Encoders, Expression, Identity, PasteRegion, face_choice, match_light, prompts, strengths


class BackgroundCondition(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="DiffSFSRBackgroundCondition",
            display_name="Background Condition",
            category=f"{CATEGORY}/conditioning",
            description=(
                "Where the portrait happens. Finds the face in the background picture, cuts it out, and tells the model "
                "what to paint there: this person, feeling this, with that pose and light."
            ),
            inputs=[
                Encoders.Input("encoders", tooltip="From the DiffSFSR UNet Loader."),
                io.Vae.Input("vae", tooltip="The VAE of the same DiffSFSR UNet Loader."),
                io.Image.Input(
                    "image", tooltip="A photo or a generated picture with a face in it. A batch gives a batch."
                ),
                Identity.Input("identity", tooltip="Who: from the Identity Encoder."),
                Expression.Input("expression", tooltip="What they feel: from the Expression Label Encoder."),
                *face_choice(),
                io.Int.Input(
                    "grow",
                    default=9,
                    min=-32,
                    max=64,
                    display_name="mask grow",
                    tooltip="How far the repainted part reaches over the outline of the face, in pixels of the 256 px crop.",
                ),
                io.Int.Input(
                    "feather",
                    default=8,
                    min=0,
                    max=64,
                    display_name="mask feather",
                    tooltip="Over how many pixels of the crop the new face fades into the picture when it is pasted back.",
                ),
                io.Boolean.Input(
                    "guide",
                    default=True,
                    tooltip="Gives the model a coarse draft of the face to start from. Off: only the encoders tell it what "
                    "to paint (freer, and less like the person): then set denoise of the sampler to 1.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Your own mask of what may be repainted, in the size of the picture, instead of the found face.",
                ),
                *strengths(),
                *prompts(),
                match_light(),
            ],
            outputs=[
                io.Conditioning.Output(display_name="positive"),
                io.Conditioning.Output(display_name="negative", tooltip="Nothing said of person and feeling: for cfg."),
                io.Latent.Output(
                    display_name="LATENT", tooltip="What the Midpoint Sampler starts from when denoise is below 1: the draft."
                ),
                PasteRegion.Output(display_name="PLACE", tooltip="For Composite Face: where the result belongs."),
                io.Image.Output(
                    display_name="draft", tooltip="The coarse draft that guides the model: an instant preview."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, encoders, vae, image, identity, expression, face, face_index, grow, feather, guide, mask=None,
        identity_strength=1.0, expression_strength=1.0, text_positive=None, text_negative=None, match_light=0.0,
    ):  # fmt: skip
        strength, text = Strength(identity_strength, expression_strength), (text_positive, text_negative)
        request = Request(
            image, identity, expression, mask, face, face_index, grow, feather, guide, strength, match_light, text
        )
        given = condition(encoders, vae, request)
        return io.NodeOutput(*given, ui=ui.PreviewImage(given[-1], cls=cls))
