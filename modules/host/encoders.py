"""ENCODERS: the bundle's small networks and the face networks, each in the host's memory management."""

from dataclasses import dataclass

import comfy.model_management
import comfy.model_patcher
import torch

from ..bundle import Bundle, BundleConfig, fill_module
from ..conditioning.tokens import TokenEncoder
from ..encoders.identity import IdentityNetwork
from ..faces.networks import FaceNetworks
from ..faces.shape import FaceShape
from . import folders


class Managed:
    """A module that the host moves to its device when it is needed and off it when memory is short."""

    def __init__(self, module: torch.nn.Module):
        self.patcher = comfy.model_patcher.ModelPatcher(
            module.requires_grad_(False).eval(),
            load_device=comfy.model_management.text_encoder_device(),
            offload_device=comfy.model_management.text_encoder_offload_device(),
        )

    def ready(self) -> torch.nn.Module:
        comfy.model_management.load_model_gpu(self.patcher)
        return self.patcher.model

    @property
    def device(self) -> torch.device:
        return self.patcher.load_device


class Stack(torch.nn.Module):
    """The bundle's networks beside the UNet and the autoencoder, in single precision: they are small."""

    def __init__(self, config: BundleConfig):
        super().__init__()
        self.identity, self.tokens = IdentityNetwork(), TokenEncoder(config.tokens)


@dataclass
class Encoders:
    config: BundleConfig
    stack: Managed
    shape: FaceShape  # a few small matrices, always on the CPU

    @property
    def id(self) -> str:
        return self.config.id


def build_encoders(bundle: Bundle, where: str) -> Encoders:
    modes = len(bundle.parts["shape"].get("identity", ()))
    stack, shape = Stack(bundle.config), FaceShape(modes)
    for part, module in (("identity", stack.identity), ("tokens", stack.tokens), ("shape", shape)):
        state = {k: v.float() if v.is_floating_point() else v for k, v in bundle.parts[part].items()}
        fill_module(module, state, part, where)
    # single precision rounds by memory address, and the same inputs must give the same draft, bit for bit
    return Encoders(bundle.config, Managed(stack), shape.double())


_face_networks: dict[tuple, Managed] = {}


def face_networks() -> Managed:
    """The landmark networks that install.py put into the models folder; read once, again when the file changes."""
    path = folders.face_model()
    stamp = (str(path), path.stat().st_mtime_ns if path.exists() else None)
    if stamp not in _face_networks:
        _face_networks.clear()
        _face_networks[stamp] = Managed(FaceNetworks.load(path))
    return _face_networks[stamp]
