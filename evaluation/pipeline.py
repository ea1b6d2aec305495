"""The graph without the graph: the nodes' own `execute`, one after the other, with their own defaults."""

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from ..modules.errors import DiffSFSRError
from ..modules.types import Expression, Identity
from ..modules.warp.paste import PasteRegion
from ..nodes.background_condition import BackgroundCondition
from ..nodes.composite_face import CompositeFace
from ..nodes.expression_label_encoder import ExpressionLabelEncoder
from ..nodes.identity_encoder import IdentityEncoder
from ..nodes.midpoint_sampler import MidpointSampler
from ..nodes.unet_loader import UNetLoader

PAINTING = ("steps", "seed", "cfg", "scheduler", "denoise", "reuse")  # settings of the sampler
ADJUSTABLE = {**{name: MidpointSampler for name in PAINTING},
              "grow": BackgroundCondition, "feather": BackgroundCondition,
              "bundle": UNetLoader, "weight_dtype": UNetLoader}  # fmt: skip


@dataclass(frozen=True)
class Rendered:
    """E pictures of one person on one background."""

    images: torch.Tensor  # [E, H, W, C] 0..1
    mask: torch.Tensor  # [E, H, W] 0..1 what was repainted, soft
    crops: torch.Tensor  # [E, S, S, 3] as decoded
    drafts: torch.Tensor  # [E, S, S, 3] the coarse warps
    place: PasteRegion
    seconds: dict[str, float]  # by part: condition, sample, decode, composite


def defaults(node) -> dict:
    """What a node's inputs are set to when it is put on the canvas, by input id."""
    found = {i.id: getattr(i, "default", None) for i in node.define_schema().inputs}
    return {name: value for name, value in found.items() if value is not None}


def checked(name: str, value):
    """A setting inside what its node allows; outside the graph no host checks that."""
    spec = next(i for i in ADJUSTABLE[name].define_schema().inputs if i.id == name)
    low, high = getattr(spec, "min", None), getattr(spec, "max", None)
    if low is not None and not low <= value <= high:  # written so that NaN is refused too
        raise DiffSFSRError(f"{value} is outside {low} to {high}", "Choose a value in that range", f"{name}")
    return value


def call(node, **given):
    """The node's outputs for the inputs given, all others at their defaults."""
    return node.execute(**{**defaults(node), **given}).result


class Pipeline:
    """A bundle, loaded once, and settings, those of ADJUSTABLE. None: the node's default."""

    def __init__(self, **settings):
        self.settings = {name: defaults(node)[name] for name, node in ADJUSTABLE.items()}
        self.settings |= {name: checked(name, v) for name, v in settings.items() if v is not None}
        self.model, self.vae, self.encoders = call(UNetLoader, **self._told("bundle", "weight_dtype"))

    def identity(self, images: torch.Tensor) -> tuple[Identity, torch.Tensor]:
        """Photos [B, H, W, 3] of one person -> Identity, aligned crops [B, S, S, 3]."""
        return call(IdentityEncoder, encoders=self.encoders, image=images)

    def expression(self, labels: list[tuple[str, float]]) -> Expression:
        """(word, intensity) pairs -> one Expression of as many codes."""
        each = [call(ExpressionLabelEncoder, encoders=self.encoders, expression=w, intensity=a)[0] for w, a in labels]
        return Expression(torch.cat([e.codes for e in each]), sum((e.names for e in each), ()), self.encoders.id)

    def render(self, identity: Identity, background: torch.Tensor, expression: Expression) -> Rendered:
        """One person with E expressions in one picture [1, H, W, 3], as one batch.

        All of them start from the same noise, that of a single picture: only the expression differs.
        """
        seconds = {}
        with timed(seconds, "condition"):
            positive, negative, latent, place, drafts = self.conditioned(identity, background, expression)
        latent = {**latent, "batch_index": [0] * len(expression.codes)}
        with timed(seconds, "sample"):
            painted = self.paint(positive, negative, latent)
        with timed(seconds, "decode"):
            crops = self.decoded(painted)
        with timed(seconds, "composite"):
            images, mask = self.pasted(crops, place)
        return Rendered(images, mask, crops, drafts, place, seconds)

    def conditioned(self, identity: Identity, background: torch.Tensor, expression: Expression) -> tuple:
        """What Background Condition gives: positive, negative, LATENT, PasteRegion, coarse warps."""
        return call(
            BackgroundCondition, encoders=self.encoders, vae=self.vae, image=background, identity=identity,
            expression=expression, **self._told("grow", "feather"),
        )  # fmt: skip

    @torch.no_grad()  # as the host runs all nodes; else each picture keeps 70 MB of what a gradient would need
    def decoded(self, latent: dict) -> torch.Tensor:
        """A LATENT through VAE Decode: crops [E, S, S, 3]."""
        return self.vae.decode(latent["samples"])

    def pasted(self, crops: torch.Tensor, place: PasteRegion) -> tuple[torch.Tensor, torch.Tensor]:
        """Crops [E, S, S, 3] through Composite Face at its defaults: pictures [E, H, W, C] and masks [E, H, W]."""
        return call(CompositeFace, image=crops, place=place)

    def paint(self, positive: list, negative: list, latent: dict, **changed) -> dict:
        """The painted LATENT. changed: inputs of the sampler in place of this pipeline's own."""
        given = {"model": self.model, **self._told(*PAINTING), **changed}
        return call(MidpointSampler, positive=positive, negative=negative, latent=latent, **given)[0]

    def _told(self, *names: str) -> dict:
        return {name: self.settings[name] for name in names}


@contextmanager
def timed(seconds: dict[str, float], part: str):
    start = time.perf_counter()
    yield
    seconds[part] = seconds.get(part, 0.0) + time.perf_counter() - start


class _Collector(logging.Handler):
    def __init__(self, texts: list[str]):
        super().__init__(logging.WARNING)
        self.texts = texts

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self.texts:
            self.texts.append(text)


@contextmanager
def warnings_heard():
    """A list that fills with the pack's warnings while the block runs; they are not printed meanwhile."""
    texts: list[str] = []
    logger, handler = logging.getLogger(__name__.partition(".")[0]), _Collector(texts)
    logger.addHandler(handler)
    spread, logger.propagate = logger.propagate, False
    try:
        yield texts
    finally:
        logger.propagate = spread
        logger.removeHandler(handler)


class Kept:
    """The last `size` results of slow work by key. What was warned while making one is warned again when it is reused."""

    def __init__(self, size: int):
        self.size, self.store = size, {}

    def get(self, key, make):
        if key not in self.store:
            with warnings_heard() as texts:
                value = make()
            self.store[key] = value, texts
            if len(self.store) > self.size:
                del self.store[next(iter(self.store))]
        value, texts = self.store[key]
        for text in texts:
            logging.getLogger(__name__).warning("%s", text)
        return value
