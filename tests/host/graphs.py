"""Graphs for the host tests: the shipped one, fed with tensors instead of files, and pictures made of one public one."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import torch
import torch.nn.functional as F

ROOT = Path(__file__).resolve().parents[2]
TWIN = ROOT / "tests" / "workflows" / "portrait.api.json"
BUILT_IN = ROOT / "weights" / "diffsfsr_default_256.safetensors"
TYPES = ("IMAGE", "MASK", "MODEL", "VAE", "CONDITIONING", "LATENT", "DIFFSFSR_PLACE", "DIFFSFSR_EXPRESSION")
LOADER, IDENTITY, EXPRESSION, CONDITION, SAMPLER, DECODE, COMPOSITE, SAVE = "1", "4", "5", "6", "7", "8", "9", "10"
_given: dict[str, object] = {}


def astronaut() -> torch.Tensor:
    """[1, 512, 512, 3]: a public-domain portrait (NASA), the face about 95 pixels."""
    from skimage import data

    return torch.from_numpy(data.astronaut()).float()[None] / 255


def somebody_else() -> torch.Tensor:
    """[1, 512, 512, 3]: the same picture mirrored and recoloured, a stand-in for another portrait."""
    return (astronaut().flip(2) ** 0.8 * torch.tensor([0.85, 1.0, 1.1])).clamp(0, 1)


def scaled(image: torch.Tensor, height: int, width: int) -> torch.Tensor:
    moved = F.interpolate(image.permute(0, 3, 1, 2), (height, width), mode="bilinear", antialias=True)
    return moved.permute(0, 2, 3, 1).clamp(0, 1)


def two_faces() -> torch.Tensor:
    """[1, 512, 1024, 3]: a large face left, a smaller one nearer to the middle."""
    picture = torch.full((1, 512, 1024, 3), 0.4)
    picture[:, :, :512] = astronaut()
    picture[:, 64:448, 512:896] = scaled(astronaut(), 384, 384)
    return picture


def register(nodes) -> None:
    """Node classes that give any value on a wire: files cannot hold NaN, grey or empty batches."""
    for kind in TYPES:
        members = {
            "INPUT_TYPES": classmethod(lambda cls: {"required": {"key": ("STRING", {})}}),
            "RETURN_TYPES": (kind,),
            "FUNCTION": "give",
            "give": lambda self, key: (_given[key],),
        }
        nodes.NODE_CLASS_MAPPINGS[f"Given {kind}"] = type(f"Given{kind}", (), members)


def unregister(nodes) -> None:
    for kind in TYPES:
        nodes.NODE_CLASS_MAPPINGS.pop(f"Given {kind}", None)
    _given.clear()


def trained() -> bool:
    """False for a UNet as training finds it, whose last layer is zero: its answer depends on nothing it is told."""
    from diffsfsr.modules.bundle import load_bundle
    from diffsfsr.modules.host import folders

    return bool(load_bundle(folders.BUILT_IN).parts["unet"]["out.2.weight"].any())


class Graph(dict):
    """A prompt in API form: `graph.set(SAMPLER, steps=2)`, `graph.give(IDENTITY, "image", "IMAGE", tensor)`."""

    def set(self, node: str, **inputs) -> Graph:
        self[node]["inputs"].update(inputs)
        return self

    def drop(self, node: str, *inputs: str) -> Graph:
        for name in inputs:
            self[node]["inputs"].pop(name)
        return self

    def give(self, node: str, name: str, kind: str, value) -> Graph:
        """Feeds an input with a value; the same value has the same key, so that the host's cache works."""
        key = f"{kind} {id(value)}"
        _given[key] = value
        self[key] = {"class_type": f"Given {kind}", "inputs": {"key": key}}
        return self.set(node, **{name: [key, 0]})

    def add(self, node: str, kind: str, **inputs) -> Graph:
        self[node] = {"class_type": kind, "inputs": inputs}
        return self

    def only(self, *ids: str) -> Graph:
        """Nothing but these nodes, the loader, and what is given to them."""
        keep = {LOADER, *ids}
        used = {v[0] for i in keep for v in self[i]["inputs"].values() if isinstance(v, list)}
        return Graph({i: n for i, n in self.items() if i in keep or (i in used and "Given" in n["class_type"])})


def portrait(selfie: torch.Tensor, background: torch.Tensor, steps: int = 1) -> Graph:
    """The shipped workflow on two pictures, without files; its last node only shows the result.

    All is painted anew and with guidance, so that every part of the model has a say; `test_workflows.py` runs it as it is.
    """
    graph = Graph(json.loads(TWIN.read_text()))
    for node in ("2", "3"):
        del graph[node]
    graph.give(IDENTITY, "image", "IMAGE", selfie).give(CONDITION, "image", "IMAGE", background)
    graph[SAVE] = {"class_type": "PreviewImage", "inputs": {"images": [COMPOSITE, 0]}}
    return graph.set(SAMPLER, steps=steps, cfg=1.5, denoise=1.0)


def shown(graph: Graph, node: str, slot: int = 0) -> Graph:
    """The graph with a picture of this output shown: the host runs only what an output node needs."""
    return graph.add("show", "PreviewImage", images=[node, slot])


def run(host, graph):
    """The result of a graph that has to succeed."""
    result = host.run(graph)
    assert result.success, result.errors
    return result


def refusal(host, graph, node) -> str:
    """The message of the node that refuses; every other end of the run is a failure of the test."""
    result = host.run(graph)
    assert not result.success, "it passed in silence"
    (message,) = result.errors
    kind, ident = graph[node]["class_type"], node
    assert message.startswith(f"{kind} ({ident}): diffsfsr.modules.errors.DiffSFSRError: "), message
    return message.split("DiffSFSRError: ", 1)[1]


def counted(model):
    """A clone of MODEL, and the list of how many rows its network was given by each call."""
    clone, rows = model.clone(), []

    def wrapper(apply, args):
        rows.append(len(args["input"]))
        return apply(args["input"], args["timestep"], **args["c"])

    clone.set_model_unet_function_wrapper(wrapper)
    return clone, rows


def painted(wires, weights, steps=1, model=None, **options):
    """Samples by our guider and sampler. One step gives the guided estimate at the highest noise, as it is."""
    from diffsfsr.modules.host.sampler import guider, midpoint_sampler

    model, (_, positive, negative, latent) = model or wires[0], wires
    sampling = model.get_model_object("model_sampling")
    sigmas = importlib.import_module("comfy.samplers").calculate_sigmas(sampling, "karras", steps)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(4))
    guide = guider(model, positive, negative, *weights)
    return guide.sample(noise, latent, midpoint_sampler(False), sigmas, seed=0, disable_pbar=True, **options)
