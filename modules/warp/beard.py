"""Whether a face has a beard, and its outline with it: round a smooth face the beard that was there would stand as a rim.

Told by colour and structure alone: hair on upper lip and jaw is darker, paler in colour and rougher than the cheeks.
"""

import torch

from ..affine import FRAME
from .front import features_of
from .light import gained, luma
from .masks import blurred, fill, grow
from .mesh import Mesh
from .palette import between
from .rim import is_skin
from .unlike import logs_of

# logit of a beard: what a jaw's chroma is below the cheeks' (logs of red over blue), how much rougher it is (log), how much
# darker the upper lip (log of linear light), and a constant; fitted on 118 portraits, of ten parts each told by the other nine
# .95 of pairs of a beard and a bare chin are ranked rightly
CHROMA, ROUGH, DARK, NONE = 2.0, 1.75, 1.45, -2.16
FINE, NEAR, NOISE = 1.2, 3.0, (0.06, 0.003)  # pixels of the 256 px crop: structure, and over how far it is averaged; added
RIM, JAW = (2.0, 16.0), 6.0  # the same: the rim of a face, and how far above the corners of the mouth a jaw begins
LEAST = 15  # pixels of it that tell something
SMOOTH, BEARDED = (-0.6, -1.2), (-0.8, -0.2)  # logits: at the first nothing is done, at the second all
STUBBLE = -1.6, -1.0  # the same: of a line of it along the jaw
WIDE, NARROW = 10.0, 4.0  # pixels of the 256 px crop: how far a beard that is cut reaches beyond the mesh, and stubble
BRIDGE, NOSE, LIP, CORNERS, CHIN, CHEEKS = 6, 2, 0, (61, 291), 152, (234, 454)
UNDER = (150, 379), (136, 365)  # points of a jaw up to which its shadow is whole, and beyond which there is none
SHADOW, SOFT = 0.7, 3.0  # of the chin's light below it; pixels of the 256 px crop over which it begins,
BEHIND, BEYOND = 10.0, 16.0  # and how far it goes on behind the chin, whose rim is soft, and below it
HAIRS, BAND = 3.0, 8.0  # the same: half of the widest line of stubble, and how far from a jaw it is looked for
LIKE = 25.0  # CIELAB distance from the middle of a face up to which it is looked for


def beard(image: torch.Tensor, mesh: Mesh) -> float:
    """The logit of a beard in a face's picture [3, S, S]; mesh: the face where it stands. Where nothing is seen: `NONE`."""
    pixel, bare = len(mesh.index) / FRAME, ~torch.stack(features_of(mesh)).any(0)
    row, column = (torch.arange(len(mesh.index), device=image.device).unsqueeze(k) for k in (1, 0))
    within = lambda k: grow(mesh.covered.float()[None, None], -k * pixel)[0, 0] > 0  # noqa: E731
    x, y = mesh.points[:, :2].unbind(1)
    left, right = sorted(x[list(CORNERS)].tolist())
    cheek = within(6.0) & bare & (row > y[BRIDGE]) & (row < y[NOSE])
    jaw = within(RIM[0]) & ~within(RIM[1]) & bare & (row > y[CORNERS[0]] - JAW * pixel)
    lip = within(3.0) & (row > y[NOSE] + pixel) & (row < y[LIP] - pixel) & (column > left) & (column < right)
    (light, red, blue), halves = logs_of(image), (column < x[1], column >= x[1])
    values = torch.stack([light, red - blue, roughness(image)])
    of_jaw, of_lip = (_beside_cheeks(values, cheek, zone, halves, LEAST * pixel**2) for zone in (jaw, lip))
    return CHROMA * float(-of_jaw[:, 1].mean()) + ROUGH * float(of_jaw[:, 2].max()) + DARK * float(-of_lip[:, 0].max()) + NONE


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


def in_the_way(there: float, here: float) -> float:
    """How far a beard reaches beyond the mesh that is to go, pixels of the 256 px crop, by the logits of the face that was
    there and of the one that is drawn: 0 where that one has a beard too, or the other has none.
    """
    return max(WIDE * between(there, BEARDED), NARROW * between(there, STUBBLE)) * between(here, SMOOTH)


