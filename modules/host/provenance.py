"""The note that a face was generated, for every prompt that reaches the server.

A node can only write into what its own run was given: not when its result comes from the cache, and not for scripts that
send the prompt alone. The server's hook sees each prompt before it is queued.
"""

NOTE = {
    "generated": "A face in this picture was painted by a diffusion model (DiffSFSR). It shows no real event.",
    "software": "ComfyUI-DiffSFSR",
}


def add_note(request: dict) -> dict:
    """POST /prompt as it came -> with our note in extra_pnginfo, if the graph pastes a face."""
    nodes = request.get("prompt")
    if isinstance(nodes, dict) and any(str(n.get("class_type", "")).startswith("DiffSFSR") for n in nodes.values()):
        extra = request.setdefault("extra_data", {})
        extra["extra_pnginfo"] = {**(extra.get("extra_pnginfo") or {}), "diffsfsr": NOTE}
    return request


def register() -> None:
    from server import PromptServer  # only where there is a server: it is slow to import

    server = getattr(PromptServer, "instance", None)
    if server is not None and add_note not in server.on_prompt_handlers:
        server.add_on_prompt_handler(add_note)
