"""Latents of the training pairs, made once: target, masked background, coarse warp, worn coarse warp."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file

from ..modules.warp.paste import blanked, latent_mask


@torch.inference_mode()
def encode_shard(shard: dict, encoder: Callable[[torch.Tensor], torch.Tensor], bf16: bool = True) -> dict:
    """One pairs shard -> float16 latents [N, C, S / 8, S / 8] in the UNet's scale, and what the conditioning needs."""
    out = {k: [] for k in ("target", "background", "warp", "worn")}
    if missing := [name for name in out if name != "background" and name not in shard]:
        raise SystemExit(f"training: these pairs have no {missing[0]!r}: they are of an older version; make them anew")
    for k in range(len(shard["target"])):
        target, warp, worn, mask = (shard[name][k : k + 1].float() / 255 for name in ("target", "warp", "worn", "mask"))
        # one picture at a time: larger batches leave the CPU's cache and take twice as long
        pictures = torch.cat([blanked(target, mask[:, None]), warp, worn])
        same = k > 0 and torch.equal(shard["target"][k], shard["target"][k - 1])
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            background, *guides = (encoder(x[None].contiguous(memory_format=torch.channels_last)).half() for x in pictures)
            aim = out["target"][-1] if same else encoder(target.contiguous(memory_format=torch.channels_last)).half()
        for name, value in zip(out, (aim, background, *guides), strict=True):
            out[name].append(value.contiguous())
    result = {k: torch.cat(v) for k, v in out.items()}
    result["mask"] = latent_mask(shard["mask"].float() / 255).half()
    for name in ("painted", "selfie", "code", "person", "synthetic"):
        result[name] = shard[name]
    return result


def encode_all(
    pairs: Path,
    out: Path,
    encoder: Callable[[torch.Tensor], torch.Tensor],
    pattern: str = "*.pt",
    bf16: bool = True,
    texts: "Texts | None" = None,
) -> None:
    """A shard of latents for each of pairs; one that exists is kept. texts: see `Texts`, for a model that reads text."""
    out.mkdir(parents=True, exist_ok=True)
    for file in sorted(pairs.glob(pattern)):
        made = out / f"{file.stem}.safetensors"
        if made.exists():
            continue
        rows = encode_shard(torch.load(file, weights_only=True), encoder, bf16)
        part = made.with_suffix(".part")
        save_file({**rows, **(texts.of(rows["person"]) if texts else {})}, part)
        part.replace(made)
        print(made.name, flush=True)


class Texts:
    """The captions of each person's picture, as text tokens. captions: by the person's number; tell: captions -> [n, T, W]."""

    def __init__(self, captions: list[str], tell: Callable[[list[str]], torch.Tensor]):
        self.captions, self.tell = captions, tell

    def of(self, people: torch.Tensor) -> dict[str, torch.Tensor]:
        """For rows of these people [N]: "texts" [U, T, W], each once, and "text" [N], which of them is a row's."""
        said = [self.captions[int(person)] for person in people]
        known = list(dict.fromkeys(said))
        return {"texts": self.tell(known).half().contiguous(), "text": torch.tensor([known.index(one) for one in said])}
