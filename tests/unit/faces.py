"""A face for tests to draw: the canonical mesh in a 256 px crop, in plain colours."""

import torch

from diffsfsr.modules.faces.morphable import FaceShape
from diffsfsr.modules.faces.networks import FaceNetworks
from diffsfsr.modules.labels import index
from diffsfsr.modules.types import Face, Fit
from diffsfsr.modules.warp.mesh import Mesh
from tests.conftest import ROOT

MODEL = ROOT / "weights" / "face_landmarker.safetensors"
SKIN, HAIR = torch.tensor([0.80, 0.62, 0.52]), torch.tensor([0.25, 0.15, 0.08])


def canonical_face() -> Mesh:
    """The face of the landmark networks' own mesh, seen from the front; the ten iris points are copies of others."""
    networks = FaceNetworks.load(MODEL)
    vertices = networks.vertices * torch.tensor([1.0, -1.0, 1.0])
    points = (vertices - vertices.mean(0)) * 9 + torch.tensor([128.0, 140.0, 0.0])
    return Mesh.of(torch.cat([points, points[:10]]), networks.topology, 256)


def moved(face: Mesh, points: torch.Tensor) -> Mesh:
    """The same face with its points [478, 3] elsewhere."""
    return Mesh.of(points, face.topology, 256)


def skin_picture() -> torch.Tensor:
    return SKIN[:, None, None].expand(3, 256, 256).clone()


def photo(image: torch.Tensor, points: torch.Tensor) -> Face:
    """A photo [3, 256, 256] of a face at these points [478, 3] that measures as neutral."""
    return Face(image, points, torch.zeros(52))


def mean_fit(shape: FaceShape, **coefficients: float) -> Fit:
    """The face model's mean face from the front in a 256 px crop, doing these of the rig's coefficients."""
    kind, done = {"dtype": shape.mean.dtype}, torch.zeros(1, 52, dtype=shape.mean.dtype)
    for name, value in coefficients.items():
        done[0, index(name)] = value
    shift, nothing = torch.tensor([[128.0, -128.0]], **kind), torch.zeros(1, 478, 2, **kind)
    identity, offset = (torch.zeros(1, len(axes), **kind) for axes in (shape.identity, shape.basis))
    return Fit(identity, done, torch.eye(3, **kind)[None], 9 * torch.ones(1, **kind), shift, nothing, offset)
