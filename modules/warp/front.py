"""What stands before a face in its picture, told from the face's own skin by colour and place alone: hair, a scarf, the brim of
a hat, a mask, glasses.

Nothing is learnt, and what is in doubt is skin: another person's skin that stays is worse than a strand that is painted over.
Three tests follow each other. Unlike the skin, see `unlike.py`. Like what is beside the face: local mean and spread of colours
outside and inside decide, and what was found leads on inwards. Deep enough inside the face and different enough, part by part.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from ..affine import FRAME
from .masks import blurred, connected, grow, parts, plane
from .mesh import POINTS, Mesh
from .mouth import INSIDE, MOUTH
from .unlike import logs_of, unlike_skin

# features differ from skin and stand before nothing: points on the right half of the face, whose likes are on the left
EYE = (
    33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7,
    130, 247, 30, 29, 27, 28, 56, 190, 243, 112, 26, 22, 23, 24, 110, 25,
)  # fmt: skip
BROW = 70, 63, 105, 66, 107, 46, 53, 52, 65, 55
LIP = (61, 146, 91, 181, 84, 17, 185, 40, 39, 37, 0, *MOUTH.upper, *MOUTH.lower, *MOUTH.corners, *INSIDE)
NOSTRIL = 2, 97, 99, 60, 75, 20, 79, 218, 115, 48, 219, 59, 235, 98, 94, 19, 125, 141, 242, 44, 1, 4, 45, 237, 64
CHIN = 152, 148, 175, 171, 199, 200, 208, 18, 83, 140, 176
BARE = 9, 8, 168, 6, 143, 372, 156, 383, 107, 336  # where masks do not reach, nor most fringes
BEARDLESS = 5, 4, 45, 275, 51, 281, 205, 425, 36, 266, 203, 423, 142, 371  # nose and cheeks below the eyes
NOSE, BRIDGE = 2, 6
REDDER = 0.3  # log chroma by which bare skin is redder than nose and cheeks that a mask covers
BEARD = 1.3, 0.3  # distance from skin from which on a chin is bearded, and on what share of it

# lengths are pixels of the 256 px crop
FEATURE = 3.0  # that features are grown by
BESIDE, RING = 3.0, 26.0  # from the mesh: from where to where what is unlike skin is another's
CORE, SKIN = 6.0, 12.0  # inside the mesh: skin for the most part, and skin at first
CERTAIN, POSSIBLE = 1.2, 0.8  # distance from skin up to which it is skin at first, and from which on it may be another's
GRID, REACH = 64, 9.0  # pixels a side of the grid of local colours, and how far they reach
FLOOR = 0.12, 0.08, 0.08  # of the local spread of logs
LIKELY, ROUNDS = 2.0, 8  # log of how much likelier another's colour must be than skin, and how often that leads on inwards
DEPTH, CLEAR = 8.0, (1.3, 4.0)  # inside the mesh: where parts are judged, by what is this unlike skin, and this much likelier
SMALLEST = 0.002  # share of a face that a part must cover
STRONG, BELOW = 24.0, 60.0  # mean distance times middle likelihood of a part, and of one that goes below the eyes
LOW = 0.3  # share of a part from which on it does: a cheek in hard shadow is like the hair beside it
NEAR, FADED = 9.0, 60.0  # how far a part reaches beyond what is deep, and around
COVERED, WITHIN = 0.7, 6.0  # share of what surrounds a place on a feature that must be covered, so that it is, too
BROWS, PLAIN = (2, 3), 0.5  # which features are brows; spread of log light up to which another shows nothing
THIN, WHOLE = 4.0, 0.7  # half the width of a frame of glasses, and share of the bridge that it must be seen on
FALLS, BORDER, ASIDE = 1.8, 9.0, 0.5  # of hair at a rim: distance from skin, how wide, and share of a half from the middle
BEHIND = 4.0  # how wide what stands behind is, where the outline misses
RIM, GAP = 14.0, 5.0  # inwards from the mesh's border, where gaps are closed, and half their width
BRIGHT = 3.0  # distance from skin up to which what is brighter than most of it, and smooth, is a gleam on it:
ROUGH, BRIDGED = (2.0, 0.1), 3.0  # spread of log light over so many pixels; half the width of what joins no gleam to skin
SOFT, SHARP = 2.0, 0.8  # over which edges are softened, inwards, and those of what is thin
BROAD = 2.0  # half the width from which on skin in what is kept is no gap between locks
SMALL = 0.005  # share of brows up to which what is bare is none
WHOLLY = 4.0  # half the width of what is left of a brow between what is bare of it, and goes, too
TAIL, DARKER = 8.0, 0.6  # how far around that and brows are compared, and log of light by which a bare one is darker


class Colours(NamedTuple):
    """Of a face's picture: `logs` [3, S, S], how unlike skin [S, S], and where features are: list of [S, S] bool."""

    logs: torch.Tensor
    unlike: torch.Tensor
    features: list[torch.Tensor]
    masked: bool

    @property
    def feature(self) -> torch.Tensor:
        return torch.stack(self.features).any(0)


