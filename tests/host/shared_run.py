"""A tiny training run on random latents, by one process or several.

accelerate launch -m tests.host.shared_run OUT STEPS [BASE]
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BATCH = 4


def random_samples(count=24, channels=16, text=0):
    """Latents as the stage `latents` writes them, with identity vectors, of nobody; `text`: tokens of a prompt."""
    import torch

    from diffsfsr.training.samples import Samples

    rng = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(count, *shape, generator=rng)  # noqa: E731
    rows = {name: draw(channels, 8, 8) for name in ("target", "background", "warp")}
    rows |= {"mask": torch.rand(count, 1, 8, 8, generator=rng), "painted": torch.zeros(count, 8, 8)}
    rows |= {"selfie": torch.randint(0, 255, (count, 3, 128, 128), dtype=torch.uint8, generator=rng)}
    rows |= {"vector": draw(256), "code": torch.rand(count, 52, generator=rng)}
    rows |= {"synthetic": torch.arange(count) % 2 == 1}
    if text:
        rows |= {"texts": draw(text, 768)[:3], "text": torch.arange(count) % 3}
    return Samples([rows])


class Difference:
    """In the place of the judges: it can be computed without weights, and its gradient passes both calls of the estimate."""

    def __init__(self):
        from diffsfsr.training.estimators import midpoint

        self.estimate = midpoint

    def __call__(self, estimate, target, numbers=None):
        return {name: (estimate - target).abs().mean((1, 2, 3)) for name in ("identity", "points", "code")}


def small_unet():
    """Called in the place of UNetConfig: the host's network with half the channels."""
    from diffsfsr.modules.denoiser.config import UNetConfig

    return UNetConfig(model_channels=32)


def run(out: Path, samples=None, steps: int = 3, **settings):
    """One run in single precision; returns its state."""
    from diffsfsr.training import unet

    plan = unet.Plan(steps=steps, batch=BATCH, **settings)
    return unet.train(samples or random_samples(), out, plan, "none", unet.make_accelerator(), Difference())


# --- on a Stable Diffusion checkpoint ----------------------------------------------------------------------------------


def tiny_ground(checkpoint: Path):
    """What a run on this checkpoint begins with; random tokens stand for the empty prompt."""
    import torch

    from diffsfsr.training.base import BaseUNet, load_base

    base = load_base(checkpoint)
    empty = torch.randn(1, 5, 768, generator=torch.Generator().manual_seed(9))
    return BaseUNet(base.config(192), base.unet, empty)


def run_on(base_unet, out: Path, steps: int = 2, samples=None, **settings):
    """One run on it, of rows with text; returns its state."""
    from diffsfsr.training import unet

    plan = unet.Plan(steps=steps, batch=BATCH, **settings)
    samples = samples or random_samples(channels=4, text=5)
    return unet.train(samples, out, plan, "none", unet.make_accelerator(), Difference(), base_unet=base_unet)


class Cut(Exception):
    """The power goes out."""


def cut_after(count: int, **kind):
    """Samples that fail at a later batch."""
    samples = random_samples(**kind)
    whole, left = samples.batch, iter(range(count))

    def failing(*rest):
        if next(left, None) is None:
            raise Cut
        return whole(*rest)

    samples.batch = failing
    return samples


def main() -> None:
    from dev.pack import load_pack

    load_pack()
    from dev.bootstrap import bootstrap_comfy

    bootstrap_comfy(cpu=True)
    import torch

    from diffsfsr.training import unet

    torch.set_num_threads(1)
    unet.UNetConfig = small_unet
    unet.CONFIG.update(log_every=1, pictures_every=1)
    out, steps, *base = sys.argv[1:]
    if base:
        run_on(tiny_ground(Path(base[0])), Path(out), int(steps), train="adapter")
    else:
        run(Path(out), steps=int(steps))


if __name__ == "__main__":
    main()
