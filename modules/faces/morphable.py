"""A small linear model of the 478 face points: mean, identity modes, and the displacement of each expression coefficient.

It separates who a face is from what it does and how the head is turned, so that the same person can be redrawn with
another expression and pose. It is part of the bundle, fitted in `training/shape.py` to samples of a morphable model.

Axes: x to the right of the picture, y up, z towards the viewer; unit: about one centimetre. Camera: scaled orthographic.
"""

from functools import cached_property

import torch
from torch import nn

from ..labels import BLENDSHAPES
from ..types import Face, Fit
from .pose import pose, project
from .sizes import check_sizes
from .surface import surfaced

DETAIL = 0.85  # share of what the model does not explain that belongs to the person, and is carried over
STRONG_DETAIL = 0.4  # the same of a face that does much: part of it is the expression
CALM, STRONG = 0.05, 0.4  # mean displacement, in units of the model, up to which a face is calm, and from which on it does much
# edges of both lips, from one corner to the other
UPPER_EDGE = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_EDGE = (95, 88, 178, 87, 14, 317, 402, 318, 324)
NEARNESS = 4  # power of the cosine of two codes: how fast one stops being like the other
FILLED = 0.94  # of the frontal frame that light is kept in
DARKER, BRIGHTER = 1.4, 0.6  # factors of what is learnt: a mean over people blurs folds, and each has ridges elsewhere
DARKEST, BRIGHTEST = 1.2, 0.35  # the most that an expression changes the logarithm of light; more would glow below brows
STILL, REST = 0.4, 0.1  # skin that moves less than this share of the face's mean and of this length has less of the light
GRID, NEAR = 32, 1.25  # squares to a side of the frontal frame where that is looked at, and over how many it is averaged
LOW, HIGH = -0.4, 1.8  # of the rig's coefficients; beyond that skin would tear
LIMITED = [k for k, name in enumerate(BLENDSHAPES) if name.startswith(("eyeBlink", "eyeLook"))]  # lids meet, eyes have turned


class RigCalibration(nn.Module):
    """Coefficients asked [B, 52], 0..1 -> coefficients of the rig [B, 52], -.4..1.8. Zeros give exactly zeros.

    The coefficients of a code say what a face should measure as; the rig's shapes say how points move. They differ: a drawn
    brow lowered by the rig's 1 measures as .4, and raised inner brows hide lowered ones. Trained in `training/rig.py` on drawn
    and measured faces.
    """

    def __init__(self, coefficients: int = 52, width: int = 64):
        super().__init__()
        self.hidden, self.answer = nn.Linear(coefficients, width), nn.Linear(width, coefficients, bias=False)
        nn.init.zeros_(self.answer.weight)  # untrained it changes nothing

    def forward(self, asked: torch.Tensor) -> torch.Tensor:
        hidden = nn.functional.silu
        change = hidden(self.hidden(asked)) - hidden(self.hidden.bias)
        return (asked + self.answer(change)).clamp(LOW, HIGH)


MAPS = ("teeth", "flesh", "shade", "depth")  # of the inside of a mouth
TEETH = ("mouth_maps", "mouth_box", "mouth_arch", "mouth_drop")
# buffers that older bundles lack, those that need each other together
TOGETHER = (
    ("movement", "anchors", "corrections"), ("resting",), ("geometry_more",), ("light_maps", "light_axes"),
    (*TEETH, "mouth_cavity"),
)  # fmt: skip
OPTIONAL = sum(TOGETHER, ())


