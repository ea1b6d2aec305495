"""What is remembered of inputs: the same object only, unchanged, and never more than so many."""

import gc
import weakref

import pytest
import torch

from diffsfsr.modules.pipeline.memo import Remembered


class Counter:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return self.calls


@pytest.fixture
def store():
    return Remembered(2), Counter()


def test_the_same_tensor_is_looked_at_once(store):
    kept, make = store
    picture = torch.rand(1, 8, 8, 3)
    assert [kept.get(picture, picture, ("largest",), make) for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("change", ["other object", "other key", "painted into"])
def test_anything_else_is_looked_at_anew(store, change):
    kept, make = store
    with torch.inference_mode():  # as the host runs nodes: such tensors do not count their own changes
        picture = torch.rand(1, 8, 8, 3)
        assert kept.get(picture, picture, ("largest",), make) == 1
        given = picture.clone() if change == "other object" else picture
        if change == "painted into":
            given[0, 2, 3] += 0.25
        assert kept.get(given, given, ("largest" if change != "other key" else "first",), make) == 2


def test_it_holds_no_more_than_so_many_and_keeps_no_input_alive(store):
    kept, make = store
    pictures = [torch.rand(4) for _ in range(3)]
    for picture in pictures:
        kept.get(picture, picture, (), make)
    assert kept.get(pictures[2], pictures[2], (), make) == 3 and kept.get(pictures[0], pictures[0], (), make) == 4
    gone = weakref.ref(pictures[2])
    del picture, pictures
    gc.collect()
    assert gone() is None
    other = torch.rand(4)
    kept.get(other, other, (), make)
    assert len(kept.found) == 1  # what can never be asked for again has gone


def test_a_failure_is_not_remembered(store):
    kept, make = store
    picture = torch.rand(4)

    def fail():
        raise ValueError

    with pytest.raises(ValueError):
        kept.get(picture, picture, (), fail)
    assert kept.get(picture, picture, (), make) == 1
