from comfy_api.latest import io

from ..modules.host.saving import preview_of_crops
from ..modules.pipeline.expression import expressions_of
from ..modules.pipeline.faceless import NEUTRAL
from .wires import CATEGORY, Encoders, Expression, face_choice, intensity, landmarks, schema, without_face


class ExpressionFromImage(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRExpressionFromImage",
            display_name="Expression From Image",
            category=f"{CATEGORY}/conditioning",
            search_aliases=[
                "emotion from image", "copy expression", "expression transfer", "reenactment", "driving image",
                "facial expression",
            ],  # fmt: skip
            has_intermediate_output=True,
            description="Reads the expression of a face in a picture, to transfer it to another person. Identity is not read.",
            inputs=[
                Encoders.Input("encoders", tooltip="From the DiffSFSR UNet Loader."),
                io.Image.Input("image", tooltip="A face that shows the expression. A batch gives a batch of expressions."),
                *face_choice(),
                intensity("0 is a neutral face, 1 the expression of the picture, 1.5 an exaggerated one."),
                io.Image.Input(
                    "neutral",
                    optional=True,
                    tooltip="The same person with a neutral face, if you have it: then the person's own features (low brows, a "
                    "wide mouth) are not mistaken for an expression.",
                ),
                without_face(
                    NEUTRAL,
                    "What to do with a picture in which no face is found: stop, or take a neutral expression for it, so that "
                    "one frame does not stop a film; a warning names it.",
                ),
                landmarks(),
            ],
            outputs=[
                Expression.Output(display_name="EXPRESSION", tooltip="For Background Condition, Mix or Face Draft."),
                io.Image.Output(display_name="aligned crop", tooltip="The face that was read."),
                io.String.Output(display_name="reading", tooltip="The strongest coefficients, and the nearest word."),
            ],
            hidden=[io.Hidden.prompt],
        )

    @classmethod
    def execute(
        cls, encoders, image, face, face_index, intensity, neutral=None, without_face="error", face_landmarks=None
    ) -> io.NodeOutput:
        wanted = (image, neutral, face, face_index, intensity, without_face, face_landmarks)
        given, crops, reading = expressions_of(encoders, *wanted)
        return io.NodeOutput(given, crops, reading, ui=preview_of_crops(crops, cls.hidden))
