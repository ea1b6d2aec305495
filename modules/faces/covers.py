"""A small network of our own that tells what stands before a face: hands, things that are held, glasses, hair, cloth.

The file ships in `weights/`; `python -m training front` makes it.
"""

import os
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import DiffSFSRError, at
from ..weights import check_whole, misfits, read_weights

FORMAT, FORMAT_VERSION = "diffsfsr.in_front", 1
SIDE = 192  # pixels of the crop that it looks at
WIDTHS = 24, 48, 96, 128  # channels at 1/2, 1/4, 1/8 and 1/16 of that
SLOPE = 0.1  # below 0, so that no feature dies
LEAST = 0.02  # spread of colours that is always granted
REINSTALL = (
    "Restore weights/in_front.safetensors: update the pack, or clone it again. "
    "If the file named here is in a models folder, delete it: the pack's own is used then."
)


class Step(nn.Module):
    """3x3 convolution and leaky ReLU; in training with batch norm between, which `folded` takes into the convolution."""

    def __init__(self, given: int, made: int, stride: int = 1, norm: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(given, made, 3, stride, 1, bias=not norm)
        self.norm = nn.BatchNorm2d(made) if norm else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return F.leaky_relu(x if self.norm is None else self.norm(x), SLOPE)


class CoverNetwork(nn.Module):
    """Crop [B, 3, S, S] 0..1 and where on a face its pixels are [B, 3, S, S] -> logits [B, S, S]; S is a multiple of 16.

    It sees the picture beside its mirror image: faces are alike on both sides, hands and microphones are not. An encoder and a
    decoder with sums across (LinkNet, Chaurasia and Culurciello 2017) over blocks of 2x2 pixels.
    """

    def __init__(self, norm: bool = False):
        super().__init__()
        a, b, c, d = WIDTHS
        step = lambda *shape: Step(*shape, norm=norm)  # noqa: E731
        self.fine = nn.Sequential(step(36, a), step(a, a))
        self.down = nn.ModuleList([
            nn.Sequential(step(a, b, 2), step(b, b)),
            nn.Sequential(step(b, c, 2), step(c, c)),
            nn.Sequential(step(c, d, 2), step(d, d), step(d, d)),
        ])  # fmt: skip
        self.narrow = nn.ModuleList([nn.Conv2d(d, c, 1), nn.Conv2d(c, b, 1), nn.Conv2d(b, a, 1)])
        self.up = nn.ModuleList([step(c, c), step(b, b), step(a, a)])
        self.out = nn.Conv2d(a, 4, 3, 1, 1)
        self.register_buffer("places", torch.zeros(468, 2))  # of the canonical face's points, over 8 cm: x, y

    def forward(self, image: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        plain = beside_its_mean(image, place[:, 2:])
        x = F.pixel_unshuffle(torch.cat([plain, plain.flip(-1), place], 1), 2)
        x = self.fine(x.contiguous(memory_format=torch.channels_last))
        seen = []
        for down in self.down:
            seen.append(x)
            x = down(x)
        for narrow, up, like in zip(self.narrow, self.up, reversed(seen), strict=True):
            x = up(F.interpolate(narrow(x), scale_factor=2.0, mode="nearest") + like)
        return F.pixel_shuffle(self.out(x), 2)[:, 0]

    @classmethod
    def load(cls, path) -> "CoverNetwork":
        """Reads the file; any problem is a DiffSFSRError naming the file and the remedy."""
        with at(os.fspath(path)):
            return cls._load(Path(path))

    @classmethod
    def _load(cls, path: Path) -> "CoverNetwork":
        fault = "The network for what stands in front cannot be read"
        try:
            metadata, tensors = read_weights(path, fault, REINSTALL)
        except FileNotFoundError as error:
            raise DiffSFSRError(f"{fault}: {error}", REINSTALL) from error
        kind = (metadata.get("format"), metadata.get("format_version"))
        if kind != (FORMAT, str(FORMAT_VERSION)):
            what = f"These are not weights that this version understands (found {kind}, need {FORMAT} {FORMAT_VERSION})"
            raise DiffSFSRError(what, REINSTALL)
        check_whole(path, metadata, tensors, REINSTALL)
        network = cls()
        if wrong := misfits(network.state_dict(), tensors):
            raise DiffSFSRError(f"The weights do not fit: {', '.join(wrong[:3])}", REINSTALL)
        network.load_state_dict({name: value.float() for name, value in tensors.items()})
        return network.eval().requires_grad_(False)


def beside_its_mean(image: torch.Tensor, face: torch.Tensor) -> torch.Tensor:
    """Pictures [B, 3, S, S] less the mean colour of their faces [B, 1, S, S] 0..1, over its spread, whatever skin and light."""
    weight = face / face.sum((2, 3), keepdim=True).clamp_min(1)
    mean = (image * weight).sum((2, 3), keepdim=True)
    spread = ((image - mean) ** 2 * weight).sum((1, 2, 3), keepdim=True).sqrt()
    return (image - mean) / (spread + LEAST)


def folded(trained: CoverNetwork) -> CoverNetwork:
    """The same network without batch norm: its scale and shift go into the convolution before it."""
    plain, state = CoverNetwork(), {}
    for name, module in trained.named_modules():
        if isinstance(module, Step):
            gain = module.norm.weight / (module.norm.running_var + module.norm.eps).sqrt()
            state[f"{name}.conv.weight"] = module.conv.weight * gain[:, None, None, None]
            state[f"{name}.conv.bias"] = module.norm.bias - module.norm.running_mean * gain
        elif isinstance(module, nn.Conv2d) and not name.endswith(".conv"):
            state[f"{name}.weight"], state[f"{name}.bias"] = module.weight, module.bias
    plain.load_state_dict({**state, "places": trained.places})
    return plain.eval()
