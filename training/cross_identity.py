"""Pairs in somebody else's place: the person's face in another person's picture, which no photograph shows.

Pairs of one person teach that hair, neck and light around the mask belong to the face; a network that believes this paints the
background person's features into the selfie's. Here the target is the draft from the untouched portrait, the guide a draft from
another rendering of the same person; what a draft cannot know (rim, mouth interior, what the portrait hides) hardly counts.
"""

import numpy as np
import torch

from ..modules.affine import FRAME
from ..modules.encoders.expression import compound
from ..modules.faces.morphable import FaceShape, Fit, retarget
from ..modules.warp.coarse import Face, coarse_warp
from ..modules.warp.masks import grow
from ..modules.warp.mesh import Mesh, at_pixels, shown
from ..modules.warp.mouth import MOUTH
from .synth.codes import random_code

# pixels of a frame of 256, inwards from the border of face or mask, where what is around must be met and the draft only fades
RIM = 12.0
COLOUR = 0.55, 0.85  # how far the guide's colours go to the background's; the target's go the usual way


def asked(shape: FaceShape, rng: np.random.Generator) -> torch.Tensor:
    """A code [52 + K] as the words give it."""
    return compound(shape, torch.from_numpy(random_code(rng, strong=True))[None])[0]


def cross_pictures(
    own: Face, selfie: Face, there: Face, placed: Mesh, mask: torch.Tensor, triangles: torch.Tensor, mirror, rng
) -> dict[str, torch.Tensor]:
    """"target" and "warp" [3, S, S] and "doubtful" [S, S], 1 where the target is not to be believed.

    own, selfie: two pictures of the person; there: the other's; placed and mask [S, S]: as the nodes find them;
    mirror [478]: see `draft`.
    """
    target = coarse_warp(own, there, placed, mask, triangles, mirror=mirror)
    warp = coarse_warp(selfie, there, placed, mask, triangles, rng.uniform(*COLOUR), rng.uniform(3, 9), mirror)
    points, index, _ = placed
    seen = (index >= 0) & at_pixels(shown(own.points[:468], points[:468], triangles), index)
    sure = grow((seen * mask)[None, None], -RIM * mask.shape[-1] / FRAME)[0, 0] * (1 - MOUTH.inside(index, triangles))
    return {"target": target, "warp": warp, "doubtful": mask * (1 - sure)}


def placed_in(shape: FaceShape, who: Fit, there: Face, code: torch.Tensor, triangles: torch.Tensor) -> Mesh:
    """The person doing `code` [52 + K] in another's place."""
    return Mesh.of(retarget(shape, who, there.fit(shape), code[None, 52:])[0], triangles, there.image.shape[-1])
