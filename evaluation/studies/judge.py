"""Measures of decoded latents by independent networks: similarity to the selfie, and the asked expression."""

from pathlib import Path

import numpy as np
import torch

from ...modules.labels import prototype
from ..metrics.figures import CHANNELS, cosines, part
from ..metrics.measure import Observer
from ..metrics.rows import mean_correlation
from ..pipeline import Pipeline


class Judge:
    """Compares decoded latents with one selfie [1, H, W, 3] by faceres (see `Observer`), with words by their coefficients."""

    def __init__(self, pipeline: Pipeline, data: Path, selfie: torch.Tensor):
        self.pipeline, self.observer = pipeline, Observer(data, pipeline.encoders.shape)
        self.who = self.observer.look(selfie).vector

    def __call__(self, latents: torch.Tensor, words: list[str]) -> dict[str, float]:
        """Latents [n, C, h, w] of the words [n] -> "cosine": mean over those with a face, to the selfie; "follows": mean
        correlation of asked and measured over the eight channels; "found": share in which a face is found.
        """
        pictures = torch.cat([self.pipeline.vae.decode(one[None]) for one in latents])
        seen = self.observer.look(pictures)
        if not seen.found.any():
            return {"cosine": float("nan"), "follows": float("nan"), "found": 0.0}
        asked, code = np.stack([prototype(word) for word in words])[seen.found], seen.code[seen.found]
        both = np.stack([np.stack([part(c, group) for c in (asked, code)], 1) for group in CHANNELS.values()], 1)
        cosine = cosines(seen.vector[seen.found], self.who)
        return {"cosine": float(cosine.mean()), "follows": mean_correlation(both), "found": float(seen.found.mean())}
