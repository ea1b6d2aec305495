"""Warnings in the node that they come from, not only in the console.

Everything warns by `logging.getLogger(__name__)`. While one of our nodes runs, a handler passes the pack's warnings on to the
front end as that node's progress text, which stands in the node until it runs again. The handler prints nothing: the log
itself is the host's.
"""

import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

PACK = __name__.removesuffix(".modules.host.notices")
MOST = 6  # lines in a node; the console has all
NOTHING = " "  # the front end ignores an empty text, and an old one would stay
_running: ContextVar = ContextVar("running", default=None)
_told: dict[str, tuple[str, list[str]]] = {}  # node -> the prompt that ran it, and what it warned of


class _ToFrontEnd(logging.Handler):
    """A warning of the pack while a node runs -> that node's text."""

    def emit(self, record: logging.LogRecord) -> None:
        node = _running.get()
        if node is None:
            return
        lines = _told.setdefault(node.node_id, (node.prompt_id, []))[1]
        if (line := record.getMessage()) not in lines:
            lines.append(line)
            _send("\n".join(lines[:MOST]), node.node_id)


def register(nodes: list[type]) -> None:
    """Once, for all V3 nodes of the pack: what they warn of while they run is shown in them."""
    log = logging.getLogger(PACK)
    if not any(isinstance(handler, _ToFrontEnd) for handler in log.handlers):
        log.addHandler(_ToFrontEnd(logging.WARNING))
    for node in nodes:
        inner = node.__dict__["execute"].__func__
        if not hasattr(inner, "__wrapped__"):
            node.execute = classmethod(_watched(inner))


def _watched(execute):
    @functools.wraps(execute)
    def run(cls, *args, **kwargs):
        with _node():
            return execute(cls, *args, **kwargs)

    return run


@contextmanager
def _node() -> Iterator[None]:
    """A run of the node that the host says is running. A list runs it several times in one prompt: their lines add up."""
    from comfy_execution.utils import get_executing_context  # not where a script calls the nodes without the host's executor

    context = get_executing_context()
    if context is not None and context.node_id in _told and _told[context.node_id][0] != context.prompt_id:
        del _told[context.node_id]
        _send(NOTHING, context.node_id)
    token = _running.set(context)
    try:
        yield
    finally:
        _running.reset(token)


def _send(text: str, node_id: str) -> None:
    from server import PromptServer  # only where there is a server: it is slow to import

    server = getattr(PromptServer, "instance", None)
    if server is not None and hasattr(server, "send_progress_text"):
        server.send_progress_text(text, node_id, sid=getattr(server, "client_id", None))  # not to everybody on the server
