"""Odd values by the type of the wire that can carry them, and a graph's usual values to put them among."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import torch

NAN, INF = float("nan"), float("inf")
FLOATS = (NAN, INF, -INF, -1.0, -0.001, 1e-9, 1e-320, 1e9, 1e308, 0, 2**70, True)
INTS = (-1, 0, 1, 3, 5, 10**6, 2**31, 2**63, 2**64, -(2**63))
TEXTS = ("", " ", "\0", "joy\njoy", "joy 9", "joy nan", "jawOpen nan", "jawOpen 1e400", "x" * 10_000, "\n" * 300, "喜び",
"../../joy", "-" * 99)


def image(rng: random.Random, usual: torch.Tensor) -> torch.Tensor:
    """A picture of another type, range, shape or content."""
    ramp = torch.linspace(0, 1, 64 * 64 * 3).reshape(1, 64, 64, 3)
    kinds = (
        lambda: usual.bfloat16(), lambda: usual.half(), lambda: usual.double(), lambda: (usual * 255).to(torch.uint8),
        lambda: (usual * 255).long(), lambda: usual > 0.5, lambda: usual * 255, lambda: usual - 1, lambda: usual * NAN,
        lambda: usual.clone().index_fill_(1, torch.tensor(5), INF), lambda: usual[0], lambda: usual[None], lambda: usual[:0],
        lambda: usual[:, :1], lambda: usual[..., :1], lambda: usual[..., :2], lambda: torch.cat([usual, usual], -1)[..., :4],
        lambda: usual.to(torch.complex64), lambda: usual.permute(0, 3, 1, 2), lambda: usual.flip(1), lambda: ramp,
        lambda: ramp * 0,
        lambda: usual[:, :31, :31], lambda: torch.zeros(1).expand(1, 8192, 8192, 3), lambda: torch.zeros(1, 0, 64, 3),
        lambda: usual.to(torch.float8_e4m3fn), lambda: (usual * 60_000).int(), lambda: usual[:, :, :40], lambda: usual.mT,
    )  # fmt: skip
    return rng.choice(kinds)()


def mask(rng: random.Random, usual: torch.Tensor) -> torch.Tensor:
    """`usual`: a mask of the picture's size over the face."""
    kinds = (
        lambda: usual * 0.4, lambda: usual * 0.5, lambda: usual * 1e-6, lambda: 1 - usual, lambda: usual * 0,
        lambda: usual * NAN,
        lambda: usual > 0.5, lambda: (usual * 255).to(torch.uint8), lambda: usual.bfloat16(), lambda: usual * 255,
        lambda: -usual,
        lambda: usual[0], lambda: usual[None], lambda: usual[..., None], lambda: usual[:, ::2, ::2], lambda: usual[:0],
        lambda: usual.expand(3, -1, -1), lambda: usual * 0 + 1, lambda: usual * INF, lambda: usual.to(torch.complex64),
        lambda: torch.zeros(1, 64, 64), lambda: torch.ones(1, 64, 64), lambda: usual.flip(1).flip(2), lambda: usual.double(),
    )  # fmt: skip
    return rng.choice(kinds)()


def latent(rng: random.Random, usual: dict) -> dict:
    z = usual["samples"]
    kinds = (
        lambda: {}, lambda: {"samples": None}, lambda: {"samples": z[0]}, lambda: {"samples": z[:0]},
        lambda: {"samples": z * NAN},
        lambda: {"samples": z[:, :4] + 1}, lambda: {"samples": z[:, :4] * 0}, lambda: {"samples": z[..., :5]},
        lambda: {"samples": z.half()},
        lambda: {"samples": z[:, :, None]}, lambda: {"samples": z.long()}, lambda: {"samples": z.bfloat16()},
        lambda: {"samples": z * 1e30},
        lambda: {"samples": z, "noise_mask": torch.full((1, 1, 256, 256), NAN)}, lambda: {"samples": z.repeat(3, 1, 1, 1)},
        lambda: {"samples": z, "noise_mask": torch.ones(1, 256, 256, dtype=torch.bool)}, lambda: {"samples": z,
        "batch_index": [0, 1]},
        lambda: {"samples": z, "noise_mask": torch.zeros(1, 1, 9, 9)}, lambda: {"samples": z, "batch_index": [2**63]},
        lambda: {"samples": z, "batch_index": []}, lambda: {"samples": z.double()},
    )  # fmt: skip
    return rng.choice(kinds)()


