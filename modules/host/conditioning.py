"""Our part of CONDITIONING as the host's conds: the same for our own UNet and for an adapted one.

A `Conditioning` stands in the extras of each entry under `KEY`, as Background Condition put it there.
"""

from dataclasses import replace

import comfy.conds
import torch

from ..errors import DiffSFSRError, at
from ..types import Conditioning, check_bundle

KEY = "diffsfsr"
TOKENS = ("identity_tokens", "expression_tokens", "identity_strength", "expression_strength")  # arguments of the UNet
LATENTS = "diffsfsr_latents"


@at("DiffSFSR MODEL", "conditioning")
def to_conds(model, given: Conditioning, bundle_id: str, noise, device, **_) -> tuple[comfy.conds.CONDNoiseShape, dict]:
    """The host's conds: the extra input channels, and by name the tokens with their strengths."""
    check_bundle(given.bundle, bundle_id)
    if noise.shape[-2:] != given.mask.shape[-2:]:
        what = f"The latent is {tuple(noise.shape[-2:])}, the conditioning was made for {tuple(given.mask.shape[-2:])}"
        raise DiffSFSRError(what, "Use the LATENT output of the same Background Condition node")
    values = (given.identity, given.expression, given.strength.identity, given.strength.expression)
    kinds = (comfy.conds.CONDRegular, comfy.conds.CONDRegular, comfy.conds.CONDConstant, comfy.conds.CONDConstant)
    conds = {name: kind(value) for name, kind, value in zip(TOKENS, kinds, values, strict=True)}
    return comfy.conds.CONDNoiseShape(channels(model, given).to(device)), conds


def channels(model, given: Conditioning) -> torch.Tensor:
    """What the UNet reads beside the noisy latent [n, 2 C + 1, h, w]: both latents in its scale, and the mask between them."""
    return torch.cat([model.process_latent_in(given.background), given.mask, model.process_latent_in(given.warp)], 1)


def identity_only(positive: list, negative: list) -> list:
    """CONDITIONING with the identity of `positive` and, for the expression, the null tokens of `negative`; the rest is kept."""
    entries = [extras.get(KEY) for _, extras in (*positive, *negative[:1])]
    if not negative or any(given is None for given in entries):
        what = "This conditioning cannot be guided apart: it has no identity and no expression"
        raise DiffSFSRError(what, "Connect Background Condition, or use one cfg for both (expression cfg 0)")
    null = entries[-1].expression
    return [[text, {**extras, KEY: replace(extras[KEY], expression=null)}] for text, extras in positive]
