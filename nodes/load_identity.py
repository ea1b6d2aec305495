from comfy_api.latest import io

from ..modules.pipeline import kept
from .wires import CATEGORY, Identity, saved_choice, schema


class LoadIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRLoadIdentity",
            display_name="Load Identity",
            category=f"{CATEGORY}/files",
            search_aliases=["load face", "saved person", "face model", "load embeds"],
            description="A person that Save Identity wrote. It belongs to the bundle that it was made with.",
            inputs=[saved_choice("identity")],
            outputs=[Identity.Output(display_name="IDENTITY", tooltip="For Background Condition or Face Draft.")],
        )

    @classmethod
    def execute(cls, name) -> io.NodeOutput:
        return io.NodeOutput(kept.load("identity", name))

    @classmethod
    def fingerprint_inputs(cls, name):
        return kept.stamp("identity", name)
