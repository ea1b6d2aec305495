"""An expression library for tests: its folder, a graph that asks it, and what its index holds."""

import numpy as np
import torch
from PIL import Image

from tests.host.graphs import EXPRESSION, portrait, run

BUILT_IN, NEAREST, BY_VARIATION = (
    "built-in prototype", "library: nearest to the prototype", "library: by variation",
)  # fmt: skip


def save(image, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((image[0] * 255).round().byte().numpy()).save(path)


def graph_of(pictures, word="joy: joy", source=NEAREST, intensity=1.0, variation=0):
    graph = portrait(*pictures).only(EXPRESSION)
    graph.set(EXPRESSION, expression=word, source=source, intensity=intensity, variation=variation)
    return graph.add("show", "PreviewAny", source=[EXPRESSION, 0])


def pixels(path):
    return torch.from_numpy(np.asarray(Image.open(path).convert("RGB"), dtype=np.float32)[None] / 255)


def measured(root, *words):
    """The pictures of these words in the stored index that have a code."""
    from diffsfsr.modules.encoders import library

    return {p: code for p, code in library.load(root, words).pictures.items() if isinstance(code, bytes)}


def code(host, *given, **named):
    return run(host, graph_of(*given, **named)).value(EXPRESSION)
