"""Latents of the training pairs, made once: target, masked background, guide."""

from pathlib import Path

import torch

from ..modules.conditioning.background import blanked, latent_mask


@torch.inference_mode()
def encode_shard(shard: dict, encoder: torch.nn.Module, bf16: bool = True) -> dict:
    """One pairs shard -> float16 latents [N, C, 32, 32] and what the conditioning needs."""
    out = {k: [] for k in ("target", "background", "guide")}
    for k in range(len(shard["target"])):
        target, guide, mask = (shard[name][k : k + 1].float() / 255 for name in ("target", "guide", "mask"))
        # one or two pictures at a time: larger batches leave the CPU's cache and take twice as long
        pictures = torch.cat([blanked(target, mask[:, None]), guide]).contiguous(memory_format=torch.channels_last)
        same = k > 0 and torch.equal(shard["target"][k], shard["target"][k - 1])
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            background, drafted = encoder(pictures).half().chunk(2)
            aim = out["target"][-1] if same else encoder(target.contiguous(memory_format=torch.channels_last)).half()
        for name, value in zip(("target", "background", "guide"), (aim, background, drafted), strict=True):
            out[name].append(value.contiguous())
    result = {k: torch.cat(v) for k, v in out.items()}
    result["mask"] = latent_mask(shard["mask"].float() / 255).half()
    for name in ("painted", "selfie", "code", "person", "synthetic"):
        result[name] = shard[name]
    return result


def encode_all(pairs: Path, out: Path, encoder: torch.nn.Module, pattern: str = "*.pt", bf16: bool = True) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for file in sorted(pairs.glob(pattern)):
        if (out / file.name).exists():
            continue
        torch.save(encode_shard(torch.load(file, weights_only=True), encoder, bf16), out / file.name)
        print(file.name, flush=True)
