"""Train the UNet with its token encoder: loss on latents, masked part first, conditions dropped by group, EMA.

One process or many, on CPUs or GPUs, by the same loop; the default UNet, or the adapter of a Stable Diffusion checkpoint:

    python -m training unet --data DATA --minutes 60
    accelerate launch --multi_gpu --num_processes 4 -m training unet --data DATA --device cuda --batch 64 --steps 20000
    python -m training unet --data DATA --base sd15.safetensors --train adapter --device cuda --batch 64 --steps 100000
"""

import copy
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast

from ..modules.denoiser.config import UNetConfig
from ..modules.encoders.tokens import TokenConfig
from .adversarial import ADVERSARIAL, AdversarialLoss
from .base import BaseUNet, start_from
from .denoiser import Denoiser, load_start
from .pictures import PictureLosses
from .recipe import Recipe
from .runlog import Run
from .samples import Samples
from .scope import groups, limit, optimiser_of, recompute
from .validation import COLUMNS, Validation, draw
from .velocity import LOSS, Share, schedule, velocity_loss

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


# of the command line, under the names that a plan has for them
ARGUMENTS = ("steps", "batch", "start", "estimate", "train", "accumulate", "optimizer", "checkpointing", "adversarial")


@dataclass(frozen=True)
class Plan:
    """How long a run goes, over all its resumptions, and how.

    minutes: of training; the rate falls with the time spent, so that two runs are never quite the same. steps: in their
    place; the rate then follows the steps, and the same plan gives the same weights. batch: rows a step, of all
    processes together. start: a bundle whose weights the run begins with. estimate: which one the picture losses use.

    On a Stable Diffusion base: train, one of `scope.SCOPES`. To fit a device: accumulate, in how many parts each step's rows
    are computed; optimizer, see `scope.optimiser_of`; checkpointing, see `scope.recompute`; ema, whether there is an average.
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
    recipe: Recipe = field(default_factory=Recipe)
    adversarial: bool = False  # paths from coarse warps, see `adversarial.py`; the losses on pictures are then on these

    def done(self, step: int, spent: float) -> float:
        """The share of the run behind it: 1 and more at the end. spent: seconds."""
        return step / self.steps if self.steps else spent / 60 / self.minutes

    def record(self) -> dict:
        """For run.json: only one of both ends is true."""
        ends = {"steps": self.steps} if self.steps else {"minutes": self.minutes}
        names = ("batch", "estimate", "train", "accumulate", "optimizer", "ema", "adversarial")
        told = {name: getattr(self, name) for name in names}
        return {**ends, **told, "recipe": asdict(self.recipe), "start": self.start.name if self.start else None}


def make_accelerator(device: str = "cpu", precision: str = "fp32") -> Accelerator:
    """Device, precision and the other processes. `accelerate launch` sets them; without it there is one."""
    return Accelerator(cpu=device == "cpu", mixed_precision="no" if precision == "fp32" else precision)


def learning_rate(step: int, done: float, highest: float) -> float:
    """Warm-up over 200 steps, or a tenth of a shorter run; level for the first 30 % of the run, then a quarter cosine squared
    down to 2 % of the highest.
    """
    fall = 1.0 if done < 0.3 else 0.02 + 0.98 * math.cos(math.pi / 2 * (min(done, 1) - 0.3) / 0.7) ** 2
    return highest * min(1, max((step + 1) / 200, done / 0.1)) * fall


class Training:
    """The state from which a run resumes exactly: model, its running average, optimiser, steps and seconds spent.

    The average is kept by the main process alone, and so is the run's folder. `base_unet`: the Stable Diffusion UNet to begin
    with; its frozen weights are neither averaged nor saved.
    """

    def __init__(
        self,
        run: Run,
        unet: UNetConfig,
        tokens: TokenConfig,
        accelerator: Accelerator,
        plan: Plan,
        base_unet: BaseUNet | None = None,
        adversarial: AdversarialLoss | None = None,
    ):
        torch.manual_seed(CONFIG["seed"])
        # not channels-last: torch's group norm is five times slower in it on a CPU, more than the convolutions gain
        self.own = Denoiser(unet, tokens, base_unet.empty if base_unet else None)
        if base_unet is not None:
            start_from(self.own.unet, base_unet.unet, unet)
            limit(self.own, plan.train, unet.latent_channels)
        if plan.start is not None:
            load_start(self.own, plan.start, only_tokens=base_unet is not None)
        self.own.to(accelerator.device)
        frozen = {id(weight): weight for weight in self.own.parameters() if not weight.requires_grad}
        self.average = copy.deepcopy(self.own, frozen) if plan.ema else self.own
        weights = groups(self.own, CONFIG["weight_decay"]) if base_unet else self.own.parameters()
        optimiser = optimiser_of(plan.optimizer, weights, CONFIG["lr"], CONFIG["weight_decay"])
        self.run, self.accelerator, self.adversarial, self.step, self.spent = run, accelerator, adversarial, 0, 0.0
        self.ema = CONFIG["ema"] if adversarial is None else ADVERSARIAL["ema"]
        self.names = [name for name, weight in self.own.named_parameters() if weight.requires_grad]
        self.saved = {"model": self.own}
        if plan.ema:
            self.saved["average"] = self.average.requires_grad_(False)
        if state := run.load():
            for name, module in self.saved.items():
                module.load_state_dict({**module.state_dict(), **state[name]})
            if ("adversarial" in state) != plan.adversarial:
                began = "with" if "adversarial" in state else "without"
                raise SystemExit(f"training: {run.folder} began {began} --adversarial; go on so, or name another --unet-run")
            optimiser.load_state_dict(state["optimiser"])
            self.step, self.spent = state["step"], state["elapsed"]
            if adversarial is not None:
                adversarial.load_state_dict(state["adversarial"])
            run.rewind(self.step)
        if plan.checkpointing:
            recompute(self.own.unet)
        accelerator.wait_for_everyone()  # before the first of them writes again
        self.model, self.optimiser = accelerator.prepare(self.own, optimiser)

    def save(self) -> None:
        """Frozen weights are in the base's file already, and are not written again."""
        states = {name: module.state_dict() for name, module in self.saved.items()}
        state = {kind: {name: whole[name] for name in self.names} for kind, whole in states.items()}
        if self.adversarial is not None:
            state["adversarial"] = self.adversarial.state_dict()
        self.run.save(**state, optimiser=self.optimiser.state_dict(), step=self.step, elapsed=self.spent)

    def update(self, parts: list[Callable[[], torch.Tensor]], rate: float, beside=None) -> torch.Tensor:
        """One step on the mean loss of the parts of a batch, computed one after the other; returns that mean.

        beside: a further loss.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for number, part in enumerate(parts, 1):
            with nullcontext() if number == len(parts) else self.accelerator.no_sync(self.model):
                loss = part() / len(parts)
                self.accelerator.backward(loss)
            total = total + loss.detach()
        if beside is not None:
            self.accelerator.backward(beside())
        self.accelerator.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        if self.accelerator.is_main_process and "average" in self.saved:
            decay = min(self.ema, (1 + self.step) / (10 + self.step))
            pairs = [p for p in zip(self.average.parameters(), self.own.parameters(), strict=True) if p[1].requires_grad]
            with torch.no_grad():
                torch._foreach_lerp_(*map(list, zip(*pairs, strict=True)), 1 - decay)
        return total

    def clock(self, seconds: float) -> None:
        """Seconds spent: those of the main process, so that all fall and end together."""
        if self.accelerator.num_processes > 1:
            seconds = broadcast(torch.tensor([seconds], dtype=torch.float64).to(self.accelerator.device)).item()
        self.spent = seconds


def train(
    samples: Samples,
    out: Path,
    plan: Plan,
    data_hash: str,
    accelerator: Accelerator,
    pictures: PictureLosses | None = None,
    validation: Validation | None = None,
    base_unet: BaseUNet | None = None,
) -> Training:
    """Runs `plan` to its end, from the run's checkpoint if there is one.

    `pictures`: the losses on decoded estimates. `validation`: measures on people that are not in the training set. `base_unet`:
    a Stable Diffusion UNet to begin with.
    """
    world = accelerator.num_processes * plan.accumulate
    if plan.batch % world:
        raise SystemExit(f"training: a batch of {plan.batch} cannot be shared by {world} processes and parts")
    shares = [Share(accelerator.process_index * plan.accumulate + k, world) for k in range(plan.accumulate)]
    unet, tokens = base_unet.config if base_unet else UNetConfig(), TokenConfig(code_width=samples.code_width)
    if plan.adversarial and accelerator.num_processes > 1:
        raise SystemExit("training: --adversarial runs in one process")
    judged = schedule(unet), pictures, unet.latent_channels, unet.prediction, accelerator.device, plan.recipe
    adversarial = AdversarialLoss(*judged) if plan.adversarial else None
    config = {**CONFIG, "unet": asdict(unet), "tokens": asdict(tokens), **plan.record()}
    config |= {"paths": ADVERSARIAL if adversarial else None}
    config |= {"precision": accelerator.mixed_precision, "processes": accelerator.num_processes}
    run = Run(out, config, data_hash, accelerator.is_main_process)
    state = Training(run, unet, tokens, accelerator, plan, base_unet, adversarial)
    alpha_bar, began, losses = schedule(unet), time.time() - state.spent, []
    highest = ADVERSARIAL["rate"] if plan.adversarial else CONFIG["lr_started" if plan.start else "lr"]
    size, own = (sum(p.numel() for p in state.own.parameters() if p.requires_grad or k) / 1e6 for k in (True, False))
    what = f"{len(samples)} pairs, {size:.1f} M parameters ({own:.1f} trained)"
    accelerator.print(f"{what}, {accelerator.num_processes} x {accelerator.device}, step {state.step}", flush=True)
    while (done := plan.done(state.step, state.spent)) < 1:
        rng = torch.Generator().manual_seed(CONFIG["seed"] * 1_000_003 + state.step)  # of each step: resumes are exact
        rate = learning_rate(state.step, done, highest)
        looked = pictures if state.step % CONFIG["pictures_every"] == 0 and adversarial is None else None
        batch, drawn = samples.batch(plan.batch, rng), rng.get_state()
        part = partial(part_loss, state.model, batch, alpha_bar, drawn, looked, unet.prediction, plan.recipe)
        turn = adversarial is not None and state.step % plan.recipe.paths_every == 0
        beside = partial(adversarial.loss, state.model, samples, state.step) if turn else None
        losses.append(state.update([partial(part, share) for share in shares], rate, beside))
        if turn:
            adversarial.teach(samples)
        state.clock(time.time() - began)
        last = plan.done(state.step, state.spent) >= 1
        seen = validation is not None and (last or state.step % validation.every == 0)
        if last or seen or state.step % CONFIG["log_every"] == 0:
            mean = accelerator.reduce(torch.stack(losses).mean(), "mean").item()
            look = seen and accelerator.is_main_process
            here = state.run.folder, state.step
            found = validation.look(state.average, accelerator, *here) if look else dict.fromkeys(COLUMNS)
            state.run.log(step=state.step, loss=mean, rate=rate, **found)
            losses = []
        if last or state.step % CONFIG["save_every"] == 0:
            state.save()
            draw(state.run)
    return state


def part_loss(
    model, batch, alpha_bar, drawn: torch.Tensor, pictures, prediction: str, recipe: Recipe, share: Share
) -> torch.Tensor:
    """The loss of a share of the batch; all shares draw from the same state of a generator."""
    rng = torch.Generator()
    rng.set_state(drawn)
    return velocity_loss(model, batch, alpha_bar, rng, pictures, share, prediction, recipe)
