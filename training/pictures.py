"""Losses on identity and expression of the painted face, on the decoded estimate of the clean picture.

That a two-step estimate makes such losses possible is the paper's idea; which networks, where and how much is our choice.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from ..modules.denoiser.timestep import step_of
from ..modules.encoders.identity import chip
from ..modules.faces.landmarker import landmarks_in_crop
from ..modules.faces.networks import FaceNetworks
from .estimators import midpoint, one_step
from .perceptual import Stlpips

Estimate = Callable[..., torch.Tensor]
KEPT = 4096  # targets whose measures are kept, the last ones: 1.6 GB
WINDOW = 0.5  # of the side: windows in which STLPIPS is taken, see `PictureLosses.patches`
BOX = 0.23, 0.16, 0.69  # top, left and side of a face in the canonical frame
ESTIMATES = {"midpoint": midpoint, "one-step": one_step}  # of which the losses use one


def clean_estimate(
    estimate: Estimate,
    predict,
    z: torch.Tensor,
    answer: torch.Tensor,
    t: torch.Tensor,
    alpha_bar: torch.Tensor,
    prediction: str = "v",
) -> torch.Tensor:
    """Clean latents [B, C, h, w] from noisy ones z at steps t [B], by one of `training/estimators.py`.

    predict(z, t) -> v, or the noise, at other, fractional steps; answer: the same at (z, t). e = alpha v + sigma z. Below the
    lowest noise of the table (r = .029) the network gets its first step.
    """
    alpha_bar = alpha_bar.to(z.device)
    r = (1 / alpha_bar - 1).sqrt()[t]
    y = z * (1 + r**2).sqrt()[:, None, None, None]
    return estimate(noise_of(predict, alpha_bar, prediction), y, r, as_noise(answer, z, r, prediction))


def noise_of(predict, alpha_bar: torch.Tensor, prediction: str = "v"):
    """noise(y, r) -> e, as `training/estimators.py` asks for it, of a network predict(z, t) -> v or the noise.

    alpha_bar [1000], on the network's device.
    """
    levels = (1 / alpha_bar - 1).sqrt()

    def noise(y, r):
        z = y * (1 + r**2).rsqrt()[:, None, None, None]
        return as_noise(predict(z, step_of(r, levels)), z, r, prediction)

    return noise


def as_noise(said: torch.Tensor, z: torch.Tensor, r: torch.Tensor, prediction: str) -> torch.Tensor:
    """A network's prediction for z at noise r [B], as the noise."""
    wide = r[:, None, None, None]
    return said if prediction == "eps" else (said + wide * z) * (1 + wide**2).rsqrt()


class Seen(NamedTuple):
    """Decoded latents, measured: pictures [B, 3, S, S] 0..1, points [B, 478, 2] in shares of the side, codes [B, 52]."""

    pictures: torch.Tensor
    points: torch.Tensor
    code: torch.Tensor


