"""Train the UNet with its token encoder: velocity loss on latents, masked part first, conditions dropped by group, EMA.

python -m training unet --latents runs/latents --out runs/unet --minutes 60
"""

import copy
import math
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from torch import nn

from ..modules.bundle import load_bundle
from ..modules.conditioning.tokens import TokenConfig, TokenEncoder
from ..modules.host.unet import build_unet
from ..modules.unet.attention import BalancedCrossAttention
from ..modules.unet.config import UNetConfig
from .pictures import PictureLosses, midpoint_estimate
from .runlog import Run

CONFIG = {
    "batch": 8,
    "lr": 5e-4,
    "lr_started": 2.5e-4,  # of a run that begins with a bundle's weights
    "weight_decay": 0.01,
    "ema": 0.9993,
    "seed": 0,
    "drop_identity": 0.1,
    "drop_expression": 0.1,
    "drop_both": 0.05,
    "drop_guide": 0.12,
    "outside": 0.15,
    "painted": 0.15,
    "pictures_every": 2,  # steps; one picture each time: decoding and looking at it costs as much as the rest of the step
    "pictures_below": 1.5,  # noise r = sigma / alpha, above which the estimate is no picture yet; the weight is 1 / (1 + r^2)
    "pictures": {"identity": 0.1, "points": 5.0, "code": 1.0},
}


