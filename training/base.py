"""A Stable Diffusion 1.5 checkpoint as the start of training: its UNet, its autoencoder and its text encoder.

All three are read by the host's own code, so whatever layout its checkpoint loader knows is known here.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import comfy.model_detection
import comfy.sd
import comfy.supported_models
import comfy.utils
import torch
from safetensors import SafetensorError

from ..modules.denoiser.adapter import FIRST
from ..modules.denoiser.config import UNetConfig
from ..modules.errors import DiffSFSRError

UNET = "model.diffusion_model."
WANTED = "Give a Stable Diffusion 1.5 checkpoint as safetensors; `python -m training convert` makes one of other layouts"


@dataclass
class BaseUNet:
    """What a denoiser starts from: configuration, the base UNet's plain weights, text tokens [1, T, W] of the empty prompt."""

    config: UNetConfig
    unet: dict[str, torch.Tensor]
    empty: torch.Tensor


@dataclass
class Base:
    """`found`: what the host detects in the UNet's weights; `state`: all weights of the file."""

    path: Path
    found: dict
    state: dict[str, torch.Tensor]

    def config(self, token_width: int) -> UNetConfig:
        return UNetConfig.from_host(self.found, token_width)

    @property
    def unet(self) -> dict[str, torch.Tensor]:
        return {name.removeprefix(UNET): value for name, value in self.state.items() if name.startswith(UNET)}

    def base_unet(self, token_width: int) -> BaseUNet:
        return BaseUNet(self.config(token_width), self.unet, self.text([""]))

    @property
    def autoencoder(self) -> dict[str, torch.Tensor]:
        """Under the names that the host's VAE class, and so a bundle, has for them."""
        prefix = "first_stage_model."
        found = {name.removeprefix(prefix): value for name, value in self.state.items() if name.startswith(prefix)}
        if not found:
            raise DiffSFSRError("The checkpoint has no autoencoder", WANTED, str(self.path))
        return found

    @property
    def latent_format(self):
        return comfy.supported_models.SD15.latent_format()

    @cached_property
    def vae(self) -> comfy.sd.VAE:
        return comfy.sd.VAE(sd=dict(self.autoencoder))

    @cached_property
    def clip(self) -> comfy.sd.CLIP:
        known = comfy.supported_models.SD15(self.found)
        weights = known.process_clip_state_dict(dict(self.state))
        if not weights:
            raise DiffSFSRError("The checkpoint has no text encoder", WANTED, str(self.path))
        clip = comfy.sd.CLIP(known.clip_target(self.state), tokenizer_data=weights)
        clip.load_sd(weights, full_model=True)
        return clip

    @torch.no_grad()
    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures [B, 3, S, S] 0..1 -> latents [B, C, S / 8, S / 8] in the UNet's scale."""
        return self.latent_format.process_in(self.vae.encode(pictures.movedim(1, -1)).float())

    def decoder(self) -> "Decoder":
        """Latents to pictures, with their gradient, for losses on what an estimate shows."""
        self.vae.patcher.model.requires_grad_(False)
        return Decoder(self.vae.first_stage_model, self.latent_format.scale_factor)

    @torch.no_grad()
    def text(self, captions: list[str]) -> torch.Tensor:
        """Captions -> tokens [B, 77, 768]; what is longer is cut off."""
        rows = [self.clip.encode_from_tokens(self.clip.tokenize(caption)) for caption in captions]
        return torch.cat([row[:, :77].float().cpu() for row in rows])


class Decoder(torch.nn.Module):
    """The decoding half of an autoencoder of the host, on latents in the UNet's scale: pictures [B, 3, S, S] 0..1."""

    def __init__(self, model: torch.nn.Module, scale: float):
        super().__init__()
        self.model, self.scale = model, scale

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        pictures = self.model.decode(latents.to(next(self.model.parameters()).dtype) / self.scale).float()
        return (pictures + 1) / 2


def load_base(path: Path) -> Base:
    """Reads a checkpoint; a file that is none, or of another model, is one DiffSFSRError."""
    where = str(path)
    if not Path(path).exists():
        raise DiffSFSRError("There is no such file", WANTED, where)
    try:
        state = comfy.utils.load_torch_file(where) if Path(path).suffix == ".safetensors" else {}
    except (SafetensorError, ValueError, OSError) as error:
        raise DiffSFSRError(f"This is not a whole safetensors file ({error})", WANTED, where) from error
    return base_of(path, state)


def base_of(path: Path, state: dict[str, torch.Tensor]) -> Base:
    """The same of weights that were read already; `path`: where from."""
    where = str(path)
    if UNET + FIRST not in state:
        raise DiffSFSRError("This is no Stable Diffusion checkpoint: it has no model.diffusion_model", WANTED, where)
    config = comfy.model_detection.model_config_from_unet(state, UNET)
    if not isinstance(config, comfy.supported_models.SD15):
        name = type(config).__name__ if config is not None else "of an unknown model"
        raise DiffSFSRError(f"The checkpoint is {name}, not Stable Diffusion 1.5", WANTED, where)
    return Base(Path(path), config.unet_config, state)


def start_from(unet: torch.nn.Module, base: dict[str, torch.Tensor], config: UNetConfig) -> None:
    """Fills our UNet with a plain one's weights, so that it answers the same: gates and new input channels are 0.

    base: of 4 input channels, or of 9 for inpainting, [z | mask | masked picture], whose columns move to our order.
    """
    own, channels = unet.state_dict(), config.latent_channels
    for name in own:
        if ".gate_" in name:
            own[name] = torch.zeros_like(own[name])
        elif name == FIRST:
            own[name] = ordered_input(base[name].float(), own[name], channels)
        elif name in base:
            own[name] = base[name].float()
    unet.load_state_dict(own)


def ordered_input(theirs: torch.Tensor, ours: torch.Tensor, channels: int) -> torch.Tensor:
    """The first convolution's weight [out, in, 3, 3] in the order [z | background | mask | coarse warp]."""
    weight = torch.zeros_like(ours)
    weight[:, :channels] = theirs[:, :channels]
    if theirs.shape[1] == 2 * channels + 1:
        mask, background = theirs[:, channels : channels + 1], theirs[:, channels + 1 :]
        weight[:, channels : 2 * channels + 1] = torch.cat([background, mask], 1)
    return weight
