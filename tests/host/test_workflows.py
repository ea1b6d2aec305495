"""The shipped workflow: it fits the nodes as they are now, equals its API twin, and runs.

A saved graph holds widget values by position: a widget that moved or went away corrupts it without a word. So the file
is held against the live schema.
"""

import json
import uuid

import pytest
import torch
from PIL import Image

from tests.host.frontend import (
    NOTES,
    declared,
    flat,
    is_widget,
    node_of,
    read,
    real_nodes,
    run_of,
    short,
    subgraphs,
    to_api,
    widget_names,
)
from tests.host.graphs import ROOT, TWIN, astronaut, somebody_else

WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
EXAMPLES = {  # the name in the file an artist opens -> the picture the tests use
    "diffsfsr_selfie.jpg": "astronaut.png",
    "diffsfsr_background.jpg": "background.png",
    "diffsfsr_reference.jpg": "reference.png",
}
# What a graph is about may differ from the nodes' defaults: workflow, node -> widgets
OWN = {
    ("expression_travel", "DiffSFSRExpressionLabelEncoder"): {"expression"},
    ("expression_travel", "DiffSFSRExpressionMix"): {"steps"},
    ("expression_sheet", "DiffSFSRExpressionWords"): {"text"},
    ("your_sd15_adapter_needed", "DiffSFSRUNetLoader"): {"bundle"},
}
# Files of the user's own, which no list here knows
FILES = {"ckpt_name", "lora_name", "control_net_name", "bundle"}
NAMED = {"filename_prefix"}  # by each graph


def test_there_is_a_workflow_and_no_index():
    """The template browser would list a file called index.json as a template."""
    assert "portrait.json" in {path.name for path in WORKFLOWS} and "index.json" not in {p.name for p in WORKFLOWS}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nodes_and_widgets_fit_the_schema(studio, path):
    """Every picture that a graph names is in the input folder: the pack has put it there."""
    host = studio
    for node in real_nodes(flat(read(path))):
        assert node["type"] in host.nodes.NODE_CLASS_MAPPINGS
        names = widget_names(host, node["type"])
        assert len(node["widgets_values"]) == len(names), node["type"]
        for name, value in zip(names, node["widgets_values"], strict=True):
            if name is not None and name not in FILES:
                check_value(name, value, *declared(host, node["type"])[name])


def check_value(name, value, type_, options):
    choices = type_ if isinstance(type_, list) else options.get("options")
    if choices:
        assert value in choices, name
    elif type_ in ("INT", "FLOAT"):
        assert isinstance(value, int | float) and not isinstance(value, bool), name
        assert options.get("min", value) <= value <= options.get("max", value), name
    else:
        assert isinstance(value, {"STRING": str, "BOOLEAN": bool}[type_]), name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_widget_values_are_the_defaults_of_the_nodes(host, path):
    """What an artist sees first is what the nodes recommend; only file names and `OWN` are the file's own."""
    for node in real_nodes(flat(read(path))):
        if node["type"].startswith("DiffSFSR"):
            specs, own = declared(host, node["type"]), NAMED | OWN.get((path.stem, node["type"]), set())
            for name, value in zip(widget_names(host, node["type"]), node["widgets_values"], strict=True):
                assert name is None or name in own or value == specs[name][1]["default"], (node["type"], name)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_sockets_and_links_fit_the_schema(host, path):
    ui = read(path)
    last = max(node["id"] for node in ui["nodes"])
    ids = [link[0] for link in ui["links"]]
    assert len(set(ids)) == len(ids) and ui["last_link_id"] == max(ids) and ui["last_node_id"] == last
    ui, opened = flat(ui), bool(subgraphs(ui))
    nodes = {node["id"]: node for node in ui["nodes"]}
    for node in real_nodes(ui):
        specs, cls = declared(host, node["type"]), host.node(node["type"])
        sockets = [entry["name"] for entry in node["inputs"] if "widget" not in entry]
        assert sockets == [name for name, spec in specs.items() if not is_widget(*spec)], node["type"]
        assert [entry["type"] for entry in node["outputs"]] == list(cls.RETURN_TYPES), node["type"]
        assert [entry["name"] for entry in node["outputs"]] == list(getattr(cls, "RETURN_NAMES", None) or cls.RETURN_TYPES)
    for ident, source, slot, target, place, type_ in ui["links"]:
        output, entry = nodes[source]["outputs"][slot], nodes[target]["inputs"][place]
        assert opened or (ident in output["links"] and entry["link"] == ident)
        assert output["type"] == entry["type"] == type_ == declared(host, nodes[target]["type"])[entry["name"]][0]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_the_graph_is_easy_to_read(path):
    """A note says what to change first, nothing lies on top of something else, wires run from left to right; all is seen in a
    window of 1,720 pixels, at a size at which the front end still draws the text of nodes."""
    ui = read(path)
    (note,) = (node["widgets_values"][0] for node in ui["nodes"] if node["type"] in NOTES)
    assert "**Change first**" in note
    for file in (value for node in real_nodes(ui) for value in node["widgets_values"] if node["mode"] == 0):
        assert not str(file).endswith(".safetensors") or file in note or "adapter bundle" in note, "the note names it"
    view = ui["extra"]["ds"]
    assert view["scale"] >= 0.6
    for node in ui["nodes"]:
        left, top = ((node["pos"][k] + view["offset"][k]) * view["scale"] for k in (0, 1))
        assert left > 50 and top > 75 and left + node["size"][0] * view["scale"] <= 1720, node["type"]
    assert len(ui["groups"]) >= 3 and all(group["title"] for group in ui["groups"])
    boxes = [(*node["pos"], *node["size"]) for node in ui["nodes"]]
    for i, (x, y, w, h) in enumerate(boxes):
        for a, b, c, d in boxes[i + 1 :]:
            assert x + w <= a or a + c <= x or y + h <= b - 30 or b + d <= y - 30, "titles take 30 pixels above"
    at = {node["id"]: node["pos"][0] for node in ui["nodes"]}
    for _, source, _, target, *_ in ui["links"]:
        assert at[source] <= at[target]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_node_says_which_pack_it_is_of(path):
    """So that a host without it can offer to install it."""
    for node in real_nodes(flat(read(path))):
        pack = "diffsfsr" if node["type"].startswith("DiffSFSR") else "comfy-core"
        assert node["properties"]["cnr_id"] == pack and node["properties"]["ver"]


