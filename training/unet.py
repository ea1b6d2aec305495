"""Train the UNet with its token encoder: velocity loss on latents, masked part first, conditions dropped by group, EMA.

One process or many, on CPUs or GPUs, by the same loop:

    python -m training unet --data DATA --minutes 60
    accelerate launch --multi_gpu --num_processes 4 -m training unet --data DATA --device cuda --batch 64 --steps 20000
"""

import copy
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import nn

from ..modules.conditioning.tokens import TokenConfig
from ..modules.unet.config import UNetConfig
from .denoiser import Denoiser, load_start
from .pictures import PictureLosses
from .runlog import Run
from .velocity import LOSS, Share, schedule, velocity_loss
from .watch import COLUMNS, Watch, draw

CONFIG = {
    "lr": 5e-4,
    "lr_started": 2.5e-4,  # of a run that begins with a bundle's weights
    "weight_decay": 0.01,
    "ema": 0.9993,
    "seed": 0,
    "pictures_every": 2,  # steps
    "log_every": 100,
    "save_every": 200,
    **LOSS,
}


@dataclass(frozen=True)
class Plan:
    """How long a run goes, over all its resumptions, and how.

    minutes: of training; the rate falls with the time spent, so that two runs are never quite the same. steps: in their
    place; the rate then follows the steps, and the same plan gives the same weights. batch: rows a step, of all
    processes together. start: a bundle whose weights the run begins with. estimate: which one the picture losses look at.
    """

    minutes: float = 60.0
    steps: int | None = None
    batch: int = 8
    start: Path | None = None
    estimate: str = "midpoint"

    def done(self, step: int, spent: float) -> float:
        """The share of the run behind it: 1 and more at the end. spent: seconds."""
        return step / self.steps if self.steps else spent / 60 / self.minutes

    def record(self) -> dict:
        """For run.json: only one of both ends is true."""
        ends = {"steps": self.steps} if self.steps else {"minutes": self.minutes}
        return {**ends, "batch": self.batch, "estimate": self.estimate, "start": self.start.name if self.start else None}


def accelerator(device: str = "cpu", bf16: bool = False) -> Accelerator:
    """Device, precision and the other processes. What they are `accelerate launch` says; without it this is the only one."""
    return Accelerator(cpu=device == "cpu", mixed_precision="bf16" if bf16 else "no")


class Samples:
    """All latents of a folder in memory, with the identity vectors of their selfies; batches of random rows.

    What untouched portraits show was only measured; `reader` says which coefficients that means.
    """

    def __init__(self, folder: Path, identity: nn.Module, reader: nn.Module):
        files = sorted(Path(folder).glob("*.pt"))
        if not files:
            raise SystemExit(f"training: no latents in {folder}; the stages `pairs` and `latents` make them")
        shards = [torch.load(f, weights_only=True) for f in files]
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

    def some(self, count: int) -> dict[str, torch.Tensor]:
        """At most `count` rows from all over the folder, always the same."""
        pick = torch.randperm(len(self), generator=torch.Generator().manual_seed(0))[:count]
        return {k: v[pick] for k, v in self.data.items()}


def learning_rate(step: int, done: float, highest: float) -> float:
    """Short warm-up, level for the first 30 % of the run, then a quarter cosine squared down to 2 % of the highest."""
    fall = 1.0 if done < 0.3 else 0.02 + 0.98 * math.cos(math.pi / 2 * (min(done, 1) - 0.3) / 0.7) ** 2
    return highest * min(1, (step + 1) / 200) * fall


