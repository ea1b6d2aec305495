"""The losses of the UNet: on v or the noise, weighted towards the mask, and on pictures of the estimated clean latent."""

from typing import NamedTuple

import torch

from ..modules.denoiser.config import UNetConfig
from ..modules.denoiser.timestep import step_of
from .pictures import PictureLosses, clean_estimate
from .recipe import Recipe, guided

LOSS = {
    "drop_identity": 0.1,
    "drop_expression": 0.1,
    "drop_both": 0.05,
    "drop_warp": 0.12,
    "drop_text": 0.1,  # to the empty prompt, where there is text
    "snr": 5.0,  # the noise counts min(SNR, this) / SNR: "min-SNR" (Hang et al. 2023); v needs no such weight
    "outside": 0.15,
    "painted": 0.15,
    "pictures_of": 8,  # rows of which one has losses on pictures, which cost as much as the rest of their step
    "pictures_below": 1.5,  # noise r = sigma / alpha, above which the estimate is no picture yet; the weight is 1 / (1 + r^2)
    # paths from guides: noise r at which they begin, that of denoise .3 in this share of the rows
    "begin": {"usual": 0.273, "share": 0.6, "others": (0.13, 0.65)},
    "remains": (0.1, 1.0),  # share of that noise which is left where a row stands on its way
}


class Share(NamedTuple):
    """Which rows of every batch are this process's own."""

    rank: int = 0
    world: int = 1

    def rows(self, size: int) -> slice:
        each = size // self.world
        return slice(self.rank * each, (self.rank + 1) * each)


