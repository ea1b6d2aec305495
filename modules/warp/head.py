"""The head that a face is drawn on is that of its place: at the ears a face is as wide as that head is, but for little.

Else a narrow face pulls the ears in after it, far wider than they were, and what stands behind them too.
"""

import torch

from ..affine import FRAME
from ..faces.morphable import FaceShape
from ..faces.pose import project
from ..types import Fit

# the outline from temple to chin, of the right half and of the left
SIDES = (21, 162, 127, 234, 93, 132, 58, 172, 136, 150), (251, 389, 356, 454, 323, 361, 288, 397, 365, 379)
EAR, CHIN = 132, 152  # points at whose heights an ear ends, and a face
INNER, OUTER = 33, 127  # and as far to the side as which nothing moves, and all does
NEAR, FAR = 1.5, 40.0  # pixels of the 256 px crop that a face may be narrower or wider: at the ears, and at the chin
SHARE = 0.8  # of what is more than that, by which it is led
ALONG = 1.0  # unit of the face model over which the outline's ways are averaged


def on_the_head(points: torch.Tensor, shape: FaceShape, background: Fit, size: int) -> torch.Tensor:
    """Face points [478, 3] in a crop of `size` pixels, at the sides led to the head of the face whose place they take.

    Eyes, nose, mouth and chin stay where they are. The mean face of the model says where on a face a point is.
    """
    turn = background.rotation[0, :, 0].to(points)
    aside, (x, y, _) = turn * points.new_tensor([1.0, -1.0, 1.0]), shape.mean.to(points).T
    left, rim = x > 0, [point for side in SIDES for point in side]
    outwards = torch.where(left, 1.0, -1.0)
    apart = ((as_found(shape, background)[0].to(points) - points) @ aside) * outwards
    low = ((y[EAR] - y) / (y[EAR] - y[CHIN])).clamp(0, 1)
    room = (NEAR + (FAR - NEAR) * low**2) * size / FRAME
    beside = -0.5 * ((y[:, None] - y[rim]) / ALONG) ** 2
    beside = beside.masked_fill(left[:, None] != left[rim], -torch.inf).softmax(1)
    way = SHARE * beside @ (apart.sign() * (apart.abs() - room).clamp_min(0))[rim]
    share = ((x.abs() - x[INNER].abs()) / (x[OUTER] - x[INNER]).abs()).clamp(0, 1)
    return points + (way * outwards * share * share * (3 - 2 * share))[:, None] * aside


def as_found(shape: FaceShape, fit: Fit) -> torch.Tensor:
    """Face points [B, 478, 3] as they were found in a picture, in the pose that their fit says: in the unit and on the side of
    those of `morphable.retarget`.
    """
    found, calm = shape.upright(fit), shape.mesh(fit.identity, torch.zeros_like(fit.expression))
    middle = ((shape.weight / shape.weight.sum())[None, :, None] * calm).sum(1, keepdim=True)
    depth = fit.scale[:, None, None] * ((found - middle) @ fit.rotation.transpose(1, 2))[..., 2:]
    flat = project(found, fit.rotation, fit.scale, fit.shift)
    return torch.cat([flat * flat.new_tensor([1.0, -1.0]), depth], -1)
