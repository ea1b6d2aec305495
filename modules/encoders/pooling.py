"""Several photos of one person become one vector; a photo that shows somebody else is found and left out.

Photos are compared by the cosine of their vectors. `STRANGER` was measured (`python -m evaluation identity`): see there how
many photos of the same person fall below it, and how many of other people lie above.
"""

from dataclasses import dataclass

import torch

from .compound import renewed

STRANGER = 0.35  # mean cosine to the others' photos below which a photo is somebody else's


@dataclass(frozen=True)
class Pooled:
    vector: torch.Tensor  # [D]
    kept: list[int]  # the photos that it is made of
    strangers: list[int]  # left out: they look like other people
    torn: bool  # the photos disagree, and no majority says who is meant: all are kept


def agreement(vectors: torch.Tensor, members: tuple[str, ...]) -> torch.Tensor:
    """Joined vectors [N, D] -> their cosines, mean over the members [N, N]."""
    return vectors @ vectors.T / len(members)


def alike(cosine: torch.Tensor) -> list[int]:
    """The photos that are left when the one least like the others is dropped, again and again, until all agree [N, N].

    Agree: a mean cosine of at least STRANGER to the others. [] if no two do.
    """
    left = list(range(len(cosine)))
    while len(left) > 1:
        among = cosine[left][:, left]
        mean = (among.sum(1) - among.diagonal()) / (len(left) - 1)
        if mean.min() >= STRANGER:
            return left
        left.pop(int(mean.argmin()))
    return []


def pool(vectors: torch.Tensor, members: tuple[str, ...]) -> Pooled:
    """Vectors [N, D] of N photos -> who they show. All count the same: weights by the size of the face gained nothing."""
    everyone, cosine = list(range(len(vectors))), agreement(vectors, members)
    group = everyone if len(vectors) == 1 else alike(cosine)
    torn = 2 * len(group) <= len(vectors)
    kept = everyone if torn else group
    return Pooled(renewed(vectors[kept].mean(0, keepdim=True), members)[0], kept, [i for i in everyone if i not in kept], torn)
