"""The sizes that a stored face model may have."""

import torch

SIZES = {  # of those buffers; the same letter is the same number, see `FaceShape`
    "movement": (52, 478, 3), "anchors": ("A", 52), "corrections": ("A", 478, 3), "resting": (52,),
    "geometry_more": ("more", 478, 3), "light_maps": ("L", "U", "U"), "light_axes": ("L", "K"), "mouth_maps": (2, 4, "h", "w"),
    "mouth_box": (3,), "mouth_arch": (2, 2), "mouth_drop": (3,), "mouth_cavity": (3, "rows", "columns"),
}  # fmt: skip


def check_sizes(state: dict[str, torch.Tensor]) -> None:
    """Whether the buffers that older bundles lack go together, where a state has them."""
    known = {n: n for wanted in SIZES.values() for n in wanted if isinstance(n, int)}
    known["K"] = sum(len(state[name]) for name in ("geometry", "geometry_more") if name in state and state[name].ndim)
    for name, wanted in SIZES.items():
        if name not in state:
            continue
        found = tuple(state[name].shape)
        if len(found) != len(wanted) or any(known.setdefault(w, f) != f for w, f in zip(wanted, found, strict=True)):
            raise ValueError(f"{name} is {list(found)}, it must be {list(wanted)}")