def initialise(unet: nn.Module) -> None:
    """Torch's defaults for every layer (the host's layers come without values); last layers of residual parts start at 0."""
    for module in unet.modules():
        if isinstance(module, nn.Conv2d):
            nn.modules.conv._ConvNd.reset_parameters(module)
        elif isinstance(module, nn.Linear):
            nn.Linear.reset_parameters(module)
        elif isinstance(module, nn.GroupNorm | nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    for name, module in unet.named_modules():
        if name.endswith(("out_layers.3", "proj_out", "out.2")):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
        if ".gate_" in name:
            nn.init.ones_(module.weight)


def trainable_attention(function, q, k, v, heads, *rest, **options):
    """Attention as plain products on a CPU: in bfloat16, with its gradient, three times faster than torch's fused one."""
    if q.is_cuda:
        return function(q, k, v, heads, *rest, **options)
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    weight = torch.softmax((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2), -1)
    return (weight @ v).transpose(1, 2).flatten(2)


class Denoiser(nn.Module):
    """UNet and token encoder together, as they are trained and averaged."""

    def __init__(self, unet: UNetConfig, tokens: TokenConfig):
        super().__init__()
        self.unet, self.tokens = build_unet(unet), TokenEncoder(tokens)
        initialise(self.unet)
        self.options = {"optimized_attention_override": trainable_attention}
        for module in self.unet.modules():
            if isinstance(module, BalancedCrossAttention):
                module.attention = partial(trainable_attention, module.attention)

    def forward(self, z, concat, t, vector, selfie, code, drop):
        """drop [B, 2]: which of identity and expression are left out. Returns v [B, C, h, w]."""
        identity, expression = self.tokens.identity_tokens(vector, selfie), self.tokens.expression_tokens(code)
        nothing = self.tokens.null(len(z))
        identity = torch.where(drop[:, 0, None, None], nothing[0].to(identity.dtype), identity)
        expression = torch.where(drop[:, 1, None, None], nothing[1].to(expression.dtype), expression)
        return self.unet(
            torch.cat([z, concat], 1),
            t,
            identity_tokens=identity,
            expression_tokens=expression,
            transformer_options=dict(self.options),
        )


def load_start(model: Denoiser, path: Path) -> None:
    """Begins with the weights of a bundle. Where a layer here reads more values than there, the new ones begin at 0."""
    parts, own = load_bundle(path).parts, model.state_dict()
    for name in own:
        part, _, key = name.partition(".")
        old = parts[part][key].float()
        if own[name].shape != old.shape:
            wider = torch.zeros_like(own[name])
            wider[tuple(slice(n) for n in old.shape)] = old
            old = wider
        own[name] = old
    model.load_state_dict(own)


def schedule(config: UNetConfig) -> torch.Tensor:
    """alpha-bar [1000]: betas linear in their square root, as the host's discrete model sampling makes them."""
    betas = torch.linspace(config.linear_start**0.5, config.linear_end**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


class Samples:
    """All latents of a folder in memory, with the identity vectors of their selfies; batches of random rows.

    What untouched portraits show was only measured; `reader` says which coefficients that means.
    """

    def __init__(self, folder: Path, identity: nn.Module, reader: nn.Module):
        shards = [torch.load(f, weights_only=True) for f in sorted(Path(folder).glob("*.pt"))]
        self.data = {k: torch.cat([s[k] for s in shards]) for k in shards[0]}
        real, code = ~self.data["synthetic"], self.data["code"]
        with torch.inference_mode():
            code[real, :52] = reader(code[real, :52], code[real, 52:])
        with torch.inference_mode():
            vectors = [identity(x.float() / 255).half() for x in self.data["selfie"].split(128)]
        self.data["vector"] = torch.cat(vectors).clone()

    def __len__(self) -> int:
        return len(self.data["target"])

    def batch(self, size: int, rng: torch.Generator) -> dict[str, torch.Tensor]:
        pick = torch.randint(len(self), (size,), generator=rng)
        return {k: v[pick] for k, v in self.data.items()}


def velocity_loss(
    model, batch, alpha_bar, rng, bf16: bool, device: str, pictures: PictureLosses | None = None
) -> torch.Tensor:
    """v-prediction (Salimans & Ho 2022), weighted: the masked part counts fully, the rest a little, paint hardly.

    With `pictures`, what one of the estimates shows is a part of the loss too.
    """
    size = len(batch["target"])
    x = {k: batch[k].to(device).float() for k in ("target", "background", "guide", "mask", "vector", "code", "painted")}
    u = torch.rand(3, size, generator=rng)
    t = (torch.rand(size, generator=rng) * 1000).long()
    noise = torch.randn(x["target"].shape, generator=rng).to(device)
    a = alpha_bar[t].to(device)[:, None, None, None]
    z, v = a.sqrt() * x["target"] + (1 - a).sqrt() * noise, a.sqrt() * noise - (1 - a).sqrt() * x["target"]
    guide = x["guide"] * (u[0] >= CONFIG["drop_guide"]).float().to(device)[:, None, None, None]
    both = u[1] < CONFIG["drop_both"]
    drop = torch.stack([both | (u[1] > 1 - CONFIG["drop_identity"]), both | (u[2] > 1 - CONFIG["drop_expression"])], 1)
    concat = torch.cat([x["background"], x["mask"], guide], 1)
    selfie = batch["selfie"].to(device).float() / 255
    t, drop = t.to(device), drop.to(device)

    def predict(z, t, rows=slice(None)):
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            told = (concat, x["vector"], selfie, x["code"], drop)
            first, *rest = (value[rows] for value in told)
            return model(z, first, t, *rest).float()

    got = predict(z, t)
    weight = CONFIG["outside"] + (1 - CONFIG["outside"]) * x["mask"]
    weight = weight * (1 - (1 - CONFIG["painted"]) * x["painted"][:, None] / 255)  # stored as a byte
    loss = ((got - v) ** 2 * weight).mean() / weight.mean()
    if pictures is not None and (rows := readable(t, alpha_bar)) is not None:
        estimate = midpoint_estimate(partial(predict, rows=rows), z[rows], got[rows], t[rows], alpha_bar)
        r2 = (1 / alpha_bar.to(device)[t[rows]]) - 1
        for name, value in pictures(estimate, x["target"][rows]).items():
            loss = loss + CONFIG["pictures"][name] * (value / (1 + r2)).mean()
    return loss


def readable(t: torch.Tensor, alpha_bar: torch.Tensor) -> list[int] | None:
    """The noisiest row of the batch from which a picture can still be told; None if there is none."""
    r = (1 / alpha_bar.to(t.device)[t] - 1).sqrt()
    r = torch.where(r <= CONFIG["pictures_below"], r, -1)
    return [int(r.argmax())] if (r >= 0).any() else None


def learning_rate(step: int, done: float, highest: float) -> float:
    """Short warm-up, level for the first 30 % of the time, then a quarter cosine squared down to 2 % of the highest."""
    fall = 1.0 if done < 0.3 else 0.02 + 0.98 * math.cos(math.pi / 2 * (done - 0.3) / 0.7) ** 2
    return highest * min(1, (step + 1) / 200) * fall


class Training:
    """What a run needs to go on exactly where it stopped: model, its running average, optimiser, time spent."""

    def __init__(self, run: Run, unet: UNetConfig, tokens: TokenConfig, device: str, start: Path | None = None):
        torch.manual_seed(CONFIG["seed"])
        # not channels-last: torch's group norm is five times slower in it on a CPU, more than the convolutions gain
        self.model = Denoiser(unet, tokens).to(device)
        if start is not None:
            load_start(self.model, start)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), CONFIG["lr"], betas=(0.9, 0.98), weight_decay=CONFIG["weight_decay"]
        )
        self.run, self.step, self.spent = run, 0, 0.0
        if state := run.load():
            for name in ("model", "average", "optimiser"):
                getattr(self, name).load_state_dict(state[name])
            self.step, self.spent = state["step"], state["elapsed"]

    def save(self, elapsed: float) -> None:
        parts = {name: getattr(self, name).state_dict() for name in ("model", "average", "optimiser")}
        self.run.save(**parts, step=self.step, elapsed=elapsed)

    def update(self, loss: torch.Tensor, rate: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        decay = min(CONFIG["ema"], (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)


def train(
    samples: Samples,
    out: Path,
    minutes: float,
    data_hash: str,
    device: str = "cpu",
    bf16: bool = True,
    start: Path | None = None,
    pictures: PictureLosses | None = None,
) -> None:
    """Runs until `minutes` of training are spent over all its resumptions; the rate falls with the time left.

    `start`: a bundle whose weights the run begins with. `pictures`: the losses on what decoded estimates show.
    """
    unet, tokens = UNetConfig(), TokenConfig(code_width=samples.data["code"].shape[1])
    begun = {"start": start.name if start else None, "picture_losses": pictures is not None}
    config = {**CONFIG, "unet": asdict(unet), "tokens": asdict(tokens), "minutes": minutes, "bf16": bf16, **begun}
    state = Training(Run(out, config, data_hash), unet, tokens, device, start)
    rng = torch.Generator().manual_seed(CONFIG["seed"] + state.step + 1)
    alpha_bar, began, total = schedule(unet), time.time(), 0.0
    size = sum(p.numel() for p in state.model.parameters()) / 1e6
    print(f"{len(samples)} pairs, {size:.1f} M parameters, step {state.step}", flush=True)
    elapsed = state.spent
    while elapsed < minutes * 60:
        rate = learning_rate(state.step, elapsed / 60 / minutes, CONFIG["lr_started" if start else "lr"])
        looked = pictures if state.step % CONFIG["pictures_every"] == 0 else None
        loss = velocity_loss(state.model, samples.batch(CONFIG["batch"], rng), alpha_bar, rng, bf16, device, looked)
        state.update(loss, rate)
        total, elapsed = total + loss.item(), state.spent + time.time() - began
        if state.step % 100 == 0:
            state.run.log(step=state.step, loss=total / 100, rate=rate)
            total = 0.0
        if state.step % 200 == 0:
            state.save(elapsed)
    state.save(elapsed)
