"""Which portraits are bare faces: those that wear nothing, hold nothing and have no hair before the face, seen by eye.

Of the rest nobody has drawn what is in front, so they are no negatives; hair that the colour rules find there is cut out and
laid over bare faces.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image

from ...modules.affine import FRAME
from ...modules.labels import BLENDSHAPES
from ...modules.types import Topology
from ...modules.warp.covers import place_map
from ...modules.warp.front import found_by_colour
from ...modules.warp.mesh import Mesh
from ..portrait import MARGIN, Portrait

OPEN = 4.0  # times more often a mouth that is wide open is shown

NOT_BARE = set(
    """s0002 s0004 s0005 s0007 s0009 s0010 s0014 s0016 s0023 s0025 s0027 s0033 s0038 s0039 s0042 s0046 s0048 s0050 s0052 s0053
    s0055 s0060 s0062 s0068 s0071 s0075 s0076 s0081 s0083 s0088 s0089 s0091 s0099 s0108 s0109 s0113 s0114 s0116 s0125 s0126
    s0128 s0130 s0131 s0132 s0134 s0137 s0141 s0142 s0144 s0145 s0148 s0150 s0154 s0160 s0162 s0163 s0164 s0172 s0173 s0175
    s0176 s0177 s0178 s0179 s0183 s0184 s0186 s0187 s0189 s0190 s0191 s0192 s0193 s0194 s0195 s0198 s0200 s0201 s0202 s0205
    s0206 s0218 s0219 s0223 s0224 s0227 s0228 s0231 s0232 s0233 s0236 s0238 s0240 s0246 s0248 s0250 s0251 s0258 s0261 s0263
    s0267 s0268 s0270 s0273 s0274 s0277 s0278 s0282 s0283 s0284 s0285 s0286 s0288 s0289 s0292 s0296 s0297 s0299 s0300 s0301
    s0303 s0304 s0310 s0311 s0314 s0319 s0321 s0322 s0323 s0326 s0330 s0333 s0336 s0337 s0339 s0340 s0341 s0343 s0344 s0345
    s0346 s0351 s0352 s0354 s0356 s0357 s0358 s0360 s0363 s0365 s0366 s0367 s0369 s0370 s0371 s0374 s0376 s0378 s0379 s0380
    s0381 s0382 s0383 s0384 s0391 s0392 s0394 s0397 s0398 s0400 s0401 s0402 s0403 s0406 s0407 s0411 s0413 s0416 s0417 s0419
    p0010 p0023 p0028 p0038 p0088 p0109 p0118 p0127""".split()
)


@dataclass(frozen=True, eq=False)
class Sitter:
    """A portrait with context, W = S 352 / 256 pixels a side, for a frame of S."""

    id: str
    image: np.ndarray = field(repr=False)  # [W, W, 3] uint8
    points: np.ndarray = field(repr=False)  # [478, 2] in pixels of the picture
    place: np.ndarray = field(repr=False)  # [3, W, W] float16: where on a face each pixel is, see `warp/covers.py`
    doubt: np.ndarray = field(repr=False)  # [W, W] bool: hair or a shadow that nobody has named
    bare: bool = True
    often: float = 1.0  # how often it is drawn over, beside others: open mouths are rare, and are no holes

    def tensors(self) -> dict:
        """To be kept in a file."""
        return {name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value for name, value in vars(self).items()}

    @classmethod
    def of(cls, row: dict) -> "Sitter":
        return cls(**{name: value.numpy() if isinstance(value, torch.Tensor) else value for name, value in row.items()})


def sitter(portrait: Portrait, topology: Topology, places: torch.Tensor, size: int) -> Sitter:
    wide, scale = portrait.wide(), size / FRAME
    side = round(len(wide) * scale)
    small = np.array(Image.fromarray(wide).resize((side, side), Image.Resampling.LANCZOS))
    points = portrait.points()
    mesh = Mesh.of(points * scale, topology, side)
    frame = torch.from_numpy(wide[MARGIN : MARGIN + FRAME, MARGIN : MARGIN + FRAME].copy()).permute(2, 0, 1).float() / 255
    found = found_by_colour(frame, Mesh.of(points - torch.tensor([MARGIN, MARGIN, 0.0]), topology, FRAME))
    whole = np.zeros((len(wide), len(wide)), np.float32)
    whole[MARGIN : MARGIN + FRAME, MARGIN : MARGIN + FRAME] = found.numpy()
    found = np.array(Image.fromarray(whole).resize((side, side), Image.Resampling.BILINEAR))
    place = place_map(mesh, places).half().numpy()
    often = 1 + OPEN * float(portrait.blendshapes[BLENDSHAPES.index("jawOpen")])
    at = points[:, :2].numpy() * scale
    return Sitter(portrait.id, small, at, place, found > 0.2, portrait.id not in NOT_BARE, often)


def parts(people: dict[str, list[Portrait]], more: int, seed: int) -> dict[str, list[Portrait]]:
    """Training and validation people: those of the split, and `more` bare ones held out of training for validation."""
    bare = [p.id for p in people["train"] if p.id not in NOT_BARE]
    held = set(np.random.default_rng(seed).permutation(bare)[:more].tolist())
    return {
        "train": [p for p in people["train"] if p.id not in held],
        "validation": people["validation"] + [p for p in people["train"] if p.id in held],
    }
