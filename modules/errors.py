"""Errors meant for the person at the graph: what is wrong, where, and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Real

_place: ContextVar[tuple[str, ...]] = ContextVar("place", default=())


@contextmanager
def at(*names: str) -> Iterator[None]:
    """Inside, errors and warnings begin with these names: `with at("Background Condition", "image 3")`.

    Each level adds its own, so that a function says only what it knows itself. Empty names are left out.
    """
    token = _place.set((*_place.get(), *filter(None, names)))
    try:
        yield
    finally:
        _place.reset(token)


def here(*names: str) -> str:
    """Where we are, from the node to the input: "Background Condition, image 3, mask"."""
    return ", ".join((*_place.get(), *filter(None, names)))


class DiffSFSRError(ValueError):
    """A mistake the artist can put right.

    Parameters
    ----------
    what : str
        The fault, without a full stop at its end ("'amazment' is not one of the 135 words").
    remedy : str
        One sentence saying what to do next ("Choose a word from the list.").
    where : str
        The input, or the file, it was found in ("input 'expression'"), behind what `at` says.

    Notes
    -----
    The three parts stay readable as attributes, so that a front end can lay them out on its own.
    """

    def __init__(self, what: str, remedy: str, where: str = ""):
        self.what = what.strip().rstrip(".")
        self.where = here(where.strip().rstrip(":"))
        self.remedy = remedy.strip()
        said = f"{self.what}. {self.remedy}"
        super().__init__(f"{self.where}: {said}" if self.where else said)

    def __reduce__(self):
        # ValueError pickles only its message; worker processes need the three parts back
        return _again, (self.what, self.where, self.remedy)


def _again(what: str, where: str, remedy: str) -> DiffSFSRError:
    """An error from another process: its place is whole already."""
    token = _place.set(())
    try:
        return DiffSFSRError(what, remedy, where)
    finally:
        _place.reset(token)


def check_number(name: str, value: float, most: float, usual: float, least: float = 0.0) -> None:
    """Refuses what is outside least..most: hosts do not check what comes over a wire."""
    if not isinstance(value, Real) or not least <= value <= most:  # written so that NaN is refused too
        remedy = f"Choose a value in that range; {usual} is the usual one"
        raise DiffSFSRError(f"{value} is outside {least:g} to {most:g}", remedy, name)


def check_count(name: str, value: int, most: int, usual: int, least: int = 1) -> None:
    """The same for whole numbers."""
    check_number(name, value, most, usual, least)
    if value != int(value):
        raise DiffSFSRError(f"{value} is no whole number", f"Choose one from {least} to {most}; {usual} is the usual one", name)
