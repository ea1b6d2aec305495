"""STLPIPS: a perceptual distance that forgives small shifts (Ghildyal & Liu 2022), on an AlexNet; differentiable."""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

STEPS = (("net.slice2.4", "net.slice2.5", 2), ("net.slice3.8", "net.slice3.9", 1))  # blur, convolution, padding
DEEPER = ("net.slice4.11", "net.slice5.13")
FILE = Path("perceptual") / "stlpips_alex.safetensors"  # of the data folder


class Stlpips:
    """The network of the package `stlpips-pytorch` 0.0.2 (BSD-2-Clause), read from `perceptual/` of the data folder."""

    def __init__(self, data: Path, device: torch.device | str = "cpu"):
        stored = load_file(Path(data) / FILE)
        self.weights = {name: value.float().to(device) for name, value in stored.items()}

    def __call__(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Pictures [B, 3, H, W] 0..1, twice -> distances [B], 0 for alike."""
        return self.between(self.maps(a), self.maps(b))

    def between(self, one: list[torch.Tensor], other: list[torch.Tensor]) -> torch.Tensor:
        """Distances [B] of two `maps`."""
        total = 0.0
        for i, (x, y) in enumerate(zip(one, other, strict=True)):
            apart = (F.normalize(x, dim=1, eps=1e-10) - F.normalize(y, dim=1, eps=1e-10)) ** 2
            total = total + F.conv2d(apart, self.weights[f"lin{i}.model.1.weight"]).mean((1, 2, 3))
        return total

    def maps(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Five maps of pictures [B, 3, H, W]."""
        x = (image * 2 - 1 - self.weights["scaling_layer.shift"]) / self.weights["scaling_layer.scale"]
        maps = [self._blur(self._convolved(x, "net.slice1.0", 2), "net.slice1.1").relu()]
        for blur, convolution, padding in STEPS:
            maps.append(self._convolved(self._blur(F.max_pool2d(maps[-1], 3, 1), blur), convolution, padding).relu())
        for convolution in DEEPER:
            maps.append(self._convolved(maps[-1], convolution, 1).relu())
        return maps

    def _convolved(self, x: torch.Tensor, name: str, padding: int) -> torch.Tensor:
        return F.conv2d(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], padding=padding)

    def _blur(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return F.conv2d(F.pad(x, (2,) * 4, mode="reflect"), self.weights[f"{name}.filt"], stride=2, groups=x.shape[1])
