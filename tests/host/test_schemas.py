"""What every node declares in the real host: names, types, tooltips, ranges."""

import inspect
from dataclasses import field, make_dataclass

import pytest

from tests.host.graphs import CONDITION, EXPRESSION, SAMPLER, portrait

OURS = {
    "DiffSFSRUNetLoader": ("MODEL", "VAE", "DIFFSFSR_ENCODERS"),
    "DiffSFSRIdentityEncoder": ("DIFFSFSR_IDENTITY", "IMAGE"),
    "DiffSFSRExpressionFromImage": ("DIFFSFSR_EXPRESSION", "IMAGE", "STRING"),
    "DiffSFSRExpressionSliders": ("DIFFSFSR_EXPRESSION",),
    "DiffSFSRExpressionMix": ("DIFFSFSR_EXPRESSION",),
    "DiffSFSRFaceDraft": ("IMAGE",),
    "DiffSFSRExpressionSheet": ("IMAGE",),
    "DiffSFSRExpressionLabelEncoder": ("DIFFSFSR_EXPRESSION",),
    "DiffSFSRExpressionWords": ("DIFFSFSR_EXPRESSION", "STRING", "DIFFSFSR_EXPRESSION"),
    "DiffSFSRBackgroundCondition": ("CONDITIONING", "CONDITIONING", "LATENT", "DIFFSFSR_PLACE", "IMAGE"),
    "DiffSFSRMidpointSampler": ("LATENT",),
    "DiffSFSRMidpointSamplerSelect": ("SAMPLER",),
    "DiffSFSRIdentityExpressionGuider": ("GUIDER",),
    "DiffSFSRFaceCrop": ("IMAGE", "MASK", "DIFFSFSR_PLACE", "IMAGE", "STRING"),
    "DiffSFSRCompositeFace": ("IMAGE", "MASK"),
    "DiffSFSRSaveIdentity": ("DIFFSFSR_IDENTITY",),
    "DiffSFSRLoadIdentity": ("DIFFSFSR_IDENTITY",),
    "DiffSFSRSaveExpression": ("DIFFSFSR_EXPRESSION",),
    "DiffSFSRLoadExpression": ("DIFFSFSR_EXPRESSION",),
    "DiffSFSRSavePortrait": (),
}


def schema(host, node_id):
    return host.node(node_id).GET_SCHEMA()


def test_the_pack_brings_these_nodes_and_no_others(host):
    found = {name for name, cls in host.nodes.NODE_CLASS_MAPPINGS.items() if cls.__module__.startswith("diffsfsr.")}
    assert found == set(OURS)


@pytest.mark.parametrize("node_id", OURS)
def test_schema(host, node_id):
    found = schema(host, node_id)
    assert tuple(output.get_io_type() for output in found.outputs) == OURS[node_id]
    assert found.category.split("/")[0] == "DiffSFSR" and found.display_name and len(found.description) > 40
    assert len({entry.id for entry in found.inputs}) == len(found.inputs)


@pytest.mark.parametrize("node_id", OURS)
def test_every_input_has_a_tooltip(host, node_id):
    for entry in schema(host, node_id).inputs:
        assert entry.tooltip and len(entry.tooltip) > 15 and entry.tooltip.endswith("."), entry.id


def test_the_menu_holds_all_words_by_family(host):
    from diffsfsr.modules.labels import FAMILIES, WORDS, parse_choice

    (menu,) = (entry for entry in schema(host, "DiffSFSRExpressionLabelEncoder").inputs if entry.id == "expression")
    words = menu.options[:135]
    assert {parse_choice(entry) for entry in words} == set(WORDS) and "neutral" in menu.options[135:]
    families = [entry.split(":")[0] for entry in words]
    assert list(dict.fromkeys(families)) == list(FAMILIES), "each family in one piece"
    assert menu.default in menu.options


def test_later_hosts_get_search_aliases_and_this_one_advanced_inputs(host, monkeypatch):
    """Later hosts find nodes by aliases, and have more; the schema of older ones refuses the very names. Both pass `advanced`
    on. What a node shows is kept over a reload by later hosts: of output nodes in any case.
    """
    from diffsfsr.nodes import NODES, wires

    news = [("search_aliases", list, field(default_factory=list)), ("essentials_category", str, None)]
    news.append(("has_intermediate_output", bool, False))
    later = make_dataclass("Schema", news, bases=(wires.io.Schema,))
    monkeypatch.setattr(wires.io, "Schema", later)
    aliases = {alias for node in NODES for alias in node.define_schema().search_aliases}
    assert {"emotion", "selfie", "face swap", "reenactment", "facial expression"} <= aliases
    found = [node.define_schema() for node in NODES]
    assert all(each.search_aliases for each in found)
    assert {each.node_id for each in found if each.essentials_category == "Image Tools"} == {
        "DiffSFSRBackgroundCondition", "DiffSFSRFaceDraft", "DiffSFSRFaceCrop",
    }  # fmt: skip
    shows = {node.__name__ for node in NODES if "ui=" in inspect.getsource(node)}
    kept = [each.has_intermediate_output or each.is_output_node for each in found]
    assert {node.__name__ for node, keeps in zip(NODES, kept, strict=True) if keeps} == shows
    told = host.node("DiffSFSRBackgroundCondition").INPUT_TYPES()
    marked = {name for part in told.values() for name, spec in part.items() if len(spec) > 1 and spec[1].get("advanced")}
    assert marked == {"face_index", "grow", "feather", "guide"}


def test_numbers_out_of_range_are_refused_by_the_host(studio, pictures):
    for node, name, value in ((EXPRESSION, "intensity", 1.6), (SAMPLER, "steps", 0), (CONDITION, "feather", -1)):
        assert not studio.validate(portrait(*pictures).set(node, **{name: value})).valid


def test_wires_fit_only_where_they_belong(studio, pictures):
    wrong = portrait(*pictures).set(CONDITION, identity=[EXPRESSION, 0])
    assert studio.validate(wrong).types == ["return_type_mismatch"]
