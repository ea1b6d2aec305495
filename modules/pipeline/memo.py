"""What was found in the last inputs: a graph that is queued again with another word passes the very same ones."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

import torch

T = TypeVar("T")
LEAST, MOST = 8, 256  # results of one kind that are kept, however small or large a batch is


def content(*tensors: torch.Tensor) -> str:
    """A hash over shapes, types and all values: what a result is known by."""
    digest = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        digest.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().contiguous().cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


class Memo:
    """Results of slow work by kind and key; of each kind as many as two nodes need for the largest batch so far.

    A key holds the hash (`content`) of what a result was made of, so a picture that a node has painted into is another one.
    """

    def __init__(self):
        self.room, self.kinds = LEAST, {}

    def make_room(self, count: int) -> None:
        """For a batch of `count`."""
        self.room = max(self.room, min(2 * count, MOST))

    def get(self, kind: str, key: Hashable, make: Callable[[], T], room: int = 0, most: int | None = None) -> T:
        """The result of that kind and key; `make` is called if there is none. room: how many small ones are kept at least;
        most: and how many large ones that are soon made again at most.
        """
        known = self.kinds.setdefault(kind, OrderedDict())
        if key not in known:
            known[key] = make()
        known.move_to_end(key)
        while len(known) > (max(self.room, room) if most is None else most):
            known.popitem(last=False)
        return known[key]
