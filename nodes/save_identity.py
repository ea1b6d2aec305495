from comfy_api.latest import io, ui

from ..modules.pipeline import kept
from .wires import CATEGORY, Identity, new_name, schema


class SaveIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="DiffSFSRSaveIdentity",
            display_name="Save Identity",
            category=f"{CATEGORY}/files",
            search_aliases=["save face", "keep person", "face model", "save embeds"],
            description=(
                "Saves a person into models/diffsfsr/saved_identities, for Load Identity. The file holds the photo's face: "
                "keep it as you keep the photo."
            ),
            inputs=[
                Identity.Input("identity", tooltip="A person, from the Identity Encoder."),
                new_name("Ann", "Load Identity"),
            ],
            outputs=[Identity.Output(display_name="IDENTITY", tooltip="The same, to go on with.")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, identity, name) -> io.NodeOutput:
        return io.NodeOutput(identity, ui=ui.PreviewText(f"saved as {kept.save('identity', identity, name).stem}"))
