"""The pictures beside the shipped workflows: each graph run as it is in the real host, on the pictures that it opens with."""

import json
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from dev.host import Host
from dev.pack import ROOT

from ...modules.errors import DiffSFSRError
from ...modules.host.examples import PICTURES
from ...modules.host.saving import MARKED_JPEG
from ..pictures import fitted, stacked, to_pil
from . import examples

TWINS = ROOT / "tests" / "workflows"
PAINTED = ("6",)  # of prompt_background: what decodes the checkpoint's picture
EXAMPLES = {"astronaut": "selfie", "background": "background", "reference": "reference"}
WORDS_ALONE = {  # graphs whose painter is not ours
    "checkpoint_polish": "Your checkpoint\npaints the face\n\nneeds a checkpoint",
    "model_polish": "Our model paints,\nyour checkpoint finishes\n\nneeds a checkpoint",
    "your_sd15_adapter_needed": "Stable Diffusion 1.5\n\nneeds an adapter bundle\nthat you trained",
}
SIDE, MOST = 512, 9  # pixels of a thumbnail; pictures of a batch that are shown


def thumbnail(batch: torch.Tensor) -> Image.Image:
    """Up to nine pictures of a batch [n, H, W, 3], from all over it, as one square."""
    count = min(len(batch), MOST)
    columns = max(k for k in (1, 2, 3) if k * k <= count)
    chosen = torch.linspace(0, len(batch) - 1, columns**2).round().int().tolist()
    return stacked([fitted(to_pil(batch[k]), SIDE // columns) for k in chosen], columns)


def picture_of(host: Host, name: str, without: tuple[str, ...] = ()) -> torch.Tensor:
    """Every picture [n, H, W, 3] that the graph's Save Portrait gets, or that its Face Drafts show.

    without: nodes in whose place the background is loaded.
    """
    prompt = json.loads((TWINS / f"{name}.api.json").read_text())
    prompt |= {node: {"class_type": "LoadImage", "inputs": {"image": "background.png"}} for node in without}
    result = host.run(prompt)
    if not result.success:
        raise DiffSFSRError(result.errors[0], "Run the tests of the workflows", f"workflow {name}")
    drafts = [result.value(node) for node, n in prompt.items() if n["class_type"] == "DiffSFSRFaceDraft"]
    if drafts:  # try_words saves nothing
        return torch.cat(drafts)
    node, slot = next(n["inputs"]["images"] for n in prompt.values() if n["class_type"] == "DiffSFSRSavePortrait")
    return torch.cat(result.values[node][slot])  # several batches where words come as a list


def words_alone(text: str) -> Image.Image:
    """For a graph whose weights are the user's own: a text, and no picture that could be taken for a result."""
    image = Image.new("RGB", (SIDE, SIDE), (44, 52, 64))
    ImageDraw.Draw(image).multiline_text(
        (SIDE / 2, SIDE / 2), text, (222, 226, 232), ImageFont.load_default(34), "mm", spacing=14, align="center"
    )
    return image


def thumbnails(args) -> int:
    """The command: workflows/*.jpg, of the graphs as an artist opens them."""
    host = Host().load(cpu=args.device == "cpu")
    for file in examples.draw(host) if args.inputs else ():
        print(f"thumbnails: {file}", flush=True)
    folder = Path(host.folder_paths.get_input_directory())
    for name, example in EXAMPLES.items():  # what the graphs of the tests call the portraits
        Image.open(PICTURES / f"diffsfsr_{example}.jpg").save(folder / f"{name}.png")
    for name in ("all_in_one", "portrait", "expression_sheet", "expression_travel", "reference_expression", "try_words"):
        batch = picture_of(host, name)
        thumbnail(batch).save(args.out / f"{name}.jpg", quality=88, **MARKED_JPEG)
        print(f"thumbnails: {args.out / name}.jpg, {len(batch)} pictures", flush=True)
    # what a checkpoint paints is not ours to show: our own background stands in its place
    painted = picture_of(host, "prompt_background", PAINTED)
    before = Image.open(PICTURES / "diffsfsr_background.jpg")
    pair = [fitted(picture, SIDE) for picture in (before, to_pil(painted[0]))]
    stacked(pair, 2).resize((SIDE, SIDE // 2)).save(args.out / "prompt_background.jpg", quality=88, **MARKED_JPEG)
    for name, text in WORDS_ALONE.items():
        words_alone(text).save(args.out / f"{name}.jpg")
    return 0
