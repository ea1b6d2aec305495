"""Graphs that somebody saved with an earlier version: every workflow file this repository ever held still opens and runs.

An artist's own graphs lie in folders that nobody here can see. The files' history stands for them: whatever a change does to
the code below the nodes, node ids, inputs, their order and their values are kept.
"""

import copy
import json
import subprocess
from pathlib import Path

import pytest

from tests.host.frontend import declared, flat, real_nodes, to_api, widget_names
from tests.host.graphs import ROOT, astronaut, run, somebody_else
from tests.host.test_workflows import save

FOLDERS = ("workflows", "tests/workflows")
FILES = {"ckpt_name": "checkpoints", "bundle": "diffsfsr"}  # inputs that name a file of the user's own -> its models folder
BUILT_IN = "default (built in)"
FRONT_END = "fixed"  # what the front end keeps for a widget of its own (control after generate)


def git(*words: str) -> str:
    """What git says of this repository; without an answer there is no history, and nothing to test."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, encoding="utf-8")
    except FileNotFoundError:
        pytest.skip("git is not installed: the history of the workflows cannot be read")
    if done.returncode:
        pytest.skip(f"no history of the workflows (a copy without git?): {done.stderr.strip()}")
    return done.stdout


@pytest.fixture(scope="module")
def history() -> dict[str, dict]:
    """Every content a workflow file ever had, once: "portrait.json 1a2b3c4" -> the graph, oldest last."""
    if Path(git("rev-parse", "--show-toplevel").strip()).resolve() != ROOT:
        pytest.skip("no history of the workflows: this folder lies in another repository")
    if git("rev-parse", "--is-shallow-repository").strip() == "true":
        pytest.skip("the clone is shallow: git fetch --unshallow brings the history of the workflows")
    found = {}
    for line in git("log", "-m", "--no-renames", "--raw", "--no-abbrev", "--format=", "--", *FOLDERS).splitlines():
        if not line.startswith(":"):
            continue
        told, path = line.split("\t")
        blob = told.split()[3]
        if path.endswith(".json") and set(blob) != {"0"}:  # zeros: that commit took the file away
            found.setdefault(blob, Path(path).name)
    return {f"{name} {blob[:7]}": json.loads(git("cat-file", "blob", blob)) for blob, name in found.items()}


@pytest.fixture(scope="module")
def prompts(studio, history, tmp_path_factory) -> dict[str, dict]:
    """All of them as the front end of now would send them; every picture and every file that they name is there.

    A checkpoint or an adapter is an empty file: it is in the list, so that the graph is valid, but it cannot be loaded.
    """
    sent = {name: graph if is_api(graph) else to_api(studio, completed(studio, graph)) for name, graph in history.items()}
    inputs, models = Path(studio.folder_paths.get_input_directory()), tmp_path_factory.mktemp("models")
    known = studio.folder_paths.folder_names_and_paths
    kept = {kind: known[kind] for kind in FILES.values()}
    for kind in kept:
        (models / kind).mkdir()
        known[kind] = ([str(models / kind), *kept[kind][0]], kept[kind][1])
    faces = {"astronaut.png": astronaut(), "selfie.png": astronaut(), "background.png": somebody_else()}
    for name, picture in {**faces, "reference.png": astronaut().flip(2)}.items():
        save(picture, inputs / name)
    for prompt in sent.values():
        for kind, name in own_files(prompt):
            (models / kind / name).touch()
    studio.folder_paths.filename_list_cache.clear()
    studio.reset()
    yield sent
    known.update(kept)
    studio.folder_paths.filename_list_cache.clear()
    studio.reset()


def is_api(graph: dict) -> bool:
    return "nodes" not in graph


def completed(host, ui: dict) -> dict:
    """A UI graph with the widgets that came after it was saved: the front end fills by position, the rest has its defaults."""
    ui = flat(ui)
    for node in real_nodes(ui):
        specs, names = declared(host, node["type"]), widget_names(host, node["type"])
        for name in names[len(node["widgets_values"]) :]:
            node["widgets_values"].append(FRONT_END if name is None else specs[name][1]["default"])
    return ui


def own_files(prompt: dict) -> list[tuple[str, str]]:
    """(models folder, file name) of every file that is not the pack's."""
    given = [item for node in prompt.values() for item in node["inputs"].items()]
    return [(FILES[name], value) for name, value in given if name in FILES and value != BUILT_IN]


