"""Latents of the training pairs, made once: target, masked background, guide; with the identity vector of the selfie."""

from pathlib import Path

import torch

from ..modules.conditioning.background import blanked, latent_mask

@torch.inference_mode()
def encode_shard(shard: dict, encoder: torch.nn.Module, identity: torch.nn.Module, bf16: bool = True) -> dict:
    """One pairs shard -> float16 latents [N, C, 32, 32] and what the conditioning needs."""
    out = {k: [] for k in ("target", "background", "guide", "vector")}
    for i in range(0, len(shard["target"]), 16):
        part = {k: shard[k][i : i + 16] for k in ("target", "guide", "mask", "selfie")}
        target, guide, mask = (part[k].float() / 255 for k in ("target", "guide", "mask"))
        pictures = torch.cat([target, blanked(target, mask[:, None]), guide]).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            latent = encoder(pictures).half()
        for name, value in zip(("target", "background", "guide"), latent.chunk(3), strict=True):
            out[name].append(value.contiguous())
        out["vector"].append(identity(part["selfie"].float() / 255).half())
    result = {k: torch.cat(v) for k, v in out.items()}
    result["mask"] = latent_mask(shard["mask"].float() / 255).half()
    for name in ("painted", "selfie", "code", "person", "synthetic"):
        result[name] = shard[name]
    return result


def encode_all(pairs: Path, out: Path, encoder: torch.nn.Module, identity: torch.nn.Module, pattern: str = "*.pt") -> None:
    out.mkdir(parents=True, exist_ok=True)
    for file in sorted(pairs.glob(pattern)):
        if (out / file.name).exists():
            continue
        torch.save(encode_shard(torch.load(file, weights_only=True), encoder, identity), out / file.name)
        print(file.name, flush=True)
