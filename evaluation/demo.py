"""The whole graph in the real ComfyUI: one selfie, one background, at least four words, one strip to look at.

Runs the API twin of the shipped workflow through the host's validation and executor, as its server would.
"""

import json
import time
from pathlib import Path

import torch
from PIL import Image

from dev.host import Host
from dev.pack import ROOT

from ..modules.errors import DiffSFSRError
from ..modules.labels import BLENDSHAPES, family_of, parse_choice, prototype
from ..modules.pipeline.identity import encode_identity
from .pictures import load, painted, save_png, strip, to_pil
from .pipeline import warnings_heard

WORKFLOW = ROOT / "tests" / "workflows" / "portrait.api.json"
SELFIE, BACKGROUND = ("P002", "selfie"), ("P008", "selfie")  # for `painted`: of other sex and skin, in another room
WORDS = ("amazement", "cheerfulness", "rage", "sorrow")
SIDE = 320  # pixels of one picture in the strip
JUDGE = "the bundle's own compact identity network (the same that the model reads: kinder than an independent judge)"


class Graph:
    """The workflow with its nodes found by class, so that their ids do not matter."""

    def __init__(self, prompt: dict):
        self.prompt = prompt
        kinds: dict[str, list[str]] = {}
        for node, entry in prompt.items():
            kinds.setdefault(entry["class_type"], []).append(node)
        names = {
            "loader": "DiffSFSRUNetLoader", "identity": "DiffSFSRIdentityEncoder", "composite": "DiffSFSRCompositeFace",
            "word": "DiffSFSRExpressionLabelEncoder", "place": "DiffSFSRBackgroundCondition",
            "sampler": "DiffSFSRMidpointSampler",
        }  # fmt: skip
        missing = sorted(set(names.values()) - set(kinds))
        if missing:
            raise DiffSFSRError(f"The workflow has no {', '.join(missing)}", "Restore the file", str(WORKFLOW))
        self.nodes = {short: kinds[name][0] for short, name in names.items()}
        self.nodes |= {"selfie": self._source("identity"), "background": self._source("place")}

    def _source(self, short: str) -> str:
        """The node that gives the picture of another node."""
        return self.prompt[self.nodes[short]]["inputs"]["image"][0]

    def set(self, short: str, name: str, value) -> None:
        self.prompt[self.nodes[short]]["inputs"][name] = value

    def get(self, short: str, name: str):
        return self.prompt[self.nodes[short]]["inputs"][name]

    def title(self, node: str) -> str:
        short = {v: k for k, v in self.nodes.items()}.get(node)
        kind = self.prompt[node]["class_type"]
        return f"{kind} ({short})" if kind == "LoadImage" else kind


class Clock:
    """Seconds of each node, from the host's messages on the executing node."""

    def __init__(self, host: Host):
        self.host, self.times = host, []
        host.server.send_sync = self

    def __call__(self, event, data, sid=None) -> None:
        if event == "executing" or event in ("execution_success", "execution_error"):
            self.times.append((time.perf_counter(), data.get("node") if event == "executing" else None))
        self.host._record(event, data, sid)

    def seconds(self, graph: Graph, end: float) -> dict[str, float]:
        """By node; the first run includes what the loaded model is moved and warmed up for."""
        spent: dict[str, float] = {}
        for (start, node), (stop, _) in zip(self.times, [*self.times[1:], (end, None)], strict=True):
            if node is not None:
                spent[graph.title(node)] = round(spent.get(graph.title(node), 0.0) + stop - start, 3)
        return spent


def words_for(label: str) -> list[str]:
    """The asked word first, then the standard ones: always at least four."""
    return list(dict.fromkeys([parse_choice(label), *WORDS]))


def main_parts(word: str, count: int = 4) -> dict[str, list[int]]:
    """The coefficients a word asks for most, left and right taken together: name -> positions in the code."""
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(BLENDSHAPES):
        groups.setdefault(name.removesuffix("Left").removesuffix("Right"), []).append(i)
    code = prototype(word)
    strongest = sorted(groups, key=lambda name: -code[groups[name]].mean())[:count]
    return {name: groups[name] for name in strongest if code[groups[name]].mean() > 0.05}


def load_inputs(args) -> dict[str, torch.Tensor]:
    """The two pictures [1, H, W, 3]; read here first, so that a bad file is said in one line."""
    return {
        "selfie": load(args.selfie, "--selfie") if args.selfie else painted(*SELFIE),
        "background": load(args.background, "--background") if args.background else painted(*BACKGROUND),
    }


