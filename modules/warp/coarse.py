"""The coarse warp: the selfie's face moved to the background's pose and the asked expression, drawn into its picture.

It is a preview for the artist and an extra input of the UNet. What no photo shows, the inside of a mouth that opens and eyes
that open wide, is painted here, plainly. From a word to a picture: `points_of` says where the face points stand, `Mesh.of`
rasterises them, `face_mask` says what is repainted, `coarse_warp` draws.
"""

from dataclasses import dataclass, replace

import torch

from ..affine import FRAME
from ..faces.morphable import FaceShape, retarget
from ..types import Face, Fit, Strength, Topology
from .beard import Beard, beard_of, below_nose, hidden_jaw, outline_with_beard, sharper, shaven
from .eyeball import lids_met
from .eyes import paint_eyes
from .forehead import Above, Foreheads, above, dark, drawn_wholly
from .head import on_the_head
from .light import Tone, colours, match_colour, side_light, tone
from .masks import blurred, feather, fill, grow, plane
from .mesh import Mesh, sampled
from .mouth import MOUTH, Interior, paint_mouth, parted
from .outline import surroundings_place, warp_surroundings
from .plain_mouth import paint_plainly
from .rim import is_skin, led_rim, match_rim
from .skin import FOREHEAD, Skin, fill_occlusion, hair_mask, put_on, uncovered
from .strands import without_strands
from .unseen import gives_way
from .wrinkles import Shade

FADING = 10.0  # pixels of the 256 px crop over which a face fades into another's forehead at its upper end
UPPER, BROWS = 10, (105, 334)  # points of that end, and of the brows
KEPT = 1.0  # pixels of the 256 px crop that the rim of the background's own face is kept: sharper than what would fill it


@dataclass(frozen=True, eq=False)
class BackgroundFace:
    """A face in whose place another is drawn, with what is the same for every face that is."""

    face: Face
    mesh: Mesh  # of the face where it stands
    tone: Tone | None  # of the face's own pixels; None if there are too few of them to tell
    keep_mask: torch.Tensor  # [S, S] 0..1, see `keep_mask`
    in_front: torch.Tensor | None = None  # [S, S] 0..1, what stands before it
    beard: Beard | None = None  # that is to go, or comes
    below: torch.Tensor | None = None  # [3, h, S] of its picture below the crop

    @property
    def outline(self) -> torch.Tensor:
        """Points [478, 3] of what gives way to another face."""
        return self.face.points if self.beard is None else self.beard.points

    @classmethod
    def of(cls, face: Face, topology: Topology, below: torch.Tensor | None = None) -> "BackgroundFace":
        mesh = Mesh.of(face.points, topology, face.size)
        return cls(face, mesh, tone(colours(face.image, mesh.covered)), keep_mask(mesh), below=below)

    def behind(self, in_front: torch.Tensor) -> "BackgroundFace":
        """The same face where `in_front` [S, S] 0..1 stands before it, which says nothing of its skin."""
        seen = tone(colours(self.face.image, self.mesh.covered & (in_front == 0)))
        keep = self.keep_mask * torch.where(self.mesh.covered, 1 - in_front, 1)
        return replace(self, tone=seen, keep_mask=keep, in_front=in_front)

    def without_beard(self, pixels: float, hair: bool = True, full: bool = False) -> "BackgroundFace":
        """The same face, which gives way so many pixels of the 256 px crop beyond its mesh; its hair there goes, if any. full:
        whether it may be too long for that.
        """
        if hair:
            return replace(self, beard=beard_of(self.face.image, self.mesh, pixels, self.below if full else None))
        pixels *= self.face.size / FRAME
        return replace(self, beard=Beard(outline_with_beard(self.face.points, pixels, pixels)))

    def covering(self, drawn: torch.Tensor) -> torch.Tensor:
        """A drawn crop [3, S, S] with what stands before the face."""
        return drawn if self.in_front is None else torch.lerp(drawn, self.face.image, self.in_front)


def points_of(
    shape: FaceShape, who: Fit, background: Fit, geometry: torch.Tensor, strength: Strength, size: int = FRAME
) -> torch.Tensor:
    """Face points [478, 3] in the background's pose, doing the asked geometry [K] by the expression's strength.

    Identity strength: 0 the shape of the background's own face, 1 the selfie's, above 1 a caricature of it. Movement is the
    same for everybody, so narrow eyes and thin lips would go too far: lids and lips meet, and do not cross. At the ears a face
    is as wide as the background's head, see `head.py`; size: of the crop, pixels.
    """
    points = placed(shape, who, background, strength.expression * geometry, strength.identity)
    if MOUTH.crossed(points):
        points = MOUTH.met(points, placed(shape, who, background, torch.zeros_like(geometry), strength.identity))
    return lids_met(on_the_head(points, shape, background, size))


