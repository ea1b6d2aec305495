"""Errors and warnings say where they are, as far out as the node, without being told; `at` keeps the way there."""

import logging
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from diffsfsr.modules.errors import DiffSFSRError, at, here
from diffsfsr.modules.images import checked_image


def fail(where=""):
    raise DiffSFSRError("It is broken", "Mend it", where)


def error_of(call, *args):
    with pytest.raises(DiffSFSRError) as caught:
        call(*args)
    return caught.value


def test_the_three_parts():
    error = DiffSFSRError(" It is broken. ", " Mend it. ", "input 'image':")
    assert (error.what, error.where, error.remedy) == ("It is broken", "input 'image'", "Mend it.")
    assert str(error) == "input 'image': It is broken. Mend it." and isinstance(error, ValueError)
    assert str(DiffSFSRError("It is broken", "Mend it")) == "It is broken. Mend it", "no place, no colon"


def test_each_level_adds_its_names():
    assert here() == "" and here("mask") == "mask"
    with at("Some Node"):
        assert here() == "Some Node"
        with at("image 3", "mask"):
            assert here("left eye") == "Some Node, image 3, mask, left eye"
            assert error_of(fail, "left eye").where == "Some Node, image 3, mask, left eye"
        assert error_of(fail).where == here() == "Some Node"


def test_empty_names_are_left_out():
    with at("", "Some Node", ""), at(""):
        assert error_of(fail, " ").where == here("") == "Some Node"


def test_an_error_keeps_its_place_on_the_way_out():
    """It is made inside and read outside, where the names are gone again."""
    with pytest.raises(DiffSFSRError, match="^Some Node, image 3: It is broken. Mend it$") as caught, at("Some Node"):
        with at("image 3"):
            fail()
    assert caught.value.where == "Some Node, image 3" and here() == ""


@pytest.mark.parametrize("fault", [DiffSFSRError("It is broken", "Mend it"), KeyError("x"), KeyboardInterrupt()])
def test_the_place_is_left_after_any_exception(fault):
    with at("Some Node"):
        with pytest.raises(type(fault)), at("image 3"):
            raise fault
        assert here() == "Some Node"


def test_as_a_decorator_it_holds_for_every_call():
    @at("Some Node")
    def inner(depth):
        """What it does."""
        return here() if depth == 0 else inner(depth - 1)

    assert (inner.__name__, inner.__doc__) == ("inner", "What it does.")
    assert inner(0) == "Some Node" and here() == ""
    assert inner(1) == "Some Node, Some Node", "a call inside a call is one more level"
    broken = at("Some Node")(fail)
    assert [error_of(broken, "image").where for _ in range(2)] == ["Some Node, image"] * 2 and here() == ""


def test_warnings_begin_with_the_place(caplog):
    with caplog.at_level(logging.WARNING), at("Some Node", "image"):
        checked_image(torch.rand(1, 40, 40, 4))
    assert [record.getMessage() for record in caplog.records] == ["Some Node, image: the alpha channel is not used"]


def test_another_thread_has_a_place_of_its_own():
    def other():
        before = here()
        with at("Other Node"):
            return before, error_of(fail).where

    with at("Some Node"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(other).result() == ("", "Other Node")
        assert here() == "Some Node"


@pytest.mark.parametrize("where", ["", "image 3"])
def test_an_error_from_a_worker_keeps_the_workers_place(where):
    """It comes as a pickle and is put together again where the main process happens to be."""
    with at("Worker"):
        sent = pickle.dumps(error_of(fail, where))
    first = pickle.loads(sent)
    with at("Some Node", "image 7"):
        second = pickle.loads(sent)
        assert here() == "Some Node, image 7"
    for copy in (first, second):
        assert (copy.what, copy.remedy) == ("It is broken", "Mend it")
        assert copy.where == ("Worker, image 3" if where else "Worker")
        assert str(copy) == f"{copy.where}: It is broken. Mend it"
