"""The inside of a mouth: the photo's own teeth, and where it shows none those of the face model, as skull and jaw have them."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..affine import FRAME
from ..faces.morphable import LOWER_EDGE, UPPER_EDGE, FaceShape
from ..labels import index
from ..types import Photo
from .aperture import Aperture, lit, pixel_middles, tint
from .light import luma
from .masks import blurred
from .mesh import Mesh, sampled
from .teeth import of_person

MOUTH = Aperture(UPPER_EDGE, LOWER_EDGE, (78, 308))
# the points next to the edges of the lips, inside the lips
INSIDE = (183, 42, 41, 38, 12, 268, 271, 272, 407, 96, 89, 179, 86, 15, 316, 403, 319, 325)
# the other points of the lips on the right half of the face, from the outer edge inwards
LIP = (61, 146, 91, 181, 84, 17, 185, 40, 39, 37, 0, 76, 77, 90, 180, 85, 16, 184, 74, 73, 72, 11, 62)
RIM = (*INSIDE, *MOUTH.upper, *MOUTH.lower, *MOUTH.corners)  # the lips' inner edge, which is the least seen of closed ones
PULLED, SEEN = 0.4, 0.08  # how far edges are pulled there at most, and the change of gap over width from which on
# points that expressions hardly move: bridge and sides of the nose, corners of the eyes, temples, cheekbones, forehead
SKULL = (168, 6, 197, 195, 5, 2, 98, 327, 33, 133, 362, 263, 127, 356, 234, 454, 10, 109, 338, 67, 297)
LIPS, UPPER, LOWER = (13, 14, 78, 308), 13, 14
HIGHEST = 0.8  # how far the upper lip rises from its teeth, in units of the face model
HANGING = -0.15  # how far the lower lip goes before the jaw does, in units of the face model
EDGE = 1.8  # pixels of the 256 px crop over which the inside fades into the lips
LINE, SLIT = 0.5, 2.0  # light in the line between closed lips, and pixels of the 256 px crop up to which open ones are a slit
SHEEN, AROUND = 0.6, 5.0  # of highlights that the rim of stretched lips loses; pixels of the 256 px crop that these are wide
CHANGED = 0.03  # of gap over width, from which on the inside is drawn anew
ROUNDS = 3  # of finding where the line of sight meets the arch of the teeth

FLESH, TEETH = (0.80, 0.50, 0.47), (0.95, 0.88, 0.82)  # teeth, shaded as here: those of 34 portraits, 1.08, .98, .90 by luma
GLEAM = 1.3  # of the face's bright parts: where the light gives a cheek three quarters, teeth have their full colour
PALE = 0.6  # power of that light by which teeth are brighter or darker: dark skin has bright teeth (34 portraits: .2)
DEEP = 3.0  # units of the face model over which light falls to a third
BEHIND = 1.5  # the same, behind the front teeth, from which on flesh is throat, which `cavity` shows
LEAST = 0.5  # light on what faces away from it
REDDER = 1.0, 1.12, 1.18  # what is between lips and cheeks is lit by them: powers of the light
WIDE, NARROW = 0.3, 0.6  # gap over width from which on a mouth's depth has the light that it was learnt in, and the least of it
SHADED, RAISED = 0.3, (0.5, 0.07)  # light on teeth below a lip at rest, and how far it is raised when they have all of it
CORRIDOR = 0.81, 0.075, 0.15  # share of the half width from which on cheeks darken the teeth, over how much, and how far
CONTACT = 0.38, 0.017  # shadow of the upper lip, and over which share of the mouth's width it is lost
JAW, HIDDEN = 0.6, (0.5, 0.8)  # light on lower teeth; powers of how dark depth makes upper and lower ones
YELLOW = 0.0, 0.03, 0.10  # how much darker a yellow tooth is, in each colour, as a logarithm
DULL = 1.0, 1.25, 1.3  # powers of that light: what is dark in a mouth is red
DEEPEST = 0.05, 0.02, 0.018  # of a cavity, colour over light: dark red, not black
TOOTHLESS = 0.45, 0.65  # light on teeth up to which what the photo shows there is the depth of a mouth, and from which on teeth
CHEEKS = (50, 280, 205, 425, 101, 330)  # points of the face mesh whose colour is that of bare skin
PALER = 0.06, 0.12  # how much redder than skin teeth may be, as a logarithm of red over green, and over how much lips are told
OWN = 2.5  # pixels of the 256 px crop over which the photo's own teeth fade into the model's
TINTED, MANY = (0.6, 1.4), 60  # bounds of what a photo's own teeth say of the colour of the others; pixels that say it wholly


@dataclass(frozen=True, eq=False)
class Interior:
    """The inside of a mouth where it stands in a frame. Cameras [2, 4] lead from the face model's frame to pixels."""

    maps: torch.Tensor  # [2, 5, h, w] of skull and jaw, see `MAPS` and `teeth.of_person`
    box: torch.Tensor  # [3] left, top and scale of the maps
    arch: torch.Tensor  # [2, 2] depth z0 + c x^2
    cavity: torch.Tensor  # [3, v, u] colour over light between the lips, from lip to lip and from corner to corner
    camera: torch.Tensor
    photo: torch.Tensor  # the camera of the photo
    moved: torch.Tensor  # [2, 3] how far skull and jaw have moved, in the face model's frame
    raised: torch.Tensor  # [] how far the upper lip is above its place at rest, in units of the face model

    @classmethod
    def of(cls, shape: FaceShape, photo: torch.Tensor, rest: torch.Tensor, geometry: torch.Tensor) -> "Interior | None":
        """For a face doing geometry [K], whose points at rest are [478, 3], in the photo and in the drawing; None: no maps."""
        if shape.mouth_maps is None:
            return None
        change, fallen = shape.moved(geometry[None])[0], shape.expression[index("jawOpen")]
        amount = ((HANGING - change[LOWER, 1]) / fallen[LOWER, 1].abs()).clamp_min(0)
        jaw = amount * shape.mouth_drop + change[LOWER] * change.new_tensor([1.0, 0.0, 0.0])
        cameras = (camera(shape.mean, points.to(shape.mean)) for points in (rest, photo))
        maps = of_person(shape.mouth_maps.float(), shape.mouth_box.float(), photo)
        found = maps, shape.mouth_box, shape.mouth_arch, shape.mouth_cavity, *cameras
        skull = change.new_tensor([0.0, 1.0, 0.0]) * (change[UPPER, 1] - HIGHEST).clamp_min(0)  # else a caricature is all gum
        return cls(*(x.float() for x in (*found, torch.stack([skull, jaw]), change[UPPER, 1])))

    def place(self, which: int, pixels: torch.Tensor) -> torch.Tensor:
        """Where lines of sight through pixels [..., 2] meet the teeth of skull (0) or jaw (1), unmoved: [..., 3]."""
        back, moved, (z0, curve) = torch.linalg.inv(self.camera[:, :2]), self.moved[which], self.arch[which]
        z = z0.expand(pixels.shape[:-1])
        for _ in range(ROUNDS):
            flat = (pixels - self.camera[:, 3] - (z + moved[2])[..., None] * self.camera[:, 2]) @ back.T - moved[:2]
            z = z0 + curve * flat[..., 0] ** 2
        return torch.cat([flat, z[..., None]], -1)

    def layer(self, which: int, place: torch.Tensor, step: float = 1.0) -> torch.Tensor:
        """What is at a `place` [h, w, 3] of skull (0) or jaw (1): [5, h, w]: how far teeth and flesh, their shade, their depth
        behind the upper front teeth, and how yellow.

        step: pixels of the frame from one place to the next.
        """
        left, top, scale = self.box
        each = max(1, round(float(step * scale / self.camera[:, 1].norm())))  # pixels of the maps in one of the drawing
        maps = F.avg_pool2d(self.maps[which], each)
        seen = sampled(maps, torch.stack([place[..., 0] - left, top - place[..., 1]], -1) * (scale / each))
        shade, depth, yellow = seen[2:] / seen[:2].sum(0).clamp_min(0.05)
        return torch.stack([seen[0], seen[1], shade, depth + self.moved[which, 2] - self.arch[0, 0], yellow])


