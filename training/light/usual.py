"""What faces in soft light have in common, and how they differ: principal components of log light at the mesh's points."""

import torch

from ...modules.faces.lights import LightNetwork
from ...modules.types import Topology
from ...modules.warp.front import colours_of
from ...modules.warp.mesh import POINTS, Mesh, sampled
from ...modules.warp.soft_face import light_at
from ..portrait import FRAME, MARGIN, Portrait, crop_frame

UNLIKE = 1.5  # distance from skin from which on a point shows hair or glasses, and says nothing
ROUNDS = 30  # of what is known and what is filled in


def at_points(portrait: Portrait, topology: Topology) -> tuple[torch.Tensor, torch.Tensor]:
    """Of a portrait, log light [468, 3] at its points, and where they show skin or a feature [468] bool."""
    image = torch.from_numpy(crop_frame(portrait.wide()).copy()).permute(2, 0, 1).float() / 255
    mesh = Mesh.of(portrait.points() - torch.tensor([MARGIN, MARGIN, 0.0]), topology, FRAME)
    seen = colours_of(image, mesh)
    unlike = sampled((seen.unlike * ~seen.feature)[None], mesh.points[:POINTS, None, :2])[0, :, 0]
    return light_at(image, mesh), unlike < UNLIKE


def components(rows: torch.Tensor, known: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Of rows [N, P, 3], known [N, P] bool, the mean [P, 3] and so many principal components [count, P, 3], of one standard
    deviation each. What is not known is filled in from those that are, again and again, shrunk as noise asks for.
    """
    known = known[..., None].expand_as(rows)
    mean = (rows * known).sum(0) / known.sum(0).clamp_min(1)
    full = torch.where(known, rows, mean)
    for _ in range(ROUNDS):
        mean = full.mean(0)
        step = (full - mean).flatten(1)
        _, size, ways = torch.linalg.svd(step, full_matrices=False)
        size, ways, rest = size[:count], ways[:count], size[count : count + 1].sum()
        full = torch.where(known, rows, mean + ((step @ ways.T * size**2 / (size**2 + rest**2)) @ ways).view_as(rows))
    return mean, (size[:, None] * ways / len(rows) ** 0.5).view(-1, *mean.shape)


@torch.no_grad()
def learn_usual(network: LightNetwork, portraits: list[Portrait], topology: Topology) -> None:
    """Into the network, from portraits in soft light: what is the same on both sides of a face, the rest is light."""
    rows, known = (torch.stack(values) for values in zip(*(at_points(p, topology) for p in portraits), strict=True))
    mirror = topology.mirror[:POINTS]
    count = known.float()[..., None] + known.float()[:, mirror, None]
    rows = (rows * known[..., None] + (rows * known[..., None])[:, mirror]) / count.clamp_min(1)
    known = count[..., 0] > 0
    for own, found in zip((network.usual, network.ways), components(rows, known, network.WAYS), strict=True):
        own.copy_(found)