def outline_with_beard(points: torch.Tensor, pixels: float) -> torch.Tensor:
    """Face points [478, >= 2], below the eyes so much farther from the nose that jaw and chin are `pixels` further out."""
    x, y = points[:, 0], points[:, 1]
    middle = torch.stack([x[list(CHEEKS)].mean(), y[1]])
    share = ((y - y[BRIDGE]) / (y[LIP] - y[BRIDGE]).clamp_min(1)).clamp(0, 1)[:, None]
    moved = points.clone()
    moved[:, :2] += share * (points[:, :2] - middle) * pixels / (y[CHIN] - middle[1]).clamp_min(1)
    return moved


def below_chin(mesh: Mesh, points: torch.Tensor, outer: torch.Tensor) -> torch.Tensor:
    """How far plain skin takes the place of a beard below the chin of a drawn face, and behind its rim [S, S] 0..1.

    points, outer [478, >= 2]: of the face that was there, and with its beard, see `outline_with_beard`. Stubble stays there.
    """
    size, (x, y) = len(mesh.index), mesh.points[:, :2].unbind(1)
    row, column = (torch.arange(size, device=x.device).unsqueeze(k) for k in (1, 0))
    sides = [((column - x[none]) / (x[whole] - x[none])).clamp(0, 1) for whole, none in zip(*UNDER, strict=True)]
    below = (row > y[list(CORNERS)].mean()) & (row < size - size / FRAME)
    return sides[0] * sides[1] * below * _rim(mesh, BEHIND, BEYOND) * between(_beyond(points, outer, size), (NARROW, WIDE))


def along_jaw(mesh: Mesh, points: torch.Tensor, outer: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """How far lines of stubble may go along the jaw of a face in a picture [3, S, S], on skin alone: [S, S] 0..1.

    points, outer: see `below_chin`.
    """
    size, y = len(mesh.index), mesh.points[:, 1]
    row = torch.arange(size, device=y.device)[:, None]
    low = ((row - y[NOSE]) / (y[list(CORNERS)].mean() - y[NOSE]).clamp_min(1)).clamp(0, 1)
    smooth = blurred(image[None].clamp(0, 1), size / FRAME)
    skin = blurred(is_skin(smooth, mesh.covered.float()[None, None], LIKE), size / FRAME)[0, 0]
    return low * skin * _rim(mesh, BEHIND, BAND) * between(_beyond(points, outer, size), (0.0, NARROW))


def plainer(image: torch.Tensor) -> torch.Tensor:
    """A picture [3, S, S] without dark lines and dots; edges of what is wider stay."""
    reach = HAIRS * image.shape[-1] / FRAME
    return grow(grow(image[:, None], reach), -reach)[:, 0]


def _rim(mesh: Mesh, within: float, beyond: float) -> torch.Tensor:
    """The rim of a face [S, S], 0 or 1, so many pixels of the 256 px crop inwards and outwards."""
    pixel, face = len(mesh.index) / FRAME, mesh.covered.float()[None, None]
    return (grow(1 - face, within * pixel) * grow(face, beyond * pixel))[0, 0]


def _beyond(points: torch.Tensor, outer: torch.Tensor, size: int) -> float:
    """How far an outline goes beyond the chin, pixels of the 256 px crop."""
    return float((outer - points)[CHIN, 1]) * FRAME / size


def under_chin(
    around: torch.Tensor, drawn: torch.Tensor, covered: torch.Tensor, mesh: Mesh, below: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """The surroundings [3, S, S] of a drawn face [3, S, S], covered [S, S] 0..1, with plain skin in shadow `below` its chin;
    outside `mask` [S, S] as they are.

    Nothing is told apart: there the chin's own colour, darker, goes over smoothly to what the crop's edge shows.
    """
    pixel, y = len(mesh.index) / FRAME, mesh.points[:, 1]
    row = torch.arange(len(mesh.index), device=around.device)[:, None]
    chin = (covered > 0.99).to(drawn) * mesh.covered * (row > y[CHIN] - 20 * pixel)
    known = torch.maximum((below == 0) * ~mesh.covered, chin)
    shown = blurred(around[None], 4 * pixel)[0]
    if chin.any():  # a gleam on it casts none
        usual = drawn[:, chin > 0].median(1).values[:, None, None]
        shown = torch.where(chin > 0, gained(torch.minimum(drawn, usual), drawn.new_tensor(SHADOW)), shown)
    smooth = fill((shown * known)[None], known[None, None].to(drawn))[0]
    return torch.lerp(around, smooth, blurred(below[None, None], SOFT * pixel)[0, 0] * (mask > 0))
