"""A tiny training run on random latents, by one process or several: `accelerate launch -m tests.host.shared_run OUT STEPS`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BATCH = 4


def random_samples(count=24):
    """Latents as the stage `latents` writes them, with identity vectors, of nobody."""
    import torch

    from diffsfsr.training.unet import Samples

    rng, samples = torch.Generator().manual_seed(0), Samples.__new__(Samples)
    draw = lambda *shape: torch.randn(count, *shape, generator=rng)  # noqa: E731
    samples.data = {name: draw(16, 8, 8) for name in ("target", "background", "guide")}
    samples.data |= {"mask": torch.rand(count, 1, 8, 8, generator=rng), "painted": torch.zeros(count, 8, 8)}
    samples.data |= {"selfie": torch.randint(0, 255, (count, 3, 128, 128), dtype=torch.uint8, generator=rng)}
    samples.data |= {"vector": draw(256), "code": torch.rand(count, 52, generator=rng)}
    return samples


class Difference:
    """In the place of the judges: it can be computed without weights, and its gradient passes both calls of the estimate."""

    def __init__(self):
        from diffsfsr.modules.sampling.estimators import midpoint

        self.estimate = midpoint

    def __call__(self, estimate, target):
        return {name: (estimate - target).abs().mean((1, 2, 3)) for name in ("identity", "points", "code")}


def small_unet():
    """Called in the place of UNetConfig: the host's network with half the channels."""
    from diffsfsr.modules.unet.config import UNetConfig

    return UNetConfig(model_channels=32)


def run(out: Path, samples=None, steps: int = 3):
    """One run in single precision; returns its state."""
    from diffsfsr.training import unet

    plan = unet.Plan(steps=steps, batch=BATCH)
    return unet.train(samples or random_samples(), out, plan, "none", unet.accelerator(), Difference())


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
    run(Path(sys.argv[1]), steps=int(sys.argv[2]))


if __name__ == "__main__":
    main()
