"""Coarse warps for training, drawn by the code of the nodes: folds, the inside of a mouth, and a rim without a step of tone.

`pipeline/draft.py` draws the same for the nodes, with everything that it keeps between two runs.
"""

import torch

from ..modules.faces.morphable import FaceShape
from ..modules.types import USUAL, Face
from ..modules.warp.coarse import BackgroundFace, coarse_warp, placed, points_of, unoccluded
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
    how = {"colour": SKIN_TONE, "rim": True, **changed}
    return coarse_warp(
        unoccluded(person, mesh.topology), place, mesh, mask, complete=True, shade=shade, interior=interior, **how
    )


def mesh_of(shape: FaceShape, person: Face, place: BackgroundFace, geometry: torch.Tensor) -> Mesh:
    """The person doing geometry [K] in another's place."""
    points = points_of(shape, person.fit, place.face.fit, geometry, USUAL, place.face.size)
    return Mesh.of(points, place.mesh.topology, place.face.size)
