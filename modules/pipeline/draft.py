"""The coarse draft: who, in which face's place, doing what. It guides the model, and is what Face Draft shows at once."""

import weakref
from dataclasses import dataclass, replace

import torch

from ..encoders.expression import split
from ..faces.morphable import Fit
from ..host.progress import steps
from ..images import broadcast, checked_image
from ..labels import BLENDSHAPES
from ..types import Expression, Identity, check_bundle
from ..warp.coarse import Face, face_mask, morph, placed_between
from ..warp.mesh import Mesh
from .encoders import Encoders, face_networks
from .face import face_crop
from .memo import Remembered

WHERE = "Face Draft"
PLAIN = {"identity": 1.0, "expression": 1.0}
GROW = 9.0  # pixels of the 256 px crop, the default of Background Condition
# between them these cover what a face covers with any word, but for a few pixels of a turned one: as wide as it gets, with
# the corners of the jaw at their lowest, as long as it gets
EXTREMES = (
    ("mouthSmileLeft", "mouthSmileRight"),
    ("mouthFrownLeft", "mouthFrownRight"),
    ("jawOpen", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
)
SPARE = 4.0  # pixels of the 256 px crop by which a face may come nearer to the border of that area than `grow`


@dataclass(eq=False)
class FittedFace:
    """An aligned face with what the face model says of it."""

    crop: Face
    fit: Fit


_people, _places, _areas = Remembered(4), Remembered(8), Remembered(8)


def the_person(encoders: Encoders, identity: Identity) -> FittedFace:
    """Whom to draw; remembered."""

    def make() -> FittedFace:
        crop = Face(identity.image, identity.points, identity.code)
        return FittedFace(crop, replace(crop.fit(encoders.shape), rest=identity.rest[None]))

    return _people.get(identity, identity.image, (encoders.id,), make)


def the_place(
    encoders: Encoders, wire: torch.Tensor, i: int, image: torch.Tensor, rule: str, index: int, where: str
) -> tuple[FittedFace, torch.Tensor]:
    """The chosen face of a picture [H, W, 3] and the matrix [2, 3] to its crop; remembered as number i of what came by wire."""
    size = encoders.config.resolution  # not part of the id: that is of the weights

    def make() -> tuple[FittedFace, torch.Tensor]:
        crop, matrix = face_crop(image, rule, index, size, where)
        return FittedFace(crop, crop.fit(encoders.shape)), matrix

    return _places.get(wire, image, (encoders.id, size, i, rule, index), make)


def area_of_any_word(
    encoders: Encoders, who: FittedFace, there: FittedFace, grow: float, identity: float = 1.0
) -> torch.Tensor:
    """The part to repaint [S, S], 0 or 1, for this person in that place, whatever the word; remembered. grow: as `drawn` has
    it; identity: the strength of the person.

    With one mask for all words the background is encoded once, and pictures of several words differ in the face alone.
    """
    size, triangles = there.crop.image.shape[-1], face_networks().ready().triangles.cpu()

    def make() -> torch.Tensor:
        codes = torch.tensor([[float(name in extreme) for name in BLENDSHAPES] for extreme in EXTREMES])
        area = torch.zeros_like(there.crop.image[0])
        for geometry in encoders.shape.geometry_of_code(codes).float():
            placed = Mesh.of(placed_between(encoders.shape, who.fit, there.fit, geometry, identity, 1.0), triangles, size)
            area = torch.maximum(area, face_mask(there.crop, placed, triangles, grow * size / 256))
        return area

    return _areas.get(there, there.crop.image, (encoders.id, weakref.ref(who), grow, identity), make)


def drawn(
    encoders: Encoders,
    who: FittedFace,
    there: FittedFace,
    geometry: torch.Tensor,
    grow: float,
    own: torch.Tensor | None = None,
    strength: dict[str, float] = PLAIN,
    light: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The person with geometry [K] in the place of another face: draft [3, S, S] and its mask [S, S], 0 or 1.

    grow: how far the mask reaches beyond both faces, pixels of the 256 px crop. `own` [S, S]: the artist's mask instead.
    strength: of "identity" (0: the background's own face) and "expression" (0: calm). light: see `guide.draft`.
    """
    size, networks = there.crop.image.shape[-1], face_networks().ready()
    triangles, mirror = networks.triangles.cpu(), networks.mirror.cpu()
    placed = Mesh.of(placed_between(encoders.shape, who.fit, there.fit, geometry, **strength), triangles, size)
    area = own
    if own is None:  # the area of any word, and what an expression stronger than that needs beyond
        area = face_mask(there.crop, placed, triangles, (grow - SPARE) * size / 256)
        area = torch.maximum(area, area_of_any_word(encoders, who, there, grow, strength["identity"]))
    return morph(who.crop, there.crop, placed, area, triangles, strength["identity"], mirror, light), area


@torch.inference_mode()
def face_drafts(
    encoders: Encoders, identity: Identity, expression: Expression, image: torch.Tensor | None, rule: str, index: int
) -> torch.Tensor:
    """Drafts [n, S, S, 3] of the expressions on the selfie itself, or in the pictures [B, H, W, 3]."""
    for wire in (identity, expression):
        check_bundle(wire.bundle, encoders.id, WHERE)
    who = the_person(encoders, identity)
    if image is None:
        places = [who]
    else:
        pictures = enumerate(checked_image(image, f"{WHERE}, image"))
        places = [the_place(encoders, image, i, p, rule, index, f"{WHERE}, image {i}")[0] for i, p in pictures]
    total = max(len(places), len(expression.codes))
    broadcast(len(places), total, "pictures", WHERE)
    broadcast(len(expression.codes), total, "expressions", WHERE)
    geometry, results = split(expression.codes)[1], []
    for i in steps(range(total)):
        results.append(drawn(encoders, who, places[i % len(places)], geometry[i % len(geometry)], GROW)[0])
    return torch.stack(results).permute(0, 2, 3, 1)
