"""The forehead above the face mesh, which ends half way up: as far as the background shows bare skin there, it is the selfie's.

A strip goes on from the mesh's upper border towards the crown, along the middle of the forehead. Where the selfie has bare skin
there, too, that is drawn; where it has hair, or its photo ends, the tone of its forehead goes on, see `field.py`, with the
structure of skin that lies below or on the other side.
"""

from typing import NamedTuple

import torch

from ..affine import FRAME
from .field import averaged, tone_field, tone_of
from .front import Colours, colours_of, gleams
from .light import gained, luma
from .masks import blurred, connected, feather, fill, grow, plane
from .mesh import POINTS, Mesh, sampled
from .skin import FOREHEAD, Skin
from .skull import beyond_head
from .strip import FOOT, HEIGHT, TOP, UPPER, Strip, border
from .structure import FINE, over_and_over, structure_of

TEMPLE = 162, 127, 34, 143, 139, 156, 70, 71, 21, 68  # of the right half: the temple, down to the corner of the eye
CORNERS = 54, 284  # of the forehead, on that border
FADED = 0.62  # share of its height up to which a face is drawn wholly: beyond, one forehead fades into the other
DEPTH = 0.6  # of the way from that border down to the brows, as far as structure is taken from there

# lengths are pixels of the 256 px crop
ALIKE = 1.6, 1.2  # distance from skin, see `unlike.py`, up to which a background's forehead is bare, and a selfie's
HUNG = 2.0  # and from which on it is not what the mesh covers
PALE, MOSTLY = (0.8, 0.25), 0.45  # log of light from skin to white cloth; what it has of red; share of the strip that it covers
BRIDGE = 3.0  # half the width of what joins cloth
SPECK, GLEAM = 1.5, 5.0  # half the width of what joins nothing, and of a gleam or a fold that is skin
EDGE = 5.0  # of a selfie's skin at its hair, which is not drawn
JOINED = 10.0  # above what of a face is not drawn as the photo shows it, where that would have an edge
NEAR = 12.0  # beside what is drawn above, where the upper end of the mesh is none
SOFT = 4.0  # over which the forehead ends downwards
ENDS = 20.0  # over which it fades towards the upper end of the crop, beyond which a high head goes on
SMOOTH = 5.0  # over which tone is averaged
UNEVEN, LEVEL = 0.12, 0.25  # log of light by which a shadow or gleam may differ from the forehead, from so high on;
SHADE = 10.0  # how far below the mesh's upper border a shadow gets less
BROAD = 10.0  # over which such a difference goes on beyond what is seen, that it shows no line where that ends
EVENED = 0.5, 1.0  # share of the way from the brows to the mesh's upper end from which on it gets less, and where it has
SEEN = 0.5  # share of the forehead below that a selfie must show, that it can go on


class Foreheads(NamedTuple):
    """Bare skin of two people, that above the mesh included, each in its own crop [S, S]."""

    selfie: torch.Tensor  # 0..1, see `trusted`
    background: torch.Tensor  # 0 or 1, or bool, see `bare_forehead`

    def beside(self, place: torch.Tensor) -> "Foreheads":
        """The background's in the shape of the drawn face; place: see `outline.surroundings_place`."""
        return self._replace(background=sampled(self.background[None].to(place), place)[0])


class Source(NamedTuple):
    """Where in a selfie's crop structure comes from [S, S, 2], and how far it does or could [S, S] 0..1."""

    place: torch.Tensor
    share: torch.Tensor


class Above(NamedTuple):
    """A face gone on above its mesh: a picture [3, S, S]; how far it is drawn there and on the forehead below [S, S] 0..1;
    what it shows as the selfie does, and where else its structure can come from where it does not.
    """

    image: torch.Tensor
    share: torch.Tensor
    own: Source
    others: tuple[Source, ...]


