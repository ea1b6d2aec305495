"""What a person's face looks like when it does nothing, from one photo.

The face model explains a photo as identity and expression, but one picture cannot tell a smile from a wide mouth, or a frown
from low brows. So the neutral face it finds is drawn and measured like any other picture, and moved until it measures as
neutral. Without this, part of the selfie's own smile stays under every word.
"""

from dataclasses import replace

import torch

from ..affine import FRAME
from ..faces.landmarker import landmarks_in_crop
from ..faces.morphable import FaceShape, retarget
from ..faces.networks import FaceNetworks
from ..labels import BLENDSHAPES
from ..types import Face
from .coarse import BackgroundFace, coarse_warp, face_mask
from .mesh import Mesh
from .skin import Skin

# What calm faces measure, of the coefficients that follow the drawn points well enough to be guided; the others are left alone.
CALM = {
    "browDownLeft": 0.1, "browDownRight": 0.1, "browInnerUp": 0.0, "browOuterUpLeft": 0.0, "browOuterUpRight": 0.0,
    "eyeSquintLeft": 0.3, "eyeSquintRight": 0.3, "jawOpen": 0.0, "mouthPucker": 0.0, "mouthSmileLeft": 0.0,
    "mouthSmileRight": 0.0, "mouthUpperUpLeft": 0.0, "mouthUpperUpRight": 0.0,
}  # fmt: skip
LIMIT = 0.8  # of a correction, in units of its coefficient: beyond that it is who they are
GROWN = 9.0  # pixels of the 256 px crop, as Background Condition masks a face


def fit_neutral(shape: FaceShape, networks: FaceNetworks, face: Face, rounds: int = 3) -> Face:
    """The face with the geometry [K] in its fit that makes its neutral face measure as neutral; about .1 s a round."""
    topology = networks.topology.to("cpu")
    background, skin = BackgroundFace.of(face, topology), Skin.of(face)
    guided = [BLENDSHAPES.index(name) for name in CALM]
    calm = torch.tensor(list(CALM.values()))
    nothing, correction = torch.zeros(1, len(shape.basis)), torch.zeros(1, len(BLENDSHAPES))
    for _ in range(rounds):
        found = replace(face.fit, neutral_offset=shape.geometry_of_rig(correction))
        mesh = Mesh.of(retarget(shape, found, face.fit, nothing)[0], topology, face.size)
        mask = face_mask(background, mesh, GROWN * face.size / FRAME)
        picture = coarse_warp(skin, background, mesh, mask, colour=0.0)
        _, _, code = landmarks_in_crop(networks, picture[None].to(networks.triangles.device))
        correction[0, guided] = (correction[0, guided] + calm - code[0, guided].cpu()).clamp(-LIMIT, LIMIT)
    return replace(face, fit=replace(face.fit, neutral_offset=shape.geometry_of_rig(correction).float()))
