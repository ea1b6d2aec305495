"""The inside of a mouth: teeth and gums of the morphable model as two flat maps, and what depth looks like in true pictures.

The upper map belongs to the skull, the lower one to the jaw. Both are seen from the front; `modules/warp/mouth.py` draws them.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from kornia.morphology import closing

from ..modules.faces.morphable import MAPS
from ..modules.types import Face, Topology
from ..modules.warp.aperture import lit
from ..modules.warp.masks import blurred
from ..modules.warp.mesh import Mesh, rasterise, sampled
from ..modules.warp.mouth import GLEAM, MOUTH

CONFIG = {
    "scale": 24,  # pixels for a unit of the face model, about a centimetre
    "left": -3.25, "right": 3.25, "top": -1.3, "bottom": -5.6,  # of the maps, in the face model's frame
    "light": (0.0, 0.35, 0.94),  # where it comes from: from the front, a little from above
    "open": 0.5,  # of the jaw, when the lower map is drawn: so far the tongue shows
    "fixed": 0.3,  # of the jaw's largest movement: what moves less is part of the skull
    "cavity": (12, 16), "between": (0.12, 0.82),  # size of the picture of a mouth's depth, and where between the lips
}  # fmt: skip
GAP, SHADOW = 5, 0.5  # pixels of the maps: what is narrower between teeth is closed; and the light that it has
FRONT = 1.2  # half the width over which the arch of the teeth is told
LIP = 13  # point of the face mesh by which the two models are laid over each other
TEETH, FLESH = "teeth", "gums_tongue"


def make_interior(model: dict, mean: torch.Tensor) -> dict[str, torch.Tensor]:
    """`mouth_maps` [2, 4, h, w] and where they are, in the frame of the face model's mean [478, 3]."""
    parts, names = [str(p) for p in model["part_names"]], [str(n) for n in model["expression_names"]]
    vertices = torch.from_numpy(model["neutral"]).float()
    drop = torch.from_numpy(model["expression"][names.index("jawOpen")]).float()
    triangles = torch.from_numpy(model["triangles"]).long()
    part = torch.from_numpy(model["vertex_part"]).long()
    corner = dict(zip(model["corr_mesh478"].tolist(), model["corr_vertex"].tolist(), strict=True))[LIP]
    vertices = vertices + (mean[LIP] - vertices[corner]).float()
    inside = triangles[torch.isin(part, torch.tensor([parts.index(TEETH), parts.index(FLESH)]))[triangles].all(1)]
    moves = drop.norm(dim=1)[inside].mean(1)
    lower = moves > CONFIG["fixed"] * moves.max()
    teeth = part == parts.index(TEETH)
    fallen = drop[teeth & (vertices[:, 0].abs() < FRONT / 2) & (drop.norm(dim=1) > 1)].mean(0)
    turned = vertices + CONFIG["open"] * (drop - fallen)  # the jaw as it turns, with its front teeth where they were
    layers = [_layer(where, inside[pick], teeth) for where, pick in ((vertices, ~lower), (turned, lower))]
    return {
        "mouth_maps": torch.stack([maps for maps, _ in layers]).half(),
        "mouth_box": torch.tensor([CONFIG["left"], CONFIG["top"], CONFIG["scale"]]),
        "mouth_arch": torch.stack([arch for _, arch in layers]),
        "mouth_drop": fallen,
    }


def _layer(vertices: torch.Tensor, triangles: torch.Tensor, teeth: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps [4, h, w] in the order of `MAPS`, and depth z0 + c x^2 of the teeth: [2]."""
    scale, origin = CONFIG["scale"], torch.tensor([CONFIG["left"], CONFIG["top"], 0.0])
    place = (vertices - origin) * torch.tensor([scale, -scale, scale])
    width, height = (round(scale * abs(CONFIG[a] - CONFIG[b])) for a, b in (("right", "left"), ("top", "bottom")))
    index, weight = rasterise(place, triangles, max(width, height))
    at = lambda values: (values[triangles[index.clamp_min(0)]] * weight[..., None]).sum(-2)  # noqa: E731
    there = (index >= 0).float()
    shade = F.normalize(at(_normals(vertices, triangles)), dim=-1) @ torch.tensor(CONFIG["light"])
    tooth = (at(teeth.float()[:, None])[..., 0] > 0.5).float() * there
    closed = closing(tooth[None, None], torch.ones(GAP, GAP))[0, 0]
    shade, depth = shade.clamp(0, 1), at(vertices[:, 2:])[..., 0]
    near = blurred(torch.stack([shade * tooth, depth * tooth, tooth])[None], GAP / 2)[0]
    between = closed > tooth  # there is shadow between teeth, not the depth of the mouth
    shade = torch.where(between, SHADOW * near[0] / near[2].clamp_min(1e-3), shade)
    depth = torch.where(between, near[1] / near[2].clamp_min(1e-3), depth)
    there = torch.maximum(there, closed)
    maps = dict(zip(MAPS, (closed, there - closed, shade * there, depth * there), strict=True))
    seen = vertices[teeth & torch.isin(torch.arange(len(vertices)), triangles) & (vertices[:, 0].abs() < FRONT)]
    front = seen[seen[:, 2] > seen[:, 2].quantile(0.5)]
    arch = torch.linalg.lstsq(torch.stack([torch.ones(len(front)), front[:, 0] ** 2], 1), front[:, 2:]).solution[:, 0]
    return torch.stack([maps[name] for name in MAPS])[:, :height, :width], arch


def _normals(vertices: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    a, b, c = vertices[triangles].unbind(1)
    flat = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for k in range(3):
        total.index_add_(0, triangles[:, k], flat)
    return F.normalize(total, dim=-1)


def learn_cavity(faces: Iterable[Face], topology: Topology) -> torch.Tensor:
    """What is between the lips of mouths that are wide open, as colour over light [3, v, u]: the median, both sides alike."""
    (rows, columns), (first, last), seen = CONFIG["cavity"], CONFIG["between"], []
    for face in faces:
        light = GLEAM * lit(face.image, Mesh.of(face.points, topology, face.size))[0]
        left, right = face.points[list(MOUTH.corners), 0]
        x = left + (right - left) * (torch.arange(columns) + 0.5) / columns
        upper, lower = MOUTH.edges(face.points, x)
        y = upper + (lower - upper) * (first + (last - first) * (torch.arange(rows)[:, None] + 0.5) / rows)
        colour = sampled(face.image, torch.stack([x.expand_as(y), y], -1)) / light
        seen += [colour, colour.flip(-1)]
    return torch.stack(seen).median(0).values
