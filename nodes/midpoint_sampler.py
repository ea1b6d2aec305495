from comfy.samplers import SCHEDULER_NAMES
from comfy_api.latest import io

from ..modules.host.sample import midpoint_sampler, sample
from .wires import CATEGORY


class MidpointSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="DiffSFSRMidpointSampler",
            display_name="Midpoint Sampler",
            category=f"{CATEGORY}/sampling",
            description="Paints the face: the explicit midpoint method, two model calls a step (one in the last).",
            inputs=[
                io.Model.Input("model", tooltip="From the DiffSFSR UNet Loader (LoRA and patches may be in between)."),
                io.Conditioning.Input("positive", tooltip="From Background Condition."),
                io.Conditioning.Input("negative", tooltip="From Background Condition."),
                io.Latent.Input("latent", tooltip="LATENT of Background Condition."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="The same seed and inputs give the same picture, also inside a batch.",
                ),
                io.Int.Input(
                    "steps", default=6, min=1, max=200, tooltip="6 to 10 is enough; each costs two model calls."
                ),
                io.Float.Input(
                    "cfg",
                    default=1.5,
                    min=0.0,
                    max=20.0,
                    step=0.1,
                    round=0.01,
                    tooltip="How strongly person and feeling are followed. 1 is fastest, 1.2 to 2.5 is useful.",
                ),
                io.Combo.Input(
                    "scheduler",
                    options=SCHEDULER_NAMES,
                    default="karras",
                    tooltip="How the noise levels are spread over the steps.",
                ),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Below 1 something of the background's own face stays.",
                ),
            ],
            outputs=[io.Latent.Output(display_name="LATENT", tooltip="For VAE Decode with the bundle's VAE.")],
        )

    @classmethod
    def execute(cls, model, positive, negative, latent, seed, steps, cfg, scheduler, denoise) -> io.NodeOutput:
        return io.NodeOutput(sample(model, positive, negative, latent, seed, steps, cfg, scheduler, denoise))


class MidpointSamplerSelect(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="DiffSFSRMidpointSamplerSelect",
            display_name="Midpoint Sampler (SAMPLER)",
            category=f"{CATEGORY}/sampling",
            description="The midpoint method as a SAMPLER, for SamplerCustom and SamplerCustomAdvanced with any model.",
            inputs=[],
            outputs=[io.Sampler.Output(display_name="SAMPLER")],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(midpoint_sampler())