def conditioning(rng: random.Random, usual: list) -> list:
    tensor, extras = usual[0]
    ours = extras["diffsfsr"]
    other = lambda **changes: [[tensor, {**extras, "diffsfsr": replace(ours, **changes)}]]  # noqa: E731
    kinds = (
        lambda: [], lambda: [[tensor, {}]], lambda: [[torch.zeros(1, 77, 768), {"pooled_output": None}]], lambda: usual * 2,
        lambda: other(bundle="x" * 12), lambda: other(mask=ours.mask[..., :8]), lambda: other(identity=ours.identity * 0),
        lambda: other(expression=ours.expression[:, :0]), lambda: other(identity=ours.identity * NAN),
    )  # fmt: skip
    return rng.choice(kinds)()


def sigmas(rng: random.Random, usual: torch.Tensor) -> torch.Tensor:
    kinds = (
        lambda: usual.flip(0), lambda: usual * NAN, lambda: usual * 0, lambda: usual[:1], lambda: usual[:0], lambda: -usual,
        lambda: usual[None], lambda: usual * 1e6, lambda: usual[:-1], lambda: usual.double(),
        lambda: usual.repeat_interleave(2),
        lambda: torch.cat([usual, torch.tensor([INF])]), lambda: torch.cat([usual[:1], usual]), lambda: usual.bfloat16(),
    )  # fmt: skip
    return rng.choice(kinds)()


def paste_region(rng: random.Random, usual):
    kinds = (
        lambda: replace(usual, fine=None), lambda: replace(usual, feather=0.0), lambda: replace(usual, mask=usual.mask * 0),
        lambda: replace(usual, to_frame=usual.to_frame.repeat(2, 1, 1)),
        lambda: replace(usual, background=usual.background.half()),
    )  # fmt: skip
    return rng.choice(kinds)()


def landmarks(rng: random.Random, usual: None) -> object:
    """FACE_LANDMARKS for one picture; the nodes are tried without it as a rule."""
    ring = torch.linspace(0, 6.28, 478)
    plane = torch.stack([ring.sin(), ring.cos()], 1).numpy()
    one = lambda xy, **more: {"frames": [[{"landmarks_xy": xy, **more}]]}  # noqa: E731
    kinds = (
        lambda: {}, lambda: [], lambda: {"frames": None}, lambda: {"frames": [[]]}, lambda: {"frames": []},
        lambda: {"frames": [{}]}, lambda: {"frames": [[None]]}, lambda: {"frames": [[{}]]},
        lambda: {"frames": [[]], "image_size": 3},
        lambda: one(plane * NAN), lambda: one(plane * 1e30), lambda: one(plane * 0), lambda: one(plane - 500), lambda: one("x"),
        lambda: one(plane.tolist()), lambda: one(plane * 90 + 200), lambda: one(plane * 90 + 200, landmarks_3d=plane),
        lambda: one(plane * 9000), lambda: one(plane[:468] * 90 + 200),
    )  # fmt: skip
    return rng.choice(kinds)()


def odd(kind: str, usual, rng: random.Random):
    """An odd value of a wire's type, and whether it has to be refused where it is none of a widget's values."""
    made = {
        "IMAGE": image, "MASK": mask, "LATENT": latent, "CONDITIONING": conditioning, "SIGMAS": sigmas,
        "DIFFSFSR_PLACE": paste_region, "FACE_LANDMARKS": landmarks,
    }  # fmt: skip
    if kind in made:
        return made[kind](rng, usual)
    return {
        "FLOAT": lambda: rng.choice(FLOATS), "INT": lambda: rng.choice(INTS), "STRING": lambda: rng.choice(TEXTS),
        "BOOLEAN": lambda: rng.random() < 0.5, "COMBO": lambda: rng.choice(TEXTS),
    }[kind]()  # fmt: skip


def outside(value, least, most) -> bool:
    """Whether a number is none that the widget would let through."""
    return math.isnan(value) or not least <= value <= most
