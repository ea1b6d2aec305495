"""What the front end makes of a saved graph: its widgets by position, subgraphs opened, and the prompt that it sends."""

import copy
import json

from tests.host.graphs import TWIN

NOTES = {"MarkdownNote", "Note"}  # drawn by the front end alone
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
BYPASSED = 4
INPUTS, OUTPUTS = -10, -20  # ids of a subgraph's own two ends


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def real_nodes(ui):
    return [node for node in ui["nodes"] if node["type"] not in NOTES]


def declared(host, kind):
    """Inputs of a node in the front end's order: name -> (type, options), from what /object_info serves."""
    told = host.node(kind).INPUT_TYPES()
    found = {**told.get("required", {}), **told.get("optional", {})}
    return {name: (spec[0], spec[1] if len(spec) > 1 else {}) for name, spec in found.items()}


def is_widget(kind, options):
    return (isinstance(kind, list) or kind in WIDGETS) and not options.get("forceInput")


def widget_names(host, kind):
    """The front end's widgets in order; None stands for one that it adds and does not send."""
    names = []
    for name, (type_, options) in declared(host, kind).items():
        if is_widget(type_, options):
            names.append(name)
            if options.get("control_after_generate") or options.get("image_upload"):
                names.append(None)
    return names


def subgraphs(ui):
    """The definitions of a graph by their ids, which are the types of the nodes that hold them."""
    return {entry["id"]: entry for entry in ui.get("definitions", {}).get("subgraphs", [])}


def flat(ui):
    """The graph with its subgraphs opened, one level deep: node 5 of the subgraph in node 3 is called 3:5."""
    defined, ui = subgraphs(ui), copy.deepcopy(ui)
    for holder in [node for node in ui["nodes"] if node["type"] in defined]:
        _open(ui, holder, copy.deepcopy(defined[holder["type"]]))
    return ui


def _open(ui, holder, inner):
    name = lambda ident: f"{holder['id']}:{ident}"  # noqa: E731
    outer = {link[0]: link for link in ui["links"]}
    given = [outer.get(entry["link"]) for entry in holder["inputs"]]
    inside, nodes = [], {node["id"]: node for node in inner["nodes"]}
    for number, link in enumerate(inner["links"], 1 + max(outer, default=0)):
        source, slot, target, place = (link[k] for k in ("origin_id", "origin_slot", "target_id", "target_slot"))
        if source == INPUTS:
            source, slot = given[slot][1:3] if given[slot] else (None, None)
        else:
            source = name(source)
        if target == OUTPUTS:
            for wire in (w for w in ui["links"] if w[1] == holder["id"] and w[2] == place):
                wire[1:3] = [source, slot]
        elif source is None:
            nodes[target]["inputs"][place]["link"] = None  # a widget's own value
        else:
            nodes[target]["inputs"][place]["link"] = number
            inside.append([number, source, slot, name(target), place, link["type"]])
    ui["links"] = [wire for wire in ui["links"] if wire[3] != holder["id"]] + inside
    ui["nodes"].remove(holder)
    ui["nodes"] += [{**node, "id": name(node["id"])} for node in inner["nodes"]]


def to_api(host, ui):
    """What the front end sends for a UI graph: bypassed nodes are left out, their wires go through."""
    ui = flat(ui)
    links, prompt = {link[0]: link for link in ui["links"]}, {}
    bypassed = {node["id"]: node for node in ui["nodes"] if node["mode"] == BYPASSED}

    def source(link):
        _, node, slot, *_, kind = links[link]
        if node not in bypassed:
            return [str(node), slot]
        before = [entry["link"] for entry in bypassed[node]["inputs"] if entry["type"] == kind]
        same = [k for k, output in enumerate(bypassed[node]["outputs"]) if output["type"] == kind]
        return source(before[same.index(slot)])

    for node in real_nodes(ui):
        if node["id"] in bypassed:
            continue
        names = widget_names(host, node["type"])
        inputs = {n: v for n, v in zip(names, node["widgets_values"], strict=True) if n is not None}
        for entry in node["inputs"]:
            if entry.get("link") is not None:
                inputs[entry["name"]] = source(entry["link"])
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return prompt


# --- API twins of the shipped graphs ---


def short(name):
    """The API twin of a workflow with one step, so that running it takes seconds."""
    prompt = read(TWIN.with_name(f"{name}.api.json"))
    for node in prompt.values():
        if node["class_type"] == "DiffSFSRMidpointSampler":
            node["inputs"]["steps"] = 1
    return prompt


def node_of(prompt, kind):
    (found,) = (i for i, node in prompt.items() if node["class_type"] == kind)
    return found


def run_of(studio, prompt):
    result = studio.run(prompt)
    assert result.success, result.errors
    return result
