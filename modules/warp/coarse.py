"""The guide: a coarse draft of the result, the selfie's face warped to the background's pose and the asked expression.

It is a preview for the artist and an extra input of the UNet, never the result: skin, light and seams are the UNet's work.
What no photo shows, the inside of a mouth that opens and eyes that open wide, is painted here, plainly.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from ..affine import FRAME
from ..faces.morphable import FaceShape, Fit, retarget
from .eyes import paint_eyes
from .light import Tone, colours, match_colour, side_light, tone
from .masks import blurred, feather, fill, grow
from .mesh import Mesh, between
from .mouth import MOUTH, paint_mouth
from .outline import warp_surroundings
from .skin import FOREHEAD, Skin, fill_occlusion, hair_mask, put_on


@dataclass
class Face:
    """A face in the canonical frame: picture [3, S, S] 0..1, points [478, 3] in its pixels, code [52] as measured.

    What its methods say with `triangles` is found once, for every word drawn in this picture.
    """

    image: torch.Tensor
    points: torch.Tensor
    code: torch.Tensor
    _found: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    def _once(self, name: str, find: Callable):
        if name not in self._found:
            self._found[name] = find()
        return self._found[name]

    def mesh(self, triangles: torch.Tensor) -> Mesh:
        """The face where it stands."""
        return self._once("mesh", lambda: Mesh.of(self.points, triangles, self.image.shape[-1]))

    def index(self, triangles: torch.Tensor) -> torch.Tensor:
        """The triangle of the face at each pixel [S, S], -1 beside it."""
        return self.mesh(triangles).index

    def skin(self, triangles: torch.Tensor, mirror: torch.Tensor | None) -> Skin:
        """What is drawn of this face in another's place; with `mirror` without what hides a side of it."""
        if mirror is None:
            return Skin(self.image, self.points)
        seen = self._once("skin", lambda: fill_occlusion(self.image, self.mesh(triangles), triangles, mirror))
        return Skin(seen, self.points)

    def keep_mask(self, triangles: torch.Tensor) -> torch.Tensor:
        """Where the picture needs no repainting if another face takes this one's place: see `still_right`."""
        return self._once("still right", lambda: keep_mask(self.index(triangles), triangles))

    def tone(self, triangles: torch.Tensor) -> Tone | None:
        """Of the face's own pixels; None if there are too few of them to tell."""
        return self._once("tone", lambda: tone(colours(self.image, self.index(triangles) >= 0)))

    def fit(self, shape: FaceShape) -> Fit:
        return shape.fit(self.points[None], self.code[None])


def face_mask(background: Face, placed: Mesh, triangles: torch.Tensor, pixels: float) -> torch.Tensor:
    """The part to repaint [S, S], 0 or 1: both faces' silhouettes, grown."""
    both = (background.index(triangles) >= 0) | (placed.index >= 0)
    return grow(both.float()[None, None], pixels)[0, 0]


def coarse_warp(
    selfie: Face,
    background: Face,
    placed: Mesh,
    mask: torch.Tensor,
    triangles: torch.Tensor,
    colour: float = 0.7,
    border: float = 6.0,
    mirror: torch.Tensor | None = None,
    light: float = 0.0,
) -> torch.Tensor:
    """The guide picture [3, S, S]: the background outside `mask` [S, S]; inside, the warped face, around it what stays right of
    the background's own picture (hair, ears, forehead), led to the face's outline, and a smooth fill where neither is known.

    `colour`: share of the way that the face's mean colour and contrast go to those of the background's face.
    `border`: pixels of the 256 px crop over which the warped face fades into what is around it.
    `mirror` [478], see `FaceNetworks.mirror`: what the selfie hides is drawn from its mirror image; without it, it is filled.
    `light`: share of the way that the selfie's light from the side goes to the background's; needs `mirror`.
    """
    itself = torch.equal(selfie.image, background.image)  # in its own place a face keeps what hangs over it
    skin = selfie.skin(triangles, None if itself else mirror)
    if light > 0:
        theirs, own = (side_light(face.image, face.points, mirror) for face in (background, skin))
        skin = skin._replace(gain=torch.exp(light * (theirs - own)))
    drawn, covered = put_on(skin, placed, triangles, mirror)
    covered = covered * (1 - hair_mask(drawn, covered, placed.index, triangles))
    drawn = match_colour(drawn, covered, background.tone(triangles), colour)
    drawn = paint_mouth(drawn, placed.index, selfie.points, placed.points, triangles)  # teeth have no skin colour to match
    drawn, covered = paint_eyes(drawn, covered, placed.index, selfie.points, placed.points, triangles)
    covered = torch.maximum(covered, MOUTH.inside(placed.index, triangles))  # a closed mouth has nothing to show there
    soft = feather(covered[None, None] * mask, border * len(mask) / FRAME)
    around = warp_surroundings(background.image, background.keep_mask(triangles), background.points, placed, mask, triangles)
    own = torch.maximum(around.keep_mask * mask, 1 - mask)[None, None] * (1 - soft)
    known = soft + own
    seen = drawn[None] * soft + around.image[None] * own
    return (seen + fill(seen / known.clamp_min(1e-6), known) * (1 - known))[0].clamp(0, 1)


def keep_mask(theirs: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    """Where the background's picture needs no repainting [S, S] 0..1: beside its face, and on its forehead.

    `theirs` [S, S]: the triangle of the background's face at each pixel, -1 beside it.
    """
    beside = ((theirs < 0) | between(FOREHEAD, theirs, triangles)).float()[None, None]
    pixel = theirs.shape[-1] / FRAME
    return blurred(grow(beside, -3 * pixel), 2.0 * pixel)[0, 0]


def placed_between(
    shape: FaceShape, who: Fit, there: Fit, geometry: torch.Tensor, identity: float, expression: float
) -> torch.Tensor:
    """Face points [478, 3] in the background's pose, doing `expression` times the asked geometry [K].

    `identity`: 0 the shape of the background's own face, 1 the selfie's, above 1 a caricature of it.
    """
    asked = expression * geometry[None]
    theirs = retarget(shape, who, there, asked)[0]
    if identity == 1:
        return theirs
    own = retarget(shape, there, there, asked)[0]
    return own + identity * (theirs - own)


def morph(
    selfie: Face,
    background: Face,
    placed: Mesh,
    mask: torch.Tensor,
    triangles: torch.Tensor,
    identity: float,
    mirror: torch.Tensor | None = None,
    light: float = 0.0,
) -> torch.Tensor:
    """The guide [3, S, S]: the selfie's skin at strengths of 1 and more, below that mixed with that of the background's face.

    `placed`: where the face points stand; `mask` [S, S]: what is repainted; `mirror` [478], `light` 0..1: see `draft`.
    """
    picture = coarse_warp(selfie, background, placed, mask, triangles, mirror=mirror, light=light) if identity > 0 else 0.0
    if identity >= 1:
        return picture
    own = coarse_warp(background, background, placed, mask, triangles, colour=0.0)
    return own + identity * (picture - own)
