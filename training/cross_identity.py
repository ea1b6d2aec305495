"""Pairs in somebody else's place: the person's face in another person's picture, which no photograph shows.

Pairs of one person teach that hair, neck and light around the mask belong to the face; a network that believes this paints the
background person's features into the selfie's. Here the target is the coarse warp of the untouched portrait, the input that of
another rendering of the same person; what a warp cannot know (rim, mouth interior, what the portrait hides) hardly counts.
"""

import numpy as np
import torch

from ..modules.affine import FRAME
from ..modules.encoders.expression import compound
from ..modules.faces.morphable import FaceShape, retarget
from ..modules.types import Face, Fit
from ..modules.warp.coarse import BackgroundFace, coarse_warp, unoccluded
from ..modules.warp.masks import grow
from ..modules.warp.mesh import POINTS, Mesh, shown
from ..modules.warp.mouth import MOUTH
from .synth.codes import random_code

# pixels of a frame of 256, inwards from the border of face or mask, where what is around must be met and the warp only fades
RIM = 12.0
COLOUR = 0.55, 0.85  # how far the input's colours go to the background's; the target's go the usual way


def asked(shape: FaceShape, rng: np.random.Generator) -> torch.Tensor:
    """A code [52 + K] as the words give it."""
    return compound(shape, torch.from_numpy(random_code(rng, strong=True))[None])[0]


def cross_pictures(
    own: Face, selfie: Face, background: BackgroundFace, mesh: Mesh, mask: torch.Tensor, rng
) -> dict[str, torch.Tensor]:
    """"target" and "warp" [3, S, S] and "doubtful" [S, S], 1 where the target is not to be believed.

    own, selfie: two pictures of the person; background: the other's; mesh and mask [S, S]: as the nodes find them.
    """
    topology = mesh.topology
    target = coarse_warp(unoccluded(own, topology), background, mesh, mask, complete=True)
    how = {"colour": rng.uniform(*COLOUR), "border": rng.uniform(3, 9)}
    warp = coarse_warp(unoccluded(selfie, topology), background, mesh, mask, **how, complete=True)
    seen = mesh.covered & mesh.at_pixels(shown(own.points[:POINTS], mesh.points[:POINTS], topology))
    sure = grow((seen * mask)[None, None], -RIM * mask.shape[-1] / FRAME)[0, 0] * (1 - MOUTH.inside(mesh))
    return {"target": target, "warp": warp, "doubtful": mask * (1 - sure)}


def mesh_in(shape: FaceShape, who: Fit, background: BackgroundFace, code: torch.Tensor) -> Mesh:
    """The person doing `code` [52 + K] in another's place."""
    face = background.face
    return Mesh.of(retarget(shape, who, face.fit, code[None, 52:])[0], background.mesh.topology, face.size)
