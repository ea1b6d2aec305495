"""A small linear model of the 478 face points: mean, identity modes, and the displacement of each expression coefficient.

It separates who a face is from what it does and how the head is turned, so that the same person can be redrawn with
another expression and pose. It is part of the bundle, fitted in `training/shape.py` to samples of a morphable model.

Axes: x to the right of the picture, y up, z towards the viewer; unit: about one centimetre. Camera: scaled orthographic.
"""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Fit:
    """A face explained by the model, batched over B. Picture coordinates have y down."""

    identity: torch.Tensor  # [B, K] coefficients, about standard normal
    expression: torch.Tensor  # [B, 52] 0..1
    rotation: torch.Tensor  # [B, 3, 3]
    scale: torch.Tensor  # [B] pixels per unit
    shift: torch.Tensor  # [B, 2] pixels, y up
    residual: torch.Tensor  # [B, 478, 2] what the model does not explain, pixels, y up


class FaceShape(nn.Module):
    """Buffers only: `mean` [478, 3], `identity` [K, 478, 3], `expression` [52, 478, 3], `weight` [478]."""

    def __init__(self, modes: int = 40, coefficients: int = 52, points: int = 478):
        super().__init__()
        self.register_buffer("mean", torch.zeros(points, 3))
        self.register_buffer("identity", torch.zeros(modes, points, 3))
        self.register_buffer("expression", torch.zeros(coefficients, points, 3))
        self.register_buffer("weight", torch.ones(points))

    def mesh(self, identity: torch.Tensor, expression: torch.Tensor) -> torch.Tensor:
        """[B, K], [B, 52] -> [B, 478, 3]."""
        return (
            self.mean
            + torch.einsum("bk,kpc->bpc", identity, self.identity)
            + torch.einsum("be,epc->bpc", expression, self.expression)
        )

    def fit(self, points: torch.Tensor, prior: torch.Tensor, rounds: int = 6) -> Fit:
        """points [B, 478, >= 2] picture pixels, prior [B, 52]: the coefficients a blendshape network measured.

        Alternates pose (weighted affine solution, nearest rotation) and ridge regression of identity and expression;
        the expression is held near the prior, because geometry alone mistakes a wide mouth for a smile.
        """
        kind = {"dtype": self.mean.dtype, "device": points.device}  # double where the same bits must come out each time
        target = points[..., :2].to(**kind) * torch.tensor([1.0, -1.0], **kind)
        identity, prior = torch.zeros(len(points), len(self.identity), **kind), prior.to(**kind)
        expression = prior.clone()
        for _ in range(rounds):
            mesh = self.mesh(identity, expression)
            rotation, scale, shift = pose(mesh, target, self.weight)
            identity, expression = self._coefficients(target, prior, rotation, scale, shift)
        mesh = self.mesh(identity, expression)
        rotation, scale, shift = pose(mesh, target, self.weight)
        residual = target - project(mesh, rotation, scale, shift)
        return Fit(identity, expression, rotation, scale, shift, residual)

    def _coefficients(self, target, prior, rotation, scale, shift, ridge_identity=0.6, ridge_expression=0.5):
        basis = torch.cat([self.identity, self.expression])
        turned = torch.einsum("npc,bdc->bnpd", basis, rotation[:, :2]) * scale[:, None, None, None]
        flat = turned.flatten(2).transpose(1, 2)  # [B, 2 P, K + 52]
        start = project(self.mean + torch.einsum("be,epc->bpc", prior, self.expression), rotation, scale, shift)
        wanted = (target - start).flatten(1)
        weight = self.weight.repeat_interleave(2)
        count = len(self.identity)
        ridge = torch.full((len(basis),), ridge_expression, dtype=target.dtype, device=target.device)
        ridge[:count] = ridge_identity
        ridge = torch.diag_embed(ridge * (scale**2)[:, None] * self.weight.sum() * 0.02)
        normal = (flat * weight[None, :, None]).transpose(1, 2) @ flat + ridge
        right = (flat * weight[None, :, None]).transpose(1, 2) @ wanted[..., None]
        found = torch.linalg.solve(normal, right)[..., 0]
        return found[:, :count], (prior + found[:, count:]).clamp(0, 1)


def project(mesh: torch.Tensor, rotation: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """[B, P, 3] -> [B, P, 2] pixels, y up."""
    return scale[:, None, None] * mesh @ rotation[:, :2].transpose(1, 2) + shift[:, None]


def pose(mesh: torch.Tensor, target: torch.Tensor, weight: torch.Tensor):
    """The scaled-orthographic pose that takes mesh [B, P, 3] to target [B, P, 2] (y up): rotation, scale, shift."""
    share = (weight / weight.sum())[None, :, None]
    mesh_mean, target_mean = (share * mesh).sum(1, keepdim=True), (share * target).sum(1, keepdim=True)
    m, t = mesh - mesh_mean, target - target_mean
    affine = torch.linalg.lstsq(m * share.sqrt(), t * share.sqrt()).solution.transpose(1, 2)  # [B, 2, 3]
    u, _, v = torch.linalg.svd(affine, full_matrices=False)
    rows = u @ v
    rotation = torch.cat([rows, torch.linalg.cross(rows[:, 0], rows[:, 1])[:, None]], 1)
    flat = m @ rows.transpose(1, 2)
    scale = (share * flat * t).sum((1, 2)) / (share * flat * flat).sum((1, 2)).clamp_min(1e-9)
    shift = (target_mean - scale[:, None, None] * (mesh_mean @ rows.transpose(1, 2)))[:, 0]
    return rotation, scale, shift


def place(shape: FaceShape, selfie: Fit, background: Fit, asked: torch.Tensor, detail: float = 0.85) -> torch.Tensor:
    """Where the selfie's face points stand with the asked expression [B, 52] in the background's pose: [B, 478, 3].

    x, y in the background picture's pixels (y down), z towards the viewer. `detail` is the share of the unexplained part
    of the selfie's own geometry that is carried over. Size and place are those of the background's neutral face.
    """
    asked = asked.to(shape.mean.dtype)
    zero = torch.zeros_like(asked)
    lost = torch.cat([selfie.residual / selfie.scale[:, None, None], torch.zeros_like(selfie.residual[..., :1])], -1)
    neutral = shape.mesh(selfie.identity, zero) + detail * lost @ selfie.rotation
    theirs = shape.mesh(background.identity, zero)
    turn = background.rotation.transpose(1, 2)
    mine, other = neutral @ turn, theirs @ turn
    share = (shape.weight / shape.weight.sum())[None, :, None]
    centre_mine, centre_other = ((share * x).sum(1, keepdim=True) for x in (mine, other))
    size = lambda x, c: (share * (x - c)[..., :2] ** 2).sum((1, 2)).sqrt()  # noqa: E731
    scale = background.scale * size(other, centre_other) / size(mine, centre_mine)
    asked_mesh = (neutral + torch.einsum("be,epc->bpc", asked, shape.expression)) @ turn
    shift = background.shift + background.scale[:, None] * centre_other[:, 0, :2]
    xy = scale[:, None, None] * (asked_mesh - centre_mine)[..., :2] + shift[:, None]
    z = scale[:, None, None] * (asked_mesh - centre_mine)[..., 2:]
    return torch.cat([xy * torch.tensor([1.0, -1.0], device=xy.device), z], -1).float()
