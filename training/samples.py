"""The training samples of the UNet: shards of latents, mapped from their files, so that a set may be larger than the memory."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

FIRST = 100_000  # the number of the first person of true expressions; portraits are numbered from 0
VECTORS = "vectors.safetensors"  # beside the shards: identity vectors, of the network whose fingerprint it holds


def mapped(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file; values are read on access."""
    with safe_open(file, "pt") as handle:
        return {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118  (not a dict)


class Samples:
    """Rows of several shards, numbered through.

    A shard: what `latents.py` writes, and "vector" [N, D], the selfies' identity vectors. Text, where there is any: "texts"
    [U, T, W], and "text" [N], which of them belongs to a row.
    truths: share of the rows of a batch that are of true expressions (`truths.py`); None: as many as there are.
    """

    def __init__(self, shards: list[dict[str, torch.Tensor]], truths: float | None = None):
        self.shards, self.truths = shards, truths
        self.starts = torch.tensor([0, *(len(shard["target"]) for shard in shards)]).cumsum(0)
        true = [shard["person"] >= FIRST if "person" in shard else torch.zeros(len(shard["target"])) for shard in shards]
        self.kinds = [(torch.cat(true).bool() == kind).nonzero()[:, 0] for kind in (False, True)]

    @classmethod
    def load(cls, folder: Path, identity: nn.Module, reader: nn.Module, truths: float | None = None) -> "Samples":
        """The latents of a folder. Untouched portraits have measurements only: `reader` turns them into coefficients."""
        files = sorted(file for file in Path(folder).glob("*.safetensors") if file.name != VECTORS)
        if not files:
            raise SystemExit(f"training: no latents in {folder}; the stages `pairs` and `latents` make them")
        shards = [mapped(file) for file in files]
        vectors = selfie_vectors(Path(folder) / VECTORS, files, shards, identity)
        for file, shard in zip(files, shards, strict=True):
            real, code = ~shard["synthetic"], shard["code"].clone()
            with torch.inference_mode():
                code[real, :52] = reader(code[real, :52], code[real, 52:])
            shard |= {"code": code, "vector": vectors[file.name]}
        return cls(shards, truths)

    def photos_from(self, pairs: Path, latents: Path) -> Callable[[int], torch.Tensor] | None:
        """number -> the target's picture [3, S, S] 0..1, mapped from the shards of `pairs`; None if one of them is missing."""
        stems = sorted(file.stem for file in Path(latents).glob("*.safetensors") if file.name != VECTORS)
        files = [Path(pairs) / f"{stem}.pt" for stem in stems]
        if not all(file.exists() for file in files):
            return None
        targets = [torch.load(file, weights_only=True, mmap=True)["target"] for file in files]

        def photo(number: int) -> torch.Tensor:
            shard = int(torch.searchsorted(self.starts, torch.tensor(number), right=True)) - 1
            return targets[shard][number - int(self.starts[shard])].float() / 255

        return photo

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def code_width(self) -> int:
        return self.shards[0]["code"].shape[1]

    def rows(self, pick: torch.Tensor) -> dict[str, torch.Tensor]:
        """The rows with these numbers [n], in their order; "number" is theirs."""
        place = torch.searchsorted(self.starts, pick, right=True) - 1
        single = [self._row(self.shards[k], int(number - self.starts[k])) for k, number in zip(place, pick, strict=True)]
        return {**{name: torch.stack([row[name] for row in single]) for name in single[0]}, "number": pick}

    @staticmethod
    def _row(shard: dict[str, torch.Tensor], number: int) -> dict[str, torch.Tensor]:
        row = {name: values[number] for name, values in shard.items() if name != "texts"}
        return {**row, "text": shard["texts"][row["text"]]} if "texts" in shard else row

    def batch(self, size: int, rng: torch.Generator) -> dict[str, torch.Tensor]:
        drawn = torch.randint(len(self), (size,), generator=rng)
        if self.truths is None or not all(map(len, self.kinds)):
            return self.rows(drawn)
        true = (torch.rand(size, generator=rng) < self.truths).long()
        return self.rows(torch.stack([self.kinds[k][n % len(self.kinds[k])] for k, n in zip(true, drawn, strict=True)]))

    def some(self, count: int) -> dict[str, torch.Tensor]:
        """At most `count` rows from all over the folder, always the same."""
        return self.rows(torch.randperm(len(self), generator=torch.Generator().manual_seed(0))[:count])


@torch.inference_mode()
def selfie_vectors(file: Path, files: list[Path], shards: list[dict], identity: nn.Module) -> dict[str, torch.Tensor]:
    """Identity vectors [N, D] of each shard's selfies, by its file's name; kept in `file` for the next run."""
    told = hashlib.sha256()
    for name, value in sorted(identity.state_dict().items()):
        told.update(name.encode() + value.float().cpu().numpy().tobytes())
    told.update(repr([(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]).encode())
    maker = told.hexdigest()[:16]
    if file.exists():
        with safe_open(file, "pt") as handle:
            if handle.metadata()["maker"] == maker:
                return mapped(file)
    whose = lambda selfies: torch.cat([identity(x.float() / 255).half() for x in selfies.split(128)])  # noqa: E731
    found = {f.name: whose(shard["selfie"]).clone() for f, shard in zip(files, shards, strict=True)}
    save_file(found, file, {"maker": maker})
    return found
