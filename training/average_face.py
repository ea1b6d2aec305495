"""The average face, for the demo and the docs: several similar training portraits, averaged. It shows no person.

    python -m training nobody --data DATA        # writes evaluation/assets/background.jpg

Faces are warped to their mean shape before they are averaged, so that a new, sharp face comes out; everything around it is
a blend. No single picture of the data folder is shown.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image

from ..modules.types import Topology
from ..modules.warp.masks import feather
from ..modules.warp.mesh import Mesh
from .data import load_part

ANCHOR, PEOPLE, SIDE = 450, 6, 640


def average_face(data: Path, topology: Topology) -> torch.Tensor:
    """[3, 352, 352] 0..1."""
    people = load_part(data, "train")
    images = torch.stack([torch.from_numpy(p.wide().copy()).permute(2, 0, 1) for p in people]).float() / 255
    points = torch.stack([p.points() for p in people])
    small = F.interpolate(images, size=44, mode="area")
    unlike = ((small - small[ANCHOR]) ** 2).mean((1, 2, 3))
    unlike = unlike + 2e-4 * ((points - points[ANCHOR])[..., :2] ** 2).mean((1, 2))
    near = unlike.argsort()[:PEOPLE]
    mesh = Mesh.of(points[near].mean(0), topology, images.shape[-1])
    drawn = [mesh.draw(images[i], points[i]) for i in near]
    face, covered = torch.stack([d[0] * d[1] for d in drawn]).mean(0), torch.stack([d[1] for d in drawn]).amin(0)
    soft = feather(covered[None, None], 6)[0]
    return images[near].mean(0) * (1 - soft) + face * soft


def main(data: Path, out: Path, topology: Topology) -> None:
    picture = F.interpolate(average_face(data, topology)[None], size=SIDE, mode="bicubic", antialias=True)[0].clamp(0, 1)
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((picture.permute(1, 2, 0) * 255).round().byte().numpy()).save(out, quality=92)
    print(out)
