from comfy_api.latest import io

from ..modules.host import folders
from ..modules.host.load import load
from ..modules.host.model import WEIGHT_DTYPES
from .wires import CATEGORY, Encoders


class UNetLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="DiffSFSRUNetLoader",
            display_name="DiffSFSR UNet Loader",
            category=f"{CATEGORY}/loaders",
            description="Loads a DiffSFSR bundle: the model, its autoencoder and its encoders, which belong together.",
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
                    tooltip="auto: what ComfyUI finds best for your device. Others trade memory against precision.",
                ),
            ],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="For the Midpoint Sampler, or any sampler of ComfyUI."),
                io.Vae.Output(
                    display_name="VAE", tooltip="The bundle's autoencoder, for Background Condition and VAE Decode."
                ),
                Encoders.Output(display_name="ENCODERS", tooltip="For the encoder nodes and Background Condition."),
            ],
        )

    @classmethod
    def execute(cls, bundle, weight_dtype) -> io.NodeOutput:
        return io.NodeOutput(*load(bundle, weight_dtype))

    @classmethod
    def fingerprint_inputs(cls, bundle, weight_dtype):
        path = folders.bundle_path(bundle)
        return f"{path}:{path.stat().st_mtime_ns if path.exists() else 0}:{weight_dtype}"