class Training:
    """What a run needs to go on exactly where it stopped: model, its running average, optimiser, steps and seconds spent.

    The average is kept by the main process alone, and so is the run's folder.
    """

    def __init__(self, run: Run, unet: UNetConfig, tokens: TokenConfig, place: Accelerator, start: Path | None = None):
        torch.manual_seed(CONFIG["seed"])
        # not channels-last: torch's group norm is five times slower in it on a CPU, more than the convolutions gain
        self.own = Denoiser(unet, tokens)
        if start is not None:
            load_start(self.own, start)
        self.average = copy.deepcopy(self.own).to(place.device).requires_grad_(False)
        optimiser = torch.optim.AdamW(
            self.own.to(place.device).parameters(), CONFIG["lr"], betas=(0.9, 0.98), weight_decay=CONFIG["weight_decay"]
        )
        self.run, self.place, self.step, self.spent = run, place, 0, 0.0
        if state := run.load():
            for name, module in (("model", self.own), ("average", self.average), ("optimiser", optimiser)):
                module.load_state_dict(state[name])
            self.step, self.spent = state["step"], state["elapsed"]
            run.rewind(self.step)
        place.wait_for_everyone()  # before the first of them writes again
        self.model, self.optimiser = place.prepare(self.own, optimiser)

    def save(self) -> None:
        state = {"model": self.own.state_dict(), "average": self.average.state_dict()}
        self.run.save(**state, optimiser=self.optimiser.state_dict(), step=self.step, elapsed=self.spent)

    def update(self, loss: torch.Tensor, rate: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        self.place.backward(loss)
        self.place.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        decay = min(CONFIG["ema"], (1 + self.step) / (10 + self.step))
        if self.place.is_main_process:
            with torch.no_grad():
                torch._foreach_lerp_(list(self.average.parameters()), list(self.own.parameters()), 1 - decay)

    def clock(self, seconds: float) -> None:
        """Seconds spent: those of the main process, so that all fall and end together."""
        if self.place.num_processes > 1:
            seconds = broadcast(torch.tensor([seconds], dtype=torch.float64).to(self.place.device)).item()
        self.spent = seconds


def train(
    samples: Samples,
    out: Path,
    plan: Plan,
    data_hash: str,
    place: Accelerator,
    pictures: PictureLosses | None = None,
    watch: Watch | None = None,
) -> Training:
    """Runs `plan` to its end, from the run's checkpoint if there is one.

    `pictures`: the losses on what decoded estimates show. `watch`: looks at people that the run never learns from.
    """
    share = Share(place.process_index, place.num_processes)
    if plan.batch % share.world:
        raise SystemExit(f"training: a batch of {plan.batch} cannot be shared by {share.world} processes")
    unet, tokens = UNetConfig(), TokenConfig(code_width=samples.data["code"].shape[1])
    config = {**CONFIG, "unet": asdict(unet), "tokens": asdict(tokens), **plan.record()}
    config |= {"precision": place.mixed_precision, "processes": share.world}
    state = Training(Run(out, config, data_hash, place.is_main_process), unet, tokens, place, plan.start)
    alpha_bar, began, losses = schedule(unet), time.time() - state.spent, []
    size = sum(p.numel() for p in state.own.parameters()) / 1e6
    place.print(f"{len(samples)} pairs, {size:.1f} M parameters, {share.world} x {place.device}, step {state.step}", flush=True)
    while (done := plan.done(state.step, state.spent)) < 1:
        rng = torch.Generator().manual_seed(CONFIG["seed"] * 1_000_003 + state.step)  # of each step: resumes are exact
        rate = learning_rate(state.step, done, CONFIG["lr_started" if plan.start else "lr"])
        looked = pictures if state.step % CONFIG["pictures_every"] == 0 else None
        loss = velocity_loss(state.model, samples.batch(plan.batch, rng), alpha_bar, rng, looked, share)
        state.update(loss, rate)
        state.clock(time.time() - began)
        losses.append(loss.detach())
        last = plan.done(state.step, state.spent) >= 1
        seen = watch is not None and (last or state.step % watch.every == 0)
        if last or seen or state.step % CONFIG["log_every"] == 0:
            mean = place.reduce(torch.stack(losses).mean(), "mean").item()
            found = watch.look(state.average, place) if seen and place.is_main_process else dict.fromkeys(COLUMNS)
            state.run.log(step=state.step, loss=mean, rate=rate, **found)
            losses = []
        if last or state.step % CONFIG["save_every"] == 0:
            state.save()
            draw(state.run)
    return state
