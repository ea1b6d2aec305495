"""Where a face is drawn in a scene, drawn again for measures of its rim, and finished pictures as its crop sees them."""

import torch

from ...modules.affine import invert, sample
from ...modules.encoders.expression import split
from ...modules.pipeline.area import GROW, area_of
from ...modules.pipeline.draft import foreheads_of, mesh_of, shaven, skin_of
from ...modules.pipeline.encoders import Encoders
from ...modules.pipeline.place import person_of, place_of
from ...modules.types import USUAL, Expression, Identity, PasteRegion
from ...modules.warp.forehead import above, dark
from ...modules.warp.outline import surroundings_place, warp_surroundings
from ...modules.warp.skin import hair_mask, put_on


@torch.inference_mode()
def rims(
    encoders: Encoders, identity: Identity, scene: torch.Tensor, expression: Expression
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the person is drawn in a scene [1, H, W, 3] with each of n expressions: covered [n, S, S] 0..1 in the crop; and the
    background's own picture there, in the drawn face's shape, [n, 3, S, S].
    """
    person, drawn, own = person_of(identity), [], []
    place = shaven(encoders, person, place_of(encoders, scene[0], "largest", 0))
    foreheads = foreheads_of(encoders, person, place)
    for geometry in split(expression.codes)[1]:
        mesh = mesh_of(encoders, person, place, geometry, USUAL)
        skin, area = skin_of(encoders, person, place), area_of(encoders, person, place, mesh, GROW)
        face, covered = put_on(skin, mesh, complete=True)
        moved = surroundings_place(place.background.outline, mesh, area, foreheads is not None)
        hair = hair_mask(face, covered, mesh)
        bare = covered * (1 - hair)
        if foreheads is not None:
            there = foreheads.beside(moved)
            bare = torch.maximum(bare, above(skin, mesh, face, covered * (1 - dark(hair, face, covered)), *there).share)
        drawn.append(bare)
        own.append(warp_surroundings(place.face.image, place.background.keep_mask, moved, area).image)
    return torch.stack(drawn), torch.stack(own)


def crops_of(pictures: torch.Tensor, place: PasteRegion) -> torch.Tensor:
    """Pictures [n, H, W, 3] as the crop sees them: [n, 3, S, S]."""
    return sample(pictures[..., :3].movedim(-1, 1).float(), invert(place.to_frame), place.size).clamp(0, 1)