def test_the_blueprint_is_the_subgraph_of_the_main_template():
    """Of five nodes and what belongs to them, with what an artist changes on the outside."""
    (blueprint,) = (ROOT / "subgraphs").glob("*.json")
    (main,), (held,) = (list(subgraphs(read(path)).values()) for path in (ROOT / "workflows" / "all_in_one.json", blueprint))
    assert [entry["name"] for entry in main["inputs"]] == ["selfie", "background", "expression", "intensity", "seed"]
    assert {**held, "name": main["name"]} == main and held["name"] == blueprint.stem
    assert [node["type"] for node in read(blueprint)["nodes"]] == [held["id"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_workflow_equals_its_api_twin(host, path):
    sent = to_api(host, read(path))
    for node in sent.values():
        if node["class_type"] == "LoadImage":
            node["inputs"]["image"] = EXAMPLES.get(node["inputs"]["image"], node["inputs"]["image"])
    assert sent == read(TWIN.with_name(f"{path.stem}.api.json"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_workflow_has_a_picture_of_itself(path):
    with Image.open(path.with_suffix(".jpg")) as image:
        assert min(image.size) >= 200


# --- it runs ---------------------------------------------------------------------------------------------------------


def save(image, path):
    Image.fromarray((image[0] * 255).round().byte().numpy()).save(path)


def execute(host, prompt, extra):
    """As the host's queue does it: the front end sends the workflow along in extra_pnginfo."""
    checked = host.validate(prompt)
    assert checked.valid, checked
    host.executor.execute(prompt, uuid.uuid4().hex, {"client_id": "test", **extra}, checked.outputs)
    assert host.executor.success, host.executor.status_messages


def saved(studio):
    """The pictures saved so far, in order."""
    from pathlib import Path

    found = Path(studio.folder_paths.get_output_directory()).glob("DiffSFSR_*.png")
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


@pytest.fixture(scope="module")
def twin(studio):
    """The API twin, its pictures in place; steps, cfg and denoise as `made` has them."""
    from pathlib import Path

    folder = Path(studio.folder_paths.get_input_directory())
    save(astronaut(), folder / "astronaut.png")
    save(somebody_else(), folder / "background.png")
    save(astronaut().flip(2), folder / "reference.png")
    prompt = read(TWIN)
    prompt["7"]["inputs"] |= {"steps": 2, "cfg": 1.5, "denoise": 1.0}
    studio.reset()
    return prompt


def test_the_twin_runs_and_saves_a_picture(studio, twin, made):
    from tests.host.graphs import COMPOSITE

    before = len(saved(studio))
    result = studio.run(twin)
    assert result.success, result.errors
    (picture,) = result.outputs["10"]["images"]
    assert picture["filename"].startswith("DiffSFSR") and len(saved(studio)) == before + 1
    with Image.open(saved(studio)[-1]) as image:
        assert image.size == (512, 512) and image.mode == "RGB"
    # the same pictures, but for eight bits a colour, as the tensors of the other tests
    assert torch.allclose(result.value(COMPOSITE), made.value(COMPOSITE), atol=0.1)


def test_the_subgraph_paints_what_the_open_graph_paints(studio, twin):
    opened, closed = short("portrait"), short("all_in_one")
    pictures = [run_of(studio, prompt).value(node_of(prompt, "DiffSFSRCompositeFace")) for prompt in (opened, closed)]
    assert torch.equal(*pictures)


def test_the_travel_saves_every_face_and_a_film(studio, twin):
    prompt = short("expression_travel")
    result = studio.run(prompt)
    assert result.success, result.errors
    assert len(result.outputs[node_of(prompt, "DiffSFSRSavePortrait")]["images"]) == 8
    assert result.outputs[node_of(prompt, "SaveAnimatedWEBP")]["images"][0]["filename"].endswith(".webp")
    faces = result.value(node_of(prompt, "DiffSFSRCompositeFace"))
    there = (faces[0] - faces[-1]).abs().mean()
    assert 0 < (faces[0] - faces[1]).abs().mean() < there, "it goes step by step"


def test_the_sheet_runs_once_for_each_line(studio, twin):
    prompt = short("expression_sheet")
    prompt[node_of(prompt, "DiffSFSRExpressionWords")]["inputs"]["text"] = "joy\na bit worried"
    result = studio.run(prompt)
    assert result.success, result.errors
    saves = [i for i, node in prompt.items() if node["class_type"] == "DiffSFSRSavePortrait"]
    faces, sheet = (result.outputs[i]["images"] for i in saves)
    names = [picture["filename"] for picture in faces]
    assert len(names) == 2 and names[0].startswith("joy") and names[1].startswith("worry")
    assert {picture["subfolder"] for picture in (*faces, *sheet)} == {"DiffSFSR"} and len(sheet) == 1
    assert result.value(node_of(prompt, "DiffSFSRExpressionSheet")).shape == (1, 212, 384, 3)
    assert result.executed_nodes.count(node_of(prompt, "DiffSFSRIdentityEncoder")) <= 1


def test_words_are_tried_without_sampling(studio, twin):
    """Drafts alone, shown by their own nodes; another word draws them again and reads no photo again."""
    prompt = short("try_words")
    studio.reset()
    first = studio.run(prompt)
    assert first.success, first.errors
    drafts = [i for i, node in prompt.items() if node["class_type"] == "DiffSFSRFaceDraft"]
    assert len(drafts) == 2 and all(len(first.outputs[i]["images"]) == 1 for i in drafts)
    word = node_of(prompt, "DiffSFSRExpressionLabelEncoder")
    prompt[word]["inputs"]["words"] = "a bit worried"
    second = studio.run(prompt)
    assert set(second.executed_nodes) == {word, node_of(prompt, "DiffSFSRExpressionSliders"), *drafts}
    assert all(not torch.equal(first.value(i), second.value(i)) for i in drafts)


def test_the_reference_drives_the_face(studio, twin):
    prompt = short("reference_expression")
    result = studio.run(prompt)
    assert result.success, result.errors
    read_, asked = node_of(prompt, "DiffSFSRExpressionFromImage"), node_of(prompt, "DiffSFSRExpressionSliders")
    assert torch.allclose(result.value(read_).codes, result.value(asked).codes, atol=1e-5), "sliders at 0 change nothing"
    assert result.outputs[node_of(prompt, "DiffSFSRFaceDraft")]["images"], "it shows itself"


def test_the_saved_picture_says_that_it_was_generated(studio, twin):
    """Whoever saves the workflow with the picture (the front end always does) saves the note as well."""
    twin["7"]["inputs"]["seed"] = 11
    execute(studio, twin, {"extra_pnginfo": {"workflow": {"nodes": []}}})
    with Image.open(saved(studio)[-1]) as image:
        texts = dict(image.text)
    assert {"prompt", "workflow", "diffsfsr"} <= set(texts)
    assert "painted by a diffusion model" in json.loads(texts["diffsfsr"])["generated"]


def test_the_note_is_there_when_only_the_file_name_changed(studio, twin):
    twin["7"]["inputs"]["seed"] = 12
    for prefix in ("DiffSFSR", "DiffSFSR_again"):
        twin["10"]["inputs"]["filename_prefix"] = prefix
        sent = studio.server.trigger_on_prompt({"prompt": twin, "extra_data": {"extra_pnginfo": {"workflow": {}}}})
        execute(studio, twin, sent["extra_data"])
    with Image.open(saved(studio)[-1]) as image:
        assert "diffsfsr" in image.text


def test_the_note_is_there_for_a_script_that_sends_the_prompt_alone(studio, twin):
    """POST /prompt with nothing but the prompt: most batch scripts. The server's own hook sees every prompt."""
    twin["7"]["inputs"]["seed"] = 13
    twin["10"]["inputs"]["filename_prefix"] = "DiffSFSR_script"
    sent = studio.server.trigger_on_prompt({"prompt": twin})
    execute(studio, twin, sent.get("extra_data", {}))
    with Image.open(saved(studio)[-1]) as image:
        assert "diffsfsr" in image.text
