"""Our part of CONDITIONING as the host's conds: the same for our own UNet and for an adapted one."""

import comfy.conds
import torch

from ..errors import DiffSFSRError
from ..types import check_bundle

WHERE = "DiffSFSR MODEL, conditioning"
TOLD = ("identity_tokens", "expression_tokens", "identity_strength", "expression_strength")
LATENTS = "diffsfsr_latents"


def told_conds(model, told: dict, bundle_id: str, noise, device, **_) -> tuple[comfy.conds.CONDNoiseShape, dict]:
    """What Background Condition put under "diffsfsr" -> the extra input channels, and the tokens with their strengths."""
    check_bundle(told["bundle"], bundle_id, WHERE)
    concat = told["concat"]
    if noise.shape[-2:] != concat.shape[-2:]:
        what = f"The latent is {tuple(noise.shape[-2:])}, the conditioning was made for {tuple(concat.shape[-2:])}"
        raise DiffSFSRError(what, WHERE, "Use the LATENT output of the same Background Condition node")
    values = (told["identity"], told["expression"], told["strength"]["identity"], told["strength"]["expression"])
    kinds = (comfy.conds.CONDRegular, comfy.conds.CONDRegular, comfy.conds.CONDConstant, comfy.conds.CONDConstant)
    conds = {name: kind(value) for name, kind, value in zip(TOLD, kinds, values, strict=True)}
    return comfy.conds.CONDNoiseShape(scaled(model, concat).to(device)), conds


def scaled(model, concat: torch.Tensor) -> torch.Tensor:
    """[n, 2 C + 1, h, w] with both latents in the UNet's scale; the mask between them stays."""
    channels = concat.shape[1] // 2
    background, mask, guide = concat.split([channels, 1, channels], 1)
    return torch.cat([model.process_latent_in(background), mask, model.process_latent_in(guide)], 1)


def identity_only(positive: list, negative: list, where: str) -> list:
    """CONDITIONING with the identity of `positive` and, for the expression, the null tokens of `negative`; the rest is kept."""
    told = [extras.get("diffsfsr") for _, extras in (*positive, *negative[:1])]
    if not negative or any(t is None for t in told):
        what = "This conditioning cannot be guided apart: it has no identity and no expression"
        raise DiffSFSRError(what, where, "Connect Background Condition, or use one cfg for both (expression cfg 0)")
    null = told[-1]["expression"]
    return [
        [text, {**extras, "diffsfsr": {**extras["diffsfsr"], "expression": null}}] for text, extras in positive
    ]
