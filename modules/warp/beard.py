"""Whether a face has a beard, its outline with it, and the neck behind it: round a smooth face the beard that was there would
stand as a rim.

Told by colour and structure alone: hair on upper lip and jaw is darker, paler in colour and rougher than the cheeks.
"""

from typing import NamedTuple

import torch

from ..affine import FRAME
from .front import colours_of, features
from .light import GAMMA, gained, luma
from .long_beard import goes_on
from .masks import blurred, connected, feather, fill, grow, plane
from .mesh import Mesh, sampled
from .palette import between
from .rim import is_skin
from .unlike import logs_of

# logit of a beard: what a jaw's chroma is below the cheeks' (logs of red over blue), how much rougher it is (log), how much
# darker the upper lip (log of linear light), and a constant; fitted on 118 portraits, of ten parts each told by the other nine
# .95 of pairs of a beard and a bare chin are ranked rightly
CHROMA, ROUGH, DARK, NONE = 2.0, 1.75, 1.45, -2.16
FINE, NEAR, NOISE = 1.2, 3.0, (0.06, 0.003)  # pixels of the 256 px crop: structure, and over how far it is averaged; added
RIM, JAW, CHEEK = (2.0, 16.0), 6.0, 6.0  # the same: the rim of a face, how far above the mouth's corners a jaw begins, and how
LEAST = 15  # far from the rim cheeks end; pixels of any of them that tell something
SMOOTH, BEARDED = (-0.6, -1.2), (-0.8, -0.2)  # logits: at the first nothing is done, at the second all
BARE = -0.6, -0.8  # the same, of a selfie: wrinkles are rough, too, and half of a beard that goes is left as a stub
STUBBLE = -1.6, -1.0  # the same: of a line of it along the jaw
OTHER = 0.2, 0.3  # the same: how much lighter or darker than another a beard is, as a share of the cheeks' light
WIDE, NARROW = 10.0, 4.0  # pixels of the 256 px crop: how far a beard that is cut reaches beyond the mesh, and stubble
BRIDGE, NOSE, LIP, CORNERS, CHIN, CHEEKS = 6, 2, 0, (61, 291), 152, (234, 454)
UNDER = (136, 365), (172, 397)  # points of a jaw up to which a beard hangs before the neck, and beyond which it does not
BEHIND, BEYOND, BAND = 10.0, 14.0, 8.0  # pixels of the 256 px crop: how far a jaw's rim is soft, how far hair is looked for,
HAIRS, LIKE = 3.0, 25.0  # and stubble; half of its widest line; CIELAB distance from the middle of a face up to which it is
# a neck's skin: how far from the mesh; paler and richer than cheeks, unlike them (`unlike.py`), brighter; the least of it
NECK, PALE, RICH, UNLIKE, BRIGHT, SEEN = 40.0, (0.1, 0.3), -1.2, (0.8, 1.1), 0.2, 60
HAIR, SPREAD = (-2.5, 1.0), 1.0  # log light and log chroma of hair beside those of the rim's: others are cloth
WITHIN, SPARE = (6.0, 2.0), 2.0  # pixels: the rim where hair begins; it is grown by
FULL = 3.5  # logit from which on a beard may be long
ASIDE, RAMP = 30.0, 8.0  # the same: how wide a chin is on either side, and over how far hair ends beside a neck
SHADOW, DEEPEST = (0.4, 5.0), 0.2  # of a chin on its neck: log of linear light at the rim, pixels; the least share of light
SHARP = 2.0  # pixels of the 256 px crop over which a face ends before a neck without its beard


class Jaw(NamedTuple):
    """How a jaw is beside its cheeks: the logit of a beard, and the share of the cheeks' light that it has."""

    beard: float
    light: float


def beard(image: torch.Tensor, mesh: Mesh) -> float:
    """The logit of a beard in a face's picture [3, S, S]; mesh: the face where it stands. Where nothing is seen: `NONE`."""
    return jaw_of(image, mesh).beard


def jaw_of(image: torch.Tensor, mesh: Mesh) -> Jaw:
    """The jaw of a face in its picture, see `beard`; light as pictures have it."""
    pixel, bare = len(mesh.index) / FRAME, ~features(mesh)
    row, column = (torch.arange(len(mesh.index), device=image.device).unsqueeze(k) for k in (1, 0))
    within = lambda k: grow(mesh.covered.float()[None, None], -k * pixel)[0, 0] > 0  # noqa: E731
    x, y = mesh.points[:, :2].unbind(1)
    left, right = sorted(x[list(CORNERS)].tolist())
    cheek = _cheeks(mesh) & bare
    jaw = within(RIM[0]) & ~within(RIM[1]) & bare & (row > y[CORNERS[0]] - JAW * pixel)
    lip = within(3.0) & (row > y[NOSE] + pixel) & (row < y[LIP] - pixel) & (column > left) & (column < right)
    (light, red, blue), halves = logs_of(image), (column < x[1], column >= x[1])
    values = torch.stack([light, red - blue, roughness(image)])
    of_jaw, of_lip = (_beside_cheeks(values, cheek, zone, halves, LEAST * pixel**2) for zone in (jaw, lip))
    logit = CHROMA * float(-of_jaw[:, 1].mean()) + ROUGH * float(of_jaw[:, 2].max()) + DARK * float(-of_lip[:, 0].max()) + NONE
    return Jaw(logit, float(torch.exp(of_jaw[:, 0].mean() / GAMMA)))


