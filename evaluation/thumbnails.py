"""The pictures beside the shipped workflows: each graph run as it is in the real host, on the pictures of the demonstration."""

import json
from pathlib import Path

import torch
from PIL import Image

from dev.host import Host
from dev.pack import ROOT

from ..modules.errors import DiffSFSRError
from .demo import load_inputs
from .pictures import fitted, stacked, to_pil

TWINS = ROOT / "tests" / "workflows"
SIDE, MOST = 512, 9  # pixels of a thumbnail; pictures of a batch that are shown


def thumbnail(batch: torch.Tensor) -> Image.Image:
    """Up to nine pictures of a batch [n, H, W, 3], from all over it, as one square."""
    count = min(len(batch), MOST)
    columns = max(k for k in (1, 2, 3) if k * k <= count)
    chosen = torch.linspace(0, len(batch) - 1, columns**2).round().int().tolist()
    return stacked([fitted(to_pil(batch[k]), SIDE // columns) for k in chosen], columns)


def picture_of(host: Host, name: str) -> torch.Tensor:
    """The batch that the graph's SaveImage gets."""
    prompt = json.loads((TWINS / f"{name}.api.json").read_text())
    result = host.run(prompt)
    if not result.success:
        raise DiffSFSRError(result.errors[0], f"workflow {name}", "Run the tests of the workflows")
    node, slot = next(n["inputs"]["images"] for n in prompt.values() if n["class_type"] == "SaveImage")
    return result.value(node, slot)


def thumbnails(args) -> int:
    """The command: workflows/*.jpg."""
    host, pictures = Host().load(cpu=args.device == "cpu"), load_inputs(args)
    folder = Path(host.folder_paths.get_input_directory())
    for name, picture in {"astronaut": pictures["selfie"], "background": pictures["background"]}.items():
        to_pil(picture[0]).save(folder / f"{name}.png")
    for name in ("portrait", "expression_sheet", "expression_travel", "reference_expression"):
        batch = picture_of(host, name)
        if name == "portrait":
            to_pil(batch[0]).save(folder / "reference.png")  # an expression for the graph that takes one from a picture
        thumbnail(batch).save(args.out / f"{name}.jpg", quality=88)
        print(f"thumbnails: {args.out / name}.jpg, {len(batch)} pictures", flush=True)
    return 0
