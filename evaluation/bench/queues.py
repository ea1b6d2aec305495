"""The shipped graph queued again and again in the real host, as an artist does, and how long each queue takes."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from dev.host import Host

from ...modules.errors import DiffSFSRError
from ...modules.labels import WORDS, family_of
from ..demo import BACKGROUND, SELFIE, WORKFLOW, Clock, Graph
from ..pictures import painted, to_pil
from ..pipeline import warnings_heard

LOAD, WHO, WORD, PLACE = "loader", "identity", "word", "place"
WARM = 20  # prompts before memory is looked at
AFTER = ("sampler", "decode", "composite", "save")  # what runs in every queue


@dataclass
class Run:
    """One queue item: seconds, what ran (short names), seconds by part, and the host's result."""

    seconds: float
    ran: list[str]
    parts: dict[str, float]
    result: object


class Desk:
    """The graph of `make demo` in a host with folders of its own, and its knobs by short names."""

    def __init__(self, folder: Path, settings: dict, cpu: bool = True):
        self.host, self.folder = Host().load(cpu=cpu), folder
        paths = self.host.folder_paths
        self.kept = paths.get_input_directory(), paths.get_output_directory()
        paths.set_input_directory(str(folder))
        paths.set_output_directory(str(folder))
        self.graph = Graph(json.loads(WORKFLOW.read_text()))
        self.names = {node: short for short, node in self.graph.nodes.items()}
        kinds = {"VAEDecode": "decode", "DiffSFSRSavePortrait": "save"}
        self.names |= {node: kinds[entry["class_type"]] for node, entry in self.graph.prompt.items()
                       if entry["class_type"] in kinds}  # fmt: skip
        self.pictures = {"selfie": painted(*SELFIE), "background": painted(*BACKGROUND)}
        for name, value in settings.items():
            if value is not None:
                self.graph.set("loader" if name == "bundle" else "sampler", name, value)

    def close(self) -> None:
        paths = self.host.folder_paths
        paths.set_input_directory(self.kept[0])
        paths.set_output_directory(self.kept[1])

    def new_pictures(self, number: int) -> None:
        """Selfie and background as files that no queue has read, each a little darker than the last: a single pixel might
        lie outside the crop, whose encoding is remembered.
        """
        for name, picture in self.pictures.items():
            file = f"{name}_{number}.png"
            to_pil(0.99**number * picture[0]).save(self.folder / file)
            self.graph.set(name, "image", file)

    def enlarge(self, side: int) -> None:
        """From now on the background is a picture of `side` pixels, in which the face is larger than the crop."""
        self.pictures["background"] = painted(*BACKGROUND, side)

    def say(self, word: str) -> None:
        self.graph.set(WORD, "expression", f"{family_of(word)}: {word}")

    def queue(self) -> Run:
        """Runs the graph as it is now; a failure is an error."""
        clock, start = Clock(self.host), time.perf_counter()
        with warnings_heard():
            result = self.host.run(self.graph.prompt)
        end = time.perf_counter()
        if not result.success:
            raise DiffSFSRError(result.errors[0], "Run `make demo`: it shows the same graph", "bench")
        parts = {}
        for (begun, node), (stop, _) in zip(clock.times, [*clock.times[1:], (end, None)], strict=True):
            if node is not None:
                parts[self.names[node]] = parts.get(self.names[node], 0.0) + stop - begun
        return Run(end - start, [self.names[node] for node in result.executed_nodes], parts, result)

    def value(self, run: Run, short: str, slot: int = 0):
        node = next(node for node, name in self.names.items() if name == short)
        return run.result.value(node, slot)


def sheet(desk: Desk, words: list[str]) -> float:
    """Seconds of one queue in which all `words` are one batch (Expression Words), everything else being known."""
    graph, source = desk.graph, desk.graph.prompt[desk.graph.nodes[PLACE]]["inputs"]
    desk.names["words"] = "words"
    graph.prompt["words"] = {"class_type": "DiffSFSRExpressionWords", "inputs": {
        "encoders": [graph.nodes[LOAD], 2], "text": "\n".join(words), "intensity": 1.0, "variation": 0}}  # fmt: skip
    kept, source["expression"] = source["expression"], ["words", 2]
    try:
        run = desk.queue()
    finally:
        source["expression"] = kept
        del graph.prompt["words"]
    if len(desk.value(run, "decode")) != len(words):
        raise DiffSFSRError("The sheet has another number of pictures than words", "Look at Expression Words", "bench")
    return run.seconds


def drafts(desk: Desk, words: list[str]) -> float:
    """Seconds of a queue of Face Draft alone with another word, the person being known: the median over `words`."""
    nodes, seconds = desk.graph.nodes, []
    prompt = {nodes[name]: desk.graph.prompt[nodes[name]] for name in (LOAD, "selfie", WHO, WORD)}
    prompt["draft"] = {"class_type": "DiffSFSRFaceDraft", "inputs": {
        "encoders": [nodes[LOAD], 2], "identity": [nodes[WHO], 0], "expression": [nodes[WORD], 0], "face": "largest",
        "face_index": 0}}  # fmt: skip
    for word in (words[-1], *words):  # the first one prepares the place
        desk.say(word)
        start = time.perf_counter()
        result = desk.host.run(prompt)
        seconds.append(time.perf_counter() - start)
        if not result.success or nodes[WHO] in result.executed_nodes:
            raise DiffSFSRError(f"The draft of '{word}' failed, or its person was read again", "Look at Face Draft", "bench")
    return float(torch.tensor(seconds[1:]).median())


def long_queue(desk: Desk, count: int, limit: float) -> dict[str, float]:
    """Up to `count` queued prompts, each with another word and seed, for `limit` seconds at most, after `WARM` more.

    Megabytes of the process after the warm-up and at the end, each the median of a third of the run.
    """
    memory, process, start = [], psutil.Process(), None
    for k in range(WARM + count):
        if k == WARM:
            start = time.perf_counter()
        desk.say(WORDS[k % len(WORDS)])
        desk.graph.set("sampler", "seed", k)
        desk.queue()
        if k >= WARM:
            memory.append(process.memory_info().rss / 2**20)
        if start is not None and time.perf_counter() - start > limit:
            break
    third = max(1, len(memory) // 3)
    middle = lambda values: float(torch.tensor(values).median())  # noqa: E731
    return {"prompts": len(memory), "first": middle(memory[:third]), "last": middle(memory[-third:])}