def _cheeks(mesh: Mesh) -> torch.Tensor:
    """Where the cheeks of a face are [S, S] bool, from between the eyes to below the nose."""
    row, y = torch.arange(len(mesh.index), device=mesh.points.device)[:, None], mesh.points[:, 1]
    return (grow(plane(mesh.covered), -CHEEK * len(mesh.index) / FRAME)[0, 0] > 0) & (row > y[BRIDGE]) & (row < y[NOSE])


def roughness(image: torch.Tensor) -> torch.Tensor:
    """Log of the local spread of a picture's [3, S, S] finest structure [S, S]."""
    pixel = image.shape[-1] / FRAME
    light = torch.log(luma(image.clamp(0, 1))[None] + NOISE[0])
    spread = blurred((light - blurred(light, FINE * pixel)) ** 2, NEAR * pixel)[0, 0].clamp_min(0).sqrt()
    return torch.log(spread + NOISE[1])


def _beside_cheeks(
    values: torch.Tensor, cheek: torch.Tensor, zone: torch.Tensor, halves: tuple[torch.Tensor, ...], least: float
) -> torch.Tensor:
    """Median values [C, S, S] of a zone over those of the cheek above, for each half of the face that shows both: [n, C]."""
    pairs = [(cheek & half, zone & half) for half in halves]
    pairs = [(one, other) for one, other in pairs if min(one.sum(), other.sum()) >= least]
    middles = [values[:, other].median(1).values - values[:, one].median(1).values for one, other in pairs]
    return torch.stack(middles) if middles else values.new_zeros(1, len(values))


class Way(NamedTuple):
    """How far an outline gives way beyond the mesh, pixels of the 256 px crop; whether hair goes, and whether that is full."""

    pixels: float
    hair: bool
    full: bool


def in_the_way(there: Jaw, here: Jaw) -> Way:
    """How far the face that was there gives way to the jaw of the one that is drawn: by its beard where that one has none like
    it; and a little for that one's beard where it has none, or that would end in a band of its chin.
    """
    reach = max(WIDE * between(there.beard, BEARDED), NARROW * between(there.beard, STUBBLE))
    reach *= max(between(here.beard, BARE), between(abs(there.light - here.light), OTHER))
    room = NARROW * between(there.beard, SMOOTH) * between(here.beard, BEARDED)
    return Way(max(reach, room), reach > 0, there.beard > FULL)


def outline_with_beard(points: torch.Tensor, pixels: float, chin: float) -> torch.Tensor:
    """Face points [478, >= 2], below the eyes so much farther from the nose that the jaw is `pixels` further out, and `chin`
    pixels in its middle.
    """
    x, y = points[:, 0], points[:, 1]
    middle = torch.stack([x[list(CHEEKS)].mean(), y[1]])
    share = ((y - y[BRIDGE]) / (y[LIP] - y[BRIDGE]).clamp_min(1)).clamp(0, 1)[:, None]
    left, right = x[list(UNDER[0])]
    aside = (2 * (x - x[CHIN]).abs() / (right - left).abs().clamp_min(1)).clamp(0, 1)
    far = torch.stack([torch.full_like(x, pixels), torch.lerp(torch.full_like(x, chin), torch.full_like(x, pixels), aside)], 1)
    moved = points.clone()
    moved[:, :2] += share * (points[:, :2] - middle) * far / (y[CHIN] - middle[1]).clamp_min(1)
    return moved


class Beard(NamedTuple):
    """A beard in a picture that is to go, or room for another."""

    points: torch.Tensor  # [478, 3] of the face's outline with it
    hair: torch.Tensor | None = None  # [S, S] 0..1 where it hangs before the neck, of stubble nowhere; None: none is to go
    neck: torch.Tensor | None = None  # [S, S] 0 or 1, where the neck's skin is seen
    stays: bool = False  # below the chin, since it goes on below the crop


