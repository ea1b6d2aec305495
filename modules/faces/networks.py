"""The three face networks (detector, 478-point mesh, 52 blendshapes) as torch modules, read from one safetensors file.

The file ships in `weights/`. `python -m dev.face_model` makes it from MediaPipe's face_landmarker.task (Apache-2.0).
Everything runs in float32, batched, channels first, and is differentiable with respect to the input.

The metadata key `graphs` holds one operator list for each network, with explicit padding, as JSON:

  graph = {"inputs": [id], "outputs": [id, ...], "ops": [{"op": name, "in": [ref, ...], "out": id, ...}, ...]}

A `ref` is an int (a value computed before) or a str (a constant: the tensor `<network>.<ref>` of the file).
"""

import json
import os
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import DiffSFSRError, at
from ..types import Topology
from ..weights import CHECKSUM, check_whole, read_weights

FORMAT, FORMAT_VERSION = "diffsfsr.face_landmarker", 1
SHAPES = {  # of each network: its input for two pictures, and what it must answer
    "detector": ((2, 3, 128, 128), [[2, 896, 16], [2, 896, 1]]),
    "mesh": ((2, 3, 256, 256), [[2, 1434, 1, 1], [2, 1, 1, 1], [2, 1]]),
    "blendshapes": ((2, 146, 2), [[2, 52]]),
}
NETS = tuple(SHAPES)
MOST, FARTHEST = 10_000_000, 256  # values of one picture between two operators; pixels that one pads
REINSTALL = (
    "Restore weights/face_landmarker.safetensors: update the pack, or clone it again. "
    "If the file named here is in a models folder, delete it: the pack's own is used then."
)


def _pad(x, pad, value=0.0):
    return F.pad(x, pad, value=value) if any(pad) else x


def _conv(op, x, weight, bias):
    left, right, top, bottom = op["pad"]
    if left == right and top == bottom:  # torch pads while it convolves: no copy of the input
        return F.conv2d(x, weight, bias, op["stride"], (top, left), 1, op["groups"])
    return F.conv2d(_pad(x, op["pad"]), weight, bias, op["stride"], 0, 1, op["groups"])


def _reshape(op, x):
    if op["channels_last"]:
        x = x.permute(0, 2, 3, 1)
    return x.reshape(op["shape"])


def _cat(op, *parts):
    batch = max(part.shape[0] for part in parts)  # a constant token has batch 1
    return torch.cat([part.expand(batch, *part.shape[1:]) for part in parts], op["axis"])


OPERATORS = {
    "conv": _conv,
    "linear": lambda op, x, weight, bias: F.linear(x, weight, bias),
    "prelu": lambda op, x, slope: F.prelu(x, slope),
    "relu": lambda op, x: F.relu(x),
    "relu6": lambda op, x: F.relu6(x),
    "sigmoid": lambda op, x: torch.sigmoid(x),
    "maxpool": lambda op, x: F.max_pool2d(_pad(x, op["pad"], -torch.inf), op["kernel"], op["stride"]),
    "pad": lambda op, x: F.pad(x, op["pad"]),
    "add": lambda op, a, b: a + b,
    "sub": lambda op, a, b: a - b,
    "mul": lambda op, a, b: a * b,
    "div": lambda op, a, b: a / b,
    "sqdiff": lambda op, a, b: (a - b) ** 2,
    "neg": lambda op, x: -x,
    "sqrt": lambda op, x: torch.sqrt(x),
    "rsqrt": lambda op, x: torch.rsqrt(x),
    "mean": lambda op, x: x.mean(op["axes"], keepdim=op["keep"]),
    "sum": lambda op, x: x.sum(op["axes"], keepdim=op["keep"]),
    "permute": lambda op, x: x.permute(op["order"]),
    "reshape": _reshape,
    "cat": _cat,
    "slice": lambda op, x: x[(slice(None), *(slice(*r) for r in op["ranges"]))],
}


class Graph(nn.Module):
    """Runs one operator list (see the top of this file); its constants are buffers, so `.to(device)` moves them."""

    def __init__(self, graph, constants):
        """constants: name -> tensor; kept as float32."""
        super().__init__()
        unknown = {op["op"] for op in graph["ops"]} - set(OPERATORS)
        if unknown:
            raise KeyError(f"unknown operators {sorted(unknown)}")
        self.inputs, self.outputs, self.ops = graph["inputs"], graph["outputs"], graph["ops"]
        for name, tensor in constants.items():
            # channels last in memory (the shape stays channels first): 1.7 times faster on a CPU
            layout = torch.channels_last if tensor.dim() == 4 else torch.contiguous_format
            self.register_buffer(name, tensor.float().contiguous(memory_format=layout))
        last = {ref: i for i, op in enumerate(self.ops) for ref in op["in"] if isinstance(ref, int)}
        self.spent = [[r for r, at in last.items() if at == i and r not in self.outputs] for i in range(len(self.ops))]

    def forward(self, x):
        with torch.autocast(x.device.type, enabled=False):  # half precision would cost a pixel in the mesh
            return self._run(x.float())

    def _run(self, x):
        if x.dim() == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        values = {self.inputs[0]: x}
        for op, spent in zip(self.ops, self.spent, strict=True):
            refs = [getattr(self, ref) if isinstance(ref, str) else values[ref] for ref in op["in"]]
            y = OPERATORS[op["op"]](op, *refs)
            if op.get("act"):
                y = OPERATORS[op["act"]](op, y)
            if y.numel() > MOST * len(x):
                raise ValueError(f"{op['op']} gives {y.numel()} values")
            values[op["out"]] = y
            for ref in spent:  # free what nobody reads again
                del values[ref]
        return [values[ref] for ref in self.outputs]


