"""Every input of every node with an odd value on its wire: what the node makes of it.

"fine": an answer of whole numbers; "refused": an error that names the place; else the fault, in words.
"""

from __future__ import annotations

import contextlib
import random
import time
from dataclasses import dataclass

import torch

from tests.fuzz.inputs import odd, outside

FREE = {"seed", "variation", "face_index"}  # any whole number means something, or is not looked at
NEVER = {  # wires whose values come from one node alone, and that are checked by their own tests
    "MODEL", "VAE", "SIGMAS", "SAMPLER", "GUIDER", "DIFFSFSR_ENCODERS", "DIFFSFSR_IDENTITY", "DIFFSFSR_EXPRESSION",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Input `name` of a node, and the seed that its value is made from."""

    node: str
    name: str
    seed: int

    def __str__(self) -> str:
        return f"{self.node}.{self.name}, seed {self.seed}"


class Table:
    """The nodes with usual values on all wires."""

    def __init__(self, host, selfie: torch.Tensor, background: torch.Tensor):
        self.host, self.nodes = host, {}
        for name, node in host.nodes.NODE_CLASS_MAPPINGS.items():
            if name.startswith("DiffSFSR"):
                self.nodes[name] = node, {i.id: i for i in node.define_schema().inputs}
        self.values = {"IMAGE": selfie}
        model, vae, encoders = self.run("DiffSFSRUNetLoader")
        self.values |= {"MODEL": model, "VAE": vae, "DIFFSFSR_ENCODERS": encoders}
        self.values["DIFFSFSR_IDENTITY"] = self.run("DiffSFSRIdentityEncoder")[0]
        self.values["DIFFSFSR_EXPRESSION"] = self.run("DiffSFSRExpressionLabelEncoder")[0]
        self.values["IMAGE"] = background
        condition = self.run("DiffSFSRBackgroundCondition")
        self.values |= dict(zip(("CONDITIONING", "negative", "LATENT", "DIFFSFSR_PLACE"), condition, strict=False))
        self.values["MASK"] = self.run("DiffSFSRCompositeFace", image=condition[4])[1]

    def usual(self, node: str) -> dict:
        """The required inputs of a node: what came before, and the widgets as they stand."""
        taken = {}
        for name, given in self.nodes[node][1].items():
            kind = given.get_io_type()
            if kind in self.values and (not given.optional or name == "image"):
                taken[name] = self.values["negative"] if name == "negative" else self.values[kind]
            elif (default := getattr(given, "default", None)) is not None:
                taken[name] = default
        if node == "DiffSFSRMidpointSampler":
            taken["steps"] = 1
        return taken

    def run(self, node: str, **other) -> tuple:
        given = {**self.usual(node), **other}
        if self.nodes[node][0].GET_SCHEMA().is_input_list:
            given = {name: [value] for name, value in given.items()}
        return self.nodes[node][0].execute(**given).result

    def cases(self, count: int, seed: int) -> list[Case]:
        """The same for the same seed and nodes; each input about as often as any other."""
        places = [(n, i) for n, (_, inputs) in self.nodes.items() for i, g in inputs.items() if g.get_io_type() not in NEVER]
        rng = random.Random(seed)
        rng.shuffle(places)
        return [Case(*places[k % len(places)], 1000 * seed + k) for k in range(count)]

    def value(self, case: Case):
        given, rng = self.nodes[case.node][1][case.name], random.Random(case.seed)
        return odd(given.get_io_type(), self.values.get(given.get_io_type()), rng)

    def verdict(self, case: Case) -> str:
        from diffsfsr.modules.errors import DiffSFSRError

        value, given = self.value(case), self.nodes[case.node][1][case.name]
        start = time.perf_counter()
        try:
            made = self.run(case.node, **{case.name: value})
        except DiffSFSRError as error:
            return "refused" if error.where and error.remedy else f"refused without a place or a remedy: {error}"
        except Exception as error:
            return f"raw {type(error).__name__}: {error}"
        spent = time.perf_counter() - start
        if spent > 120:
            return f"took {spent:.0f} s"
        kind = given.get_io_type()
        if kind in ("FLOAT", "INT") and case.name not in FREE and outside(value, given.min, given.max):
            return f"silent about {value}, which is outside {given.min} to {given.max}"
        if kind == "COMBO" and value not in given.options and case.name != "expression":
            return f"silent about {value!r}"
        return "fine" if all(map(finite, made or ())) else "painted what is no number"


def finite(value) -> bool:
    """Whether all tensors in an output are whole; a latent may be in a dictionary, a code in one of our classes."""
    if isinstance(value, torch.Tensor):
        return bool(value.isfinite().all())
    if isinstance(value, dict | list | tuple):
        return all(map(finite, value.values() if isinstance(value, dict) else value))
    return finite(vars(value)) if type(value).__module__.startswith("diffsfsr.modules.types") else True


@contextlib.contextmanager
def quiet():
    """Without the log: what is odd is said a hundred times."""
    import logging

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
