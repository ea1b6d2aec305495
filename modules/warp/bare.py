"""The skin of a person beside its face: forehead, ears and neck, which a face of another tone leads along."""

import torch

from ..affine import FRAME
from .masks import connected, grow
from .mesh import Mesh
from .rim import is_skin

REACH = 72.0  # pixels of the 256 px crop from the face: a neck, not the shoulders of whoever stands behind
LIKE = 20.0  # CIELAB distance from nose and cheeks up to which it is skin
BROWS, NOSE = 9, 2  # face points between whose rows nobody has a beard
SPECK = 1.5  # pixels of the 256 px crop; what is narrower joins nothing


def bare_skin(image: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """Skin that hangs together with a face [S, S], 0 or 1, the face included, of a picture [3, S, S]; mesh: where it stands."""
    face, pixel = mesh.covered.float()[None, None], mesh.index.shape[-1] / FRAME
    rows = torch.arange(mesh.index.shape[-1], device=face.device)[:, None]
    bare = face * ((rows > mesh.points[BROWS, 1]) & (rows < mesh.points[NOSE, 1]))
    skin = is_skin(image[None].clamp(0, 1), bare, LIKE) * grow(face, REACH * pixel)
    broad = grow(grow(skin, -SPECK * pixel), SPECK * pixel)
    return connected(torch.maximum(broad, face), face)[0, 0]
