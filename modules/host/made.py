"""Which nodes of a prompt get a face that we made: those behind the outputs that give one, along wires that can carry it.

That is known before anything runs, but for one thing: whether a picture has a face to put another in its place. So the nodes
that look for it `remember` what they found.
"""

import hashlib
import json

GIVES = {  # node id -> the outputs with a face that we made, or with what makes one
    "DiffSFSRUNetLoader": {0},  # MODEL
    "DiffSFSRFaceDraft": {0},
    "DiffSFSRBackgroundCondition": {2, 4},  # LATENT and the coarse warp
    "DiffSFSRMidpointSampler": {0},
    "DiffSFSRCompositeFace": {0},  # not its mask
}
CROP, DRAFT, PLACED = "DiffSFSRFaceCrop", 3, "DiffSFSRBackgroundCondition"  # its coarse warp, where a face was placed
COMPOSITE, DRAWS = "DiffSFSRCompositeFace", {PLACED, "DiffSFSRFaceDraft"}  # DRAWS: if there is a face
REMEMBERED = 4096
_drew: dict[str, bool] = {}  # by what a node was made of: whether one of its runs gave a face of ours
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
        open_ += [wire for wire in readers if wire[0] in new and _carries(prompt, *wire)]
    return frozenset(found)


def gets_made_face(prompt: dict | None, ident: str | None, unknown: bool = True) -> bool:
    """Whether this node of the prompt gets a face we made; `unknown` where the prompt does not say.

    A node that another one expanded into is called after it: "7.0.0.2" stands for "7".
    """
    known = [name for name in prompt or () if ident == name or str(ident).startswith(f"{name}.")]
    return max(known, key=len) in receivers(prompt) if known else unknown


def remember(prompt: dict | None, ident: str | None, made: bool) -> None:
    """Whether a run of this node of the prompt gave a face of ours; what came in with one counts, and what once did.

    The host takes a result from its cache where a node and all before it are what they were: so does this.
    """
    if prompt is None or ident not in prompt:
        return
    key = _made_of(prompt, ident)
    _drew[key] = _drew.pop(key, False) or made or gets_made_face(prompt, ident)
    if len(_drew) > REMEMBERED:
        del _drew[next(iter(_drew))]


def _made_of(prompt: dict, ident: str) -> str:
    """A hash of a node and of all before it."""
    found, open_ = {}, [ident]
    while open_:
        name = open_.pop()
        if name not in found:
            found[name] = [_kind(prompt.get(name)), inputs := _inputs(prompt.get(name))]
            open_ += [str(value[0]) for value in inputs.values() if isinstance(value, list) and len(value) == 2]
    return hashlib.sha256(json.dumps(found, sort_keys=True, default=str).encode()).hexdigest()


def _drew_none(prompt: dict, ident: str) -> bool:
    """Whether a node is known to have given no face of ours: one that found none, or Composite Face of its place."""
    kind, seen = _kind(prompt.get(ident)), set()
    while kind in (COMPOSITE, CROP) and ident not in seen:
        seen.add(ident)
        told = _inputs(prompt[ident])
        place = told.get("place")
        if not isinstance(place, list) or not place or (kind == CROP and "image" in told):
            return False
        ident = str(place[0])
        kind = _kind(prompt.get(ident))
    return kind in DRAWS and False in _drew.values() and _drew.get(_made_of(prompt, ident)) is False


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
        return slot in GIVES.get(kind, ()) and not _drew_none(prompt, ident)
    while slot == DRAFT and _kind(prompt.get(ident)) == CROP and ident not in seen:
        seen.add(ident)
        place = _inputs(prompt[ident]).get("place")
        ident = str(place[0]) if isinstance(place, list) and place else ""
    return slot == DRAFT and _kind(prompt.get(ident)) == PLACED and not _drew_none(prompt, ident)


def _carries(prompt: dict, ident: str, slot: int) -> bool:
    """Whether this output of a node that gets such a face may hold it too."""
    import nodes  # slow to import, and only a prompt needs it

    kind = _kind(prompt[ident])
    if kind in GIVES:
        return slot in GIVES[kind] and not _drew_none(prompt, ident)
    types = getattr(nodes.NODE_CLASS_MAPPINGS.get(kind), "RETURN_TYPES", ())
    return slot >= len(types) or str(types[slot]) not in CARRIES_NONE
