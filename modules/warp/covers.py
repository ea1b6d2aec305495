"""What stands before a face, as the network of `faces/covers.py` sees it: hands, things that are held, glasses, hair, cloth.

Precision comes first: another person's skin that stays is worse than a strand that is painted over. So a part counts that is
sure somewhere inside the face and large enough; from there it goes on as far as it is likely.
"""

import torch
import torch.nn.functional as F

from ..affine import FRAME
from ..faces.covers import SIDE, CoverNetwork
from .forehead import Seen
from .front import EYE, found_in, softened, without_halves
from .masks import connected, grow, parts
from .mesh import POINTS, Mesh

SURE, WHOLE, LIKELY = 0.86, 0.7, 0.45  # of the network's answer: where a part begins, hides all, and ends
SMALLEST = 0.003  # share of a face of which a part must be sure
INSIDE = 2.0  # pixels of the 256 px crop inside the mesh, where parts begin
BESIDE = 14.0  # and beside it, how far they go on
BROWS = 9  # face point between the brows: what stands before a selfie lies below it for the most part, or is hair
LENS = 0.3  # share of each eye that glasses cover
THIN = 4.0  # half the width up to which something is thin


def in_front(there: Seen, mesh: Mesh, share: torch.Tensor) -> torch.Tensor:
    """What stands before a face [S, S] 0..1, in and near its mesh, of what is seen there; mesh: where the face stands.

    share: the network's `answer` to the picture.
    """
    cloth = softened(there.cloth, mesh)[0, 0]
    return torch.stack([standing(share, mesh), found_in(there.colours, mesh), cloth]).amax(0)


def before_selfie(share: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """Of the network's answer [S, S] to a selfie what stands before it [S, S] 0..1, the parts that are mostly below the brows,
    but for glasses: those that cover an eye, where both are covered and neither tells what the other is like.
    """
    held, eyes = standing(share, mesh), [mesh.between(points) for points in (EYE, mesh.opposite(EYE))]
    lenses = torch.stack(eyes).any(0) if min(float(held[eye].mean()) for eye in eyes) > LENS else torch.zeros_like(eyes[0])
    low = (torch.arange(len(held), device=held.device)[:, None] > mesh.points[BROWS, 1]).float()
    kept = torch.zeros_like(held)[None, None]
    for part in parts((held[None, None] > 0.5).float(), 1):
        if (part * low).sum() > 0.5 * part.sum() and not (part * lenses).any():
            kept = torch.maximum(kept, part)
    return held * kept[0, 0]


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
    """How sure the network is [S, S] 0..1 that something stands before a face, of a picture [3, S, S] and its mirror image."""
    both = torch.cat([image.clamp(0, 1), place_map(mesh, network.places)])[None]
    small = F.interpolate(both, size=SIDE, mode="bilinear", align_corners=False, antialias=True).to(network.places.device)
    other = small.flip(-1) * small.new_tensor([1, 1, 1, -1, 1, 1])[:, None, None]
    one, two = network(*torch.cat([small, other]).split(3, 1))
    logits = (one + two.flip(-1)).to(image.device)[None, None] / 2
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
    kept = without_halves(connected(likely, begun), mesh)
    return kept[0, 0] * ((share - LIKELY) / (WHOLE - LIKELY)).clamp(0, 1)
