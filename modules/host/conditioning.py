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
    wanted = model.latent_format.latent_channels
    if noise.ndim != 4 or noise.shape[1] != wanted:
        what = f"The latent is {list(noise.shape)}, the model has {wanted} channels"
        raise DiffSFSRError(what, "Use the LATENT output of the same Background Condition node")
    if len(noise) % len(given.mask):
        what = f"The latent has {len(noise)} rows, the conditioning {len(given.mask)}"
        raise DiffSFSRError(what, "Take single pictures behind Composite Face, with Image From Batch")
    if noise.shape[-2:] != given.mask.shape[-2:]:
        what = f"The latent is {tuple(noise.shape[-2:])}, the conditioning was made for {tuple(given.mask.shape[-2:])}"
        raise DiffSFSRError(what, "Use the LATENT output of the same Background Condition node")
    values = (given.identity, given.expression, given.strength.identity, given.strength.expression)
    kinds = (comfy.conds.CONDRegular, comfy.conds.CONDRegular, comfy.conds.CONDConstant, comfy.conds.CONDConstant)
    conds = {name: kind(value) for name, kind, value in zip(TOKENS, kinds, values, strict=True)}
    return comfy.conds.CONDNoiseShape(channels(model, given).to(device)), conds


def seal(given: Conditioning) -> torch.Tensor:
    """What stands in the place of a text [1, 1, D], where no text is read: the mean of the tokens.

    Nodes of the host that mix or empty the text leave our part as it was: they would change nothing, in silence. By the seal
    they are noticed.
    """
    return (given.identity.mean((0, 1)) + given.expression.mean((0, 1)))[None, None].float()


@at("DiffSFSR MODEL", "conditioning")
def check_seal(text: torch.Tensor | None, given: Conditioning) -> None:
    """Refuses a text that was mixed or emptied."""
    wanted = seal(given)
    if text is None or text.shape != wanted.shape or not torch.allclose(text.to(wanted), wanted, 1e-2, 1e-2):
        what = "It was mixed, joined or emptied behind Background Condition, which does not reach identity and expression"
        raise DiffSFSRError(what, "Mix with Expression Mix before it; for no condition take its output 'negative'")


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
    return [changed(*entry, replace(entry[1][KEY], expression=null)) for entry in positive]


def changed(text: torch.Tensor, extras: dict, given: Conditioning) -> list:
    """An entry of CONDITIONING with another part of ours, and its seal if it had one."""
    old = seal(extras[KEY])
    return [seal(given) if text.shape == old.shape and torch.equal(text, old) else text, {**extras, KEY: given}]