def run_word(host: Host, graph: Graph, word: str) -> dict:
    """One queue item: the picture [1, H, W, 3], seconds by node, the pack's warnings."""
    graph.set("word", "expression", f"{family_of(word)}: {word}")
    clock, start = Clock(host), time.perf_counter()
    with warnings_heard() as warnings:
        result = host.run(graph.prompt)
    end = time.perf_counter()
    if not result.success:
        said = result.errors[0].rpartition("Error: ")[2].rstrip(".")  # without the node's and the exception's class
        raise DiffSFSRError(said, "See also --help", f"word '{word}'")
    return {
        "picture": result.value(graph.nodes["composite"]), "encoders": result.value(graph.nodes["loader"], 2),
        "seconds": round(end - start, 3), "parts": clock.seconds(graph, end), "warnings": warnings,
    }  # fmt: skip


def judged(encoders, picture: torch.Tensor):
    """(identity vector [256], expression code [52]) of the largest face of a picture, or None where there is none."""
    try:
        seen, _ = encode_identity(encoders, picture, "largest", 0, "error")
    except DiffSFSRError:
        return None
    return seen.vector, seen.face.code


def account(word: str, made: dict, others: dict) -> dict:
    """The entry of one result in demo.json. `others`: `judged` of the selfie and of the background."""
    told = {"label": word, "seconds": made["seconds"], "parts": made["parts"], "warnings": made["warnings"]}
    result = judged(made["encoders"], made["picture"])
    if result is None:
        return {**told, "face_found": False}
    for name, other in others.items():
        told[f"cosine_to_{name}"] = round(float(result[0] @ other[0]), 3) if other else None
    asked = prototype(word)
    told["expression"] = {
        name: {"asked": round(float(asked[where].mean()), 3), "measured": round(float(result[1][where].mean()), 3)}
        for name, where in main_parts(word).items()
    }
    return {**told, "face_found": True}



def make(host: Host, pictures: dict[str, torch.Tensor], words: list[str], out: Path, steps: int | None) -> dict:
    """Runs every word, writes demo.png and demo.json, and returns what the latter says."""
    graph, start = Graph(json.loads(WORKFLOW.read_text())), time.perf_counter()
    for name, picture in pictures.items():
        file = Path(host.folder_paths.get_input_directory()) / f"diffsfsr_demo_{name}.png"
        to_pil(picture[0]).save(file)
        graph.set(name, "image", file.name)
    if steps is not None:
        graph.set("sampler", "steps", steps)
    host.reset()  # nothing is cached, so that the seconds are complete
    made = {}
    for word in words:
        made[word] = run_word(host, graph, word)
        print(f"demo: {word}: {made[word]['seconds']:.1f} s", flush=True)
    print("demo: measuring the results", flush=True)
    encoders = made[words[0]]["encoders"]
    others = {name: judged(encoders, picture) for name, picture in pictures.items()}
    results = [account(word, each, others) for word, each in made.items()]
    report = {
        "bundle": encoders.id, "steps": graph.get("sampler", "steps"),
        "cfg": graph.get("sampler", "cfg"), "seed": graph.get("sampler", "seed"), "identity_judge": JUDGE,
        "seconds": round(time.perf_counter() - start, 3), "results": results,
    }  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    shown: list[Image.Image] = [to_pil(p[0]) for p in (*pictures.values(), *(m["picture"] for m in made.values()))]
    save_png(strip(shown, ["selfie", "background", *words], SIDE, 26), out / "demo.png")
    (out / "demo.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    return report


def demo(args) -> int:
    """The command."""
    begin, words = time.perf_counter(), words_for(args.label)
    pictures = load_inputs(args)
    print("demo: starting ComfyUI", flush=True)
    host = Host().load(cpu=args.device == "cpu")
    print(f"demo: {' -> '.join(('selfie', 'background', *words))}", flush=True)
    report = make(host, pictures, words, args.out, args.steps)
    for each in report["results"]:
        if not each["face_found"]:
            print(f"demo: warning: no face is found in the result for {each['label']}")
        for text in each["warnings"]:
            print(f"demo: warning: {text}")
    print(f"demo: done in {time.perf_counter() - begin:.0f} s: {args.out / 'demo.png'} and {args.out / 'demo.json'}")
    return 0
