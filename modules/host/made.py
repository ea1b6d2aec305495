"""Which nodes of a prompt get a face that we made: those behind the outputs that give one, along wires that can carry it."""

GIVES = {  # node id -> the outputs with a face that we made, or with what makes one
    "DiffSFSRUNetLoader": {0},  # MODEL
    "DiffSFSRFaceDraft": {0},
    "DiffSFSRBackgroundCondition": {2, 4},  # LATENT and the coarse warp
    "DiffSFSRMidpointSampler": {0},
    "DiffSFSRCompositeFace": {0},  # not its mask
}
CROP, DRAFT, PLACED = "DiffSFSRFaceCrop", 3, "DiffSFSRBackgroundCondition"  # its coarse warp, where a face was placed
CARRIES_NONE = {  # wires that hold numbers, words or an outline, but no face
    "BOOLEAN", "COMBO", "FLOAT", "INT", "STRING", "MASK", "NOISE", "SAMPLER", "SIGMAS",
    "DIFFSFSR_ENCODERS", "DIFFSFSR_EXPRESSION", "DIFFSFSR_IDENTITY", "DIFFSFSR_PLACE",
}  # fmt: skip


def receivers(prompt: dict) -> frozenset[str]:
    """Ids of the nodes of a prompt (API form) that get a face we made. What is no node or no wire is passed over."""
    readers: dict[tuple[str, int], set[str]] = {}
    for ident, node in prompt.items():
        for value in _inputs(node).values():
            if isinstance(value, list) and len(value) == 2 and isinstance(value[1], int):
                readers.setdefault((str(value[0]), value[1]), set()).add(ident)
    found: set[str] = set()
    open_ = [wire for wire in readers if _gives(prompt, *wire)]
    while open_:
        new = readers[open_.pop()] - found
        found |= new
        open_ += [wire for wire in readers if wire[0] in new and _carries(prompt[wire[0]], wire[1])]
    return frozenset(found)


def gets_made_face(prompt: dict | None, ident: str | None, unknown: bool = True) -> bool:
    """Whether this node of the prompt gets a face we made; `unknown` where the prompt does not say.

    A node that another one expanded into is called after it: "7.0.0.2" stands for "7".
    """
    known = [name for name in prompt or () if ident == name or str(ident).startswith(f"{name}.")]
    return max(known, key=len) in receivers(prompt) if known else unknown


def running_node() -> str | None:
    """Id of the node that the host executes now, in this context."""
    from comfy_execution.utils import get_executing_context

    context = get_executing_context()
    return context.node_id if context else None


def _kind(node) -> str:
    return str(node.get("class_type", "")) if isinstance(node, dict) else ""


def _inputs(node) -> dict:
    inputs = node.get("inputs") if isinstance(node, dict) else None
    return inputs if isinstance(inputs, dict) else {}


def _gives(prompt: dict, ident: str, slot: int) -> bool:
    """Whether this output holds a face that we made, whatever its node gets: Face Crop's, with a place where one is drawn."""
    kind, seen = _kind(prompt.get(ident)), set()
    if kind != CROP:
        return slot in GIVES.get(kind, ())
    while slot == DRAFT and _kind(prompt.get(ident)) == CROP and ident not in seen:
        seen.add(ident)
        place = _inputs(prompt[ident]).get("place")
        ident = str(place[0]) if isinstance(place, list) and place else ""
    return slot == DRAFT and _kind(prompt.get(ident)) == PLACED


def _carries(node: dict, slot: int) -> bool:
    """Whether this output of a node that gets such a face may hold it too."""
    import nodes  # slow to import, and only a prompt needs it

    kind = _kind(node)
    if kind in GIVES:
        return slot in GIVES[kind]
    types = getattr(nodes.NODE_CLASS_MAPPINGS.get(kind), "RETURN_TYPES", ())
    return slot >= len(types) or str(types[slot]) not in CARRIES_NONE
