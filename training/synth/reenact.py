"""Persons redrawn: another expression, another turn of the head. One picture or many, on any device.

The face moves by the linear face model, the same that serves the coarse warp at run time; the picture around it follows with a
displacement that fades, so that chin, ears and hair move along and the background stays. `*` stands for any leading dimensions.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from kornia.filters import gaussian_blur2d
from kornia.geometry.conversions import axis_angle_to_rotation_matrix

from ...modules.faces.morphable import FaceShape, retarget
from ...modules.types import Fit, Topology
from ...modules.warp.masks import fill
from ...modules.warp.mesh import POINTS, Mesh, areas, sampled, shown
from ...modules.warp.plain_mouth import paint_plainly

REACH = 0.22  # of the face's width: how far the movement is felt beside the face
COARSE = 4  # distances are measured in cells of this many pixels


def turned(fit: Fit, yaw: float | torch.Tensor, pitch: float | torch.Tensor) -> Fit:
    """The same fit with the head turned by degrees, a number or [B] (added to its own pose)."""
    kind = {"dtype": fit.rotation.dtype, "device": fit.rotation.device}
    yaw, pitch = (torch.as_tensor(v, **kind).expand(len(fit.identity)) for v in (yaw, pitch))
    turn = axis_angle_to_rotation_matrix(torch.deg2rad(torch.stack([pitch, yaw, torch.zeros_like(yaw)], 1)))
    return replace(fit, rotation=turn @ fit.rotation)


def moved_points(
    shape: FaceShape,
    fit: Fit,
    points: torch.Tensor,
    geometry: torch.Tensor,
    yaw: float | torch.Tensor = 0.0,
    pitch: float | torch.Tensor = 0.0,
) -> torch.Tensor:
    """Points [*, 478, 3] after the change to `geometry` [*, K]; the old ones when nothing changes. z towards the viewer.

    `fit` is batched over all pictures; yaw and pitch in degrees, added to the head's own, a number or [B].
    """
    before = retarget(shape, fit, fit, shape.own_geometry(fit))
    after = retarget(shape, fit, turned(fit, yaw, pitch), geometry.reshape(len(before), -1))
    return (torch.cat([points[..., :2].view_as(before[..., :2]), before[..., 2:]], -1) + (after - before)).view_as(points)


def redraw_person(
    image: torch.Tensor,
    before: torch.Tensor,
    after: torch.Tensor,
    topology: Topology,
    margin: int = 0,
    fade: str = "distance",
    smear: float | None = None,
) -> tuple[torch.Tensor, Mesh]:
    """The whole picture [*, 3, S, S] moved with the face from points `before` to `after` [*, 478, 3].

    Returns the inner part of the picture, `margin` pixels less at each side, and the new face's mesh in it.
    `fade`: the movement around the face fades with the "distance" to it, or to none at an "ellipse" about the head.
    `smear`: skin stretched to more than so many times its area was seen from the side, with hair and background on it; what
    of the face is beside it is continued there instead. None: left as it is.
    """
    size, offset = image.shape[-1] - 2 * margin, after.new_tensor([margin, margin, 0])
    mesh = Mesh.of(after - offset, topology, size)
    face = mesh.points[..., :POINTS, :]
    shift = mesh.interpolate((before - after)[..., :POINTS, :2])
    shift = FADES[fade](flat(shift, 3), flat(mesh.covered, 2), flat(face, 2)).view_as(shift)
    picture = sampled(image, pixels(size, image.device) + margin + shift, "bicubic").clamp(0, 1)
    if smear is not None:
        picture = _unsmeared(picture, mesh, _trusted(before[..., :POINTS, :2], face, topology, smear))
    return paint_plainly(picture, mesh, before), mesh


def _trusted(before: torch.Tensor, after: torch.Tensor, topology: Topology, smear: float) -> torch.Tensor:
    """Triangles [*, T] bool that show skin before and after: none that is stretched, or has been turned over."""
    old, new = areas(before, topology), areas(after, topology)
    front = torch.sign(new.sum(-1, keepdim=True))
    over = (old * front > 0) & (new * front < -1)  # by more than rounding
    return shown(before, after, topology, smear) & ~over


def _unsmeared(picture: torch.Tensor, mesh: Mesh, good: torch.Tensor) -> torch.Tensor:
    """Pictures [*, 3, S, S] with triangles that are not `good` [*, T] filled from the rest of the face."""
    keep = (mesh.at_pixels(good) | ~mesh.covered).to(picture.dtype)
    weight = ((gaussian_blur2d(flat(keep, 2)[:, None], (9, 9), (2.0, 2.0)) - 0.5) * 2).clamp(0, 1)
    inside = flat(mesh.covered, 2)[:, None]
    whole = flat(picture, 3)
    return torch.where(inside, fill(whole, weight * inside), whole).view_as(picture)


def flat(values: torch.Tensor, last: int) -> torch.Tensor:
    """All leading dimensions made one: [*, ...] -> [B, ...] with the `last` ones kept."""
    return values.reshape(-1, *values.shape[-last:])


def pixels(size: int, device: torch.device) -> torch.Tensor:
    """x, y of the middles of all pixels [size, size, 2]."""
    axis = torch.arange(size, device=device) + 0.5
    return torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)


def fading(values: torch.Tensor, covered: torch.Tensor, face: torch.Tensor) -> torch.Tensor:
    """Values [B, S, S, C] of the face, continued around where it is `covered` [B, S, S] and faded; its points [B, 468, 3]."""
    inside = covered[:, None].to(values.dtype)
    width = face[..., 0].amax(1) - face[..., 0].amin(1)
    share = torch.exp(-((distance(covered) / (REACH * width)[:, None, None]) ** 2))
    spread = gaussian_blur2d(fill(values.permute(0, 3, 1, 2), inside) * share[:, None], (9, 9), (2.0, 2.0))
    return torch.where(covered[..., None], values, spread.permute(0, 2, 3, 1))


def _fading_to_an_ellipse(shift: torch.Tensor, covered: torch.Tensor, face: torch.Tensor) -> torch.Tensor:
    low, high = face[..., :2].amin(1)[:, None, None], face[..., :2].amax(1)[:, None, None]
    far = (((pixels(shift.shape[1], shift.device) - (low + high) / 2) / ((high - low) * 0.85)) ** 2).sum(-1) > 1
    spread = fill(shift.permute(0, 3, 1, 2), (covered | far)[:, None].to(shift.dtype))
    spread = gaussian_blur2d(spread, (5, 5), (1.5, 1.5))
    return torch.where(covered[..., None], shift, spread.permute(0, 2, 3, 1))


FADES = {"distance": fading, "ellipse": _fading_to_an_ellipse}


def distance(covered: torch.Tensor) -> torch.Tensor:
    """Pixels to the nearest covered place, about: [B, S, S] bool -> [B, S, S]; Euclid's on a grid four times as coarse."""
    cells = F.avg_pool2d(covered[:, None].float(), COARSE, ceil_mode=True)[:, 0] > 0.5
    y, x = (torch.arange(n, device=covered.device, dtype=torch.float32) for n in cells.shape[1:])
    y, nowhere = y[:, None], -1e4
    above = y - torch.where(cells, y, nowhere).cummax(1).values
    below = -y - torch.where(cells, -y, nowhere).flip(1).cummax(1).values.flip(1)
    column = torch.minimum(above, below)  # to the nearest in the same column
    nearest = (column[:, :, None] ** 2 + (x[:, None] - x) ** 2).amin(-1).sqrt()
    away = (nearest[:, None] - 0.5) * COARSE  # a cell's middle is half a cell from the border
    return F.interpolate(away, size=covered.shape[-2:], mode="bilinear", align_corners=False)[:, 0].clamp_min(0)