class FaceNetworks(nn.Module):
    """detector, mesh and blendshapes. `triangles` [898,3] long and `vertices` [468,3]: the canonical face mesh; `mirror` [478]:
    for each point the one on the other side of the face."""

    def __init__(self, graphs, tensors):
        """graphs: net -> operator list; tensors: `<net>.<constant>` -> tensor, plus mesh.triangles, mesh.vertices."""
        super().__init__()
        self.register_buffer("triangles", tensors["mesh.triangles"].long())
        self.register_buffer("vertices", tensors["mesh.vertices"].float())
        self.register_buffer("mirror", mirrored_points(self.vertices))
        self.graphs = nn.ModuleDict()
        for net in NETS:
            named = {ref for op in graphs[net]["ops"] for ref in op["in"] if isinstance(ref, str)}
            self.graphs[net] = Graph(graphs[net], {name: tensors[f"{net}.{name}"] for name in sorted(named)})
        self.requires_grad_(False)

    @property
    def topology(self) -> Topology:
        """On the networks' device."""
        return Topology(self.triangles, self.mirror)

    @classmethod
    def load(cls, path):
        """Reads the file; any problem is a DiffSFSRError naming the file and the remedy."""
        with at(os.fspath(path)):
            return cls._load(Path(path))

    @classmethod
    def _load(cls, path: Path):
        try:
            metadata, tensors = read_weights(path, "The face model cannot be read", REINSTALL)
        except FileNotFoundError as error:
            raise DiffSFSRError(f"The face model cannot be read: {error}", REINSTALL) from error
        kind = (metadata.get("format"), metadata.get("format_version"))
        if kind != (FORMAT, str(FORMAT_VERSION)):
            what = f"This is not a face model this version understands (found {kind}, need {FORMAT} {FORMAT_VERSION})"
            raise DiffSFSRError(what, REINSTALL)
        check_whole(path, metadata, tensors, REINSTALL)
        try:
            networks = cls(json.loads(metadata["graphs"]), tensors).eval()
            if CHECKSUM not in metadata:
                check_shapes(networks)
            return networks
        except Exception as error:  # an operator list may ask torch for anything
            what = f"The face model is incomplete ({type(error).__name__}: {error})"
            raise DiffSFSRError(what, REINSTALL) from error

    def detector(self, x):
        """x [B,3,128,128] RGB -1..1 -> regressors [B,896,16] (1/128 of the picture side), logits [B,896]."""
        regressors, logits = self.graphs["detector"](x)
        return regressors, logits.squeeze(-1)

    def mesh(self, x):
        """x [B,3,256,256] RGB 0..1, upright face in a square of 1.5 face boxes -> points [B,478,3] in pixels of x
        (z in the same unit, smaller is nearer), presence logits [B]."""
        points, presence, _ = self.graphs["mesh"](x)
        return points.reshape(-1, 478, 3), presence.reshape(-1)

    def blendshapes(self, points):
        """points [B,146,2] (BLENDSHAPE_POINTS of the 478, in pixels, any shift and scale) -> [B,52] in 0..1."""
        return self.graphs["blendshapes"](points)[0]


@torch.no_grad()
def check_shapes(networks: FaceNetworks) -> None:
    """Runs a file without a checksum once, over nothing: its operator lists may be anything. Raises what goes wrong."""
    triangles, vertices = networks.triangles, networks.vertices
    if vertices.shape != (468, 3) or triangles.ndim != 2 or triangles.shape[1] != 3 or len(triangles) == 0:
        raise ValueError(f"the mesh is {list(vertices.shape)} and {list(triangles.shape)}")
    if triangles.min() < 0 or triangles.max() >= 478:
        raise ValueError("the mesh has triangles of points that are not there")
    pads = {abs(n) for name in NETS for op in networks.graphs[name].ops for n in op.get("pad", ())}
    if max(pads, default=0) > FARTHEST:
        raise ValueError(f"an operator pads by {max(pads)}")
    for name, (given, answers) in SHAPES.items():
        found = [list(answer.shape) for answer in networks.graphs[name](torch.zeros(given))]
        if found != answers:
            raise ValueError(f"{name} gives {found}, it must give {answers}")


def mirrored_points(vertices: torch.Tensor) -> torch.Tensor:
    """Canonical vertices [468, 3], alike on both sides -> [478]: for each point the one on the other side.

    The last ten are the irises: middle, right, top, left, bottom of one, then of the other.
    """
    other = torch.cdist(vertices * vertices.new_tensor([-1.0, 1.0, 1.0]), vertices).argmin(1)
    return torch.cat([other, other.new_tensor([473, 476, 475, 474, 477, 468, 471, 470, 469, 472])])