def schedule(config: UNetConfig) -> torch.Tensor:
    """alpha-bar [1000]: betas linear in their square root, as the host's discrete model sampling makes them."""
    betas = torch.linspace(config.linear_start**0.5, config.linear_end**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


def noised(clean: torch.Tensor, noise: torch.Tensor, alpha_bar: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """z and v (Salimans & Ho 2022) of latents [B, C, h, w] at alpha_bar [B]."""
    a = alpha_bar[:, None, None, None]
    return a.sqrt() * clean + (1 - a).sqrt() * noise, a.sqrt() * noise - (1 - a).sqrt() * clean


def importance(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """[B, 1, h, w]: the masked part counts fully, the rest a little, painted mouths (stored as bytes) hardly."""
    mask, painted = batch["mask"].float(), batch["painted"].float() / 255
    return (LOSS["outside"] + (1 - LOSS["outside"]) * mask) * (1 - (1 - LOSS["painted"]) * painted[:, None])


def conditions(
    batch: dict[str, torch.Tensor], drop: torch.Tensor, warp: torch.Tensor | float = 1.0
) -> tuple[torch.Tensor, ...]:
    """The conditioning of the denoiser: concat [B, 2 C + 1, h, w], vector, selfie 0..1, code, drop, text if there is.

    drop [B, 2 or 3]: which of identity, expression, text are left out. warp: factor of the coarse warp; 0 leaves it out.
    """
    concat = torch.cat([batch["background"].float(), batch["mask"].float(), batch["warp"].float() * warp], 1)
    told = (concat, batch["vector"].float(), batch["selfie"].float() / 255, batch["code"].float(), drop)
    return (*told, batch["text"].float()) if "text" in batch else told


def certainty(alpha_bar: torch.Tensor, prediction: str) -> torch.Tensor:
    """How much each row counts [B] at its noise."""
    if prediction == "v":
        return torch.ones_like(alpha_bar)
    snr = alpha_bar / (1 - alpha_bar)
    return snr.clamp(max=LOSS["snr"]) / snr


def beginnings(u: torch.Tensor) -> torch.Tensor:
    """Noise r at which paths from guides begin, from numbers 0..1 [B, 2]."""
    begin = LOSS["begin"]
    low, high = begin["others"]
    return torch.where(u[:, 0] < begin["share"], begin["usual"], low + (high - low) * u[:, 1])


def bridged(
    target: torch.Tensor, guide: torch.Tensor, noise: torch.Tensor, begin: torch.Tensor, left: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows on straight ways from noised guides to targets, latents [B, C, h, w]: y, slope dy/dr, r [B].

    Below full denoising the nodes start at y = guide + r noise, with r = begin [B]. A flow whose slope is the mean of those of
    all straight ways through a point carries the distribution of the starts to that of the targets (rectified flow, Liu et al.
    2023; flow matching, Lipman et al. 2023): so what noise there is becomes skin, not the mean of all plausible skins.
    left [B]: share of `begin` that is left.
    """
    wide, r = (lambda x: x[:, None, None, None]), begin * left
    y = target + wide(left) * (guide - target) + wide(r) * noise
    return y, noise + (guide - target) / wide(begin), r


def velocity_loss(
    model,
    batch: dict[str, torch.Tensor],
    alpha_bar: torch.Tensor,
    rng: torch.Generator,
    pictures: PictureLosses | None = None,
    share: Share = Share(),  # noqa: B008  (a constant)
    prediction: str = "v",
    recipe: Recipe = Recipe(),  # noqa: B008  (a constant)
) -> torch.Tensor:
    """The loss of this process's share of the batch: the mean over the processes is the loss of the whole batch.

    Everything random is drawn for the whole batch, so that it does not depend on how many processes there are. With
    `pictures`, some of the estimates have losses on pictures too. prediction: the model's output, "v" or "eps".
    recipe: the first rows of the batch may be bridged, see `bridged`.
    """
    device, size = next(model.parameters()).device, len(batch["target"])
    mine = share.rows(size)
    u, t = torch.rand(3, size, generator=rng), (torch.rand(size, generator=rng) * 1000).long()
    noise = torch.randn(batch["target"].shape, generator=rng)
    both = u[1] < LOSS["drop_both"]
    drop = torch.stack([both | (u[1] > 1 - LOSS["drop_identity"]), both | (u[2] > 1 - LOSS["drop_expression"])], 1)
    keep = (u[0] >= LOSS["drop_warp"]).float()[:, None, None, None]
    if "text" in batch:
        drop = torch.cat([drop, torch.rand(size, 1, generator=rng) < LOSS["drop_text"]], 1)
    weight, bridge = importance(batch), torch.arange(size) < recipe.bridge
    batch, ways = guided(batch, recipe.worn, rng), torch.rand(size, 3, generator=rng)
    keep = torch.where(bridge[:, None, None, None], 1.0, keep)
    t = torch.where(bridge, 999, t)  # no estimate of theirs is looked at

    own = lambda x: x[mine].to(device)  # noqa: E731
    x = {name: own(value) for name, value in batch.items()}
    told, step, target, drawn = conditions(x, own(drop), own(keep)), own(t), x["target"].float(), own(noise)
    level = alpha_bar.to(device)[step]
    z, v = noised(target, drawn, level)
    if bridge[mine].any():
        straight, low = own(bridge)[:, None, None, None], LOSS["remains"][0]
        y, slope, r = bridged(target, x["warp"].float(), drawn, own(beginnings(ways)), own(low + (1 - low) * ways[:, 2]))
        grown = (1 + r[:, None, None, None] ** 2).sqrt()
        z, v = torch.where(straight, y / grown, z), torch.where(straight, slope * grown - r[:, None, None, None] * y / grown, v)
        drawn = torch.where(straight, slope, drawn)
        levels = (1 / alpha_bar.to(device) - 1).sqrt()
        step = torch.where(own(bridge), step_of(r, levels), step)
    got = model(z, told[0], step, *told[1:]).float()
    counts = own(weight) * certainty(level, prediction)[:, None, None, None]
    loss = ((got - (v if prediction == "v" else drawn)) ** 2 * counts).mean() / weight.mean().item()
    if pictures is None:
        return loss

    chosen = readable(t, alpha_bar)
    rows = [row - mine.start for row in chosen if mine.start <= row < mine.stop]
    if rows:
        plain = getattr(model, "module", model)  # other processes may have no such row: nothing to wait for each other
        first, *rest = (value[rows] for value in told)
        predict = lambda z, t: plain(z, first, t, *rest).float()  # noqa: E731
        found = clean_estimate(pictures.estimate, predict, z[rows], got[rows], step[rows], alpha_bar, prediction)
        trust = alpha_bar.to(device)[step[rows]]  # 1 / (1 + r^2)
        part = share.world / max(1, size // LOSS["pictures_of"])
        loss = loss + part * (recipe.total(pictures(found, target[rows])) * trust).sum()
    return loss


def readable(t: torch.Tensor, alpha_bar: torch.Tensor) -> list[int]:
    """Of every eight rows the noisiest from which a picture can still be estimated, if there is one. t [B] -> rows."""
    r = (1 / alpha_bar[t] - 1).sqrt()
    r = torch.where(r <= LOSS["pictures_below"], r, -1)
    groups = [range(k, k + LOSS["pictures_of"]) for k in range(0, max(len(t), 1), LOSS["pictures_of"])]
    best = [max((k for k in group if k < len(t)), key=lambda k: float(r[k])) for group in groups]
    return [k for k in best if r[k] >= 0]
