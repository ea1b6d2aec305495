"""What was found in the last few inputs: a graph that is queued again with another word passes the very same ones."""

import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import torch


class Found(NamedTuple):
    of: weakref.ref
    key: tuple
    total: float  # of all values, in case a node has painted into the tensor that it was given
    value: Any


class Remembered:
    """At most `size` results of slow work. They are known by the object that they were made of, which is not kept alive."""

    def __init__(self, size: int):
        self.size, self.found = size, []

    def get(self, of: Any, tensor: torch.Tensor, key: tuple, make: Callable[[], Any]) -> Any:
        """The result for the object `of` with the content `tensor` and settings `key`; `make` is called if there is none."""
        total = float(tensor.sum(dtype=torch.float64))
        for one in self.found:
            if one.of() is of and one.key == key and one.total == total:
                return one.value
        value = make()
        alive = [one for one in self.found if one.of() is not None]
        self.found = [*alive, Found(weakref.ref(of), key, total, value)][-self.size :]
        return value
