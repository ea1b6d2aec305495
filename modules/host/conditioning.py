"""Our part of CONDITIONING: what it is made of is read here alone, the same for our own UNet and for an adapted one.

It stands in the extras of each entry under `KEY`, as Background Condition put it there; its fields are in
`pipeline/background.py`.
"""

import comfy.conds
import torch

from ..errors import DiffSFSRError
from ..types import check_bundle

WHERE = "DiffSFSR MODEL, conditioning"
KEY = "diffsfsr"
TOKENS = ("identity_tokens", "expression_tokens", "identity_strength", "expression_strength")  # arguments of the UNet
LATENTS = "diffsfsr_latents"


def to_conds(model, conditioning: dict, bundle_id: str, noise, device, **_) -> tuple[comfy.conds.CONDNoiseShape, dict]:
    """The host's conds: the extra input channels, and by name the tokens with their strengths."""
    check_origin(conditioning, bundle_id, WHERE)
    concat, strength = conditioning["concat"], conditioning["strength"]
    if noise.shape[-2:] != concat.shape[-2:]:
        what = f"The latent is {tuple(noise.shape[-2:])}, the conditioning was made for {tuple(concat.shape[-2:])}"
        raise DiffSFSRError(what, WHERE, "Use the LATENT output of the same Background Condition node")
    values = (conditioning["identity"], conditioning["expression"], strength["identity"], strength["expression"])
    kinds = (comfy.conds.CONDRegular, comfy.conds.CONDRegular, comfy.conds.CONDConstant, comfy.conds.CONDConstant)
    conds = {name: kind(value) for name, kind, value in zip(TOKENS, kinds, values, strict=True)}
    return comfy.conds.CONDNoiseShape(scaled(model, concat).to(device)), conds


def scaled(model, concat: torch.Tensor) -> torch.Tensor:
    """[n, 2 C + 1, h, w] with both latents in the UNet's scale; the mask between them stays."""
    channels = concat.shape[1] // 2
    background, mask, guide = concat.split([channels, 1, channels], 1)
    return torch.cat([model.process_latent_in(background), mask, model.process_latent_in(guide)], 1)


def check_origin(conditioning: dict, bundle_id: str, where: str) -> None:
    """Refuses a conditioning that was made with another bundle."""
    check_bundle(conditioning["bundle"], bundle_id, where)


def identity_only(positive: list, negative: list, where: str) -> list:
    """CONDITIONING with the identity of `positive` and, for the expression, the null tokens of `negative`; the rest is kept."""
    entries = [extras.get(KEY) for _, extras in (*positive, *negative[:1])]
    if not negative or any(conditioning is None for conditioning in entries):
        what = "This conditioning cannot be guided apart: it has no identity and no expression"
        raise DiffSFSRError(what, where, "Connect Background Condition, or use one cfg for both (expression cfg 0)")
    null = entries[-1]["expression"]
    return [[text, {**extras, KEY: {**extras[KEY], "expression": null}}] for text, extras in positive]