def complaints(host, prompt: dict) -> list[str]:
    """What is wrong with a saved prompt. The host itself says nothing of an input that no node knows any more: it drops it."""
    found = [
        f"{node['class_type']} has no input {name}"
        for node in prompt.values()
        for name in node["inputs"]
        if node["class_type"] in host.nodes.NODE_CLASS_MAPPINGS and name not in declared(host, node["class_type"])
    ]
    checked = host.validate(prompt)
    wrong = {host_id: node["errors"] for host_id, node in checked.node_errors.items()}
    return found + ([] if checked.valid and not wrong else [f"{checked.error} {wrong}"])


def test_every_saved_graph_is_valid(studio, prompts):
    assert len(prompts) > 30, "there was more history than this"
    assert {name: said for name, prompt in prompts.items() if (said := complaints(studio, prompt))} == {}


def test_widgets_stand_where_they_stood(studio, history):
    """Values are saved by position and the file also names them, for those who read it: new widgets come last."""
    moved = {}
    for name, graph in history.items():
        for node in () if is_api(graph) else real_nodes(flat(graph)):
            if not node["type"].startswith("DiffSFSR"):
                continue  # the host's own, in which the front end may add a button
            saved = [entry["name"] for entry in node["inputs"] if "widget" in entry]
            now = [widget for widget in widget_names(studio, node["type"]) if widget is not None]
            if saved != now[: len(saved)]:
                moved[f"{name} {node['type']}"] = saved, now
    assert moved == {}


def shape(prompt: dict) -> frozenset:
    """What a graph asks of the nodes: two that agree in it differ only in values."""
    return frozenset((node["class_type"], frozenset(node["inputs"])) for node in prompt.values())


def quick(prompt: dict) -> dict:
    """The same with one step and no more than two expressions in a row."""
    prompt = copy.deepcopy(prompt)
    for node in prompt.values():
        if node["class_type"] in ("DiffSFSRMidpointSampler", "DiffSFSRExpressionMix"):
            node["inputs"]["steps"] = 1 if node["class_type"] == "DiffSFSRMidpointSampler" else 2
        if node["class_type"] == "DiffSFSRExpressionWords":
            node["inputs"]["text"] = "\n".join(node["inputs"]["text"].splitlines()[:2])
    return prompt


def test_saved_graphs_run(studio, prompts):
    """Of those with the same nodes and inputs one; those that need a checkpoint or an adapter are only validated, above."""
    runnable = {name: prompt for name, prompt in prompts.items() if not own_files(prompt)}
    different = {shape(prompt): name for name, prompt in runnable.items()}
    assert len(different) > 4 and len(runnable) < len(prompts)
    for name in different.values():
        result = run(studio, quick(runnable[name]))
        assert any(output.get("images") for output in result.outputs.values()), name


@pytest.mark.parametrize(
    ("node", "name", "said"),
    [("DiffSFSRBackgroundCondition", "identity", "required_input_missing"),
     ("DiffSFSRMidpointSampler", "steps", "required_input_missing"),
     ("DiffSFSRBackgroundCondition", "match_light", "has no input renamed")],
)  # fmt: skip
def test_a_renamed_input_is_noticed(studio, prompts, node, name, said):
    """As a graph looks whose node has renamed an input since; an optional one would be lost in silence."""
    prompt = copy.deepcopy(next(p for n, p in prompts.items() if n.startswith("portrait.api.json")))
    assert complaints(studio, prompt) == []
    inputs = next(entry["inputs"] for entry in prompt.values() if entry["class_type"] == node)
    inputs["renamed"] = inputs.pop(name)
    assert said in " ".join(complaints(studio, prompt))


def test_a_renamed_node_is_noticed(studio, prompts):
    prompt = copy.deepcopy(next(iter(prompts.values())))
    next(e for e in prompt.values() if e["class_type"] == "DiffSFSRIdentityEncoder")["class_type"] = "DiffSFSRSelfieEncoder"
    assert complaints(studio, prompt)