def camera(mean: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """[2, 4] from the frame of the face model's mean [478, 3] to the pixels of a face at rest [478, >= 2]."""
    known = torch.cat([mean, torch.ones_like(mean[:, :1])], 1)
    found = torch.linalg.lstsq(known[list(SKULL)], points[list(SKULL), :2]).solution.T
    found[:, 3] += (points[list(LIPS), :2] - known[list(LIPS)] @ found.T).mean(0)  # mouths are higher or lower than the mean
    return found


def paint_mouth(image: torch.Tensor, mesh: Mesh, photo: torch.Tensor, before: torch.Tensor, interior: Interior) -> torch.Tensor:
    """Draws the inside of a mouth that opens or shuts, which the mesh would stretch or squeeze.

    image [3, S, S] of the face as it is drawn by `mesh`; photo [3, H, W] with its points `before` [478, >= 2].
    """
    now, later = (MOUTH.gap(points) / MOUTH.width(points) for points in (before, mesh.points))
    image = _dulled(image, mesh, ((later - now) / SEEN).clamp(0, 1))
    image = _shut(image, mesh.points, (now - later).clamp_min(0), later)
    strength, inside = ((later - now).abs() / CHANGED).clamp(0, 1), MOUTH.inside(mesh)
    if not strength > 0 or not inside.any():
        return image
    rows, columns = (inside.any(axis).nonzero()[:, 0] for axis in (1, 0))
    edge, size = EDGE * image.shape[-1] / FRAME, image.shape[-1]
    part = tuple(slice(max(int(at[0] - 3 * edge), 0), min(int(at[-1] + 3 * edge) + 1, size)) for at in (rows, columns))
    alpha = strength * MOUTH.cover(mesh.points, size, edge, 0.4 * edge)[part]
    x = pixel_middles(image)
    pixels = torch.stack(torch.meshgrid(x[part[1]], x[part[0]], indexing="xy"), -1)
    light = (GLEAM * lit(image, mesh)).clamp(0.4, 1)[0]
    place = interior.place(0, pixels)
    colour, teeth = _modelled(mesh.points, pixels, place, interior)
    colour = colour * torch.lerp(light, light**PALE, teeth)
    own, seen = _photographed(photo, before, place, interior)
    bright = own.mean(0) / (light.mean() * sum(TEETH) / 3)
    seen = seen * teeth * _paler(own, photo, before) * ((bright - TOOTHLESS[0]) / (TOOTHLESS[1] - TOOTHLESS[0])).clamp(0, 1)
    if (total := seen.sum()) > 1:  # teeth that the photo does not show are like those that it does
        share = (own * seen).sum((-2, -1)) / (colour * seen).sum((-2, -1)).clamp_min(1e-3)
        share = share.clamp(*TINTED) ** (total / MANY).clamp(max=1)
        colour = torch.lerp(colour, colour * share[:, None, None], teeth)
    upper, lower = MOUTH.edges(mesh.points, x[part[1]])
    open_by = ((lower - upper) / (SLIT * size / FRAME)).clamp(0, 1)
    colour = torch.lerp(colour, own, seen) * (LINE + (1 - LINE) * open_by)  # no teeth are seen through a slit
    image, here = image.clone(), (slice(None), *part)
    lips = torch.cat([image[here] * (1 - inside[part]), 1 - inside[part][None]])  # the mesh may have drawn nothing inside
    lips = blurred(lips[None], edge)[0]
    around = torch.lerp(image[here], lips[:3] / lips[3].clamp_min(1e-3), strength * inside[part])
    image[here] = torch.lerp(around, colour.clamp(0, 1), alpha)
    return image


def finer(points: torch.Tensor, interior: Interior, size: int) -> Photo | None:
    """The luma of what is drawn between the lips of a face at points [478, 3] of the crop, as fine as the maps are; None of a
    closed mouth. It lies where `paint_mouth` draws it; bands of its logarithm know no light.
    """
    (left, top), (right, bottom) = points[list(MOUTH.upper + MOUTH.lower + MOUTH.corners), :2].aminmax(dim=0)
    if bottom - top < SLIT * size / FRAME:
        return None
    step = (interior.camera[:, 1].norm() / interior.box[2]).clamp(0.25, 1)
    x, y = (torch.arange(float(low) - 3, float(high) + 3, float(step)) for low, high in ((left, right), (top, bottom)))
    pixels = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    colour, _ = _modelled(points, pixels, interior.place(0, pixels), interior, float(step))
    matrix = torch.tensor([[step, 0.0, x[0] - step / 2], [0.0, step, y[0] - step / 2]])
    return Photo(luma(colour.clamp(0, 1)), matrix)


def lips_of(mesh: Mesh) -> torch.Tensor:
    """Where the lips of a drawn face are [S, S], 0 or 1."""
    return mesh.between((*LIP, *mesh.opposite(LIP), *RIM)) * (1 - MOUTH.inside(mesh))


def _dulled(image: torch.Tensor, mesh: Mesh, opened: torch.Tensor) -> torch.Tensor:
    """The picture [3, S, S] with less of the highlights at the inner edge of stretched lips, which would look like metal."""
    if not opened > 0:
        return image
    pixel, light = image.shape[-1] / FRAME, luma(image)
    lips = blurred((mesh.between(RIM) * (1 - MOUTH.inside(mesh)))[None, None], pixel)[0]
    broad = blurred((light * lips)[None], AROUND * pixel)[0] / blurred(lips[None], AROUND * pixel)[0].clamp_min(1e-3)
    return image * (1 - SHEEN * opened * lips * (light - broad).clamp_min(0) / light.clamp_min(1e-3))


def _shut(image: torch.Tensor, points: torch.Tensor, closed_by: torch.Tensor, gap: torch.Tensor) -> torch.Tensor:
    """The picture [3, S, S] with the dark line between lips that were apart in the photo; gap and change over width."""
    share = (1 - LINE) * (closed_by / SEEN).clamp(0, 1) * (1 - gap / SEEN).clamp(0, 1)
    if not share > 0:
        return image
    x, pixel = pixel_middles(image), image.shape[-1] / FRAME
    left, right = points[list(MOUTH.corners), 0]
    middle = sum(MOUTH.edges(points, x)) / 2
    across = torch.exp(-0.5 * ((x[:, None] - middle) / pixel) ** 2) * ((x > left) & (x < right))
    return image * (1 - share * across) ** tint(REDDER, image)


def _modelled(
    points: torch.Tensor, pixels: torch.Tensor, place: torch.Tensor, interior: Interior, step: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Colour over light [3, h, w] at pixels [h, w, 2], of meaning between the lips, and where upper teeth are [h, w]."""
    upper, lower = MOUTH.edges(points, pixels[0, :, 0])
    left, right = points[list(MOUTH.corners), 0]
    along, down = (pixels[..., 0] - left) / (right - left), (pixels[..., 1] - upper) / (lower - upper).clamp_min(1)
    high, wide = interior.cavity.shape[1:]
    colour = sampled(interior.cavity, torch.stack([along * wide, down * high], -1))
    colour = colour * (MOUTH.gap(points) / MOUTH.width(points) / WIDE).clamp(NARROW, 1) ** tint(DULL, colour)
    start, over, least = CORRIDOR
    outside = least + (1 - least) * torch.sigmoid((start - (2 * along - 1).abs()) / over)
    lip = 1 - CONTACT[0] * torch.exp((upper - pixels[..., 1]).clamp_max(0) / (CONTACT[1] * (right - left)))
    bared = SHADED + (1 - SHADED) * torch.sigmoid((interior.raised - RAISED[0]) / RAISED[1])
    for which, where, open_to in ((1, interior.place(1, pixels), JAW), (0, place, bared)):  # lips shade upper teeth alone
        teeth, flesh, shade, depth, yellow = interior.layer(which, where, step).clamp(-10, 1)
        flesh = flesh * (depth > -BEHIND) * (which == 0)  # the tongue is in the cavity
        light = (LEAST + (1 - LEAST) * shade.clamp_min(0)) * open_to * outside * lip
        deep = torch.exp(depth / DEEP).clamp(max=1)
        colour = torch.lerp(colour, tint(FLESH, colour) * (light * deep) ** tint(REDDER, colour), flesh)
        light = light * deep ** HIDDEN[which]
        crowns = tint(TEETH, colour) * torch.exp(-yellow * tint(YELLOW, colour))
        # lower ones are lost in the depth
        colour = torch.lerp(colour, crowns * light ** tint(REDDER, colour), teeth * (deep if which else 1))
    return torch.maximum(colour, tint(DEEPEST, colour)), teeth


def _photographed(
    photo: torch.Tensor, before: torch.Tensor, place: torch.Tensor, interior: Interior
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the photo shows at a `place` [h, w, 3] of the skull, [3, h, w], and where it does, [h, w] 0..1."""
    at = place @ interior.photo[:, :3].T + interior.photo[:, 3]
    left, right = before[list(MOUTH.corners), 0]
    upper, lower = (edge.view(at.shape[:-1]) for edge in MOUTH.edges(before, at[..., 0].flatten()))
    pixel = photo.shape[-1] / FRAME
    within = torch.stack([at[..., 1] - upper, lower - at[..., 1], at[..., 0] - left, right - at[..., 0]]).amin(0)
    return sampled(photo, at), ((within / pixel - 0.5) / OWN).clamp(0, 1)


def _paler(own: torch.Tensor, photo: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """Where colours [3, h, w] of a photo are none of lips, gums or tongue [h, w] 0..1: these are redder than its skin."""
    red = lambda x: ((x[0] + 0.02) / (x[1] + 0.02)).log()  # noqa: E731
    skin = sampled(photo, before[None, list(CHEEKS), :2].to(photo))[:, 0].median(-1).values
    return ((red(skin) - red(own) + PALER[0]) / PALER[1]).clamp(0, 1)


def parted(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Points of a photo [478, >= 2] with the edges of its lips further inside the lips, as far as its mouth opens or shuts.

    The dark line between closed lips, or teeth beside open ones, would be stretched along both.
    """
    now, later = (MOUTH.gap(points) / MOUTH.width(points) for points in (before, after))
    share, edge, pulled = PULLED * ((later - now).abs() / SEEN).clamp(0, 1), [*UPPER_EDGE, *LOWER_EDGE], before.clone()
    pulled[edge] = torch.lerp(before[edge], before[list(INSIDE)], share)
    return pulled
