"""A Stable Diffusion 1.5 checkpoint without a picture in it: its shape where the host looks, few layers, random weights.

The host takes a UNet for Stable Diffusion 1.5 by its width (320) and its text width (768); depth and levels are free. The text
encoder has its full size (another would not be read), the autoencoder is a tiny one.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

WIDTH, TEXT, CHANNELS = 320, 768, 4
SHAPE = {
    "image_size": 32, "out_channels": CHANNELS, "model_channels": WIDTH, "channel_mult": [1, 1], "num_res_blocks": [1, 1],
    "transformer_depth": [1, 1], "transformer_depth_output": [1, 1, 1, 1], "transformer_depth_middle": 1, "num_heads": 8,
    "num_head_channels": -1, "context_dim": TEXT, "use_spatial_transformer": True, "use_linear_in_transformer": False,
    "use_checkpoint": False, "legacy": False, "adm_in_channels": None, "use_temporal_attention": False,
}  # fmt: skip


def filled(module: torch.nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """Values for every weight of a module, such that signals keep about their size."""
    rng, state = torch.Generator().manual_seed(seed), {}
    for name, value in module.state_dict().items():
        if not value.is_floating_point():
            state[name] = value.clone()
        elif value.ndim < 2:
            one = name.endswith("weight")
            state[name] = torch.full_like(value, float(one)) + 0.02 * torch.randn(value.shape, generator=rng)
        else:
            state[name] = torch.randn(value.shape, generator=rng) * value[0].numel() ** -0.5
    return {name: value.contiguous() for name, value in state.items()}


def unet(channels: int = CHANNELS, seed: int = 0, **changes) -> dict[str, torch.Tensor]:
    """Weights of the host's UNet; `channels` 9: for inpainting."""
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    return filled(UNetModel(in_channels=channels, **{**SHAPE, **changes}), seed)


def autoencoder(seed: int = 1) -> dict[str, torch.Tensor]:
    from comfy.taesd.taesd import TAESD

    return filled(TAESD(latent_channels=CHANNELS), seed)


def text_encoder(seed: int = 2) -> dict[str, torch.Tensor]:
    from comfy.sd1_clip import SD1ClipModel

    state = filled(SD1ClipModel(dtype=torch.float16), seed)
    return {name.removeprefix("clip_l."): value.half() for name, value in state.items()}


def checkpoint(path: Path, channels: int = CHANNELS, text: bool = True, **changes) -> Path:
    """One file as the host's checkpoint loader reads it."""
    parts = {"model.diffusion_model.": unet(channels, **changes), "first_stage_model.": autoencoder()}
    if text:
        parts["cond_stage_model."] = text_encoder()
    save_file({prefix + name: value for prefix, part in parts.items() for name, value in part.items()}, path)
    return path


def lora(path: Path, layer: str = "input_blocks_1_1_transformer_blocks_0_attn2_to_q", rank: int = 2) -> Path:
    """A LoRA on one square layer of the UNet."""
    rng = torch.Generator().manual_seed(5)
    down, up = torch.randn(rank, WIDTH, generator=rng) * 0.2, torch.randn(WIDTH, rank, generator=rng) * 0.2
    save_file({f"lora_unet_{layer}.lora_down.weight": down, f"lora_unet_{layer}.lora_up.weight": up}, path)
    return path


def controlnet(path: Path) -> Path:
    from comfy.cldm.cldm import ControlNet

    told = {name: value for name, value in SHAPE.items() if name not in ("out_channels", "transformer_depth_output")}
    save_file(filled(ControlNet(in_channels=CHANNELS, hint_channels=3, **told), 6), path)
    return path


# --- bundles for it ----------------------------------------------------------------------------------------------------

TOKENS = 192  # width of the default bundle's tokens, whose encoders are used


def config(kind: str = "adapter", resolution: int = 256):
    from diffsfsr.modules.bundle import BundleConfig, load_bundle
    from diffsfsr.modules.denoiser.config import UNetConfig
    from tests.host.graphs import BUILT_IN

    own, unet = load_bundle(BUILT_IN).config, UNetConfig.from_host(SHAPE, TOKENS)
    return BundleConfig(unet, own.tokens, resolution, own.identity, kind=kind, latent_scale=0.18215, licence="test")


def our_unet(seed: int = 3, loud: float = 0.5) -> dict[str, torch.Tensor]:
    """The random UNet with our layers in it; `loud`: size of the gates and of the input, 0 as before training."""
    from diffsfsr.modules.host.unet import build_unet

    plain, state = unet(), filled(build_unet(config().unet), seed)
    first = "input_blocks.0.0.weight"
    whole = {**state, **{name: value for name, value in plain.items() if name != first}}
    whole[first][:, :CHANNELS] = plain[first]
    whole[first][:, CHANNELS:] *= loud
    for name in whole:
        if ".gate_" in name:
            whole[name] = torch.full_like(whole[name], loud)
    return whole


def bundle(path: Path, kind: str = "adapter", loud: float = 0.5, resolution: int = 256):
    """An untrained bundle of either kind, with the default bundle's encoders; returns its configuration."""
    from diffsfsr.modules.bundle import ENCODER_PARTS, load_bundle, save_bundle
    from diffsfsr.modules.denoiser.adapter import adapter_of
    from tests.host.graphs import BUILT_IN

    told, whole = config(kind, resolution), our_unet(loud=loud)
    own = load_bundle(BUILT_IN).parts
    tensors = {f"{part}.{name}": value for part in ENCODER_PARTS for name, value in own[part].items()}
    if kind == "adapter":
        tensors |= {f"adapter.{name}": value for name, value in adapter_of(whole, told.unet).items()}
    else:
        tensors |= {f"unet.{name}": value for name, value in whole.items()} | autoencoder()
    return save_bundle(path, told, tensors)