@dataclass
class PictureLosses:
    """Frozen judges: the autoencoder's decoder, the landmark network, and the recognition network that may be a loss.

    `estimate`: how the clean picture is estimated from a noisy one while the UNet is trained.
    """

    decoder: nn.Module
    faces: FaceNetworks
    mobileface: nn.Module
    estimate: Estimate = midpoint
    near: Stlpips | None = None  # a loss too, where it is given
    bf16: bool = False  # the decoder's precision
    known: dict[int, "Seen"] = field(default_factory=dict)  # targets that were measured, by their number
    photo: Callable[[int], torch.Tensor] | None = None  # the picture [3, S, S] 0..1 that a target's latent was made of

    @classmethod
    def load(
        cls,
        teachers: Path,
        decoder: nn.Module,
        face_model: Path,
        device: torch.device | str,
        estimate: Estimate = midpoint,
        **more,
    ) -> "PictureLosses":
        file = Path(teachers) / "mobileface.ts.pt"
        if not file.exists():
            raise SystemExit(f"training: {file} is not there; name its folder with --teachers, or train with --estimate none")
        mobileface = torch.jit.load(file, map_location=device).eval()
        decoder = decoder.to(device).eval().requires_grad_(False)
        return cls(decoder, FaceNetworks.load(face_model).to(device), mobileface, estimate, **more)

    def decoded(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents [B, C, h, w] -> pictures [B, 3, 8 h, 8 w] 0..1."""
        with torch.autocast(latents.device.type, torch.bfloat16, enabled=self.bf16):
            pictures = self.decoder(latents)
        return pictures.float().clamp(0, 1)

    def patches(self, made: torch.Tensor, true: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """STLPIPS [] of one window of each face, drawn at random: a quarter of a picture's cost. Latents [B, C, h, w]."""
        cells = made.shape[-1]
        side, (top, left, span) = round(WINDOW * cells), (round(share * cells) for share in BOX)
        at = torch.randint(0, max(span - side, 0) + 1, (len(made), 2), generator=rng).tolist()

        def cut(latents: torch.Tensor) -> torch.Tensor:
            rows = zip(latents, at, strict=True)
            return torch.stack([x[:, top + y : top + y + side, left + z : left + z + side] for x, (y, z) in rows])

        with torch.no_grad():
            wanted = self.near.maps(self.decoded(cut(true)))
        return self.near.between(self.near.maps(self.decoded(cut(made))), wanted).mean()

    def seen(self, latents: torch.Tensor) -> Seen:
        """Latents [B, C, h, w], with their gradient."""
        return self.measured(self.decoded(latents))

    def measured(self, pictures: torch.Tensor) -> Seen:
        """Pictures [B, 3, S, S] 0..1."""
        points, _, code = landmarks_in_crop(self.faces, pictures)
        return Seen(pictures, points[..., :2] / pictures.shape[-1], code)

    def __call__(
        self, estimate: torch.Tensor, target: torch.Tensor, numbers: list[int] | None = None
    ) -> dict[str, torch.Tensor]:
        """Latents [B, C, h, w] each -> [B] of `identity` (1 - cosine), `points` and `code` (mean distances).

        numbers: of the targets' samples: what was measured of them is kept (400 kB each).
        """
        return self.between(self.seen(estimate), self.true(target, numbers))

    @torch.no_grad()
    def true(self, target: torch.Tensor, numbers: list[int] | None) -> Seen:
        """Of the targets' pictures, where they are there: what the autoencoder blurs, the network then has to make up for."""
        if numbers is None:
            return self.seen(target)
        for number, latent in zip(numbers, target, strict=True):
            if number not in self.known:
                if len(self.known) >= KEPT:
                    self.known.pop(next(iter(self.known)))
                seen = self.seen(latent[None]) if self.photo is None else self.measured(self.photo(number)[None])
                self.known[number] = seen._replace(pictures=seen.pictures.half())
        rows = [self.known[number] for number in numbers]
        return Seen(*(torch.cat(values).float() for values in zip(*rows, strict=True)))

    def between(self, made: Seen, true: Seen) -> dict[str, torch.Tensor]:
        """The same losses between two measurements."""
        # both chips are cut at the target's points: a face at another position is another picture
        corners = true.points * true.pictures.shape[-1]
        with torch.no_grad():
            who = F.normalize(self.mobileface(chip(true.pictures, corners)), dim=1)
        alike = (F.normalize(self.mobileface(chip(made.pictures, corners)), dim=1) * who).sum(1)
        found = {
            "identity": 1 - alike,
            "points": (made.points - true.points).norm(dim=-1).mean(1),
            "code": (made.code - true.code)[:, 1:].abs().mean(1),
        }
        return found if self.near is None else {**found, "stlpips": self.apart(made.pictures, true.pictures)}

    def apart(self, made: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
        """STLPIPS [B] of pictures [B, 3, S, S] inside the box of a face."""
        top, left, side = (round(share * made.shape[-1]) for share in BOX)
        part = (..., slice(top, top + side), slice(left, left + side))
        with torch.no_grad():
            wanted = self.near.maps(true[part])
        return self.near.between(self.near.maps(made[part]), wanted)