def likeness(codes: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    """How much codes [B, 52] are like others [A, 52]: [B, A], 1 for the same, linear in length, 0 beyond a right angle."""
    size, sizes = codes.norm(dim=1, keepdim=True).clamp_min(1e-9), anchors.norm(dim=1)
    return (codes @ anchors.T / (size * sizes)).clamp_min(0) ** NEARNESS * size / sizes


class FaceShape(nn.Module):
    """Buffers `mean` [478, 3], `identity` [M, 478, 3], `expression` [52, 478, 3] (the rig), `weight` [478].

    `geometry` [40, 478, 3]: orthonormal basis of the ways in which expressions move the points. The displacement is the same
    for everybody, as in the morphable model that it was taken from. Buffers that older bundles lack: `geometry_more`
    [K - 40, 478, 3], directions of real faces beyond it; `movement` [52, 478, 3], `anchors` [A, 52], `corrections`
    [A, 478, 3], see `movement_of_code` (without them there is `drive`, the rig calibration); `resting` [52], what calm faces
    are fitted with; `light_maps` [L, U, U], `light_axes` [L, K], see `light`; `mouth_*`, see `warp/mouth.py`.
    """

    def __init__(
        self, modes: int = 40, coefficients: int = 52, points: int = 478, directions: int = 32, more: dict | None = None
    ):
        super().__init__()
        self.register_buffer("mean", torch.zeros(points, 3))
        self.register_buffer("identity", torch.zeros(modes, points, 3))
        self.register_buffer("expression", torch.zeros(coefficients, points, 3))
        self.register_buffer("weight", torch.ones(points))
        self.register_buffer("geometry", torch.zeros(directions, points, 3))
        for name in OPTIONAL:
            self.register_buffer(name, torch.zeros(more[name]) if more and name in more else None)
        self.drive = RigCalibration(coefficients).requires_grad_(False)
        self.register_load_state_dict_post_hook(_on_the_surface)

    @classmethod
    def like(cls, state: dict[str, torch.Tensor]) -> "FaceShape":
        """One of the sizes that a state has, without its values; parts that are missing have no rows.

        Raises ValueError for sizes that no face model has.
        """
        check_sizes(state)
        sizes = [len(state.get(name, ())) for name in ("identity", "geometry")]
        wanted = [name for group in TOGETHER if any(name in state for name in group) for name in group]
        return cls(sizes[0], directions=sizes[1], more={n: state[n].shape if n in state else (0,) for n in wanted})

    @property
    def basis(self) -> torch.Tensor:
        """The directions of geometry [K, 478, 3]."""
        return self.geometry if self.geometry_more is None else torch.cat([self.geometry, self.geometry_more])

    def face(self, image: torch.Tensor, points: torch.Tensor, code: torch.Tensor) -> Face:
        """A face with its fit: picture [3, S, S], points [478, 3] in its pixels, measured coefficients [52]."""
        return Face(image, points, code, self.fit(points[None], code[None]))

    def geometry_of_code(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Coefficients asked for [B, 52], 0..1.5 -> the geometry [B, K] that shows them: at 1 as far as real faces go.

        A caricature goes on above 1, but for lids, which then meet, and eyes. The rig calibration, which goes further than
        faces do as it is, stops at 1.
        """
        if self.movement is None:
            return self.geometry_of_rig(self.drive(coefficients.to(self.mean).clamp(max=1)))
        return self.geometry_of(self.movement_of_code(coefficients.to(self.mean)))

    def movement_of_code(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Coefficients [B, 52] -> displacement of the points [B, 478, 3]: a share of the rig, and what real faces do else.

        The second is known for the codes in `anchors`, and is taken over the more the nearer a code's direction is to one; it
        grows with the code's length.
        """
        limited = coefficients.clone()
        limited[:, LIMITED] = limited[:, LIMITED].clamp(max=1)
        plain = torch.einsum("be,epc->bpc", limited, self.movement)
        return plain + torch.einsum("ba,apc->bpc", likeness(coefficients, self.anchors), self.corrections)

    def geometry_of_rig(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Coefficients of the morphable rig [B, 52] -> geometry [B, K]."""
        return coefficients.to(self.mean) @ torch.einsum("epc,kpc->ek", self.expression, self.basis)

    def own_geometry(self, fit: Fit) -> torch.Tensor:
        """What the fitted face itself does: geometry [B, K] from its neutral face (with its neutral offset) to where it is."""
        return self.geometry_of(self.upright(fit) - self.neutral(fit))

    def geometry_between(self, calm: Fit, other: Fit) -> torch.Tensor:
        """From one picture of a person to another of the same, pose taken out: geometry [B, K]; nothing is left to guess."""
        return self.geometry_of(self.upright(other) - self.upright(calm))

    def geometry_of(self, displacement: torch.Tensor) -> torch.Tensor:
        """Displacement of the points [B, 478, 3] -> the nearest geometry [B, K]."""
        return torch.einsum("bpc,kpc->bk", displacement.to(self.mean), self.basis)

    def light(self, change: torch.Tensor) -> torch.Tensor | None:
        """The light of an expression: geometry [K] that a face has moved by -> log of the gain of its linear light [U, U], in
        the frontal picture of `frame`. None without maps.

        Expression ratio images (Liu, Shan & Zhang 2001), by movement: a linear map of what moved, learnt on real faces. Few
        expressions taught it, in which mouth and brows move together, so it fades where the skin hardly moved.
        """
        if self.light_maps is None:
            return None
        amount = self.light_axes @ change.to(self.mean)
        light = torch.einsum("l,luv->uv", amount.float(), self.light_maps.float())
        light = torch.where(light < 0, DARKER * light, BRIGHTER * light).clamp(-DARKEST, BRIGHTEST)
        return light * self.share_moved(change, len(light))

    def share_moved(self, change: torch.Tensor, size: int) -> torch.Tensor:
        """Where geometry [K] moves the skin, in the frontal frame: [size, size], 0 where it is at rest to 1; see `STILL`."""
        amount = self.moved(change[None])[0].norm(dim=-1).float()
        share = (self._near @ amount / (STILL * (amount.mean() + REST))).clamp(0, 1)
        smooth = (share * share * (3 - 2 * share)).view(1, 1, GRID, GRID)
        return nn.functional.interpolate(smooth, (size, size), mode="bilinear", align_corners=False)[0, 0]

    @cached_property
    def _near(self) -> torch.Tensor:
        """How much each point counts in each square of the frontal frame, row by row: [GRID^2, 478]."""
        middles = torch.arange(GRID) + 0.5
        squares = torch.cartesian_prod(middles, middles).flip(1)
        return torch.softmax(-0.5 * (torch.cdist(squares, self.frame(GRID)[:, :2]) / NEAR) ** 2, 1)

    def frame(self, size: int) -> torch.Tensor:
        """Where the points of the mean face are in a frontal picture of `size` pixels: [478, 3], z towards the viewer."""
        flat = self.mean * self.mean.new_tensor([1.0, -1.0, 1.0])
        low, high = flat[:, :2].amin(0), flat[:, :2].amax(0)
        scale = FILLED * size / (high - low).max()
        return torch.cat([(flat[:, :2] - (low + high) / 2) * scale + size / 2, flat[:, 2:] * scale], 1).float()

    def upright(self, fit: Fit) -> torch.Tensor:
        """The points as they were found, facing forward, in the model's unit: [B, 478, 3]."""
        return self.mesh(fit.identity, fit.expression) + unexplained(fit)

    def neutral(self, fit: Fit) -> torch.Tensor:
        """The person's neutral face, facing forward, its lips closed: [B, 478, 3].

        Of two guesses: the face as it is, without the movement that goes with its coefficients, which is right for calm faces;
        and who the face model finds, which knows how far exactly a mouth is open. The more a face does, the more of the second.
        """
        if self.movement is None:
            calm = self.mesh(fit.identity, torch.zeros_like(fit.expression))
            return calm + DETAIL * unexplained(fit) + self.moved(fit.neutral_offset)
        usual = torch.zeros_like(fit.expression) if self.resting is None else torch.minimum(fit.expression, self.resting)
        calm = self.mesh(fit.identity, usual)
        done = self.mesh(fit.identity, fit.expression) - calm
        amount = done[..., :2].norm(dim=-1).mean(1)[:, None, None]
        share = ((amount - CALM) / (STRONG - CALM)).clamp(0, 1)
        found = calm + done + unexplained(fit) - self.movement_of_code(fit.expression - usual)
        found = torch.lerp(found, calm + STRONG_DETAIL * unexplained(fit), share)
        return closed(found) + self.moved(fit.neutral_offset)

    def moved(self, geometry: torch.Tensor) -> torch.Tensor:
        """Geometry [B, K] -> displacement of the points from the neutral face [B, 478, 3]."""
        return torch.einsum("bk,kpc->bpc", geometry.to(self.mean), self.basis)

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
        nothing = torch.zeros(len(points), len(self.basis), **kind)
        return Fit(identity, expression, rotation, scale, shift, residual, nothing)

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


def _on_the_surface(shape: FaceShape, _) -> None:
    shape.mean, shape.identity = surfaced(shape.mean, shape.identity)


def closed(points: torch.Tensor) -> torch.Tensor:
    """Points [B, 478, 3], y up, with the edges of the lips led together where they are apart."""
    gap = (points[:, UPPER_EDGE, 1] - points[:, LOWER_EDGE, 1]).clamp_min(0) / 2
    points = points.clone()
    points[:, UPPER_EDGE, 1] -= gap
    points[:, LOWER_EDGE, 1] += gap
    return points


def unexplained(fit: Fit) -> torch.Tensor:
    """What the model leaves of a fit, in its own unit and facing forward: [B, 478, 3]."""
    flat = fit.residual / fit.scale[:, None, None]
    return torch.cat([flat, torch.zeros_like(flat[..., :1])], -1) @ fit.rotation


def retarget(shape: FaceShape, selfie: Fit, background: Fit, asked: torch.Tensor) -> torch.Tensor:
    """Where the selfie's face points stand with the asked geometry [B, K] in the background's pose: [B, 478, 3].

    x, y in the background picture's pixels (y down), z towards the viewer. Size and place are those of the background's
    neutral face.
    """
    neutral = shape.neutral(selfie)
    theirs = shape.mesh(background.identity, torch.zeros_like(background.expression))
    turn = background.rotation.transpose(1, 2)
    mine, other = neutral @ turn, theirs @ turn
    share = (shape.weight / shape.weight.sum())[None, :, None]
    centre_mine, centre_other = ((share * x).sum(1, keepdim=True) for x in (mine, other))
    size = lambda x, c: (share * (x - c)[..., :2] ** 2).sum((1, 2)).sqrt()  # noqa: E731
    scale = background.scale * size(other, centre_other) / size(mine, centre_mine)
    asked_mesh = (neutral + shape.moved(asked)) @ turn
    shift = background.shift + background.scale[:, None] * centre_other[:, 0, :2]
    xy = scale[:, None, None] * (asked_mesh - centre_mine)[..., :2] + shift[:, None]
    z = scale[:, None, None] * (asked_mesh - centre_mine)[..., 2:]
    return torch.cat([xy * torch.tensor([1.0, -1.0], device=xy.device), z], -1).float()
