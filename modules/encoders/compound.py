"""The compound identity: what one or several recognition networks say of a face, joined to one vector.

Each network of a bundle is a member with its own unit vector; the joined vector is the members' vectors one behind the other,
in the order that the bundle names them. So the cosine of two joined vectors is the mean of the members' cosines, and no member
is louder than another.
"""

import torch
import torch.nn.functional as F

from ..faces.align import sample, similarity

COMPACT, ARCFACE = "compact-v2", "insightface-arcface"
WIDTHS = {COMPACT: 256, ARCFACE: 512}  # members that this version can compute, and their vectors' lengths
OWN = (COMPACT,)  # whose weights are in the bundle: each bundle has exactly one of them, named first

# Five-point template of the 112 px chip: irises (image left, right), nose tip, mouth corners (image left, right).
CHIP, CHIP_POINTS = 112, (468, 473, 1, 61, 291)
CHIP_TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))


def width_of(members: tuple[str, ...]) -> int:
    """Length of the joined vector."""
    return sum(WIDTHS[name] for name in members)


def joined(parts: list[torch.Tensor]) -> torch.Tensor:
    """The members' vectors [N, D_k] -> [N, sum of D_k], each part of unit length."""
    return torch.cat([F.normalize(part, dim=1) for part in parts], 1)


def renewed(vector: torch.Tensor, members: tuple[str, ...]) -> torch.Tensor:
    """Joined vectors [N, D], or means of them, with every member's part brought back to unit length."""
    return joined(list(vector.split([WIDTHS[name] for name in members], 1)))


def chip(images: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """The square that ArcFace-like networks read: pictures [B, 3, H, W], points [B, 478, >= 2] in them -> [B, 3, 112, 112].

    Black where the picture ends.
    """
    template = torch.tensor(CHIP_TEMPLATE, dtype=points.dtype, device=points.device)
    to_source = similarity(template.expand(len(points), 5, 2), points[:, list(CHIP_POINTS), :2])
    return sample(images, to_source, CHIP, "zeros")
