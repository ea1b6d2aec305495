"""What the UNet is asked for, beside the plain loss; each part can be left out, so that what it is worth can be measured."""

from dataclasses import dataclass, field

import torch

WEIGHTS = {
    "identity": 0.1,  # of a decoded picture: 1 - cosine by mobileface
    "points": 5.0,  # mean distance of the points, in shares of the side
    "code": 1.0,  # mean distance of the coefficients
    "stlpips": 0.0,  # STLPIPS inside the face; needs `perceptual/` of the data folder
    "patches": 0.0,  # of the ends of paths: STLPIPS in a window of each face
    "distance": 1.0,  # of the ends of paths: mean absolute distance of the latents
    "critic": 0.3,  # of the ends of paths: size of the critic's gradient, as a share of that of all other losses
}


@dataclass(frozen=True)
class Recipe:
    """bridge: how many rows of a batch lead from the noised guide to the target, see `velocity.bridged`. worn: share of rows
    whose guide is the worn one. truths: share of rows of true expressions; None: as many as there are. weights: see WEIGHTS;
    0 leaves a loss out. paths, paths_every: rows of the adversarial loss, and the steps between two of its turns.
    """

    bridge: int = 0
    worn: float = 0.0
    truths: float | None = None
    paths: int = 4
    paths_every: int = 1
    weights: dict[str, float] = field(default_factory=lambda: dict(WEIGHTS))

    def total(self, found: dict[str, torch.Tensor]) -> torch.Tensor | float:
        """The weighted sum of what the judges found [B] of each name: [B]."""
        return sum(self.weights[name] * value for name, value in found.items())


def weights_of(words: list[str]) -> dict[str, float]:
    """"NAME=WEIGHT" words over WEIGHTS."""
    named = dict(word.partition("=")[::2] for word in words)
    if unknown := [name for name in named if name not in WEIGHTS]:
        raise SystemExit(f"training: --weights knows no {unknown[0]!r}; there are {', '.join(WEIGHTS)}")
    try:
        return {**WEIGHTS, **{name: float(value) for name, value in named.items()}}
    except ValueError:
        raise SystemExit("training: --weights takes NAME=NUMBER, as in stlpips=1") from None


def guided(batch: dict[str, torch.Tensor], share: float, rng: torch.Generator) -> dict[str, torch.Tensor]:
    """The batch with the worn guide in place of the guide in a share of its rows, drawn at random."""
    if "worn" not in batch:
        return batch
    swap = (torch.rand(len(batch["warp"]), generator=rng) < share)[:, None, None, None]
    rest = {name: value for name, value in batch.items() if name != "worn"}
    return {**rest, "warp": torch.where(swap.to(batch["warp"].device), batch["worn"], batch["warp"])}
