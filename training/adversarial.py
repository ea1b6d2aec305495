"""Adversarial fine-tuning on paths that begin where the nodes begin: at the noised coarse warp, not at the noised target.

Below full denoising the nodes start from the coarse warp. A network trained on noised portraits alone keeps the warp's faults.
So some rows of each step begin at the coarse warp, and the end of their path is compared with the target: by distance, by the
losses on pictures (`pictures.py`), and by a critic trained to tell it from portraits. The distance alone has its optimum at a
middle of all plausible skins, which is a smooth one. The critic's gradient on the picture is scaled to a share of the other
losses' gradient (as Esser et al. 2021 balance theirs).
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from .estimators import midpoint
from .pictures import PictureLosses, noise_of
from .recipe import Recipe, guided
from .samples import Samples
from .velocity import beginnings, conditions, importance

ADVERSARIAL = {
    "looked_at": 1,  # of them, with losses on pictures
    "onward": 0.5,  # share of the rows that first take a step without gradient, as in the sampler's later steps
    "left": (0.2, 0.9),  # share of the noise that is left after that step
    "critic_rate": 4e-4,
    "critic_alone": 60,  # steps in which it learns, before the network gets its gradient
    "seed": 7919,  # not the run's: other noise than the run's rows
    "portraits": 8,  # rows drawn for the critic, which learns from the untouched portraits among them
    "rate": 2e-4,  # learning rate of the network, in place of the run's: the critic must keep up with it
    "ema": 0.997,  # likewise: the critic's optimum moves, and the run is short
}


class Critic(nn.Module):
    """Latents [B, C, h, w] and mask [B, 1, h, w] -> how real each patch is [B, 1, h / 2, w / 2]; a patch spans about 15 cells.

    The receptive field is small: it judges skin and seams, and cannot memorise the few people.
    """

    def __init__(self, channels: int, width: int = 96):
        super().__init__()
        layers = []
        for a, b, size, stride in (
            (channels + 1, width, 3, 1),
            (width, width, 3, 1),
            (width, 2 * width, 4, 2),
            (2 * width, 2 * width, 3, 1),
        ):
            layers += [spectral_norm(nn.Conv2d(a, b, size, stride, 1)), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers, spectral_norm(nn.Conv2d(2 * width, 1, 1)))

    def forward(self, latents: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.body(torch.cat([latents, mask], 1))


@dataclass
class AdversarialLoss:
    """The losses of paths from coarse warps. pictures: losses on some rows of each step, if any. prediction: "v" or "eps"."""

    alpha_bar: torch.Tensor
    pictures: PictureLosses | None
    channels: int
    prediction: str = "v"
    device: torch.device | str = "cpu"
    recipe: Recipe = field(default_factory=Recipe)
    rng: torch.Generator = field(default_factory=torch.Generator, init=False)
    seen: tuple = field(default=(), init=False)  # by the critic, at the last step: pictures, masks, weights

    def __post_init__(self):
        self.alpha_bar = self.alpha_bar.to(self.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # the same critic to begin with, whatever was drawn before
            critic = Critic(self.channels)
        self.critic = critic.to(self.device).requires_grad_(False)
        self.optimiser = torch.optim.Adam(self.critic.parameters(), ADVERSARIAL["critic_rate"], betas=(0.0, 0.99))

    def state_dict(self) -> dict:
        return {"critic": self.critic.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        self.critic.load_state_dict(state["critic"])
        self.optimiser.load_state_dict(state["optimiser"])

    def loss(self, model, samples: Samples, step: int) -> torch.Tensor:
        """Of `recipe.paths` rows, drawn for this step; the critic counts from step `ADVERSARIAL["critic_alone"]` on.

        The gradient is that of the losses; the value has no meaning.
        """
        rng = self.rng.manual_seed(ADVERSARIAL["seed"] * 1_000_003 + step)
        drawn = guided(samples.batch(self.recipe.paths, rng), self.recipe.worn, rng)
        x = {name: value.to(self.device) for name, value in drawn.items()}
        path = self.path(model, x, rng)
        end = path.detach().requires_grad_()  # so that the picture losses are computed once for both gradients
        target, mask = x["target"].float(), x["mask"].float()
        # outside the mask the picture is the target
        picture = mask * end + (1 - mask) * target
        judged = self.judged(x, end, picture)
        if share := self.recipe.weights["patches"]:
            judged = judged + share * self.pictures.patches(picture, target, rng)
        (pull,) = torch.autograd.grad(judged, end, retain_graph=True)
        counts = F.avg_pool2d(mask, 2) * F.avg_pool2d(1 - x["painted"].float()[:, None] / 255, 2)
        self.seen = picture.detach(), mask, counts
        if step >= ADVERSARIAL["critic_alone"] and (share := self.recipe.weights["critic"]):
            (doubt,) = torch.autograd.grad(-mean_of(self.critic(picture, mask), counts), end)
            pull = pull + share * pull.norm() / doubt.norm().clamp_min(1e-8) * doubt
        return (path * pull).sum()

    def judged(self, x: dict[str, torch.Tensor], end: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
        """The distance of the ends to their targets, and the losses on some of the pictures [B, C, h, w]."""
        target, weight = x["target"].float(), importance(x)
        total = self.recipe.weights["distance"] * ((end - target).abs() * weight).mean() / weight.mean()
        if self.pictures is None:
            return total
        some = slice(ADVERSARIAL["looked_at"])
        found = self.pictures(picture[some], target[some], x["number"][some].tolist() if "number" in x else None)
        return total + self.recipe.total(found).mean()

    def path(self, model, x: dict[str, torch.Tensor], rng: torch.Generator) -> torch.Tensor:
        """Ends [B, C, h, w] of one step of the estimate, from noised coarse warps or from one step after them."""
        warp = x["warp"].float()
        count, between = len(warp), lambda u, ends: ends[0] + (ends[1] - ends[0]) * u
        u, drawn = torch.rand(4, count, generator=rng), torch.randn(warp.shape, generator=rng)
        told = conditions(x, torch.zeros(count, 3, dtype=torch.bool, device=self.device))
        predict = lambda z, t: model(z, told[0], t, *told[1:]).float()  # noqa: E731
        noise, wide = noise_of(predict, self.alpha_bar, self.prediction), lambda r: r[:, None, None, None]
        r = beginnings(u[[0, 3]].T)
        s = torch.where(u[1] < ADVERSARIAL["onward"], r * between(u[2], ADVERSARIAL["left"]), r).to(self.device)
        r = r.to(self.device)
        y = warp + wide(r) * drawn.to(self.device)
        far = (s < r).nonzero()[:, 0]
        if len(far):
            y[far] = self.onward(model, y[far], [value[far] for value in told], r[far], s[far])
        return (midpoint if self.pictures is None else self.pictures.estimate)(noise, y, s)

    @torch.no_grad()
    def onward(self, model, y: torch.Tensor, told: list[torch.Tensor], r: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        """One midpoint step from noise r to s [B] without gradient; `told`: see `conditions`."""
        noise = noise_of(lambda z, t: model(z, told[0], t, *told[1:]).float(), self.alpha_bar, self.prediction)
        half = ((s - r) / 2)[:, None, None, None]
        return y + 2 * half * noise(y + half * noise(y, r), (r + s) / 2)

    def teach(self, samples: Samples) -> None:
        """The critic learns from untouched portraits and from the pictures of the last `loss` (hinge loss, Lim and Ye 2017)."""
        rows = samples.batch(ADVERSARIAL["portraits"], self.rng)
        real = ~rows["synthetic"]
        if not real.any():
            return
        target, mask = (rows[name][real].float().to(self.device) for name in ("target", "mask"))
        picture, theirs, counts = self.seen
        self.critic.requires_grad_(True)
        true, made = self.critic(target, mask), self.critic(picture, theirs)
        loss = mean_of(F.relu(1 - true), F.avg_pool2d(mask, 2)) + mean_of(F.relu(1 + made), counts)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self.critic.requires_grad_(False)


def mean_of(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (values * weight).sum() / weight.sum().clamp_min(1e-6)
