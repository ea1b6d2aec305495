"""The real ComfyUI in this process: its validation, cache and executor, without a socket or a browser.

    host = Host().load()
    result = host.run({"1": {"class_type": "EmptyImage", "inputs": {...}}, "2": {"class_type": "PreviewImage", ...}})
    assert result.success, result.errors

One process holds one host: ComfyUI keeps its state in modules.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import os
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .bootstrap import HostError, bootstrap_comfy, find_comfyui
from .pack import NAME, ROOT, load_pack

__all__ = ["Host", "HostError", "Result", "Validation", "bootstrap_comfy", "find_comfyui"]

LINK_NAME = "ComfyUI-DiffSFSR"


@dataclass(frozen=True)
class Validation:
    """What the host says of a prompt before it runs it; an invalid one never runs."""

    valid: bool
    error: dict | None
    outputs: list[str]  # ids of the output nodes that will run
    node_errors: dict  # node id -> {"errors": [{"type", "message", "details", ...}], ...}

    @property
    def types(self) -> list[str]:
        """The error types alone, such as value_bigger_than_max: what a test usually asks for."""
        return [error["type"] for node in self.node_errors.values() for error in node["errors"]]


@dataclass(frozen=True)
class Result:
    """One execution."""

    success: bool
    outputs: dict = field(default_factory=dict)  # node id -> what its UI output shows
    messages: list = field(default_factory=list)  # (event, data) as the front end would receive them
    errors: list[str] = field(default_factory=list)  # readable, empty after success
    executed_nodes: list[str] = field(default_factory=list)  # ids that really ran, in order; cached ones are missing
    values: dict = field(default_factory=dict)  # node id -> its outputs, one list of values for each slot

    def value(self, node_id: str, slot: int = 0) -> Any:
        """What a node put on an output, for instance an IMAGE tensor; also of cached nodes."""
        return self.values[node_id][slot][0]

    def progress(self) -> list[dict]:
        """The progress events, each {"value", "max", "prompt_id", "node"}."""
        return [data for event, data in self.messages if event == "progress"]


class _Warnings(logging.Handler):
    """Collects what the host only logs: it reports a pack that fails to load as a warning."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


