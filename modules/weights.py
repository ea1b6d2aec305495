"""A file of weights (safetensors): read with care, and known to be whole.

What we write has a checksum in its metadata, over the names, types, shapes and bytes of all tensors and over the texts that say
what they mean. A file without one, as older versions wrote it, is only looked through for values that are not numbers.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from .errors import DiffSFSRError

CHECKSUM = "sha256"  # key of the metadata
TEXTS = ("config", "graphs", "told")  # keys of what says what the tensors mean: of a bundle, the face networks, a kept wire
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
TYPES = (*FLOATS, torch.int64, torch.int32)  # of all that we write
_whole: dict[str, tuple] = {}  # by path: size, time and checksum of the files that were looked through


def read_weights(path: Path, fault: str, remedy: str) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Metadata and tensors of a safetensors file. Raises FileNotFoundError, or DiffSFSRError with fault and remedy."""
    if path.exists() and not path.is_file():  # a pipe would be waited for, for ever
        raise DiffSFSRError(f"{fault} (it is no plain file)", remedy)
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118  (not a dict)
    except FileNotFoundError:
        raise
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError, AttributeError, KeyError) as error:
        # beside its own errors the reader lets those of types that this torch does not know through
        raise DiffSFSRError(f"{fault} ({error})", remedy) from error


def checksum(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> str:
    """64 hexadecimal digits over all tensors and over `TEXTS` of the metadata."""
    digest = hashlib.sha256()
    for key in TEXTS:
        if key in metadata:
            digest.update(f"{key} {len(metadata[key])} {metadata[key]}".encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def check_whole(path: Path, metadata: Mapping[str, str], tensors: Mapping[str, torch.Tensor], remedy: str) -> None:
    """Refuses a file whose contents are not those that were written. Looked through once, and again when the file changes."""
    wanted, stat = metadata.get(CHECKSUM), path.stat()
    stamp = (stat.st_size, stat.st_mtime_ns, wanted)
    if _whole.get(str(path)) == stamp:
        return
    if wanted is not None and checksum(tensors, metadata) != wanted:
        raise DiffSFSRError("The file is damaged: its contents are not those that its checksum was made of", remedy)
    for name, value in tensors.items():
        if value.dtype not in TYPES:
            raise DiffSFSRError(f"The tensor '{name}' is of a type that is not read ({value.dtype})", remedy)
        if not value.isfinite().all():
            raise DiffSFSRError(f"The file is damaged: '{name}' has values that are not numbers", remedy)
    _whole[str(path)] = stamp


def misfits(wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> list[str]:
    """The names of tensors that are missing, unknown, or of another shape or kind than the wanted ones (of any device)."""
    wrong = [k for k, v in wanted.items() if k in given and (v.shape != given[k].shape or not _alike(v, given[k]))]
    return wrong + [k for k in wanted if k not in given] + [k for k in given if k not in wanted]


def _alike(wanted: torch.Tensor, given: torch.Tensor) -> bool:
    """Floating-point values may come in any precision that torch computes in, whole numbers in their own alone."""
    return given.dtype in FLOATS if wanted.is_floating_point() else given.dtype == wanted.dtype
