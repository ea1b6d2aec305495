from comfy_api.latest import io

from ..modules.host.sampler import midpoint_sampler
from .wires import CATEGORY, REUSE, reuse_input, schema


class MidpointSamplerSelect(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRMidpointSamplerSelect",
            display_name="Midpoint Sampler (SAMPLER)",
            category=f"{CATEGORY}/sampling",
            search_aliases=["midpoint", "sampler select", "custom sampler", "second order"],
            advanced=("churn_noise",),
            description="The midpoint method as a SAMPLER, for SamplerCustom and SamplerCustomAdvanced with any model.",
            inputs=[
                reuse_input(),
                io.Float.Input(
                    "churn",
                    default=0.0,
                    min=0.0,
                    max=100.0,
                    step=0.5,
                    optional=True,
                    tooltip="New noise before each step: 0 none, 5 to 20 some. It can correct errors of earlier steps, but "
                    "needs more steps, each of two model calls.",
                ),
                io.Float.Input(
                    "churn_noise",
                    default=1.0,
                    min=0.0,
                    max=2.0,
                    step=0.001,
                    optional=True,
                    display_name="churn noise",
                    tooltip="Strength of that noise; a little over 1 (1.003 to 1.007) keeps more detail.",
                ),
            ],
            outputs=[io.Sampler.Output(display_name="SAMPLER")],
        )

    @classmethod
    def execute(cls, reuse=REUSE, churn=0.0, churn_noise=1.0) -> io.NodeOutput:
        return io.NodeOutput(midpoint_sampler(reuse, churn, churn_noise))
