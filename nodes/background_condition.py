from comfy_api.latest import io

from ..modules.host.saving import preview_of_faces
from ..modules.pipeline.background import condition
from ..modules.pipeline.request import Request
from ..modules.types import Strength
from ..modules.warp.rim import SKIN_TONE
from .wires import (
    CATEGORY,
    ESSENTIALS,
    FOUND,
    Encoders,
    Expression,
    Identity,
    PasteRegion,
    face_choice,
    head_turn,
    is_looked_for,
    keep_in_front,
    landmarks,
    match_light,
    passed_through,
    prompts,
    schema,
    skin_tone,
    strengths,
    wrinkles,
)


class BackgroundCondition(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRBackgroundCondition",
            display_name="Background Condition",
            category=f"{CATEGORY}/conditioning",
            search_aliases=["face swap", "swap face", "background", "scene", "inpaint face", "reenactment", "reactor"],
            advanced=("grow", "feather", "guide"),
            essentials_category=ESSENTIALS,
            has_intermediate_output=True,
            description=(
                "Prepares the background picture: finds the face in it, cuts it out, masks it, and conditions the model on "
                "identity, expression and background. Pose and light come from the background."
            ),
            inputs=[
                Encoders.Input("encoders", tooltip="From the DiffSFSR UNet Loader."),
                io.Vae.Input("vae", tooltip="The VAE of the same DiffSFSR UNet Loader."),
                io.Image.Input("image", tooltip="A photo or a generated picture with a face in it. A batch gives a batch."),
                Identity.Input("identity", tooltip="The person, from the Identity Encoder."),
                Expression.Input("expression", tooltip="The expression, from any of the expression nodes."),
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
                    tooltip="Gives the model the coarse warp of the face to start from. Off: the model has only the tokens "
                    "of the encoders (freer, and less like the person); then set denoise of the sampler to 1.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Your own mask of what may be repainted, in the size of the picture, instead of the found face.",
                ),
                *strengths(),
                *prompts(),
                match_light(),
                wrinkles(),
                skin_tone(),
                io.Mask.Input(
                    "in_front",
                    optional=True,
                    display_name="in front",
                    tooltip="What stands before the face and stays: a hand, hair, a veil, glasses. In the size of the picture, "
                    "painted by you or by any segmenter.",
                ),
                *head_turn(),
                keep_in_front(),
                passed_through(),
                landmarks(),
            ],
            hidden=[io.Hidden.prompt],
            outputs=[
                io.Conditioning.Output(display_name="positive"),
                io.Conditioning.Output(display_name="negative", tooltip="Without identity and expression: for cfg."),
                io.Latent.Output(
                    display_name="LATENT", tooltip="The coarse warp, where the sampler starts when denoise is below 1."
                ),
                PasteRegion.Output(display_name="PLACE", tooltip="The paste region of each picture, for Composite Face."),
                io.Image.Output(
                    display_name="draft", tooltip="The coarse warp that the model starts from: an instant preview."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, encoders, vae, image, identity, expression, face, face_index, grow, feather, guide, mask=None,
        identity_strength=1.0, expression_strength=1.0, text_positive=None, text_negative=None, match_light=0.0, wrinkles=1.0,
        skin_tone=SKIN_TONE, in_front=None, head_yaw=0.0, head_pitch=0.0, head_roll=0.0,
        keep_in_front=FOUND, without_face="error", face_landmarks=None,
    ):  # fmt: skip
        strength, text = Strength(identity_strength, expression_strength), (text_positive, text_negative)
        request = Request(
            image, identity, expression, mask, face, face_index, grow, feather, guide, strength, match_light, text, wrinkles,
            skin_tone, in_front, (head_yaw, head_pitch, head_roll), is_looked_for(keep_in_front), without_face, face_landmarks,
        )  # fmt: skip
        given = condition(encoders, vae, request)
        return io.NodeOutput(*given, ui=preview_of_faces(given[4], cls.hidden, made=bool(given[3].mask.any())))
