"""Progress and interruption of a node that works through a row of things."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import comfy.model_management
import comfy.utils

T = TypeVar("T")


def steps(items: Iterable[T], total: int | None = None) -> Iterator[T]:
    """The items one by one; before each the Cancel button is heard, after each the node's bar moves on.

    total: how many there are, where they are not counted by `len`.
    """
    total = len(items) if total is None else total
    bar = comfy.utils.ProgressBar(total)
    for item in items:
        comfy.model_management.throw_exception_if_processing_interrupted()
        yield item
        bar.update(1)
