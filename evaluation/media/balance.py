"""docs/balance.jpg: identity weight against expression weight. One selfie, background, word and noise; only weights differ."""

import torch
from PIL import Image, ImageDraw, ImageFont

from ...modules.host.sampler import sample
from ...modules.host.saving import MARKED_JPEG
from ...modules.labels import parse_choice
from ...nodes.background_condition import BackgroundCondition
from ...nodes.composite_face import CompositeFace
from ..demo import load_inputs
from ..metrics.measure import box_around
from ..pictures import strip, to_pil
from ..pipeline import Pipeline, call

STRENGTHS = (0.0, 0.5, 1.0, 1.5)  # with guide on: the coarse warp carries most of both conditions
WEIGHTS = (1.0, 2.0, 3.0, 4.0)  # with guide off: guidance of the tokens
SIDE, MARGIN, LINE, GAP, QUALITY = 152, 34, 24, 12, 86


class Scene:
    """Everything that the pictures of the grids have in common."""

    def __init__(self, pipeline: Pipeline, pictures: dict[str, torch.Tensor], label: str):
        self.pipeline, self.background = pipeline, pictures["background"]
        self.who, _ = pipeline.identity(pictures["selfie"])
        self.feels = pipeline.expression([(label, 1.0)])

    def with_strengths(self, identity: float, expression: float) -> Image.Image:
        knobs = {"identity_strength": identity, "expression_strength": expression}
        return self.head((self.pipeline.settings["cfg"],) * 2, guide=True, **knobs)

    def with_weights(self, identity: float, expression: float) -> Image.Image:
        return self.head((identity, expression), guide=False)

    def head(self, weights: tuple[float, float], **knobs) -> Image.Image:
        p, settings = self.pipeline, self.pipeline.settings
        positive, negative, latent, place, _ = call(
            BackgroundCondition, encoders=p.encoders, vae=p.vae, image=self.background, identity=self.who,
            expression=self.feels, **knobs,
        )  # fmt: skip
        denoise = settings["denoise"] if knobs.get("guide", True) else 1.0
        told = settings["seed"], settings["steps"], weights, settings["scheduler"], denoise, settings["reuse"]
        painted = sample(p.model, positive, negative, latent, *told)
        image, _ = call(CompositeFace, image=p.vae.decode(painted["samples"]), place=place)
        return to_pil(image[0]).crop(box_around(place, 0.55))


def grid(make, values: tuple[float, ...], title: str) -> Image.Image:
    """`make(identity, expression)` for every pair of values: identity down, expression across, the values beside them."""
    canvas = Image.new("RGB", (MARGIN + SIDE * len(values), LINE * 2 + SIDE * len(values)), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    draw.text((canvas.width / 2, LINE / 2), title, fill="black", font=ImageFont.load_default(16), anchor="mm")
    for k, value in enumerate(values):
        across, down = MARGIN + k * SIDE, LINE * 2 + k * SIDE
        draw.text((across + SIDE / 2, LINE * 1.5), f"expression {value:g}", fill="black", font=font, anchor="mm")
        beside = Image.new("RGB", (SIDE, MARGIN), "white")
        ImageDraw.Draw(beside).text((SIDE / 2, MARGIN / 2), f"identity {value:g}", fill="black", font=font, anchor="mm")
        canvas.paste(beside.transpose(Image.Transpose.ROTATE_90), (0, down))
        canvas.paste(strip([make(value, other) for other in values], [""] * len(values), SIDE), (MARGIN, down))
    return canvas


def balance(args) -> int:
    """The command."""
    args.selfie = args.background = None  # the public pictures of the demonstration
    word = parse_choice(args.label)
    pipeline = Pipeline(bundle=args.bundle, steps=args.steps, seed=args.seed, cfg=args.cfg, scheduler=args.scheduler)
    scene = Scene(pipeline, load_inputs(args), word)
    grids = [
        grid(scene.with_strengths, STRENGTHS, f"{word}: strengths, guide on"),
        grid(scene.with_weights, WEIGHTS, f"{word}: cfg of each, guide off"),
    ]
    canvas = Image.new("RGB", (sum(g.width for g in grids) + GAP, grids[0].height), "white")
    for k, picture in enumerate(grids):
        canvas.paste(picture, (k * (picture.width + GAP), 0))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(args.out, quality=QUALITY, **MARKED_JPEG)
    print(f"balance: {args.out}, {args.out.stat().st_size // 1024} KB, bundle {pipeline.encoders.id}, {word}")
    return 0