class Seen(NamedTuple):
    """What is seen on and around a face in its picture."""

    colours: Colours
    cloth: torch.Tensor  # [1, 1, S, S], 0 or 1, see `pale_cloth`

    @classmethod
    def of(cls, image: torch.Tensor, mesh: Mesh) -> "Seen":
        """Of a picture [3, S, S]; mesh: where the face stands."""
        colours = colours_of(image, mesh)
        return cls(colours, pale_cloth(colours, mesh))


def bare_forehead(there: Seen, mesh: Mesh, alike: float = ALIKE[0]) -> torch.Tensor:
    """Bare skin of a face and in the strip above it [S, S], 0 or 1; there: what is seen; mesh: where the face stands.

    alike: distance from skin up to which the strip is bare. On the face what hangs in from the strip is not.
    """
    pixel, face, free = len(mesh.index) / FRAME, plane(mesh.covered), plane(Strip.of(mesh).covered & ~mesh.covered)
    seen, cloth = there
    alike = (torch.maximum(free, face) > 0) & (seen.unlike < alike)
    alike = alike & (cloth[0, 0] < 0.5)
    gleam = gleams(seen, alike, mesh) * (1 - cloth)
    skin = torch.maximum(torch.maximum(free * alike, gleam * free), face)
    skin = connected(grow(grow(skin, -SPECK * pixel), SPECK * pixel), face)
    across = along(mesh, *CORNERS)  # there a head goes on above a face, beside its temples a wall does
    start = grow(face, 2 * SPECK * pixel) * ((across > 0) & (across < 1))
    joined = connected(skin * free, start)
    head = 1 - beyond_head(joined, seen, mesh)
    skin = torch.maximum(face, connected(joined * head, start))
    skin = grow(grow(skin, GLEAM * pixel), -GLEAM * pixel) * head  # over the border of the strip it may stretch
    hair = connected(1 - skin, (1 - free) * (1 - face)) * free  # a hole in skin is a gleam
    inner = torch.maximum(plane(upper_part(mesh) & ~seen.feature & (seen.unlike > HUNG)) * (1 - gleam), cloth * face)
    return (torch.maximum(free, face) * (1 - connected(torch.maximum(hair, inner), hair)))[0, 0]


def along(mesh: Mesh, one: int, other: int) -> torch.Tensor:
    """How far each pixel lies along the way from one face point, 0, to another, 1: [S, S]."""
    foot, way = mesh.points[one, :2], mesh.points[other, :2] - mesh.points[one, :2]
    x, y = (way / way.square().sum().clamp_min(1)).tolist()
    axis = torch.arange(len(mesh.index), device=mesh.points.device) + 0.5
    return x * (axis - foot[0])[None] + y * (axis - foot[1])[:, None]


def pale_cloth(seen: Colours, mesh: Mesh) -> torch.Tensor:
    """What on and above a forehead is so much brighter and paler than the face's skin, over most of the strip and beyond, that
    it is white cloth and no gleam: [1, 1, S, S], 0 or 1.
    """
    pixel, strip = len(mesh.index) / FRAME, plane(Strip.of(mesh).covered | mesh.covered)
    light, red, _ = seen.logs[:, mesh.covered & ~seen.feature].median(1).values
    pale = (seen.logs[0] > light + PALE[0]) & (seen.logs[1] < PALE[1] * red)
    pale = plane(pale & (~mesh.covered | upper_part(mesh)))
    broad = grow(pale, -BRIDGE * pixel)  # grey hair joins gleams narrowly
    beyond = connected(broad * (1 - strip), grow(strip, 2 * pixel))
    cloth, free = grow(connected(broad, beyond), BRIDGE * pixel) * pale * strip, strip * ~mesh.covered
    if not (cloth * free).sum() > MOSTLY * free.sum():
        return torch.zeros_like(pale)
    return grow(cloth, SPECK * pixel) * strip


def upper_part(mesh: Mesh) -> torch.Tensor:
    """Forehead and temples [S, S] bool."""
    return mesh.between(FOREHEAD) | mesh.between(TEMPLE) | mesh.between(mesh.opposite(TEMPLE))


