"""What is repainted of a place, and a coarse warp with everything as usual."""

import torch

from ..affine import FRAME
from ..labels import BLENDSHAPES
from ..types import USUAL, Strength
from ..warp.coarse import face_mask
from ..warp.forehead import reached
from ..warp.jaw import parted
from ..warp.mesh import Mesh
from .draft import drawn, forehead, looks_of, mesh_of
from .encoders import Encoders
from .place import Person, Place, same_photo, topology

GROW = 9.0  # pixels of the 256 px crop, the default of Background Condition
# between them these cover what a face covers with any word, but for a few pixels of a turned one: as wide as it gets, with
# the corners of the jaw at their lowest, as long as it gets
EXTREMES = (
    ("mouthSmileLeft", "mouthSmileRight"),
    ("mouthFrownLeft", "mouthFrownRight"),
    ("jawOpen", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
)
SPARE = 4.0  # pixels of the 256 px crop by which a face may come nearer to the border of that area than `grow`


def area_of_any_word(encoders: Encoders, person: Person, place: Place, grow: float, identity: float = 1.0) -> torch.Tensor:
    """The part to repaint [S, S], 0 or 1, for this person in that place, whatever the word; remembered.

    grow: how far it reaches beyond both faces, pixels of the 256 px crop; identity: the strength of the person. With one mask
    for all words the background is encoded once, and pictures of several words differ in the face alone.
    """

    def make() -> torch.Tensor:
        codes = torch.tensor([[float(name in extreme) for name in BLENDSHAPES] for extreme in EXTREMES])
        area, pixels = torch.zeros_like(place.face.image[0]), grow * place.face.size / FRAME
        old = Mesh.of(place.background.outline, topology(), place.face.size)
        for geometry in encoders.shape.geometry_of_code(codes).float():
            mesh = mesh_of(encoders, person, place, geometry, Strength(identity))
            area = torch.maximum(area, face_mask(place.background, mesh, pixels))
            if grow > 0 and not same_photo(person, place):
                area = torch.maximum(area, parted(old, mesh, pixels))
        return place.limited(area) > 0  # kept in a quarter of the memory

    area = encoders.memo.get("area", (person.key, place.key, grow, identity), make).to(place.face.image)
    if same_photo(person, place):
        return area
    top = reached(forehead(encoders, place), grow)
    return torch.maximum(area, place.limited(top))


def area_of(
    encoders: Encoders, person: Person, place: Place, mesh: Mesh, grow: float, strength: Strength = USUAL
) -> torch.Tensor:
    """The part to repaint [S, S], 0 or 1: the area of any word, and what an expression stronger than that needs beyond."""
    area = face_mask(place.background, mesh, (grow - SPARE) * place.face.size / FRAME)
    return torch.maximum(place.limited(area), area_of_any_word(encoders, person, place, grow, strength.identity))


def coarse_warp_of(
    encoders: Encoders, person: Person, place: Place, geometry: torch.Tensor, wrinkles: float = 1.0
) -> torch.Tensor:
    """The person with geometry [K] in that place, everything else as usual: [3, S, S]."""
    mesh = mesh_of(encoders, person, place, geometry, USUAL)
    area = area_of(encoders, person, place, mesh, GROW)
    looks = looks_of(encoders, person, place, mesh, geometry, USUAL, wrinkles)
    return drawn(encoders, person, place, mesh, area, looks, 1.0, 0.0)
