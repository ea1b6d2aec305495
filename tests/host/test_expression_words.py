"""Expression Words in the real host: a list runs what follows once for each line; every fault names its line."""

import logging

import pytest
import torch

from tests.host.graphs import COMPOSITE, CONDITION, IDENTITY, LOADER, SAVE, portrait, refusal, run, shown

WORDS = "words"


def graph_of(pictures, text, slot=0, intensity=1.0, variation=0):
    """The shipped graph up to the draft, with Expression Words instead of the Label Encoder."""
    graph = portrait(*pictures)
    graph.add(WORDS, "DiffSFSRExpressionWords", encoders=[LOADER, 2], text=text, intensity=intensity, variation=variation)
    graph.set(CONDITION, expression=[WORDS, slot])
    shown(graph, CONDITION, 4)
    for node in (SAVE, COMPOSITE):
        del graph[node]
    return graph


def test_the_list_runs_the_rest_once_for_each_line(studio, pictures, caplog):
    studio.reset()
    caplog.set_level(logging.INFO)
    result = run(studio, graph_of(pictures, "rage 0.7\n# nothing\na bit worried\nhappily surprised"))
    each, names = result.values[WORDS][0], result.values[WORDS][1]
    assert names == ["rage 0.7", "worry 0.5", "happiness 0.6 + surprise 0.8"]
    assert [e.names for e in each] == [(name,) for name in names] and all(len(e.codes) == 1 for e in each)
    drafts = result.values[CONDITION][4]
    assert [d.shape for d in drafts] == [(1, 256, 256, 3)] * 3 and not torch.equal(drafts[0], drafts[1])
    assert len(result.outputs["show"]["images"]) == 3
    assert result.executed_nodes.count(IDENTITY) == 1
    assert "Expression Words, line 3: 'a bit worried' is read as worry 0.5" in caplog.text
    assert "line 1" not in caplog.text, "a plain word needs no explanation"


def test_the_batch_holds_the_same_codes(studio, pictures):
    text = "rage 0.7\na bit worried"
    one_by_one, together = (run(studio, graph_of(pictures, text, slot)) for slot in (0, 2))
    batch = together.value(WORDS, 2)
    assert torch.equal(batch.codes, torch.cat([e.codes for e in together.values[WORDS][0]]))
    assert batch.names == ("rage 0.7", "worry 0.5") and batch.bundle == together.value(LOADER, 2).id
    drafts = together.value(CONDITION, 4)
    assert drafts.shape == (2, 256, 256, 3)
    assert torch.equal(drafts, torch.cat(one_by_one.values[CONDITION][4]))


def test_a_word_is_what_the_label_encoder_makes_of_it(studio, pictures):
    graph = graph_of(pictures, "rage", intensity=0.8, variation=3).only(WORDS)
    graph.add("label", "DiffSFSRExpressionLabelEncoder", encoders=[LOADER, 2], expression="anger: rage", intensity=0.8,
              variation=3).add("mask", "PreviewAny", source=["label", 0])  # fmt: skip
    graph.add("text", "PreviewAny", source=[WORDS, 1])
    result = run(studio, graph)
    assert torch.equal(result.value("label").codes, result.value(WORDS).codes)
    assert result.value(WORDS, 1) == result.value("label").names[0] == "rage 0.8"


def test_shorthands_and_near_words(studio, pictures, caplog):
    graph = graph_of(pictures, "all\nsubcluster: zest 0.5\ngrinning\nneutral").only(WORDS)
    result = run(studio, graph.add("text", "PreviewAny", source=[WORDS, 1]))
    names = result.values[WORDS][1]
    assert len(names) == 135 + 6 + 2 and names[135] == "enthusiasm 0.5" and names[-1] == "neutral"
    codes = result.value(WORDS, 2).codes
    assert codes.shape[0] == 143 and not codes[-1].any() and torch.isfinite(codes).all()
    assert "line 3: 'grinning' is read as cheerfulness 1; 'grinning' only comes near a word of the list" in caplog.text
    assert [r.levelname for r in caplog.records if "grinning" in r.message] == ["WARNING"]


BAD = {
    "unknown word": ("joy\n\namazment", "line 3: 'amazment' is not understood", "'amazement'"),
    "negation": ("not happy", "line 1: 'not happy' says what the face does not feel", "for instance"),
    "empty": ("", "text: The text is empty", "one expression a line"),
    "comments alone": ("# joy", "text: The text is empty", "one expression a line"),
    "too many": ("all\nall", "text: The text names 270 expressions", "several nodes"),
    "unknown family": ("family: joi", "line 1: 'joi' is no family", "'joy'"),
    "a number too large": ("joy 7", "line 1: The number 7", "0.5"),
    "too many feelings": ("joy fear rage woe zest", "line 1: ", "at most 4"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_text(studio, pictures, name):
    text, fault, remedy = BAD[name]
    message = refusal(studio, graph_of(pictures, text), WORDS)
    assert message.startswith("Expression Words, text") and fault in message and remedy in message


def test_numbers_out_of_range_are_refused(studio, pictures):
    for name, value in (("intensity", 1.6), ("intensity", -0.1), ("variation", -1)):
        assert not studio.validate(graph_of(pictures, "joy").set(WORDS, **{name: value})).valid
    from diffsfsr.modules.encoders.expression import encode_lines
    from diffsfsr.modules.errors import DiffSFSRError

    for arguments, name in (((1.6, 0), "intensity"), ((1.0, -1), "variation"), ((float("nan"), 0), "intensity")):
        with pytest.raises(DiffSFSRError, match=f"Expression Words, input '{name}'"):
            encode_lines(None, "", "joy", *arguments)