def beard_of(image: torch.Tensor, mesh: Mesh, pixels: float, below: torch.Tensor | None = None) -> Beard:
    """The beard in a face's picture [3, S, S] that reaches so many pixels of the 256 px crop beyond its mesh.

    below [3, h, S]: what the picture shows below the crop. A beard that goes on there stays: a band of it would be left.
    Below the chin, where the crop ends soon, hair is told from the neck; where no neck is seen, and beside it, there may be
    cloth or a wall of any colour, and the outline alone is wider. Stubble hangs before nothing.
    """
    pixel = len(mesh.index) / FRAME
    outline = lambda chin: outline_with_beard(mesh.points, pixels * pixel, chin * pixel)  # noqa: E731
    none, whole = torch.zeros_like(image[0]), between(pixels, (NARROW, WIDE))
    if whole == 0:
        return Beard(outline(pixels), none, none)
    colours, cheeks = colours_of(image, mesh), _cheeks(mesh)
    light, chroma = colours.logs[0], colours.logs[1] - colours.logs[2]
    light, pale = (value - value[cheeks].median() if cheeks.any() else value for value in (light, -chroma))
    before, unlike = _before_neck(mesh), (colours.unlike > UNLIKE[1]) | (pale > PALE[1])
    rim = (_rim(mesh, *WITHIN) * before > 0.5) & unlike
    if below is not None and goes_on(below, colours.logs, rim, float(mesh.points[CHIN, 0])):
        return Beard(outline(NARROW), none, none, True)
    skin = ((pale < PALE[0]) & (pale > RICH) | (colours.unlike < UNLIKE[0])) & (light < BRIGHT) & (before > 0) & ~mesh.covered
    neck = grow(plane(skin) * _rim(mesh, 0, NECK), -pixel)
    if neck.sum() < SEEN * pixel**2:
        return Beard(outline(pixels), none, none)
    before = before * _beside(neck, mesh)
    hair = _hair(light, pale, unlike, before, mesh)
    soft = blurred(hair, 1.5 * pixel)[0, 0] * before * whole
    return Beard(outline(min(pixels, NARROW)), soft, (neck * (hair == 0))[0, 0])


def _before_neck(mesh: Mesh) -> torch.Tensor:
    """How far what is there may hang before the neck of a face [S, S] 0..1: below the mouth, between both ends of the jaw."""
    row, column = (torch.arange(len(mesh.index), device=mesh.points.device).unsqueeze(k) for k in (1, 0))
    x, y = mesh.points[:, :2].unbind(1)
    sides = [((column - x[none]) / (x[whole] - x[none])).clamp(0, 1) for whole, none in zip(*UNDER, strict=True)]
    return sides[0] * sides[1] * (row > y[list(CORNERS)].mean())


