"""The selfie's skin in another place: drawn from the photo, its hidden half from the photo's mirror image, in its own light or
with a gain; and the hair that hangs over it.
"""

from typing import NamedTuple

import torch

from ..affine import FRAME, mirrored
from ..types import Face, Topology
from .beard import SMOOTH, beard
from .front import FALLS, colours_of, features, found_in, hair_beside
from .head import SIDES
from .light import apart, colours, gained, luma, relit
from .masks import blurred, connected, fill, grow, plane
from .mesh import POINTS, Mesh, areas, at_points, shown

STRETCHED = 0.8, 0.5  # pixels of the photo for one of the drawing: where the mirror image begins to help, and may do all
LARGER = 2.0, 4.0  # how many times more of the skin the mirror image must show for that
FLAT = 0.35, 0.6  # pixels of the photo for one of the drawing: where it shows nothing, and where it shows enough;
RIM = 0.25  # how much less it shows at the outline, where it may be of what is beside the face
CALM = 0.5  # of that, from which on a place is calm skin though no picture shows it
LIP = 24  # twice the area in pixels below which a triangle is lip or lid, and never mirrored

# points from the brows' upper edge to the top of the mesh, where a fringe may hang
FOREHEAD = (
    10, 338, 297, 332, 284, 251, 109, 67, 103, 54, 21, 151, 337, 299, 333, 298, 301, 108, 69, 104, 68, 71,
    9, 336, 296, 334, 293, 300, 107, 66, 105, 63, 70,
)  # fmt: skip
# CIELAB distance from the face's skin above which the forehead may be hair; and is, if it begins as ROOT
FRINGE, ROOT = 14.0, 24.0
EVEN, DIMMEST = 9.0, 1.6  # for skin that differs so much on the median; where it does less, as in dim light, nearer; the most
HAIRLINE = 5.0  # pixels of the 256 px crop from the mesh's border within which hair begins

HIDDEN, BETTER = 30.0, 18.0  # CIELAB distance from skin of an occlusion, and how much nearer the other side must be
LEAST = 0.01  # of the face: less is a strand
DOUBT = 1.0  # of what stands before a selfie, see `found_in`: with less, likeness falls
EDGE, COARSE = 3.0, 6.0  # pixels of the 256 px crop: edge of hair and its shadow; what is finer is structure of skin
SHADED, SOFT = 0.3, 2.0  # what skin in shadow counts, which may be the edge of hair; pixels over which what is filled in fades
DARK, STRUCTURE = 0.02, (0.8, 1.2)
BROWS = 70, 300  # an occlusion hangs from above them


class Skin(NamedTuple):
    """Where skin comes from: a picture [3, S, S] and its face points [478, 3]; gain [468] of its linear light, if any; what of
    the picture is known [S, S], 0 or 1 or bool, None: all.
    """

    image: torch.Tensor
    points: torch.Tensor
    gain: torch.Tensor | None = None
    shown: torch.Tensor | None = None

    @classmethod
    def of(cls, face: Face) -> "Skin":
        return cls(face.image, face.points, shown=face.shown)

    def mirrored(self, topology: Topology) -> "Skin":
        """As a mirror shows it, each point on the other side of the face."""
        image, points = mirrored(self.image, self.points, topology.mirror)
        gain = None if self.gain is None else self.gain[topology.mirror[:POINTS]]
        return Skin(image, points, gain, None if self.shown is None else self.shown.flip(-1))