def placed(shape: FaceShape, who: Fit, background: Fit, asked: torch.Tensor, identity: float = 1.0) -> torch.Tensor:
    """`points_of` by geometry [K], whatever lids and lips do."""
    selfie = retarget(shape, who, background, asked[None])[0]
    if identity == 1:
        return selfie
    own = retarget(shape, background, background, asked[None])[0]
    return own + identity * (selfie - own)


def face_mask(background: BackgroundFace, mesh: Mesh, pixels: float) -> torch.Tensor:
    """The part to repaint [S, S], 0 or 1: the silhouettes of both faces, grown."""
    both = background.mesh.covered | mesh.covered
    return grow(both.float()[None, None], pixels)[0, 0]


def keep_mask(mesh: Mesh) -> torch.Tensor:
    """Where the background's picture needs no repainting [S, S] 0..1: beside its face, at its rim, and on its forehead."""
    beside = (~mesh.covered | mesh.between(FOREHEAD)).float()[None, None]
    pixel = mesh.index.shape[-1] / FRAME
    return blurred(grow(beside, KEPT * pixel), 2.0 * pixel)[0, 0]


def unoccluded(
    face: Face, topology: Topology, held: torch.Tensor | None = None, bare: torch.Tensor | None = None
) -> Skin:
    """The face's skin without what stands before it or hides one side of it: for another place, where that is another.

    held [S, S] 0..1: what stands before it, where that is known; bare [S, S], 0 or 1: where it is skin, above the mesh, too.
    """
    mesh = Mesh.of(face.points, topology, face.size)
    return Skin(uncovered(fill_occlusion(without_strands(face.image, mesh, bare), mesh), mesh, held), face.points)


def coarse_warp(
    skin: Skin,
    background: BackgroundFace,
    mesh: Mesh,
    mask: torch.Tensor,
    colour: float = 0.7,
    border: float = 4.0,
    complete: bool = False,
    light: float = 0.0,
    shade: Shade | None = None,
    interior: Interior | None = None,
    rim: bool = False,
    foreheads: Foreheads | None = None,
) -> torch.Tensor:
    """The picture [3, S, S]: the background's outside `mask` [S, S]; inside, the warped face, around it what can stay of the
    background (hair, ears, forehead, what the photo does not show), warped to the face's outline, and a smooth fill elsewhere.

    colour: share of the way that the face's mean colour and contrast go to those of the background's face.
    border: pixels of the 256 px crop over which the warped face fades into what is around it.
    complete: what the selfie hides is drawn from its mirror image; else it is filled.
    light: share of the way that the selfie's light from the side goes to the background's.
    shade: the folds of an expression. interior: of its mouth; without one it is painted plainly.
    rim: whether face and surroundings are led to each other's tone; of what `colour` leaves, the face takes the same share.
    foreheads: where both show bare skin above the mesh; None: the face ends with it.
    """
    if light > 0:
        mirror = mesh.topology.mirror
        theirs, own = (side_light(side.image, side.points, mirror) for side in (background.face, skin))
        skin = skin._replace(gain=torch.exp(light * (theirs - own)))
    lips = skin if interior is None else skin._replace(points=parted(skin.points, mesh.points))
    drawn, covered = put_on(lips, mesh, complete)
    way = gives_way(skin, mesh)
    photo, hair = covered * (1 - way), hair_mask(drawn, covered, mesh)
    covered = photo * (1 - hair)
    gain = None if skin.gain is None else mesh.interpolate(skin.gain[:, None]).movedim(-1, -3)
    drawn, covered = paint_eyes(drawn, covered, mesh, skin.image, skin.points, gain)
    place, top, whole = surroundings_place(background.outline, mesh, mask, foreheads is not None), None, covered
    if foreheads is not None:
        foreheads = foreheads.beside(place)
        top = above(skin, mesh, drawn, photo * (1 - dark(hair, drawn, photo)), *foreheads)
        drawn, whole = top.image, torch.maximum(covered, top.share)
    drawn = match_colour(drawn, whole, background.tone, colour)
    covered = torch.maximum(covered, MOUTH.inside(mesh))  # a closed mouth has nothing to show there
    around = warp_surroundings(background.face.image, background.keep_mask, place, mask)
    if rim:
        free = bare(background, place)
        tells = None if background.beard is None else 1 - hidden_jaw(mesh, background.face.points, background.beard)
        drawn, lit = match_rim(drawn, torch.maximum(whole, covered) * free, around.image, mask, colour, tells)
        led = led_rim(lit, drawn, whole, free * skin_of(lit, mesh, foreheads))
        if background.beard is not None:
            led = torch.lerp(led, lit, below_nose(mesh))  # whose jaw gave way shows none of its skin there
        around = around._replace(image=torch.where(mask > 0, led, lit))
    if background.beard is not None:
        around = around._replace(image=shaven(around.image, background.face.points, background.beard, place, mesh, mask))
    if shade is not None:
        drawn = shade.on(drawn)
    if interior is None:  # teeth have no skin colour to match
        drawn = paint_plainly(drawn, mesh, skin.points)
    else:
        drawn = paint_mouth(drawn, mesh, skin.image, skin.points, interior)
    outer = None if background.beard is None else background.beard.points
    soft = drawn_share(covered, mask, mesh, background.face.points, outer, top, border, rim)
    own = torch.maximum(torch.maximum(around.keep_mask, way) * mask, 1 - mask)[None, None] * (1 - soft)
    known = soft + own
    both = drawn[None] * soft + around.image[None] * own
    return (both + fill(both / known.clamp_min(1e-6), known) * (1 - known))[0].clamp(0, 1)


