"""Codes of an expression library as they are stored, and which of them is nearest to the one that is wanted."""

from collections.abc import Collection

import torch

from .expression import COEFFICIENTS

# both blocks of a code say much in their own unit: so the 135 prototypes have about the same length in each of them
GEOMETRY_SCALE = 0.18
BLOCK = 2048  # rows made single precision at a time


def packed(code: torch.Tensor) -> bytes:
    """Code [52 + K] -> as it is stored, in half precision."""
    return code.half().numpy().tobytes()


def unpacked(codes: Collection[bytes]) -> torch.Tensor:
    """Stored codes, at least one -> [n, 52 + K] float16."""
    return torch.frombuffer(bytearray(b"".join(codes)), dtype=torch.float16).view(len(codes), -1)


def gaps(codes: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Codes [n, 52 + K] -> [n], ordered as their distances to the wanted code.

    |c - w|^2 = |c|^2 - 2 c w + |w|^2, the last of which is the same for all rows. Coefficients weigh 1, geometry so that both
    blocks count alike.
    """
    scale = torch.full((len(wanted),), GEOMETRY_SCALE**2)
    scale[:COEFFICIENTS] = 1.0
    way = 2 * scale * wanted
    return torch.cat([(part**2) @ scale - part @ way for part in (block.float() for block in codes.split(BLOCK))])


def placed(gaps: torch.Tensor, place: int) -> int:
    """The row whose gap is number `place` (0: the nearest) of all [n]; n >= 1."""
    return int(gaps.argmin() if place == 0 else gaps.argsort(stable=True)[place])
