"""ENCODERS: the bundle's small networks and the face networks, each in the host's memory management."""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..bundle import Bundle, BundleConfig, check_fit, check_reach, fill_module
from ..encoders.identity import ARCFACE, IdentityNetwork, joined
from ..encoders.regressor import CoefficientRegressor
from ..encoders.tokens import TokenEncoder
from ..faces.covers import CoverNetwork
from ..faces.lights import LightNetwork
from ..faces.morphable import FaceShape
from ..faces.networks import FaceNetworks
from ..host import folders, insightface
from ..host.managed import Managed
from .memo import Memo


class Stack(torch.nn.Module):
    """The bundle's networks beside the UNet and the autoencoder, in single precision: they are small."""

    def __init__(self, config: BundleConfig, directions: int):
        super().__init__()
        self.identity, self.tokens = IdentityNetwork(), TokenEncoder(config.tokens)
        self.reader = CoefficientRegressor(directions)


@dataclass(eq=False)
class Encoders:
    """DIFFSFSR_ENCODERS: what a bundle reads people and pictures with."""

    config: BundleConfig
    stack: Managed
    shape: FaceShape  # a few small matrices, always on the CPU
    arcface: insightface.ArcFace | None = None  # the user's own network, where the bundle asks for it
    memo: Memo = field(default_factory=Memo)  # all that is remembered from one queue item to the next

    @property
    def id(self) -> str:
        return self.config.id

    @property
    def size(self) -> int:
        """Side of the face crop in pixels."""
        return self.config.resolution

    def recognise(self, selfies: torch.Tensor, images: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        """Crops [N, 3, 128, 128] 0..1, the same larger [N, 3, S, S] with points [N, 478, 3] -> joined vectors [N, D]."""
        own = self.stack.ready().identity(selfies.to(self.stack.device)).cpu()
        return joined([own] if self.arcface is None else [own, self.arcface(images, points)])


def build_encoders(bundle: Bundle) -> Encoders:
    parts, config = bundle.parts, bundle.config
    check_fit(lambda: FaceShape.like(parts["shape"]), parts["shape"], "shape")
    shape = FaceShape.like(parts["shape"])
    check_reach(config, len(shape.basis))
    directions = len(shape.geometry)
    for part in ("identity", "tokens", "reader"):
        check_fit(lambda part=part: getattr(Stack(config, directions), part), parts[part], part)
    stack = Stack(config, directions)
    for part, module in {"identity": stack.identity, "tokens": stack.tokens, "reader": stack.reader, "shape": shape}.items():
        fill_module(module, {k: v.float() if v.is_floating_point() else v for k, v in parts[part].items()}, part)
    # single precision rounds by memory address, and the same inputs must give the same warp, bit for bit
    arcface = insightface.load_arcface() if ARCFACE in config.identity else None
    return Encoders(config, Managed(stack), shape.double(), arcface)


_read: dict[type, tuple[tuple, Managed]] = {}  # by kind: path and time of its file, and what was read


def face_networks() -> Managed:
    """The landmark networks."""
    return _networks(FaceNetworks, folders.face_model())


def cover_network() -> Managed:
    """The network that tells what stands before a face."""
    return _networks(CoverNetwork, folders.cover_model())


def light_network() -> Managed:
    """The network that tells hard and coloured light from skin."""
    return _networks(LightNetwork, folders.light_model())


def _networks(kind: type, path: Path) -> Managed:
    """Read once, again when the file changes."""
    stamp = (str(path), path.stat().st_mtime_ns if path.exists() else None)
    if kind not in _read or _read[kind][0] != stamp:
        _read[kind] = stamp, Managed(kind.load(path))
    return _read[kind][1]
