"""What a person's face looks like when it does nothing, from one photo.

The face model explains a photo as identity and expression, but one picture cannot tell a smile from a wide mouth, or a frown
from low brows. So the neutral face it finds is drawn and measured like any other picture, and moved until it measures as
neutral. Without this, part of the selfie's own smile stays under every word.
"""

from dataclasses import replace

import torch

from ..faces.landmarker import landmarks_in_crop
from ..faces.morphable import FaceShape, Fit, retarget
from ..faces.networks import FaceNetworks
from ..labels import BLENDSHAPES
from .coarse import Face, coarse_warp, face_mask
from .mesh import Mesh

# What calm faces measure, of the coefficients that follow the drawn points well enough to be led; the others are left alone.
CALM = {
    "browDownLeft": 0.1, "browDownRight": 0.1, "browInnerUp": 0.0, "browOuterUpLeft": 0.0, "browOuterUpRight": 0.0,
    "eyeSquintLeft": 0.3, "eyeSquintRight": 0.3, "jawOpen": 0.0, "mouthPucker": 0.0, "mouthSmileLeft": 0.0,
    "mouthSmileRight": 0.0, "mouthUpperUpLeft": 0.0, "mouthUpperUpRight": 0.0,
}  # fmt: skip
LIMIT = 0.8  # of a correction, in units of its coefficient: beyond that it is who they are
GROWN = 9.0  # pixels of the 256 px crop, as Background Condition masks a face


def fit_neutral(shape: FaceShape, networks: FaceNetworks, crop: Face, fit: Fit, rounds: int = 3) -> torch.Tensor:
    """Geometry [K] to add to the fitted neutral face of `crop` so that it measures as neutral; about .1 s a round."""
    size, triangles = crop.image.shape[-1], networks.triangles.cpu()
    led = [BLENDSHAPES.index(name) for name in CALM]
    calm = torch.tensor(list(CALM.values()))
    nothing, correction = torch.zeros(1, len(shape.geometry)), torch.zeros(1, len(BLENDSHAPES))
    for _ in range(rounds):
        found = replace(fit, rest=shape.geometry_of_rig(correction))
        placed = Mesh.of(retarget(shape, found, fit, nothing)[0], triangles, size)
        mask = face_mask(crop, placed, triangles, GROWN * size / 256)
        picture = coarse_warp(crop, crop, placed, mask, triangles, colour=0.0)
        _, _, code = landmarks_in_crop(networks, picture[None].to(networks.triangles.device))
        correction[0, led] = (correction[0, led] + calm - code[0, led].cpu()).clamp(-LIMIT, LIMIT)
    return shape.geometry_of_rig(correction)[0].float()
