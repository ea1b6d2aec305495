"""What our small networks for crops of faces have in common: an encoder and a decoder with sums across, and their files."""

import os
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import DiffSFSRError, at
from ..weights import check_whole, misfits, read_weights

WIDTHS = 24, 48, 96, 128  # channels at 1/2, 1/4, 1/8 and 1/16 of the crop
SLOPE = 0.1  # below 0, so that no feature dies
REINSTALL = (
    "Restore weights/{file}: update the pack, or clone it again. "
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


class Ladder(nn.Module):
    """An encoder and a decoder with sums across (LinkNet, Chaurasia and Culurciello 2017) over blocks of 2x2 pixels.

    A kind of network names its file, what it is for, and how many channels it is given and makes at each pixel.
    """

    FORMAT, FORMAT_VERSION = "", 1
    FILE, NAME = "", ""  # in weights/, and as an error says it
    GIVEN, MADE = 0, 0

    def __init__(self, norm: bool = False):
        super().__init__()
        a, b, c, d = WIDTHS
        step = lambda *shape: Step(*shape, norm=norm)  # noqa: E731
        self.fine = nn.Sequential(step(4 * self.GIVEN, a), step(a, a))
        self.down = nn.ModuleList([
            nn.Sequential(step(a, b, 2), step(b, b)),
            nn.Sequential(step(b, c, 2), step(c, c)),
            nn.Sequential(step(c, d, 2), step(d, d), step(d, d)),
        ])  # fmt: skip
        self.narrow = nn.ModuleList([nn.Conv2d(d, c, 1), nn.Conv2d(c, b, 1), nn.Conv2d(b, a, 1)])
        self.up = nn.ModuleList([step(c, c), step(b, b), step(a, a)])
        self.out = nn.Conv2d(a, 4 * self.MADE, 3, 1, 1)
        self.register_buffer("places", torch.zeros(468, 2))  # of the canonical face's points, over 8 cm: x, y

    def climbed(self, given: torch.Tensor) -> torch.Tensor:
        """Channels [B, GIVEN, S, S] -> [B, MADE, S, S]; S is a multiple of 16."""
        x = self.fine(F.pixel_unshuffle(given, 2).contiguous(memory_format=torch.channels_last))
        seen = []
        for down in self.down:
            seen.append(x)
            x = down(x)
        for narrow, up, like in zip(self.narrow, self.up, reversed(seen), strict=True):
            x = up(F.interpolate(narrow(x), scale_factor=2.0, mode="nearest") + like)
        return F.pixel_shuffle(self.out(x), 2)

    @classmethod
    def load(cls, path) -> "Ladder":
        """Reads the file; any problem is a DiffSFSRError naming the file and the remedy."""
        with at(os.fspath(path)):
            return cls._load(Path(path))

    @classmethod
    def _load(cls, path: Path) -> "Ladder":
        fault, remedy = f"{cls.NAME} cannot be read", REINSTALL.format(file=cls.FILE)
        try:
            metadata, tensors = read_weights(path, fault, remedy)
        except FileNotFoundError as error:
            raise DiffSFSRError(f"{fault}: {error}", remedy) from error
        kind = (metadata.get("format"), metadata.get("format_version"))
        if kind != (cls.FORMAT, str(cls.FORMAT_VERSION)):
            wanted = f"{cls.FORMAT} {cls.FORMAT_VERSION}"
            raise DiffSFSRError(f"These are not weights that this version understands (found {kind}, need {wanted})", remedy)
        check_whole(path, metadata, tensors, remedy)
        network = cls()
        if wrong := misfits(network.state_dict(), tensors):
            raise DiffSFSRError(f"The weights do not fit: {', '.join(wrong[:3])}", remedy)
        network.load_state_dict({name: value.float() for name, value in tensors.items()})
        return network.eval().requires_grad_(False)


def folded(trained: Ladder) -> Ladder:
    """The same network without batch norm: its scale and shift go into the convolution before it."""
    plain, state = type(trained)(), {}
    for name, module in trained.named_modules():
        if isinstance(module, Step):
            gain = module.norm.weight / (module.norm.running_var + module.norm.eps).sqrt()
            state[f"{name}.conv.weight"] = module.conv.weight * gain[:, None, None, None]
            state[f"{name}.conv.bias"] = module.norm.bias - module.norm.running_mean * gain
        elif isinstance(module, nn.Conv2d) and not name.endswith(".conv"):
            state[f"{name}.weight"], state[f"{name}.bias"] = module.weight, module.bias
    plain.load_state_dict({**state, **dict(trained.named_buffers(recurse=False))})
    return plain.eval()
