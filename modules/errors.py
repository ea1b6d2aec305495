"""Errors meant for the person at the graph: what is wrong, where, and what to do about it."""


class DiffSFSRError(ValueError):
    """A mistake the artist can put right.

    Parameters
    ----------
    what : str
        The fault, without a full stop at its end ("'amazment' is not one of the 135 words").
    where : str
        The node and input, or the file, it was found in ("Expression Label Encoder, input 'expression'").
    remedy : str
        One sentence saying what to do next ("Choose a word from the list.").

    Notes
    -----
    The three parts stay readable as attributes, so that a front end can lay them out on its own.
    """

    def __init__(self, what: str, where: str, remedy: str):
        self.what = what.strip().rstrip(".")
        self.where = where.strip().rstrip(":")
        self.remedy = remedy.strip()
        super().__init__(f"{self.where}: {self.what}. {self.remedy}")

    def __reduce__(self):
        # ValueError pickles only its message; worker processes need the three parts back
        return type(self), (self.what, self.where, self.remedy)