def reached(bare: torch.Tensor, pixels: float) -> torch.Tensor:
    """What is repainted [S, S], 0 or 1, so that a forehead can be drawn where it is bare [S, S], pixels of the 256 px crop."""
    return grow(bare[None, None].float(), pixels * len(bare) / FRAME)[0, 0]


def above(
    skin: Skin, mesh: Mesh, drawn: torch.Tensor, covered: torch.Tensor, own: torch.Tensor, theirs: torch.Tensor
) -> Above:
    """The skin of a selfie on and above the face that is `drawn` [3, S, S] from it where `covered` [S, S] 0..1, gleams too.

    own [S, S] 0..1: where the selfie's crop is skin, see `trusted`; theirs [S, S]: the background, in the drawn face's shape.
    """
    pixel, strip = len(covered) / FRAME, Strip.of(mesh)
    inside, below = strip.covered & ~mesh.covered, upper_part(mesh)
    height = strip.interpolate(*(drawn.new_full((len(UPPER), 1), end) for end in (0.0, 1.0)))
    factor, calm = structure_of(skin.image)
    calm = calm * own
    straight, *elsewhere = places(skin.points, mesh, strip, inside, height, calm)
    known = sampled(own[None], straight)[0] * torch.where(inside, 1.0, covered)
    if not known[below].mean() > SEEN:
        return Above(drawn, torch.zeros_like(covered), Source(straight, mesh.covered.to(covered)), ())
    image = torch.where(inside, with_gain(sampled(skin.image, straight), skin, mesh, covered), drawn)
    plain = grow((known * (inside | below))[None, None], -pixel)[0, 0]
    tone, left = tone_field(image, plain, SMOOTH * pixel)
    structure, others = _taken(factor, calm, elsewhere)
    low, high = EVENED
    level = torch.maximum(height[..., 0] / LEVEL, (along(mesh, FOOT, TOP) - low) / (high - low)).clamp(0, 1)
    beside = blurred(grow(plane(inside), SHADE * pixel), SHADE / 2 * pixel)[0, 0]  # at its sides, where hair throws shadows
    level = torch.maximum(level, beside * (-left.mean(0) / UNEVEN - 0.5).clamp(0, 1)) * (inside | below)
    weak = left * (UNEVEN / left.abs().amax(0).clamp_min(1e-3)).clamp(max=1)
    even = averaged(weak, inside | below, BROAD * pixel)
    image = image * torch.exp(level * (even - left))
    soft = blurred(plane(inside | below), SOFT * pixel)[0, 0] * (inside | mesh.covered)
    goes_on = tone_of(tone + torch.lerp(left, even, level)) * structure
    image = torch.lerp(drawn, torch.lerp(goes_on, image, known), torch.where(inside, 1.0, soft))
    rows = torch.arange(len(covered), device=covered.device)[:, None] / (ENDS * pixel)
    share = torch.where(inside, theirs * torch.minimum((1 - height[..., 0]) / (1 - FADED), rows).clamp(0, 1), soft)
    seen = torch.where(inside, known, 1 - soft * (1 - known))
    others = tuple(Source(place, other * soft) for place, other in zip(elsewhere, others, strict=True))
    return Above(image.clamp(0, 1), share, Source(straight, seen), others)


