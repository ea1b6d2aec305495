"""A person or a face kept for another day: IDENTITY and EXPRESSION as files, one safetensors each, in folders of ours.

A file holds the tensors of the wire under their names ("face.image") and, as metadata, what is not a tensor, and a checksum
of both: a damaged file is refused. What is read belongs to the bundle that it was made with, like the wire itself.
"""

import json
import os
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..errors import DiffSFSRError, at
from ..host import folders
from ..types import Expression, Identity
from ..weights import CHECKSUM, check_whole, checksum, read_weights

KINDS = {"identity": Identity, "expression": Expression}
FORMAT = "diffsfsr-{}"  # of a kind
NOTHING = "(none saved yet)"
LONGEST = 80  # characters of a name


def save(kind: str, value: Identity | Expression, name: str) -> Path:
    """Writes a wire under a name and returns its file; a file of this name that holds something else stays, and a number is
    added to the new one's.
    """
    with at(f"Save {kind.title()}"):
        tensors, told = {}, {}
        _take_apart(value, "", tensors, told)
        tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
        metadata = {"format": FORMAT.format(kind), "told": json.dumps(told)}
        metadata[CHECKSUM] = checksum(tensors, metadata)
        folder = folders.saved_folders(kind)[0]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return _written(folder, safe_name(name), tensors, metadata)
        except (OSError, SafetensorError) as error:
            raise DiffSFSRError(f"The file cannot be written ({error})", f"Make room and writable {folder}") from error


def load(kind: str, name: str) -> Identity | Expression:
    """The wire that was saved under a name of `folders.saved_names`."""
    with at(f"Load {kind.title()}", name):
        path, anew = path_of(kind, name), f"Save the {kind.upper()} anew"
        metadata, tensors = read_weights(path, "The file is damaged", anew)
        if metadata.get("format") != FORMAT.format(kind):
            raise DiffSFSRError(f"This file holds no {kind.upper()}", f"Choose one that Save {kind.title()} wrote")
        if not {CHECKSUM, "told"} <= set(metadata):
            raise DiffSFSRError("The file is damaged: it says nothing of its contents", anew)
        check_whole(path, metadata, tensors, anew)
        try:
            return _put_together(KINDS[kind], "", tensors, json.loads(metadata["told"]))
        except (KeyError, TypeError) as error:
            raise DiffSFSRError(f"It was saved by another version, {error} is missing", anew) from error


def stamp(kind: str, name: str) -> str:
    """What changes when the file does, for the host's cache."""
    try:
        found = path_of(kind, name).stat()
    except (DiffSFSRError, OSError):
        return name
    return f"{name} {found.st_size} {found.st_mtime_ns}"


def path_of(kind: str, name: str) -> Path:
    if name not in folders.saved_names(kind):
        what = "Nothing is saved yet" if name == NOTHING else "There is no such file"
        raise DiffSFSRError(what, f"Save one with Save {kind.title()}, and refresh the list (R)")
    return next(path for folder in folders.saved_folders(kind) if (path := folder / f"{name}.safetensors").is_file())


def choices(kind: str) -> list[str]:
    """For the node's list."""
    return folders.saved_names(kind) or [NOTHING]


def safe_name(name: str) -> str:
    """A file's name in our folder: no folders, no signs that a system refuses."""
    plain = re.sub(r"[^\w .,+=()-]", "_", str(name)).strip(" .")[:LONGEST].rstrip(" .")
    if not plain.strip("_"):
        raise DiffSFSRError("The name has no letters or digits", "Type a name, for example: Ann", "name")
    return f"{plain}_" if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", plain) else plain


# --- a wire and its parts -------------------------------------------------------------------------


def _take_apart(value: Any, prefix: str, tensors: dict, told: dict) -> None:
    for field in fields(value):
        part, name = getattr(value, field.name), prefix + field.name
        if isinstance(part, torch.Tensor):
            tensors[name] = part
        elif is_dataclass(part):
            _take_apart(part, f"{name}.", tensors, told)
        elif part is not None:
            told[name] = part


def _put_together(kind: type, prefix: str, tensors: dict, told: dict) -> Any:
    """What may be absent is None where no part of it was saved."""
    made = {}
    for name, hint in get_type_hints(kind).items():
        whole, options = prefix + name, get_args(hint)
        optional = type(None) in options
        plain = next(option for option in options if option is not type(None)) if optional else hint
        if is_dataclass(plain):
            known = any(key.startswith(f"{whole}.") for key in tensors)
            made[name] = None if optional and not known else _put_together(plain, f"{whole}.", tensors, told)
        elif plain is torch.Tensor:
            made[name] = None if optional and whole not in tensors else tensors[whole]
        else:
            made[name] = tuple(told[whole]) if isinstance(told[whole], list) else told[whole]
    return kind(**made)


def _written(folder: Path, name: str, tensors: dict, metadata: dict) -> Path:
    for number in range(1, 10_000):
        path = folder / f"{name if number == 1 else f'{name} {number}'}.safetensors"
        if not path.exists():
            part = path.with_suffix(f".{os.getpid()}.part")
            save_file(tensors, part, metadata)
            part.replace(path)
            return path
        if _holds(path, tensors, metadata):
            return path
    raise DiffSFSRError(f"There are too many files named '{name}'", "Choose another name", "name")


def _holds(path: Path, tensors: dict, metadata: dict) -> bool:
    """Whether a file holds the same; the last bits of a fit differ from run to run."""
    try:
        with safe_open(path, "pt") as file:
            same = (file.metadata() or {}).get("told") == metadata["told"] and set(file.keys()) == set(tensors)
            return same and all(_equal(file.get_tensor(key), tensor) for key, tensor in tensors.items())
    except (OSError, SafetensorError):
        return False


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and torch.allclose(one, other, 1e-6, 1e-9)
