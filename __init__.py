"""ComfyUI-DiffSFSR: identity from a selfie, expression from a word, background from a picture, in one diffusion model.

ComfyUI imports this file at start-up, and pytest does while it collects, with no host in sight. So nothing heavy is
imported here; the nodes load when the host asks for them. V3 only: a NODE_CLASS_MAPPINGS would win over it.
"""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    """The host's entry point: the extension, which lists the nodes."""
    from .nodes import DiffSFSRExtension

    return DiffSFSRExtension()