def found_by_colour(image: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """What stands before a face [S, S] 0..1, in and near its mesh, of a picture [3, S, S] with the face where it stands."""
    return found_in(colours_of(image, mesh), mesh)


def found_in(colours: Colours, mesh: Mesh, doubt: float = 1.0) -> torch.Tensor:
    """`found_by_colour`, where the colours are known. doubt: what a part must be at the least, over what is usual; less finds
    more, and skin too.
    """
    found, chance = led_inwards(colours, mesh)
    kept = strong(found, chance, colours.unlike, mesh, doubt)
    if not kept.any():
        return kept[0, 0]
    pixel = kept.shape[-1] / FRAME
    kept = without_halves(connected(plane(found) * grow(kept, FADED * pixel), kept), mesh)
    kept = joined(kept, mesh)
    kept = torch.maximum(kept * (1 - skin_within(kept, colours, mesh)), covered_features(kept, colours, mesh))
    brows = bare_brows(kept, colours, mesh)
    return (softened(kept * (1 - brows), mesh) * (1 - grow(brows, pixel)))[0, 0]


def skin_within(kept: torch.Tensor, colours: Colours, mesh: Mesh) -> torch.Tensor:
    """What of the face in what is kept [1, 1, S, S] is like skin, or half as unlike it as what is around, as skin in the shadow
    of hair is; and too broad for a gap between locks.
    """
    pixel, unlike = len(mesh.index) / FRAME, colours.unlike[None, None]
    usual = blurred(unlike * kept, TAIL * pixel) / blurred(kept, TAIL * pixel).clamp_min(1e-3)
    like = kept * (unlike < (usual / 2).clamp_min(CERTAIN)) * plane(mesh.covered)
    return grow(grow(like, -BROAD * pixel), BROAD * pixel) * like


def bare_brows(kept: torch.Tensor, colours: Colours, mesh: Mesh) -> torch.Tensor:
    """What of the brows in what is kept [1, 1, S, S] is so much darker than that around it that it is bare and sticks out."""
    pixel, brows = len(mesh.index) / FRAME, torch.stack([colours.features[k] for k in BROWS]).any(0)
    around = kept * plane(~brows)
    light = blurred(torch.cat([colours.logs[:1, None] * around, around], 1), TAIL * pixel)
    darker = light[:, :1] / light[:, 1:].clamp_min(1e-3) - colours.logs[:1, None] > DARKER
    found, bare = grow(plane(brows) * darker * kept, -pixel), torch.zeros_like(kept)  # no single hairs
    for part in parts(found, SMALL * float(brows.sum())):  # a dark spot at a brow's end is hair that covers it
        bare = torch.maximum(bare, part)
    return grow(grow(bare, WHOLLY * pixel), (1 - WHOLLY) * pixel)


def softened(kept: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """What is kept [1, 1, S, S] with edges that fade inwards; those of what is too thin for that are sharper beside the eyes,
    as frames of glasses are, elsewhere it goes.
    """
    pixel = len(mesh.index) / FRAME
    soft = blurred(grow(kept, -SOFT * pixel), SOFT * pixel)
    thin = kept * (1 - grow(grow(kept, -SOFT * pixel), SOFT * pixel)) * beside_eyes(mesh)
    return torch.maximum(soft, blurred(thin, SHARP * pixel) * thin) * kept


def beside_eyes(mesh: Mesh) -> torch.Tensor:
    """The rows from the brows to the tip of the nose [S, 1] bool."""
    level = torch.arange(len(mesh.index), device=mesh.points.device)[:, None]
    return (level > mesh.points[BROW[0], 1] - 4 * len(mesh.index) / FRAME) & (level < mesh.points[5, 1])


def hair_beside(colours: Colours, mesh: Mesh, smooth: bool = False) -> torch.Tensor:
    """Hair that falls over the rim of a face from its sides [S, S], 0 or 1; where a beard may be only what is lighter than
    skin, and narrow: what stands behind. smooth: it has no beard, as far as `beard.py` tells.
    """
    pixel, (x, _, _) = mesh.index.shape[-1] / FRAME, mesh.points[:POINTS].T
    foreign = plane(colours.unlike > FALLS)
    foreign = foreign * (1 - gleams(colours, foreign == 0, mesh))
    low = _below(mesh, BRIDGE, 10) if bearded(colours, mesh) else _below(mesh, NOSE, 8)
    across = torch.arange(len(low), device=low.device) - mesh.points[BRIDGE, 0]
    near, far = (across.abs() > ASIDE * (x[BRIDGE] - end).abs() for end in (x.min(), x.max()))  # of a turned face one is narrow
    side, light = torch.where(across < 0, near, far), colours.logs[0]
    if not smooth:
        lighter = light > light[mesh.covered].median()
        side = side & (~low | (lighter & ~_grown(mesh.covered, -BEHIND * pixel)))
    rim = plane(mesh.covered & side & ~colours.feature) * grow(plane(~mesh.covered), BORDER * pixel) * foreign
    start = plane(side & ~mesh.covered) * grow(plane(mesh.covered), BESIDE * pixel) * foreign
    return (connected(torch.maximum(rim, start), start) * rim)[0, 0]


def gleams(colours: Colours, skin: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """What is brighter than most of the skin [1, 1, S, S], 0 or 1, and smooth, as its edges towards skin are: white cloth has
    sharp ones, but for a narrow bridge here and there. skin [1, 1, S, S] bool: what is surely skin.
    """
    light, pixel = colours.logs[:1, None], mesh.index.shape[-1] / FRAME
    smooth = blurred((light - blurred(light, ROUGH[0] * pixel)) ** 2, ROUGH[0] * pixel).sqrt() < ROUGH[1]
    bright = light > light[skin & mesh.covered].median()
    start = (skin & smooth).to(light)
    both = torch.maximum(start, (bright & smooth & mesh.covered.any(0)).to(light))
    broad = grow(both, -BRIDGED * pixel)
    return grow(connected(broad, start * broad), BRIDGED * pixel) * both * bright * (colours.unlike < BRIGHT)


def joined(kept: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """What is kept [1, 1, S, S] with gaps closed at the rim of the face: of hair beside it only the dark locks are found."""
    pixel = mesh.index.shape[-1] / FRAME
    rim = grow(plane(~mesh.covered), RIM * pixel)
    return torch.maximum(kept, grow(grow(kept, GAP * pixel), -GAP * pixel) * rim)


def covered_features(kept: torch.Tensor, colours: Colours, mesh: Mesh) -> torch.Tensor:
    """What of the features is covered [1, 1, S, S]: a brow as far as what is around it; others whole, if they show nothing."""
    pixel, plain = mesh.index.shape[-1] / FRAME, plane(mesh.covered & ~colours.feature)
    share = blurred(kept * plain, WITHIN * pixel) / blurred(plain, WITHIN * pixel).clamp_min(1e-4)
    found = torch.zeros_like(kept)
    for k, feature in enumerate(colours.features):
        feature, around = plane(feature), grow(plane(feature), FEATURE * pixel) * plain
        if k in BROWS:
            found = torch.maximum(found, feature * (share > COVERED))
        elif (kept * around).sum() > COVERED * around.sum() and colours.logs[0][feature[0, 0] > 0].std() < PLAIN:
            found = torch.maximum(found, feature)
    return found


def colours_of(image: torch.Tensor, mesh: Mesh) -> Colours:
    pixel, features = image.shape[-1] / FRAME, features_of(mesh)
    core = _grown(mesh.covered, -CORE * pixel) & ~torch.stack(features).any(0)
    logs = logs_of(image)
    redness = blurred(logs[None, 1:2], 2 * pixel)[0, 0]
    at = lambda points: redness[tuple(mesh.points[list(points), :2].long().clamp(0, len(redness) - 1).T.flip(0))]  # noqa: E731
    masked = bool(at(BARE).median() - at(BEARDLESS).quantile(0.8) > REDDER)
    if masked and (core & ~_below(mesh, BRIDGE, 10)).any():
        core = core & ~_below(mesh, BRIDGE, 10)
    return Colours(logs, unlike_skin(logs, core), features, masked)


def features_of(mesh: Mesh) -> list[torch.Tensor]:
    """Where eyes, brows, lips and nostrils are, [S, S] bool each."""
    return mesh.once(_features)


def _features(mesh: Mesh) -> list[torch.Tensor]:
    like = mesh.opposite
    sets = EYE, like(EYE), BROW, like(BROW), LIP + like(LIP), NOSTRIL + like(NOSTRIL)
    return [_grown(mesh.between(points), FEATURE * len(mesh.index) / FRAME) for points in sets]


def features(mesh: Mesh) -> torch.Tensor:
    """All of them [S, S] bool."""
    return torch.stack(features_of(mesh)).any(0)


def led_inwards(colours: Colours, mesh: Mesh) -> tuple[torch.Tensor, torch.Tensor]:
    """What is more like the other things beside the face than like its skin [S, S] bool, and how much likelier [S, S]."""
    unlike, feature, covered, pixel = colours.unlike, colours.feature, mesh.covered, len(colours.unlike) / FRAME
    beside = _grown(covered, RING * pixel) & ~_grown(covered, BESIDE * pixel) & (unlike > 1)
    inner, start = _grown(covered, -SKIN * pixel) & ~feature, beside
    possible = _grown(covered, RING * pixel) & ~feature & (unlike > POSSIBLE)
    if colours.masked:
        start = start | (covered & ~feature & _below(mesh, BRIDGE, 10) & (unlike > 2))
    elif bearded(colours, mesh):
        possible &= ~(covered & _below(mesh, NOSE, -12))
    found, skin = torch.zeros_like(inner), inner & (unlike < CERTAIN)
    for _ in range(ROUNDS):
        chance = likelier(colours.logs, start | found, skin)
        before, found = found, connected(plane(possible & (chance > LIKELY)), plane(start))[0, 0] > 0
        if (before != found).sum() < 5:
            break
        skin = inner & ~found & (unlike < 1.5)
    return found, chance


def bearded(colours: Colours, mesh: Mesh) -> bool:
    """Whether the chin is so unlike skin that it is bearded, or may be."""
    chin = mesh.between(CHIN + mesh.opposite(CHIN)) & ~colours.feature
    return bool(chin.any()) and float((colours.unlike[chin] > BEARD[0]).float().mean()) > BEARD[1]


def likelier(logs: torch.Tensor, other: torch.Tensor, skin: torch.Tensor) -> torch.Tensor:
    """Log of how much likelier logs [3, S, S] are those of `other` than those of `skin` near by, [S, S] bool each: [S, S]."""
    floor = logs.new_tensor(FLOOR)[:, None, None] ** 2
    (mean, spread, much), (own, usual, _) = local(logs, other), local(logs, skin)
    spread, usual = spread + 2 * floor, usual + floor
    chance = (logs - own) ** 2 / usual + usual.log() - (logs - mean) ** 2 / spread - spread.log()
    return chance.sum(0) / 2 * (much > 1e-3)


def local(values: torch.Tensor, where: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean and variance [3, S, S] of values [3, S, S] on `where` [S, S] bool near each pixel, and how much of it is there."""
    where = where.to(values)
    together = torch.cat([where[None], values * where, values**2 * where])[None]
    small = blurred(F.interpolate(together, size=(GRID, GRID), mode="area"), REACH * GRID / FRAME)
    weight, mean, square = small.split((1, 3, 3), 1)
    mean, square = mean / weight.clamp_min(1e-5), square / weight.clamp_min(1e-5)
    small = torch.cat([mean, (square - mean**2).clamp_min(0), weight], 1)
    mean, spread, weight = F.interpolate(small, size=where.shape, mode="bilinear", align_corners=False)[0].split((3, 3, 1))
    return mean, spread, weight[0]


def strong(found: torch.Tensor, chance: torch.Tensor, unlike: torch.Tensor, mesh: Mesh, doubt: float) -> torch.Tensor:
    """Of what was found [S, S] bool the parts inside the face that are surely another's: [1, 1, S, S]."""
    pixel, below = len(found) / FRAME, _below(mesh, BRIDGE, 4)
    inside = plane(found & _grown(mesh.covered, -DEPTH * pixel))
    deep = inside * plane((unlike > CLEAR[0]) & (chance > CLEAR[1]))
    kept = torch.zeros_like(inside)
    for part in parts(grow(deep, NEAR * pixel) * inside, SMALLEST * float(mesh.covered.sum())):
        here = part[0, 0] > 0
        low = below[here].float().mean() > LOW
        if unlike[here].mean() > CLEAR[0] and unlike[here].mean() * chance[here].median() > doubt * (BELOW if low else STRONG):
            kept = torch.maximum(kept, part)
    return kept


def without_halves(kept: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """What is kept [1, 1, S, S] without what is thin and beside the eyes, if it does not go over the bridge of the nose: half
    a frame of glasses is worse than none.
    """
    pixel, points = mesh.index.shape[-1] / FRAME, mesh.points
    (left, right), foot = sorted(points[[133, 362], 0].tolist()), float(points[5, 1])
    quarter = (right - left) / 4
    rows, columns = slice(max(0, int(points[9, 1])), int(foot)), slice(int(left + quarter), int(right - quarter))
    if kept[0, 0, rows, columns].any(0).float().mean() > WHOLE:
        return kept
    thin = kept - grow(grow(kept, -THIN * pixel), THIN * pixel).clamp(max=1) * kept
    thin = thin * beside_eyes(mesh) * plane(mesh.covered)
    return kept * (1 - thin)


def _grown(where: torch.Tensor, pixels: float) -> torch.Tensor:
    return grow(plane(where), pixels)[0, 0] > 0.5


def _below(mesh: Mesh, point: int, pixels: float) -> torch.Tensor:
    """What is so far below a face point [S, S] bool."""
    size = mesh.index.shape[-1]
    rows = torch.arange(size, device=mesh.index.device)[:, None].expand(size, size)
    return rows > mesh.points[point, 1] + pixels * size / FRAME