def _beside(neck: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """Columns [S] 0..1 of a neck [1, 1, S, S], 0 or 1, and of the chin before it."""
    pixel, columns = len(mesh.index) / FRAME, neck[0, 0].sum(0)
    column, share = torch.arange(len(columns), device=neck.device), columns.cumsum(0) / columns.sum()
    chin = float(mesh.points[CHIN, 0])
    left = min(int((share < 0.03).sum()), chin - ASIDE * pixel)
    right = max(int((share < 0.97).sum()), chin + ASIDE * pixel)
    return (((column - left) / (RAMP * pixel) + 0.5).clamp(0, 1) * ((right - column) / (RAMP * pixel) + 0.5)).clamp(0, 1)


def _hair(light: torch.Tensor, pale: torch.Tensor, unlike: torch.Tensor, before: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """Hair below a jaw [1, 1, S, S], 0 or 1: what is `unlike` skin [S, S] bool, has the light and the chroma (logs [S, S]) of
    the jaw's rim, and hangs together with that.
    """
    pixel = len(mesh.index) / FRAME
    zone, rim = ((before > 0) * _rim(mesh, WITHIN[0], beyond) for beyond in (BEYOND, WITHIN[1]))
    start = (rim > 0) & (before > 0.5) & unlike
    if start.sum() < LEAST * pixel**2:
        return plane(torch.zeros_like(start))
    light, pale = (value - value[start].median() for value in (light, pale))
    like = unlike & (light > HAIR[0]) & (light < HAIR[1]) & (pale.abs() < SPREAD)
    return grow(connected(plane(like) * zone, plane(start)), SPARE * pixel) * zone


def shaven(
    around: torch.Tensor, points: torch.Tensor, beard: Beard, place: torch.Tensor, mesh: Mesh, mask: torch.Tensor
) -> torch.Tensor:
    """The surroundings [3, S, S] of a drawn face without the beard of the one that was there at `points` [478, >= 2]: without
    lines of stubble along the jaw, and with a `bare_neck`.
    """
    if beard.hair is None:
        return around
    plain = plainer(around)
    plain = torch.lerp(around, plain, along_jaw(mesh, points, beard.points, plain) * (mask > 0))
    return bare_neck(plain, beard, place, mesh, mask)


def bare_neck(around: torch.Tensor, beard: Beard, place: torch.Tensor, mesh: Mesh, mask: torch.Tensor) -> torch.Tensor:
    """The surroundings [3, S, S] of a drawn face with the neck's skin where a beard hung before it; outside `mask` [S, S] as
    they are. place: see `outline.surroundings_place`.

    The colour is that of the skin beside it; the light is the hair's own, smoothed, as far as it may be the chin's shadow.
    """
    hair, neck = sampled(torch.stack([beard.hair, beard.neck]), place)
    if not hair.any():
        return around
    pixel, (deep, soft) = len(mask) / FRAME, SHADOW
    skin = fill(around[None], plane(neck))
    most = torch.exp(-2 * deep * blurred(plane(mesh.covered), soft * pixel))
    light, usual = (luma(x).clamp_min(0.01) ** GAMMA for x in (blurred(around[None], NEAR * pixel), skin))
    shaded = gained(skin, (light / usual).clamp_min(DEEPEST).minimum(most))[0]
    return torch.lerp(around, shaded, hair * (mask > 0))


def along_jaw(mesh: Mesh, points: torch.Tensor, outer: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """How far lines of stubble may go along the jaw of a face in a picture [3, S, S], on skin alone: [S, S] 0..1.

    points, outer [478, >= 2]: of the face that was there, and with its beard, see `outline_with_beard`.
    """
    size = len(mesh.index)
    smooth = blurred(image[None].clamp(0, 1), size / FRAME)
    skin = blurred(is_skin(smooth, mesh.covered.float()[None, None], LIKE), size / FRAME)[0, 0]
    return below_nose(mesh) * skin * _rim(mesh, BEHIND, BAND) * between(_beyond(points, outer, size), (0.0, NARROW))


def plainer(image: torch.Tensor) -> torch.Tensor:
    """A picture [3, S, S] without dark lines and dots; edges of what is wider stay."""
    reach = HAIRS * image.shape[-1] / FRAME
    return grow(grow(image[:, None], reach), -reach)[:, 0]


def sharper(soft: torch.Tensor, face: torch.Tensor, mesh: Mesh, points: torch.Tensor, outer: torch.Tensor) -> torch.Tensor:
    """How far a face is drawn [1, 1, S, S] 0..1, faded at its border: less so along the jaw, where no other lies behind.

    face [1, 1, S, S], 0 or 1: where it is; points, outer: see `along_jaw`. Where only stubble went the other is there.
    """
    share = _given_way(mesh, points, outer)
    return torch.lerp(soft, feather(face, SHARP * len(mesh.index) / FRAME), share) if share.any() else soft


def below_nose(mesh: Mesh) -> torch.Tensor:
    """Rows of a face [S, 1]: 0 above the nose's lower end, 1 below the corners of the mouth."""
    row, y = torch.arange(len(mesh.index), device=mesh.points.device)[:, None], mesh.points[:, 1]
    return ((row - y[NOSE]) / (y[list(CORNERS)].mean() - y[NOSE]).clamp_min(1)).clamp(0, 1)


def hidden_jaw(mesh: Mesh, points: torch.Tensor, beard: Beard) -> torch.Tensor:
    """How far a beard that is to go hides the skin of a jaw [S, 1] 0..1, see `along_jaw`. Stubble shows skin, and room for
    another beard hides nothing.
    """
    if beard.hair is None:
        return torch.zeros_like(below_nose(mesh))
    return _given_way(mesh, points, beard.points)


def _given_way(mesh: Mesh, points: torch.Tensor, outer: torch.Tensor) -> torch.Tensor:
    """How far a jaw gave way to more than stubble [S, 1] 0..1; points, outer: see `along_jaw`."""
    return below_nose(mesh) * between(_beyond(points, outer, len(mesh.index)), (NARROW, WIDE))


def _rim(mesh: Mesh, within: float, beyond: float) -> torch.Tensor:
    """The rim of a face [S, S], 0 or 1, so many pixels of the 256 px crop inwards and outwards."""
    pixel, face = len(mesh.index) / FRAME, mesh.covered.float()[None, None]
    return (grow(1 - face, within * pixel) * grow(face, beyond * pixel))[0, 0]


def _beyond(points: torch.Tensor, outer: torch.Tensor, size: int) -> float:
    """How far an outline goes beyond the jaw, pixels of the 256 px crop, see `outline_with_beard`."""
    jaw, nose = list(UNDER[0]), points[1, 1]
    far = (outer - points)[jaw, 1] * (points[CHIN, 1] - nose) / (points[jaw, 1] - nose)
    return float(far.mean()) * FRAME / size