def places(
    points: torch.Tensor, mesh: Mesh, strip: Strip, inside: torch.Tensor, height: torch.Tensor, calm: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Where in a selfie's crop, whose face points are [478, 3], the drawn skin is [S, S, 2]; and where skin like it is: turned
    over the mesh's border, on the other side, and in the patch of skin that is most `calm` [S, S] 0..1, over and over.

    inside [S, S] bool, height [S, S, 1] 0..1: the strip above the drawn mesh.
    """
    (foot, end, rise), own = border(points), points[:POINTS, :2]
    over = strip.interpolate(foot, foot) - DEPTH * swing(height) * strip.interpolate(rise, rise)
    both = lambda above_it, on_it: torch.where(inside[..., None], above_it, mesh.interpolate(on_it))  # noqa: E731
    straight, turned = both(strip.interpolate(foot, end), own), both(over, own)
    other = both(strip.interpolate(foot.flip(0), end.flip(0)), own[mesh.topology.mirror[:POINTS]])
    return straight, turned, other, over_and_over(points, straight, calm)


def dark(hair: torch.Tensor, drawn: torch.Tensor, covered: torch.Tensor) -> torch.Tensor:
    """What of the hair [S, S] 0..1 that `hair_mask` sees in a face drawn [3, S, S] where covered [S, S] 0..1 is no gleam."""
    light = blurred(luma(drawn[None]), FINE * len(hair) / FRAME)[0, 0]
    skin = light[(covered > 0.5) & (hair < 0.5)]
    return hair * (light < skin.median()) if len(skin) else hair


def trusted(
    bare: torch.Tensor, mesh: Mesh, shown: torch.Tensor | None, changed: torch.Tensor | None = None
) -> torch.Tensor:
    """How surely a selfie's crop shows skin on and above its face [S, S] 0..1, of what is `bare` [S, S]: not at the edge of its
    hair. mesh: where the face stands; shown [S, S]: what of the crop is known, None: all; changed [S, S] bool: where its face
    is not drawn as the photo shows it: neither is what joins that above the mesh.
    """
    pixel, strip = len(bare) / FRAME, Strip.of(mesh).covered & ~mesh.covered
    hidden = (strip | mesh.covered) & (bare < 0.5)
    if shown is not None:
        hidden = hidden | (shown < 0.5)
    sure = 1 - blurred(grow(plane(hidden), EDGE * pixel), EDGE / 2 * pixel)[0, 0]
    if changed is None:
        return sure
    broad = grow(grow(plane(changed & mesh.covered), -SPECK * pixel), SPECK * pixel)
    return sure * torch.where(strip, 1 - blurred(grow(broad, JOINED * pixel), EDGE / 2 * pixel)[0, 0], 1.0)


def with_gain(image: torch.Tensor, skin: Skin, mesh: Mesh, covered: torch.Tensor) -> torch.Tensor:
    """A picture [3, S, S] in the light that the skin has on the mesh, gone on smoothly."""
    if skin.gain is None:
        return image
    return gained(image, fill((mesh.interpolate(skin.gain[:, None])[..., 0] * covered)[None, None], covered[None, None])[0])


def drawn_wholly(top: Above, covered: torch.Tensor, mask: torch.Tensor, border: float) -> torch.Tensor:
    """How far [1, 1, S, S] 0..1 a face is drawn, covered [S, S] 0..1, that goes on above its mesh; 0 where it does not."""
    pixel = len(covered) / FRAME
    near = blurred(grow((top.share > 0.5).float()[None, None], NEAR * pixel), NEAR / 3 * pixel)
    return feather(torch.maximum(covered, top.share)[None, None] * mask, border * pixel) * near


def swing(height: torch.Tensor) -> torch.Tensor:
    """How far below the border, 0..1 of `DEPTH`, structure is taken from for a place so high 0..1: down and up again."""
    share = height * HEIGHT / DEPTH
    return 1 - (share % 2 - 1).abs()


def _taken(
    factor: torch.Tensor, calm: torch.Tensor, places: list[torch.Tensor]
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """A factor [3, S, S] at the first of some places [S, S, 2] that is calm [S, S] 0..1, and how calm each is [S, S]."""
    result, shares, left = torch.ones_like(factor), [], torch.ones_like(calm)
    for place in places:
        there = sampled(torch.cat([factor, calm[None]]), place)
        shares.append(there[3])
        result, left = result + left * there[3] * (there[:3] - 1), left * (1 - there[3])
    return result, shares
