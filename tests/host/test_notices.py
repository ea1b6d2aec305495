"""Warnings in the node they come from: sent to the front end while it runs, gone when it runs again without any."""

import logging
import struct

import pytest

from tests.host.graphs import EXPRESSION, IDENTITY, LOADER, portrait, run, two_faces

TEXT = 3  # the kind of message that the front end draws in a node
FACES = "Identity Encoder, image 0: 2 faces, the largest one is used"


def texts(result):
    """What a run sent to nodes: [(node, text)], as the front end takes the bytes apart."""
    sent = [data for event, data in result.messages if event == TEXT]
    ends = [4 + struct.unpack(">I", data[:4])[0] for data in sent]
    return [(data[4:end].decode(), data[end:].decode()) for data, end in zip(sent, ends, strict=True)]


@pytest.fixture
def selfie(studio, pictures):
    """The Identity Encoder alone, on one face or two."""
    studio.reset()

    def graph(picture):
        shown = portrait(picture, pictures[1]).only(IDENTITY)
        return shown.add("show", "PreviewImage", images=[IDENTITY, 1])

    return graph


def test_a_warning_stands_in_its_node_until_that_runs_again(studio, pictures, selfie, caplog):
    both = two_faces()
    assert texts(run(studio, selfie(both))) == [(IDENTITY, FACES)]
    assert FACES in caplog.text, "the console has it too"
    cached = run(studio, selfie(both).set(LOADER, weight_dtype="auto"))
    assert IDENTITY not in cached.executed_nodes and texts(cached) == [], "still true, still there"
    assert texts(run(studio, selfie(pictures[0]))) == [(IDENTITY, " ")]
    assert texts(run(studio, selfie(pictures[0] * 0.9))) == [], "nothing to take away"


def test_the_runs_of_a_list_add_up(studio, pictures):
    graph = portrait(*pictures)
    text = "grinning\nrage\nsulking"
    graph.add("words", "DiffSFSRExpressionWords", encoders=[LOADER, 2], text=text, intensity=1.0, variation=0)
    graph = graph.only("words").add("show", "PreviewAny", source=["words", 1])
    (first, second) = texts(run(studio, graph))
    assert first == ("words", "Expression Words, line 1: 'grinning' is read as cheerfulness 1; "
                     "'grinning' only comes near a word of the list")  # fmt: skip
    assert second[1].splitlines()[0] == first[1] and "line 3: 'sulking'" in second[1]


def test_information_is_for_the_console_alone(studio, pictures, caplog):
    caplog.set_level(logging.INFO)
    graph = portrait(*pictures).set(EXPRESSION, words="tired but happy").only(EXPRESSION)
    result = run(studio, graph.add("show", "PreviewAny", source=[EXPRESSION, 0]))
    assert texts(result) == [] and "'tired but happy' is read as tired 0.71 + happiness 0.71" in caplog.text
    graph.set(EXPRESSION, words="", expression="scared (fear)")
    assert texts(run(studio, graph)) == [], "an entry of the list says itself what it means"
    (warned,) = texts(run(studio, graph.set(EXPRESSION, words="scared")))
    assert warned[0] == EXPRESSION and "'scared' only comes near a word of the list" in warned[1]


def test_a_warning_outside_a_node_goes_nowhere(host):
    logging.getLogger("diffsfsr.modules.images").warning("nobody runs")
    assert host._events == [] or "nobody runs" not in str(host._events[-1])