def drawn_share(
    covered: torch.Tensor,
    mask: torch.Tensor,
    mesh: Mesh,
    old: torch.Tensor,
    outer: torch.Tensor | None,
    top: Above | None,
    border: float,
    rim: bool = False,
) -> torch.Tensor:
    """How far a face that is `covered` [S, S] 0..1 is drawn [1, 1, S, S] 0..1, faded at its border over so many pixels of the
    256 px crop.

    old [478, >= 2]: points of the face that was there; outer: of its outline, where that gives way; top: the face above its
    mesh, if it goes on there. rim: whether it fades farther at its upper end.
    """
    face, pixel = covered[None, None] * mask, len(mask) / FRAME
    soft = feather(face, border * pixel)
    if outer is not None:
        soft = sharper(soft, face, mesh, old, outer)
    if rim:
        soft = fading_upwards(soft, feather(face, FADING * pixel), mesh)
    return soft if top is None else torch.maximum(soft, drawn_wholly(top, covered, mask, border))


def fading_upwards(soft: torch.Tensor, softer: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """Masks [1, 1, S, S]: `soft` below the brows, `softer` at the upper end of the forehead, and all between them."""
    brows, upper = mesh.points[list(BROWS), 1].min(), mesh.points[UPPER, 1]
    row = torch.arange(soft.shape[-1], dtype=soft.dtype, device=soft.device)[:, None]
    share = ((brows - row) / (brows - upper).clamp_min(1)).clamp(0, 1)
    return torch.lerp(soft, torch.minimum(soft, softer), share)


def skin_of(around: torch.Tensor, mesh: Mesh, foreheads: Foreheads | None) -> torch.Tensor:
    """Where the surroundings [3, S, S] of a drawn face, in its shape, are skin of their face and forehead [S, S], 0 or 1."""
    face = plane(mesh.covered)
    skin = (is_skin(around[None], face) * face)[0, 0]
    return skin if foreheads is None else torch.where(mesh.covered, skin, foreheads.background.to(skin))


def bare(background: BackgroundFace, place: torch.Tensor) -> torch.Tensor | float:
    """Where the background shows its face's own skin [S, S] 0..1, in the drawn face's shape; 1: all of it. place: see
    `surroundings_place`.
    """
    if background.in_front is None:
        return 1.0
    return 1 - sampled(background.in_front[None], place)[0]


def morph(
    skin: Skin,
    background: BackgroundFace,
    mesh: Mesh,
    mask: torch.Tensor,
    identity: float,
    light: float = 0.0,
    shade: Shade | None = None,
    interior: Interior | None = None,
    tone: float | None = None,
    foreheads: Foreheads | None = None,
) -> torch.Tensor:
    """The coarse warp [3, S, S]: the selfie's skin at identity strengths of 1 and more, below that mixed with the background's.

    Tokens cannot undo what the coarse warp shows (`docs/results.md` has the figures), so a strength has to change it. Both
    people are drawn onto the same points before they are mixed: a morph, not one face shining through another.
    tone: 0..1, how far the selfie's skin tone goes to the background's, without a step at the rim; None in its own photo.
    """
    how = {"complete": True, "light": light, "shade": shade, "interior": interior}
    if tone is not None:
        how |= {"colour": tone, "rim": True, "foreheads": foreheads}
    picture = coarse_warp(skin, background, mesh, mask, **how) if identity > 0 else 0.0
    if identity >= 1:
        return picture
    own = coarse_warp(Skin.of(background.face), background, mesh, mask, colour=0.0)
    return own + identity * (picture - own)
