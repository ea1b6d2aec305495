"""An adapter bundle on a Stable Diffusion 1.5 MODEL, by the host's own means: a clone of its patcher with patches.

- The adapter's weights are a model of their own that the host loads and offloads together with the patched one.
- Attention: each cross-attention layer's replacement first does what was there (or the host's attention on the text), then adds
  what the layer's queries find in identity and expression. LoRA acts on the layer's own weights, as ever.
- Input: what the first block gives, plus a convolution of background, mask and coarse warp; ControlNet adds to the same sum.
- Tokens come in with CONDITIONING. A conditioning without them is answered by the plain UNet.
"""

from dataclasses import dataclass

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.patcher_extension
import torch
from comfy.ldm.modules.attention import BasicTransformerBlock, optimized_attention
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

from ..bundle import Bundle, check_fit, fill_module
from ..denoiser.adapter import Adapter, Layer
from ..denoiser.config import UNetConfig
from ..errors import DiffSFSRError, check_number
from .conditioning import KEY, LATENTS, TOKENS, to_conds
from .noise_mask import watch
from .unet import attention_options

WANTED = "Connect MODEL of a checkpoint loader with a Stable Diffusion 1.5 checkpoint"


@dataclass
class Patches:
    """The functions that one adapted MODEL calls; `patcher` holds the adapter's weights."""

    patcher: comfy.model_patcher.ModelPatcher
    strength: float

    def unet(self, executor, x, timesteps, context, y, control, transformer_options, **given):
        """Around the whole UNet: what our conditioning brought, if it did, goes to where the patches below find it."""
        tokens = [given.pop(name, None) for name in TOKENS]
        others = transformer_options.get("patches_replace", {}).get("attn2", {})
        ours = {**attention_options(*tokens), "latents": given.pop(LATENTS, None), "others": others}
        return executor(x, timesteps, context, y, control, {**transformer_options, KEY: ours}, **given)

    def input(self, h: torch.Tensor, options: dict) -> torch.Tensor:
        """After each input block: to the first convolution's result what it would give with our channels."""
        latents = options[KEY]["latents"]
        if latents is None or options["block"] != ("input", 0):
            return h
        return h + self.strength * self.patcher.model.input(latents.to(h.dtype))

    def attention(self, path: str, before):
        """The replacement of one layer's attention. `before`: the replacement that it had, if any."""

        def replaced(q, k, v, options):
            ours = options[KEY]
            # a replacement for the whole block, as other nodes set it, would be hidden by ours for its one layer
            text = (before or ours["others"].get(options["block"]) or plain)(q, k, v, options)
            if ours["latents"] is None:
                return text
            attended = self.patcher.model.attention(path).groups(q, ours)
            return text if attended is None else text + self.strength * attended

        return replaced


def plain(q, k, v, options):
    """What the host's cross-attention computes between its projections."""
    return optimized_attention(
        q, k, v, options["n_heads"], attn_precision=options["attn_precision"], transformer_options=options
    )


def apply_adapter(base, bundle: Bundle, strength: float):
    """A clone of `base`, a MODEL of Stable Diffusion 1.5 (4 channels, or 9 for inpainting), with the adapter on it.

    strength 0..2: how much of the adapter; at 0 it is the plain UNet, to the bit. Raises DiffSFSRError for another model.
    """
    check_number("adapter strength", strength, 2.0, 1)
    layers = fitting_layers(base, bundle.config.unet)
    model = base.clone()
    model.set_attachments(KEY, bundle.config.id)
    watch(model)
    if strength == 0:
        return model
    patches = Patches(managed(base, bundle, layers), strength)
    model.set_additional_models(KEY, [patches.patcher])
    model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, KEY, patches.unet)
    model.set_model_input_block_patch(patches.input)
    there = model.model_options["transformer_options"].get("patches_replace", {}).get("attn2", {})
    for layer, block in layers.items():
        model.set_model_attn2_replace(patches.attention(layer.path, there.get(block)), *block)
    extend_conds(model, bundle.config.id)
    return model


def adapted_for(model) -> str | None:
    """The id of the adapter bundle on a MODEL; None if there is none."""
    return model.get_attachment(KEY)


def managed(base, bundle: Bundle, layers: dict):
    """The adapter's weights in the base's precision, as a model in the host's memory management."""
    made = (bundle.config.unet, list(layers), comfy.ops.manual_cast, optimized_attention, base.model.get_dtype())
    check_fit(lambda: Adapter(*made, device="meta"), bundle.parts["adapter"], "adapter")
    adapter = Adapter(*made)
    fill_module(adapter, bundle.parts["adapter"], "adapter")
    return comfy.model_patcher.ModelPatcher(
        adapter.requires_grad_(False).eval(), load_device=base.load_device, offload_device=base.offload_device
    )


def extend_conds(model, bundle_id: str) -> None:
    """Lets the model read our part of CONDITIONING beside its own."""
    own, inner = model.get_model_object("extra_conds"), model.model

    def extra_conds(**given):
        conditioning = given.get(KEY)
        if conditioning is None:
            return own(**given)
        latents, conds = to_conds(inner, conditioning, bundle_id, **given)
        return {**own(**given), **conds, LATENTS: latents}

    model.add_object_patch("extra_conds", extra_conds)


# --- is it a model that the adapter is for -----------------------------------------------------------------------------


def fitting_layers(base, config: UNetConfig) -> dict[Layer, tuple]:
    """The cross-attention layers of the base and the host's names for them; refuses a model of another shape."""
    unet, name = base.model.diffusion_model, type(base.model.model_config).__name__
    if adapted_for(base) is not None:
        what, remedy = "This MODEL has a DiffSFSR adapter already", "Connect the checkpoint loader's MODEL"
        raise DiffSFSRError(what, remedy, "model")
    if not isinstance(unet, UNetModel):
        raise DiffSFSRError(f"The adapter is for Stable Diffusion 1.5, the MODEL is {name}", WANTED, "model")
    layers = dict(layers_of(unet))
    found = {
        "text width": {unet.get_submodule(layer.path).to_k.in_features for layer in layers},
        "channels": {unet.model_channels},
        "latent channels": {unet.out_channels},
        "other conditions": {unet.num_classes},
    }
    wanted = {
        "text width": {config.text_width},
        "channels": {config.model_channels},
        "latent channels": {config.latent_channels},
        "other conditions": {None},
    }
    for part in wanted:
        if found[part] != wanted[part]:
            there, here = (", ".join(map(str, sorted(s, key=str))) for s in (found[part], wanted[part]))
            what = f"The adapter is for Stable Diffusion 1.5, the MODEL is {name}: {part} {there or 'none'}, not {here}"
            raise DiffSFSRError(what, WANTED, "model")
    return layers


def layers_of(unet: UNetModel):
    """(Layer, (block, number, transformer)) for each cross-attention layer, as the host names them in its patches."""
    for name, block in unet.named_modules():
        if isinstance(block, BasicTransformerBlock) and block.attn2 is not None:
            kind, *rest = name.split(".")
            place = kind.removesuffix("_blocks").removesuffix("_block")
            number = 0 if place == "middle" else int(rest[0])
            yield Layer(f"{name}.attn2", block.n_heads, block.d_head), (place, number, int(rest[-1]))
