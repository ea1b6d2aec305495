"""Coarse warps for training, drawn by the code of the nodes: folds, the inside of a mouth, a rim without a step of tone, the
forehead up to the place's hairline, and no beard of the place round a smooth face.

`pipeline/draft.py` draws the same for the nodes, with everything that it keeps between two runs.
"""

import torch

from ..modules.affine import FRAME
from ..modules.faces.morphable import FaceShape
from ..modules.types import USUAL, Face
from ..modules.warp.beard import in_the_way, jaw_of
from ..modules.warp.coarse import BackgroundFace, coarse_warp, face_mask, placed, points_of, unoccluded
from ..modules.warp.forehead import ALIKE, Foreheads, Seen, bare_forehead, reached, trusted
from ..modules.warp.jaw import parted
from ..modules.warp.mesh import Mesh
from ..modules.warp.mouth import Interior
from ..modules.warp.rim import SKIN_TONE
from ..modules.warp.wrinkles import own_light, shade_of


def drawn(
    shape: FaceShape, person: Face, place: BackgroundFace, mesh: Mesh, mask: torch.Tensor, geometry: torch.Tensor, **changed
) -> torch.Tensor:
    """The person's face on `mesh` in a place, doing geometry [K]: [3, S, S], as Background Condition draws it.

    changed: wrinkles 0..1.5, and what `coarse_warp` is told otherwise (colour, border, rim).
    """
    wrinkles = changed.pop("wrinkles", 1.0)
    still = torch.zeros_like(geometry)
    photo, rest = (placed(shape, person.fit, fit, still) for fit in (person.fit, place.face.fit))
    shade = shade_of(shape, own_light(shape, person), mesh, geometry, wrinkles)
    interior = Interior.of(shape, photo, rest, geometry)
    own = Mesh.of(person.points, mesh.topology, person.size)
    bare = bare_forehead(Seen.of(person.image, own), own, ALIKE[1])
    foreheads = Foreheads(trusted(bare, own, person.shown), bare_forehead(Seen.of(place.face.image, place.mesh), place.mesh))
    how = {"colour": SKIN_TONE, "rim": True, "foreheads": foreheads, **changed}
    skin = unoccluded(person, mesh.topology, bare=bare)
    return coarse_warp(skin, place, mesh, mask, complete=True, shade=shade, interior=interior, **how)


def mask_of(place: BackgroundFace, mesh: Mesh, pixels: float) -> torch.Tensor:
    """What is repainted [S, S], 0 or 1, grown by pixels of the 256 px crop: both faces, the place's forehead up to its
    hairline, and more where the outlines part.
    """
    grown = pixels * place.face.size / FRAME
    old = Mesh.of(place.outline, mesh.topology, place.face.size)
    bare = bare_forehead(Seen.of(place.face.image, place.mesh), place.mesh)
    parts = face_mask(place, mesh, grown), parted(old, mesh, grown), reached(bare, pixels)
    return torch.stack(parts).amax(0)


def shaven(person: Face, place: BackgroundFace) -> BackgroundFace:
    """The place without its face's beard, as far as the person has none like it."""
    own = Mesh.of(person.points, place.mesh.topology, person.size)
    way = in_the_way(jaw_of(place.face.image, place.mesh), jaw_of(person.image, own))
    return place.without_beard(*way) if way.pixels else place


def mesh_of(shape: FaceShape, person: Face, place: BackgroundFace, geometry: torch.Tensor) -> Mesh:
    """The person doing geometry [K] in another's place."""
    points = points_of(shape, person.fit, place.face.fit, geometry, USUAL, place.face.size)
    return Mesh.of(points, place.mesh.topology, place.face.size)
