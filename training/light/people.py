"""Portraits in soft light, with the shape of their faces: what hard light is drawn on."""

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from ...modules.affine import FRAME
from ...modules.types import Topology
from ...modules.warp.covers import place_map
from ...modules.warp.harmony import lights, spread
from ...modules.warp.masks import blurred, fill
from ...modules.warp.mesh import POINTS, Mesh
from ...modules.warp.skin import Skin
from ...modules.warp.soft_face import plain_points
from ..portrait import Portrait
from ..synth.light import normals

# spread of log light and of log chroma over the upper face (rms) up to which light is soft; portraits in whole scenes, in
# daylight, are soft also where gleams on dark skin spread it more
SOFT, EVEN, SCENE = 0.66, 0.3, 0.9
ROUND = 2.0  # pixels of the 256 px frame over which the mesh's corners are rounded


@dataclass(frozen=True, eq=False)
class Model:
    """A portrait with context, W = S 352 / 256 pixels a side for a frame of S."""

    id: str
    image: np.ndarray = field(repr=False)  # [W, W, 3] uint8
    points: np.ndarray = field(repr=False)  # [478, 2] in shares of W
    place: np.ndarray = field(repr=False)  # [3, W, W] float16: where on a face each pixel is, see `warp/covers.py`
    other: np.ndarray = field(repr=False)  # [2, W, W] float16: where its like on the other side is, pixels
    normal: np.ndarray = field(repr=False)  # [3, W, W] float16: x right, y up, z to the viewer; goes on beside the face
    height: np.ndarray = field(repr=False)  # [W, W] float16: towards the viewer, pixels

    def tensors(self) -> dict:
        """To be kept in a file."""
        return {name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value for name, value in vars(self).items()}

    @classmethod
    def of(cls, row: dict) -> "Model":
        return cls(**{name: value.numpy() if isinstance(value, torch.Tensor) else value for name, value in row.items()})


def is_soft(portrait: Portrait, topology: Topology) -> bool:
    """Whether a portrait is in light without edges and colours."""
    wide, points = portrait.wide(), portrait.points()
    image = torch.from_numpy(wide.copy()).permute(2, 0, 1).float() / 255
    mesh = Mesh.of(points, topology, len(wide))
    seen = lights(Skin(image, points), plain_points(points, mesh))
    light = seen.mean(1)
    chroma = seen - light[:, None]
    apart = float((chroma - chroma.median(0).values).square().sum(1).mean().sqrt())
    return spread(light) < (SCENE if portrait.group == "portraits" else SOFT) and apart < EVEN


def model(portrait: Portrait, topology: Topology, places: torch.Tensor, size: int) -> Model:
    wide, scale = portrait.wide(), size / FRAME
    side = round(len(wide) * scale)
    small = np.array(Image.fromarray(wide).resize((side, side), Image.Resampling.LANCZOS))
    points = portrait.points() * scale
    mesh = Mesh.of(points, topology, side)
    shape = torch.cat([normals(points, topology), points[:POINTS, 2:]], 1)
    shape = mesh.interpolate(shape).movedim(-1, 0)[None]
    shape = blurred(fill(shape, mesh.covered[None, None].float()), ROUND * scale)[0]
    normal, height = F.normalize(shape[:3], dim=0), shape[3] - shape[3].mean()
    other = mesh.mirrored_places.movedim(-1, 0)
    half = lambda x: x.half().numpy()  # noqa: E731
    at = (points[:, :2] / side).numpy()
    return Model(portrait.id, small, at, half(place_map(mesh, places)), half(other), half(normal), half(height))

