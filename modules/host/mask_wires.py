"""A warning, as a graph is queued: a mask of a whole picture on the latent of a face's crop, for a MODEL that is not ours.

The host stretches such a mask onto the crop, and no node of ours stands between a checkpoint and its sampler.
"""

import logging

CROP, OF_PICTURES = "DiffSFSRFaceCrop", {"LoadImage", "LoadImageMask", "DiffSFSRCompositeFace"}
PAINTED, MASKS = ("samples", "pixels", "image", "images"), ("mask", "masks", "destination")
log = logging.getLogger(__name__)


def wrong_masks(prompt: dict) -> list[str]:
    """What is wrong with the masks of a prompt in API form, a sentence each."""
    found = []
    for node in prompt.values():
        told = node.get("inputs", {})
        if "mask" not in told or node["class_type"] == CROP or not ({"samples", "pixels"} & set(told)):
            continue
        crop, mask = _source(prompt, told, PAINTED), _source(prompt, {"mask": told["mask"]}, MASKS)
        if crop == CROP and mask in OF_PICTURES:
            said = f"{node['class_type']}: the mask of {mask} is one of a whole picture, the latent that of a face's crop"
            found.append(f"{said}; connect mask of Face Crop")
    return found


def _source(prompt: dict, inputs: dict, names: tuple[str, ...]) -> str:
    """The class of the node that a wire of these names comes from, through all nodes that hand such a wire on."""
    seen, kind = set(), ""
    while link := next((inputs[name] for name in names if isinstance(inputs.get(name), list)), None):
        ident = str(link[0])
        if ident in seen or ident not in prompt:
            break
        seen.add(ident)
        kind, inputs = prompt[ident]["class_type"], prompt[ident].get("inputs", {})
        if kind == CROP or kind in OF_PICTURES:
            break
    return kind


def warn(request: dict) -> dict:
    """POST /prompt as it came, and goes on."""
    for text in wrong_masks(request.get("prompt") or {}):
        log.warning("%s", text)
    return request


def register() -> None:
    from server import PromptServer  # only where there is a server: it is slow to import

    server = getattr(PromptServer, "instance", None)
    if server is not None and warn not in server.on_prompt_handlers:
        server.add_on_prompt_handler(warn)
