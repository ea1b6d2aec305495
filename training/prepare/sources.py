"""Where pictures come from: a folder, with all that is in it, or shards of the WebDataset kind (tar files).

Both are cut into chunks, which are worked on one by one: what is done of a set is known by its chunks.
"""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ...modules.encoders.library import READ
from ...modules.errors import DiffSFSRError

TOGETHER = 200  # files of a folder that make a chunk
CAPTION = ".txt"  # beside the picture, with its name


class Item(NamedTuple):
    """One picture: its name in the source, what can be opened, and what is said of it."""

    name: str
    file: Path | io.BytesIO
    caption: str


@dataclass(frozen=True)
class Chunk:
    """`files`: of a folder, or the one tar; names are relative to `root`."""

    root: Path
    files: tuple[Path, ...]

    def items(self) -> Iterator[Item]:
        for file in self.files:
            if file.suffix == ".tar":
                yield from from_tar(file)
            else:
                said = file.with_suffix(CAPTION)
                caption = said.read_text(errors="replace").strip() if said.exists() else ""
                yield Item(file.relative_to(self.root).as_posix(), file, caption)


def chunks_of(source: Path) -> list[Chunk]:
    """All chunks of a folder of pictures, of a folder of tars, or of one tar; always in the same order."""
    if source.is_file() and source.suffix == ".tar":
        return [Chunk(source.parent, (source,))]
    if not source.is_dir():
        raise DiffSFSRError("There is no such folder", "Name a folder of pictures, or of WebDataset shards (.tar)", str(source))
    tars = sorted(source.glob("*.tar"))
    if tars:
        return [Chunk(source, (tar,)) for tar in tars]
    files = sorted(file for file in source.rglob("*") if file.suffix.lower() in READ)
    if not files:
        wanted = ", ".join(sorted(READ))
        raise DiffSFSRError(f"There are no pictures ({wanted}) and no shards (.tar)", "Name another folder", str(source))
    return [Chunk(source, tuple(files[k : k + TOGETHER])) for k in range(0, len(files), TOGETHER)]


def from_tar(path: Path) -> Iterator[Item]:
    """The samples of a shard; the parts of one have the same name up to the first dot, as WebDataset has it."""
    try:
        with tarfile.open(path) as tar:
            members = {member.name: member for member in tar if member.isfile()}
            for name, member in members.items():
                if Path(name).suffix.lower() not in READ:
                    continue
                said = members.get(str(Path(name).with_suffix(CAPTION)))
                caption = tar.extractfile(said).read().decode(errors="replace").strip() if said else ""
                yield Item(f"{path.name}/{name}", io.BytesIO(tar.extractfile(member).read()), caption)
    except (tarfile.TarError, EOFError, OSError) as error:
        yield Item(f"{path.name}/(the rest of it: {error})", io.BytesIO(), "")
