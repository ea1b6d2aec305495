"""A person and an expression, saved and loaded again, in the real host."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tests.host.graphs import COMPOSITE, CONDITION, EXPRESSION, IDENTITY, portrait, refusal, run


@pytest.fixture
def home(studio, tmp_path):
    """models/diffsfsr in a folder of the test alone."""
    from diffsfsr.modules.host import folders

    folders.register()
    known = studio.folder_paths.folder_names_and_paths
    usual = known[folders.KEY]
    known[folders.KEY] = ([str(tmp_path)], usual[1])
    studio.folder_paths.filename_list_cache.pop(folders.KEY, None)
    yield tmp_path
    known[folders.KEY] = usual
    studio.folder_paths.filename_list_cache.pop(folders.KEY, None)


def saving(pictures, name: str = "Ann", **inputs):
    """The shipped graph, which keeps both wires."""
    graph = portrait(*pictures).set(EXPRESSION, **inputs)
    for kind, node in (("Identity", IDENTITY), ("Expression", EXPRESSION)):
        graph.add(f"save {kind}", f"DiffSFSRSave{kind}", name=name, **{kind.lower(): [node, 0]})
    return graph


def loading(pictures, who: str = "Ann", what: str = "Ann"):
    graph = portrait(*pictures).add("who", "DiffSFSRLoadIdentity", name=who).add("what", "DiffSFSRLoadExpression", name=what)
    return graph.set(CONDITION, identity=["who", 0], expression=["what", 0])


def saved(home) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def test_what_was_saved_paints_the_same_picture_and_is_no_bundle(studio, home, pictures):
    from diffsfsr.modules.host import folders

    wanted = run(studio, saving(pictures)).value(COMPOSITE)
    assert saved(home) == ["saved_expressions/Ann.safetensors", "saved_identities/Ann.safetensors"]
    assert torch.equal(run(studio, loading(pictures)).value(COMPOSITE), wanted)
    assert folders.bundle_names() == [folders.DEFAULT]


def test_nothing_is_overwritten_and_nothing_is_written_twice(studio, home, pictures):
    run(studio, saving(pictures))
    studio.reset()
    run(studio, saving(pictures))
    assert len(saved(home)) == 2
    run(studio, saving(pictures, expression="anger: rage"))
    assert saved(home) == [f"saved_{name}.safetensors" for name in ("expressions/Ann 2", "expressions/Ann", "identities/Ann")]


@pytest.mark.parametrize(
    ("typed", "file"),
    [("../../there", "_.._there"), ("C:\\x|y?", "C__x_y_"), (" Zoë 7 ", "Zoë 7"), ("con", "con_"), ("a" * 99, "a" * 80)],
)
def test_a_name_is_a_name_in_our_folder(comfy, typed, file):
    from diffsfsr.modules.pipeline.kept import safe_name

    assert safe_name(typed) == file


def test_bad_names_and_files_are_named(studio, home, pictures):
    assert "Type a name" in refusal(studio, saving(pictures, " ../ "), "save Identity")
    run(studio, saving(pictures))
    file = home / "saved_identities" / "Ann.safetensors"
    whole = file.read_bytes()

    def answer(content: bytes) -> str:
        file.write_bytes(content)
        return refusal(studio, loading(pictures), "who")

    flipped = bytearray(whole)
    flipped[-1000] ^= 4
    for content in (whole[:-1], bytes(flipped), b"", (home / "saved_expressions" / "Ann.safetensors").read_bytes()):
        told = answer(content)
        assert told.startswith("Load Identity, Ann: ") and "Save" in told
    with safe_open(home / "saved_expressions" / "Ann.safetensors", "pt") as other:
        metadata, tensors = other.metadata(), {key: other.get_tensor(key) for key in other.keys()}  # noqa: SIM118
    save_file(tensors, file, {**metadata, "format": "diffsfsr-identity"})
    assert "another version" in answer(file.read_bytes())


def test_a_wire_of_another_bundle_is_refused_where_it_is_used(studio, home, pictures):
    from dataclasses import replace

    from diffsfsr.modules.pipeline import kept

    made = run(studio, saving(pictures)).value(IDENTITY)
    kept.save("identity", replace(made, bundle="another"), "Bob")
    told = refusal(studio, loading(pictures, "Bob"), CONDITION)
    assert "another" in told and json.dumps("Bob") not in told


def test_an_empty_folder_says_so(studio, home):
    from diffsfsr.modules.errors import DiffSFSRError
    from diffsfsr.modules.pipeline import kept

    assert kept.choices("identity") == [kept.NOTHING]
    with pytest.raises(DiffSFSRError, match="Load Identity, .*Nothing is saved yet"):
        kept.load("identity", kept.NOTHING)