def put_on(skin: Skin, mesh: Mesh, complete: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Skin on a face where it stands: picture [3, S, S], and where it is known [S, S].

    complete: what the photo hides, or shows too flat, is drawn from its mirror image; what that shows too flat, too, is calm.
    """
    drawn, covered = _drawn(skin, mesh)
    if complete:
        other = skin.mirrored(mesh.topology)
        share = from_mirror(skin, other, mesh)
        flat = too_flat(skin, other, mesh, share)
        if share.any():
            instead, known = _drawn(other, mesh)
            instead = relit(instead, drawn, covered * known, mesh.covered)
            own, theirs = (1 - share) * covered, share * known
            covered = ((known := own + theirs) > 0.05).to(drawn.dtype)  # where one shows nothing the other does
            drawn = torch.lerp(drawn, instead, theirs / known.clamp_min(0.05))
        if flat.any():
            sure = covered * (flat < 0.2) * ~features(mesh)
            drawn = torch.lerp(drawn, fill(drawn[None], sure[None, None])[0], flat)
            covered = torch.maximum(covered, ((flat > CALM) & mesh.covered).to(drawn.dtype))  # an outline has no notches
    return drawn * covered, covered


def from_mirror(skin: Skin, other: Skin, mesh: Mesh) -> torch.Tensor:
    """How much of each pixel [S, S], 0..1, is taken from the mirror image `other`."""
    share = at_points(better_seen(skin, other, mesh), mesh.topology)
    share = (2 * mesh.interpolate(share[:, None])[..., 0] - 0.5).clamp(0, 1) * mesh.covered
    return blurred(share[None, None], 4.0 * len(share) / FRAME)[0, 0] if share.any() else share


def too_flat(skin: Skin, other: Skin, mesh: Mesh, share: torch.Tensor) -> torch.Tensor:
    """How far no picture shows enough of a place on the face [S, S] 0..1: a few pixels at the rim of a photo, which
    are an ear or a wall as well as a cheek. share [S, S] 0..1: of the mirror image `other`.
    """
    rim = skin.points.new_zeros(POINTS)
    rim[[point for side in SIDES for point in side]] = RIM
    own, theirs = (at_points(seen(s, mesh), mesh.topology) - rim for s in (skin, other))
    own, theirs = mesh.interpolate(torch.stack([own, theirs], 1)).unbind(-1)
    low, high = FLAT
    flat = ((high - torch.maximum(own, share * theirs)) / (high - low)).clamp(0, 1)[None, None] * plane(mesh.covered)
    flat = flat * connected(plane(flat[0, 0] > 0), grow(plane(~mesh.covered), 1.0)) * ~features(mesh)  # noses are none
    return blurred(flat, 2.0 * len(mesh.index) / FRAME)[0, 0] if flat.any() else flat[0, 0]


def seen(skin: Skin, mesh: Mesh) -> torch.Tensor:
    """How many pixels of a picture show one of the drawing, of each triangle [T]; 0 where it shows its back."""
    after = areas(mesh.points[:POINTS], mesh.topology)
    return (areas(skin.points[:POINTS], mesh.topology) * after.sign()).clamp_min(0) / after.abs().clamp_min(1)


def better_seen(skin: Skin, other: Skin, mesh: Mesh) -> torch.Tensor:
    """How much of each triangle [T], 0..1, to take from the mirror image `other`."""
    topology, placed = mesh.topology, mesh.points[:POINTS]
    own, theirs = (seen(s, mesh) for s in (skin, other))
    low, high = STRETCHED
    share = ((low - own) / (low - high)).clamp(0, 1)
    low, high = LARGER
    share = share * ((theirs / own.clamp_min(1e-3) - low) / (high - low)).clamp(0, 1)
    return share * shown(other.points[:POINTS], placed, topology) * (areas(placed, topology).abs() >= LIP)


def _drawn(skin: Skin, mesh: Mesh) -> tuple[torch.Tensor, torch.Tensor]:
    """One photo's skin in the drawing, and where it shows it well enough [S, S], 0 or 1."""
    drawn, known = mesh.draw(skin.image, skin.points)
    if skin.shown is not None:
        known = known * (mesh.draw(skin.shown[None].float(), skin.points)[0][0] > 0.99)
    if skin.gain is not None:
        drawn = gained(drawn, mesh.interpolate(skin.gain[:, None]).movedim(-1, -3))
    return drawn, known


def hair_mask(image: torch.Tensor, covered: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """Where hair hangs over the forehead [S, S] 0..1: the selfie's fringe is not the background person's hair.

    Hair is what differs in colour from the middle of the rest of the face, which is mostly skin, and hangs on to the border of
    the mesh: brows and shadows on the forehead are the person's.
    """
    forehead = mesh.between(FOREHEAD) & (covered > 0)
    rest = (covered > 0) & ~forehead
    if not forehead.any() or rest.sum() < 64:
        return torch.zeros_like(covered)
    pixel = image.shape[-1] / FRAME
    smooth = blurred(image[None].clamp(0, 1), 1.5 * pixel)[0]
    seen = colours(smooth, rest)
    middle = seen.median(1, keepdim=True).values
    distance = torch.zeros_like(covered)
    distance[forehead] = apart(colours(smooth, forehead), middle)
    distance = distance[None, None] * (EVEN / apart(seen, middle).median()).clamp(1, DIMMEST)
    hair = grow((distance > FRINGE).float(), -pixel)  # single pixels are wrinkles or light
    root = (distance > ROOT) * grow((~mesh.covered).float()[None, None], HAIRLINE * pixel)
    hair = grow(connected(hair, root), 4 * pixel)  # the edge of hair is hair
    return blurred(hair, 2.0 * pixel)[0, 0] * forehead


def uncovered(image: torch.Tensor, mesh: Mesh, held: torch.Tensor | None = None) -> torch.Tensor:
    """A face's picture [3, S, S] with its own skin where something stands before it or hair falls over its rim: `front.py`.

    mesh: the face where it stands in the picture. held [S, S] 0..1: what else stands before it. What is around goes on
    smoothly there, in the tone of the skin beside it, with the fine structure and the features of the other side, as far as
    that is free.
    """
    seen, pixel = colours_of(image, mesh), image.shape[-1] / FRAME
    front = torch.maximum(found_in(seen, mesh, DOUBT), hair_beside(seen, mesh, beard(image, mesh) < SMOOTH[0]))
    front = front if held is None else torch.maximum(front, held)
    hidden = grow((front > 0).float()[None, None], EDGE * pixel)
    if not (hidden * mesh.covered).any():
        return image
    near = torch.where(seen.unlike < 1, 1.0, SHADED) * (seen.unlike < FALLS)
    smooth = fill(image[None], plane(mesh.covered & ~seen.feature) * near * (1 - hidden))[0]
    other = Skin(torch.cat([image, smooth, 1 - (hidden * mesh.covered)[0]]), mesh.points).mirrored(mesh.topology)
    instead, known = mesh.draw(other.image, other.points)
    instead, skin, free = instead.split((3, 3, 1))
    free = known * (grow(free[None], -EDGE * pixel) > 0.99)[0, 0]
    light = luma(instead)  # of each channel it would be tinted spots
    structure = (light + DARK) / (blurred(light[None], COARSE * pixel)[0] + DARK)
    own = smooth * torch.where(free > 0, structure.clamp(*STRUCTURE), 1)
    feature = blurred(free * grow(plane(seen.feature), -pixel), pixel)[0, 0]
    own = torch.lerp(own, smooth * (instead + DARK) / (skin + DARK), feature).clamp(0, 1)
    share = blurred(grow(hidden, SOFT * pixel), SOFT * pixel)[0, 0] * mesh.covered
    return torch.lerp(image, own, share)


def fill_occlusion(image: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """A face's picture [3, S, S] with what hides one side of it, hair or a shadow with an edge, replaced by the other side.

    mesh: the face where it stands in the picture. An occlusion hangs on to the upper border of the mesh, has not the colour of
    skin, and is not on the other side: brows, beards and glasses are on both. The forehead stays as it is: what hangs there
    gives way to the background's picture, see `hair_mask`.
    """
    inside, pixel = mesh.covered, image.shape[-1] / FRAME
    instead, known = _drawn(Skin(image, mesh.points).mirrored(mesh.topology), mesh)
    own, other = (colours(blurred(x[None].clamp(0, 1), 2.0 * pixel)[0], inside) for x in (image, instead))
    skin = own[:, own[0] >= own[0].median()].median(1, keepdim=True).values  # hair and shadows are the darker half
    own, other = apart(own, skin), apart(other, skin)
    foreign, hidden = torch.zeros_like(known), torch.zeros_like(known)
    foreign[inside] = (own > HIDDEN).to(known.dtype)
    hidden[inside] = ((own > HIDDEN) & (own - other > BETTER)).to(known.dtype)
    hidden = grow(grow((hidden * known)[None, None], -2 * pixel), 2 * pixel) * inside  # single strands and wrinkles gone
    row = torch.arange(len(known), device=known.device)[:, None]
    root = grow((~inside).float()[None, None], 5 * pixel) * (row < mesh.points[list(BROWS), 1].mean())
    hidden = connected(hidden, root)
    if hidden.sum() < LEAST * inside.sum():
        return image
    near = grow(hidden, 12 * pixel)  # before a brow or an eye it differs from none on the other side
    hidden = connected(torch.maximum(hidden, near * foreign), hidden)
    hidden = grow(grow(hidden, 10 * pixel), -4 * pixel)  # gaps closed, and the edge belongs to it
    share = blurred(hidden * ~mesh.between(FOREHEAD), 3.0 * pixel)
    share = share * blurred(grow(known[None, None], -2 * pixel), 2.0 * pixel)
    return torch.lerp(image, instead, share[0, 0] * known)
