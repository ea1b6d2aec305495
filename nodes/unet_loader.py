from comfy_api.latest import io

from ..modules.host import folders
from ..modules.host.precision import WEIGHT_DTYPES
from ..modules.pipeline.load import load
from .wires import CATEGORY, Encoders, schema


class UNetLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRUNetLoader",
            display_name="DiffSFSR UNet Loader",
            category=f"{CATEGORY}/loaders",
            search_aliases=["diffsfsr model", "load face model", "face swap model", "bundle"],
            advanced=("adapter_strength",),
            description=(
                "Loads a DiffSFSR bundle: the model, its autoencoder and its encoders, which belong together. An adapter "
                "bundle is put on a Stable Diffusion 1.5 model instead: connect model and vae of its checkpoint."
            ),
            inputs=[
                io.Combo.Input(
                    "bundle",
                    options=folders.bundle_names(),
                    default=folders.DEFAULT,
                    tooltip="The built-in weights, or a file from models/diffsfsr.",
                ),
                io.Combo.Input(
                    "weight_dtype",
                    options=list(WEIGHT_DTYPES),
                    default="auto",
                    display_name="precision",
                    tooltip="auto: the fastest on your device without a visible difference. Others trade memory for precision.",
                ),
                io.Model.Input(
                    "model",
                    optional=True,
                    tooltip="Only for adapter bundles: a Stable Diffusion 1.5 MODEL, plain or for inpainting, LoRA and all.",
                ),
                io.Vae.Input("vae", optional=True, tooltip="Only for adapter bundles: the VAE of the same checkpoint."),
                io.Float.Input(
                    "adapter_strength",
                    default=1.0,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    optional=True,
                    display_name="adapter strength",
                    tooltip="Only for adapter bundles: strength of the adapter; at 0 the model is unchanged.",
                ),
            ],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="For the Midpoint Sampler, or any sampler of ComfyUI."),
                io.Vae.Output(display_name="VAE", tooltip="The bundle's autoencoder, for Background Condition and VAE Decode."),
                Encoders.Output(display_name="ENCODERS", tooltip="For the encoder nodes and Background Condition."),
            ],
        )

    @classmethod
    def execute(cls, bundle, weight_dtype, model=None, vae=None, adapter_strength=1.0) -> io.NodeOutput:
        return io.NodeOutput(*load(bundle, weight_dtype, model, vae, adapter_strength))

    @classmethod
    def fingerprint_inputs(cls, bundle, weight_dtype, **_):
        path = folders.bundle_path(bundle)
        return f"{path}:{path.stat().st_mtime_ns if path.exists() else 0}:{weight_dtype}"
