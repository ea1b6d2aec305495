from comfy.samplers import SCHEDULER_NAMES
from comfy_api.latest import io

from ..modules.host.sampler import sample
from .wires import CATEGORY, REUSE, guidance, reuse_input, schema


class MidpointSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRMidpointSampler",
            display_name="Midpoint Sampler",
            category=f"{CATEGORY}/sampling",
            search_aliases=["face sampler", "ksampler", "midpoint", "sample face"],
            advanced=("scheduler", "expression_cfg"),
            description="Paints the face by the explicit midpoint method: one model call a step and one more for the first.",
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
                    "steps", default=6, min=1, max=200, tooltip="4 to 8 is enough; each costs a model call (without reuse two)."
                ),
                guidance("cfg", 1.0, "Guidance weight of identity and expression. 1 is fastest and, with guide on, closest."),
                io.Combo.Input(
                    "scheduler",
                    options=SCHEDULER_NAMES,
                    default="karras",
                    tooltip="How the noise levels are spread over the steps.",
                ),
                io.Float.Input(
                    "denoise",
                    default=0.3,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How much is painted anew: low keeps the coarse warp, 1 invents most. With guide off set it to 1.",
                ),
                guidance(
                    "expression_cfg",
                    0.0,
                    "0: cfg holds for both. Else cfg is the identity's weight and this the expression's (half as slow again).",
                    optional=True,
                ),
                reuse_input(),
                io.Boolean.Input(
                    "same_noise",
                    default=False,
                    optional=True,
                    display_name="same noise",
                    tooltip="For films: every picture of a batch gets the noise of the first one, and nothing flickers. Off: "
                    "picture k gets that of seed + k.",
                ),
            ],
            outputs=[io.Latent.Output(display_name="LATENT", tooltip="For VAE Decode with the bundle's VAE.")],
        )

    @classmethod
    def execute(
        cls, model, positive, negative, latent, seed, steps, cfg, scheduler, denoise, expression_cfg=0.0, reuse=REUSE,
        same_noise=False,
    ) -> io.NodeOutput:  # fmt: skip
        how = (seed, steps, (cfg, expression_cfg or cfg), scheduler, denoise, reuse, same_noise)
        return io.NodeOutput(sample(model, positive, negative, latent, *how))
