"""What stands before a face, as the network of `faces/covers.py` sees it: hands, things that are held, glasses, hair, cloth.

Precision comes first: another person's skin that stays is worse than a strand that is painted over. So a part counts that is
sure somewhere inside the face and large enough; from there it goes on as far as it is likely.
"""

import torch
import torch.nn.functional as F

from ..affine import FRAME
from ..faces.covers import SIDE, CoverNetwork
from .front import found_by_colour
from .masks import connected, grow, parts
from .mesh import POINTS, Mesh

SURE, LIKELY = 0.7, 0.35  # of the network's answer: where a part begins, and how far it goes on
SMALLEST = 0.002  # share of a face of which a part must be sure
INSIDE = 2.0  # pixels of the 256 px crop inside the mesh, where parts begin
BESIDE = 40.0  # and beside it, how far they go on
THIN = 4.0  # half the width up to which something is thin


def in_front(image: torch.Tensor, mesh: Mesh, network: CoverNetwork) -> torch.Tensor:
    """What stands before a face [S, S] 0..1, in and near its mesh, of a picture [3, S, S] with the face where it stands."""
    return torch.maximum(standing(answer(network, image, mesh), mesh), found_by_colour(image, mesh))


def broad(held: torch.Tensor) -> torch.Tensor:
    """What stands before a face [S, S] 0..1 without what is thin, as frames of glasses."""
    pixel = held.shape[-1] / FRAME
    core = grow((held[None, None] > 0.5).float(), -THIN * pixel)
    return held * grow(core, (THIN + 1) * pixel)[0, 0]


def place_map(mesh: Mesh, places: torch.Tensor) -> torch.Tensor:
    """Where on a face each pixel is [3, S, S]: x and y of the canonical face (0 beside it), and whether it is on it.

    places [468, 2]: of the points of the canonical face.
    """
    at = mesh.interpolate(places[:POINTS].to(mesh.weight))
    return torch.cat([at.movedim(-1, 0), mesh.covered[None].to(at)])


def answer(network: CoverNetwork, image: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """How sure the network is [S, S] 0..1 that something stands before a face, of a picture [3, S, S]."""
    both = torch.cat([image.clamp(0, 1), place_map(mesh, network.places)])[None]
    small = F.interpolate(both, size=SIDE, mode="bilinear", align_corners=False, antialias=True).to(network.places.device)
    logits = network(small[:, :3], small[:, 3:])[None].to(image.device)
    return F.interpolate(logits, size=image.shape[-1], mode="bicubic", align_corners=False)[0, 0].sigmoid()


def standing(share: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """Of an answer [S, S] the parts that surely stand before the face [S, S] 0..1."""
    pixel, face = share.shape[-1] / FRAME, mesh.covered.float()[None, None]
    sure = (share[None, None] > SURE) * grow(face, -INSIDE * pixel)
    begun = torch.zeros_like(sure)
    for part in parts(sure, SMALLEST * float(face.sum())):
        begun = torch.maximum(begun, part)
    if not begun.any():
        return begun[0, 0]
    likely = (share[None, None] > LIKELY) * grow(face, BESIDE * pixel)
    return (connected(likely, begun) * share)[0, 0]
