"""Names, sizes and times of very many files in a few arrays, which may be mapped from a file."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Entry = tuple[str, int, int]  # name, bytes, time of change in ns


@dataclass(frozen=True, eq=False)
class FileList(Sequence):
    """`names` [bytes] uint8, UTF-8, one behind the other; `ends` [N] where each ends; `sizes`, `changed` [N] int64."""

    names: np.ndarray
    ends: np.ndarray
    sizes: np.ndarray
    changed: np.ndarray

    @classmethod
    def of(cls, entries: list[Entry]) -> "FileList":
        coded = [name.encode("utf-8", "surrogateescape") for name, _, _ in entries]
        ends = np.cumsum([len(name) for name in coded], dtype=np.int64) if coded else np.zeros(0, np.int64)
        sizes, changed = (np.array([entry[k] for entry in entries], np.int64) for k in (1, 2))
        return cls(np.frombuffer(b"".join(coded), np.uint8), ends, sizes, changed)

    @classmethod
    def joined(cls, parts: list["FileList"]) -> "FileList":
        shifts = np.cumsum([0, *(len(part.names) for part in parts)])[:-1]
        ends = [part.ends + shift for part, shift in zip(parts, shifts, strict=True)]
        return cls(*(np.concatenate(column) for column in (
            [part.names for part in parts], ends, [part.sizes for part in parts], [part.changed for part in parts],
        )))  # fmt: skip

    def part(self, rows: slice) -> "FileList":
        """A range of them, `rows` without a step."""
        first = int(self.ends[rows.start - 1]) if rows.start > 0 else 0
        ends = self.ends[rows] - first
        last = first + (int(ends[-1]) if len(ends) else 0)
        return FileList(self.names[first:last], ends, self.sizes[rows], self.changed[rows])

    def sound(self) -> bool:
        """Whether the arrays fit each other: they may come from a file of anybody's."""
        lengths = len(self.ends) == len(self.sizes) == len(self.changed)
        total = self.ends[-1] if len(self) else 0
        return lengths and bool((np.diff(self.ends, prepend=0) >= 0).all()) and len(self.names) == total

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, place: int | slice) -> "Entry | list[Entry]":
        if isinstance(place, slice):
            return [self[k] for k in range(*place.indices(len(self)))]
        start = int(self.ends[place - 1]) if place > 0 else 0
        name = self.names[start : int(self.ends[place])].tobytes().decode("utf-8", "surrogateescape")
        return name, int(self.sizes[place]), int(self.changed[place])


EMPTY = FileList.of([])
