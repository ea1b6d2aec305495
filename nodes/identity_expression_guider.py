from comfy_api.latest import io

from ..modules.errors import at
from ..modules.host.sampler import guider
from .wires import CATEGORY, guidance, schema


class IdentityExpressionGuider(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRIdentityExpressionGuider",
            display_name="Identity & Expression Guider",
            category=f"{CATEGORY}/sampling",
            search_aliases=["dual cfg", "guidance", "identity strength", "emotion strength", "cfg guider"],
            description="Guidance with one weight for identity and one for expression, for SamplerCustomAdvanced.",
            inputs=[
                io.Model.Input("model", tooltip="From the DiffSFSR UNet Loader (LoRA and patches may be in between)."),
                io.Conditioning.Input("positive", tooltip="From Background Condition."),
                io.Conditioning.Input("negative", tooltip="From Background Condition."),
                guidance(
                    "identity_cfg",
                    1.5,
                    "Guidance weight of the identity. 1 is the model without guidance, 1.2 to 2.5 is useful.",
                ),
                guidance(
                    "expression_cfg",
                    1.5,
                    "Guidance weight of the expression. Both weights equal: plain cfg, and a third faster.",
                ),
            ],
            outputs=[io.Guider.Output(display_name="GUIDER", tooltip="For SamplerCustomAdvanced.")],
        )

    @classmethod
    def execute(cls, model, positive, negative, identity_cfg, expression_cfg) -> io.NodeOutput:
        with at("Identity & Expression Guider"):
            return io.NodeOutput(guider(model, positive, negative, identity_cfg, expression_cfg))
