"""Train the UNet with its token encoder: loss on latents, masked part first, conditions dropped by group, EMA.

One process or many, on CPUs or GPUs, by the same loop; the default UNet, or what is added to a Stable Diffusion checkpoint:

    python -m training unet --data DATA --minutes 60
    accelerate launch --multi_gpu --num_processes 4 -m training unet --data DATA --device cuda --batch 64 --steps 20000
    python -m training unet --data DATA --base sd15.safetensors --train adapter --device cuda --batch 64 --steps 100000
"""

import copy
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast

from ..modules.conditioning.tokens import TokenConfig
from ..modules.unet.config import UNetConfig
from .base import Ground, start_from
from .denoiser import Denoiser, load_start
from .finish import FINISH, Finish
from .pictures import PictureLosses
from .runlog import Run
from .samples import Samples
from .scope import groups, limit, optimiser_of, recompute
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

    On a Stable Diffusion base: train, one of `scope.SCOPES`. To fit a device: accumulate, in how many parts each step's rows
    are looked at; optimizer, see `scope.optimiser_of`; checkpointing, see `scope.recompute`; ema, whether there is an average.
    """

    minutes: float = 60.0
    steps: int | None = None
    batch: int = 8
    start: Path | None = None
    estimate: str = "midpoint"
    train: str = "both"
    accumulate: int = 1
    optimizer: str = "adamw"
    checkpointing: bool = False
    ema: bool = True
    finish: bool = False  # paths that begin at guides, see `finish.py`; the losses on pictures are then on these

    def done(self, step: int, spent: float) -> float:
        """The share of the run behind it: 1 and more at the end. spent: seconds."""
        return step / self.steps if self.steps else spent / 60 / self.minutes

    def record(self) -> dict:
        """For run.json: only one of both ends is true."""
        ends = {"steps": self.steps} if self.steps else {"minutes": self.minutes}
        names = ("batch", "estimate", "train", "accumulate", "optimizer", "ema", "finish")
        told = {name: getattr(self, name) for name in names}
        return {**ends, **told, "start": self.start.name if self.start else None}


def accelerator(device: str = "cpu", precision: str = "fp32") -> Accelerator:
    """Device, precision and the other processes. What they are `accelerate launch` says; without it this is the only one."""
    return Accelerator(cpu=device == "cpu", mixed_precision="no" if precision == "fp32" else precision)


def learning_rate(step: int, done: float, highest: float) -> float:
    """Short warm-up, level for the first 30 % of the run, then a quarter cosine squared down to 2 % of the highest."""
    fall = 1.0 if done < 0.3 else 0.02 + 0.98 * math.cos(math.pi / 2 * (min(done, 1) - 0.3) / 0.7) ** 2
    return highest * min(1, (step + 1) / 200) * fall


class Training:
    """What a run needs to go on exactly where it stopped: model, its running average, optimiser, steps and seconds spent.

    The average is kept by the main process alone, and so is the run's folder. `ground`: the Stable Diffusion UNet to begin
    with; what of it is not trained is neither averaged nor saved.
    """

    def __init__(
        self,
        run: Run,
        unet: UNetConfig,
        tokens: TokenConfig,
        place: Accelerator,
        plan: Plan,
        ground: Ground | None = None,
        finish: Finish | None = None,
    ):
        torch.manual_seed(CONFIG["seed"])
        # not channels-last: torch's group norm is five times slower in it on a CPU, more than the convolutions gain
        self.own = Denoiser(unet, tokens, ground.empty if ground else None)
        if ground is not None:
            start_from(self.own.unet, ground.unet, unet)
            limit(self.own, plan.train, unet.latent_channels)
        if plan.start is not None:
            load_start(self.own, plan.start, only_tokens=ground is not None)
        self.own.to(place.device)
        frozen = {id(weight): weight for weight in self.own.parameters() if not weight.requires_grad}
        self.average = copy.deepcopy(self.own, frozen) if plan.ema else self.own
        weights = groups(self.own, CONFIG["weight_decay"]) if ground else self.own.parameters()
        optimiser = optimiser_of(plan.optimizer, weights, CONFIG["lr"], CONFIG["weight_decay"])
        self.run, self.place, self.finish, self.step, self.spent = run, place, finish, 0, 0.0
        self.ema = CONFIG["ema"] if finish is None else FINISH["ema"]
        self.names = [name for name, weight in self.own.named_parameters() if weight.requires_grad]
        self.saved = {"model": self.own}
        if plan.ema:
            self.saved["average"] = self.average.requires_grad_(False)
        if state := run.load():
            for name, module in self.saved.items():
                module.load_state_dict({**module.state_dict(), **state[name]})
            if ("finish" in state) != plan.finish:
                began = "with" if "finish" in state else "without"
                raise SystemExit(f"training: {run.folder} began {began} --finish; go on so, or name another --unet-run")
            optimiser.load_state_dict(state["optimiser"])
            self.step, self.spent = state["step"], state["elapsed"]
            if finish is not None:
                finish.load_state_dict(state["finish"])
            run.rewind(self.step)
        if plan.checkpointing:
            recompute(self.own.unet)
        place.wait_for_everyone()  # before the first of them writes again
        self.model, self.optimiser = place.prepare(self.own, optimiser)

    def save(self) -> None:
        """What is frozen is in the base's file already, and is not written again."""
        states = {name: module.state_dict() for name, module in self.saved.items()}
        state = {kind: {name: whole[name] for name in self.names} for kind, whole in states.items()}
        if self.finish is not None:
            state["finish"] = self.finish.state_dict()
        self.run.save(**state, optimiser=self.optimiser.state_dict(), step=self.step, elapsed=self.spent)

    def update(self, parts: list[Callable[[], torch.Tensor]], rate: float, beside=None) -> torch.Tensor:
        """One step on the mean of what the parts of a batch lose, looked at one after the other; returns that mean.

        beside: a loss that is learned from as well.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for number, part in enumerate(parts, 1):
            with nullcontext() if number == len(parts) else self.place.no_sync(self.model):
                loss = part() / len(parts)
                self.place.backward(loss)
            total = total + loss.detach()
        if beside is not None:
            self.place.backward(beside())
        self.place.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        if self.place.is_main_process and "average" in self.saved:
            decay = min(self.ema, (1 + self.step) / (10 + self.step))
            pairs = [p for p in zip(self.average.parameters(), self.own.parameters(), strict=True) if p[1].requires_grad]
            with torch.no_grad():
                torch._foreach_lerp_(*map(list, zip(*pairs, strict=True)), 1 - decay)
        return total

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
    ground: Ground | None = None,
) -> Training:
    """Runs `plan` to its end, from the run's checkpoint if there is one.

    `pictures`: the losses on what decoded estimates show. `watch`: looks at people that the run never learns from. `ground`: a
    Stable Diffusion UNet to begin with.
    """
    world = place.num_processes * plan.accumulate
    if plan.batch % world:
        raise SystemExit(f"training: a batch of {plan.batch} cannot be shared by {world} processes and parts")
    shares = [Share(place.process_index * plan.accumulate + k, world) for k in range(plan.accumulate)]
    unet, tokens = ground.config if ground else UNetConfig(), TokenConfig(code_width=samples.code_width)
    if plan.finish and world > 1:
        raise SystemExit("training: --finish runs in one process, on whole batches")
    judged = schedule(unet), pictures, unet.latent_channels, unet.prediction, place.device
    finish = Finish(*judged) if plan.finish else None
    config = {**CONFIG, "unet": asdict(unet), "tokens": asdict(tokens), **plan.record()}
    config |= {"paths": FINISH if finish else None, "precision": place.mixed_precision, "processes": place.num_processes}
    state = Training(Run(out, config, data_hash, place.is_main_process), unet, tokens, place, plan, ground, finish)
    alpha_bar, began, losses = schedule(unet), time.time() - state.spent, []
    highest = FINISH["rate"] if plan.finish else CONFIG["lr_started" if plan.start else "lr"]
    size, own = (sum(p.numel() for p in state.own.parameters() if p.requires_grad or k) / 1e6 for k in (True, False))
    what = f"{len(samples)} pairs, {size:.1f} M parameters ({own:.1f} trained)"
    place.print(f"{what}, {place.num_processes} x {place.device}, step {state.step}", flush=True)
    while (done := plan.done(state.step, state.spent)) < 1:
        rng = torch.Generator().manual_seed(CONFIG["seed"] * 1_000_003 + state.step)  # of each step: resumes are exact
        rate = learning_rate(state.step, done, highest)
        looked = pictures if state.step % CONFIG["pictures_every"] == 0 and finish is None else None
        batch, drawn = samples.batch(plan.batch, rng), rng.get_state()
        part = partial(part_loss, state.model, batch, alpha_bar, drawn, looked, unet.prediction)
        beside = None if finish is None else partial(finish.loss, state.model, samples, state.step)
        losses.append(state.update([partial(part, share) for share in shares], rate, beside))
        if finish is not None:
            finish.teach(samples)
        state.clock(time.time() - began)
        last = plan.done(state.step, state.spent) >= 1
        seen = watch is not None and (last or state.step % watch.every == 0)
        if last or seen or state.step % CONFIG["log_every"] == 0:
            mean = place.reduce(torch.stack(losses).mean(), "mean").item()
            look = seen and place.is_main_process
            found = watch.look(state.average, place, state.run.folder, state.step) if look else dict.fromkeys(COLUMNS)
            state.run.log(step=state.step, loss=mean, rate=rate, **found)
            losses = []
        if last or state.step % CONFIG["save_every"] == 0:
            state.save()
            draw(state.run)
    return state


def part_loss(model, batch, alpha_bar, drawn: torch.Tensor, pictures, prediction: str, share: Share) -> torch.Tensor:
    """The loss of a share of the batch, with what all shares draw from the same state of a generator."""
    rng = torch.Generator()
    rng.set_state(drawn)
    return velocity_loss(model, batch, alpha_bar, rng, pictures, share, prediction)