class Host:
    """ComfyUI with this pack loaded. `base_dir` holds models/, input/, output/ and so on (default: .comfyui)."""

    def __init__(self, base_dir: str | os.PathLike | None = None):
        self.base_dir = Path(base_dir).resolve() if base_dir is not None else None
        self.loaded = False
        self._events: list = []

    def load(self, cpu: bool = True) -> Host:
        """Starts the host and loads the built-in nodes and this pack; returns itself. Takes about 8 s, once."""
        if self.loaded:
            return self
        load_pack()
        folder = bootstrap_comfy(cpu=cpu, base_dir=self.base_dir)
        self.base_dir = self.base_dir or folder
        self._import_host()
        self._start_server()
        self._load_builtin_nodes()
        self._load_pack()
        self.reset()
        self.loaded = True
        return self

    def _import_host(self) -> None:
        self.folder_paths = importlib.import_module("folder_paths")
        self.nodes = importlib.import_module("nodes")
        self.execution = importlib.import_module("execution")
        self.server_module = importlib.import_module("server")
        if not hasattr(self.nodes, "load_custom_node"):
            raise HostError(f"`nodes` is {self.nodes.__file__}, not the host's: the checkout is on sys.path")

    def _start_server(self) -> None:
        """The host's server object: many nodes reach for this singleton. It opens no socket."""
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.server = self.server_module.PromptServer(self.loop)
        self.server.send_sync = self._record

    def _load_builtin_nodes(self) -> None:
        """The host's own nodes. Its warnings are dropped: without torchaudio, two audio nodes fail at length."""
        disabled = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            self.loop.run_until_complete(self.nodes.init_extra_nodes(init_custom_nodes=False, init_api_nodes=False))
        finally:
            logging.disable(disabled)

    def _record(self, event, data, sid=None) -> None:
        self._events.append((event, data))

    def _progress(self, value, total, preview_image, prompt_id=None, node_id=None) -> None:
        """What main.py does at each progress step: honour an interruption, tell the progress state, send an event."""
        context = importlib.import_module("comfy_execution.utils").get_executing_context()
        if context is not None:
            prompt_id, node_id = prompt_id or context.prompt_id, node_id or context.node_id
        importlib.import_module("comfy.model_management").throw_exception_if_processing_interrupted()
        state = importlib.import_module("comfy_execution.progress").get_progress_state()
        if node_id is not None:
            state.update_progress(node_id, value, total, preview_image)
        self._record("progress", {"value": value, "max": total, "prompt_id": prompt_id, "node": node_id})

    def _load_pack(self) -> None:
        """Lets the host load the pack, onto the module objects that tests import as `diffsfsr.*`.

        The host names the pack after its path. The entry point's only import is `.nodes`, so registering our nodes
        package under that name first is enough: everything below it already belongs to `diffsfsr`.
        """
        link = self.base_dir / "custom_nodes" / LINK_NAME
        path = str(link if link.exists() and link.resolve() == ROOT else ROOT)
        host_name = path.replace(".", "_x_")
        sys.modules[f"{host_name}.nodes"] = importlib.import_module(f"{NAME}.nodes")
        warnings = _Warnings()
        logging.getLogger().addHandler(warnings)
        try:
            loaded = self.loop.run_until_complete(self.nodes.load_custom_node(path, module_parent="custom_nodes"))
        finally:
            logging.getLogger().removeHandler(warnings)
        if not loaded:
            raise HostError("the host could not load the pack: " + " | ".join(warnings.texts))
        sys.modules[host_name] = sys.modules[NAME]

    def node(self, node_id: str) -> type:
        """The node class the host runs for a node id."""
        return self.nodes.NODE_CLASS_MAPPINGS[node_id]

    def reset(self) -> None:
        """A new executor: forgets every cached output."""
        options: dict = {"cache_type": self.execution.CacheType.CLASSIC}
        if "cache_args" in inspect.signature(self.execution.PromptExecutor.__init__).parameters:
            options["cache_args"] = {"lru": 0, "ram": 0.0, "ram_inactive": 0.0}  # without it 0.3.75 crashes
        self.executor = self.execution.PromptExecutor(self.server, **options)
        self.interrupt(False)

    def interrupt(self, value: bool = True) -> None:
        """The Cancel button: the flag is global to the process."""
        importlib.import_module("comfy.model_management").interrupt_current_processing(value)

    def validate(self, prompt: dict) -> Validation:
        """The host's check of a prompt in API form ({id: {"class_type", "inputs"}}), as POST /prompt does it."""
        answer = self.loop.run_until_complete(self.execution.validate_prompt(uuid.uuid4().hex, prompt, None))
        return Validation(answer[0], answer[1], list(answer[2]), answer[3])

    def run(self, prompt: dict) -> Result:
        """Validates and executes a prompt in API form. Unchanged nodes come from the cache, as in the real thing."""
        checked = self.validate(prompt)
        if not checked.valid:
            return Result(False, errors=_validation_errors(checked))
        self.interrupt(False)
        self._events = []
        # one hook and one server for the process: a Host loaded later must not hear this run
        self.server_module.PromptServer.instance = self.server
        importlib.import_module("comfy.utils").set_progress_bar_global_hook(self._progress)
        self.executor.execute(prompt, uuid.uuid4().hex, {"client_id": "in-process"}, checked.outputs)
        self.interrupt(False)
        status = list(self.executor.status_messages)
        errors = [_status_error(event, data) for event, data in status if event in _FAILURES]
        return Result(
            success=self.executor.success and not errors,
            outputs=self.executor.history_result["outputs"],
            messages=list(self._events),
            errors=errors,
            executed_nodes=[data["node"] for event, data in self._events if event == "executing" and data["node"]],
            values=self._values(prompt),
        )

    def _values(self, prompt: dict) -> dict:
        entries = {node_id: self.executor.caches.outputs.get(node_id) for node_id in prompt}
        return {node_id: entry.outputs for node_id, entry in entries.items() if entry is not None}


_FAILURES = ("execution_error", "execution_interrupted")


def _validation_errors(checked: Validation) -> list[str]:
    texts = []
    for node_id, node in checked.node_errors.items():
        for error in node["errors"]:
            where = f"{node.get('class_type')} ({node_id})"
            texts.append(f"{where}: {error['type']}: {error['message']} {error['details']}")
    if not texts and checked.error:
        texts.append(f"{checked.error['type']}: {checked.error['message']} {checked.error.get('details', '')}")
    return texts


def _status_error(event: str, data: dict) -> str:
    where = f"{data.get('node_type')} ({data.get('node_id')})"
    if event == "execution_interrupted":
        return f"{where}: interrupted"
    return f"{where}: {data.get('exception_type')}: {data.get('exception_message')}".strip()
