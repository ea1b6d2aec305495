"""Pairs in somebody else's place: the person's face in another person's picture, which no photograph shows.

Pairs of one person teach that hair, neck and light around the mask belong to the face; a network that believes this paints the
background person's features into the selfie's. Here the target is the coarse warp of the untouched portrait, the input that of
another rendering of the same person; what a warp cannot know (rim, mouth interior, what the portrait hides) hardly counts.
"""

import numpy as np
import torch

from ..modules.affine import FRAME
from ..modules.encoders.expression import compound
from ..modules.faces.morphable import FaceShape
from ..modules.types import Face
from ..modules.warp.coarse import BackgroundFace
from ..modules.warp.masks import grow
from ..modules.warp.mesh import POINTS, Mesh, shown
from ..modules.warp.mouth import MOUTH
from .drafts import drawn
from .synth.codes import random_code

# pixels of a frame of 256, inwards from the border of face or mask, where what is around must be met and the warp only fades
RIM = 12.0
COLOUR = 0.55, 0.85  # how far the input's colours go to the background's; the target's go the usual way


def asked(shape: FaceShape, rng: np.random.Generator) -> torch.Tensor:
    """A code [52 + K] as the words give it."""
    return compound(shape, torch.from_numpy(random_code(rng, strong=True))[None])[0]


def cross_pictures(
    shape: FaceShape, own: Face, background: BackgroundFace, mesh: Mesh, mask: torch.Tensor, geometry: torch.Tensor
) -> dict[str, torch.Tensor]:
    """"target" [3, S, S], a coarse warp of the untouched portrait, and "doubtful" [S, S], 1 where it is not to be believed.

    own: the portrait; background: the other's picture; mesh and mask [S, S]: as the nodes find them for geometry [K].
    """
    target = drawn(shape, own, background, mesh, mask, geometry)
    seen = mesh.covered & mesh.at_pixels(shown(own.points[:POINTS], mesh.points[:POINTS], mesh.topology))
    sure = grow((seen * mask)[None, None], -RIM * mask.shape[-1] / FRAME)[0, 0] * (1 - MOUTH.inside(mesh))
    return {"target": target, "doubtful": mask * (1 - sure)}
