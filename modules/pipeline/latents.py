"""Pictures to latents by the VAE that the artist connected, and what it takes from them."""

import weakref
from collections.abc import Iterable

import torch

from ..errors import DiffSFSRError
from .encoders import Encoders
from .memo import content


def encoded(encoders: Encoders, vae, pictures: Iterable[torch.Tensor]) -> torch.Tensor:
    """Pictures [n, 3, S, S] -> latents [n, C, S / 8, S / 8] on the CPU; a VAE of another width is refused.

    One by one: the host would split a batch by the memory that happens to be free, and rounding follows the batch size.
    """
    latents = torch.cat([vae.encode(p.permute(1, 2, 0)[None]).float().cpu() for p in pictures])
    wanted = encoders.config.unet.latent_channels
    if not latents.isfinite().all():
        remedy = "Start ComfyUI with --fp32-vae, or connect VAE of the same DiffSFSR UNet Loader"
        raise DiffSFSRError("The VAE gives values that are not numbers (NaN or infinite)", remedy, "vae")
    if latents.shape[1] != wanted:
        what = f"The VAE has {latents.shape[1]} latent channels, the model {wanted}"
        raise DiffSFSRError(what, "Connect VAE of the same DiffSFSR UNet Loader", "vae")
    return latents


def encoded_once(encoders: Encoders, vae, kind: str, pictures: Iterable[torch.Tensor]) -> torch.Tensor:
    """The same for pictures [3, S, S] that come again with the next word; remembered."""
    get, of = encoders.memo.get, weakref.ref(vae)
    return torch.cat([get(kind, (of, content(p)), lambda p=p: encoded(encoders, vae, p[None])) for p in pictures])


def what_is_lost(encoders: Encoders, vae, warps: list[torch.Tensor], guide: torch.Tensor) -> torch.Tensor | None:
    """Coarse warps, n of [3, S, S], minus what the autoencoder gives back of them: fine skin. Composite Face adds it again.

    None for bundles on Stable Diffusion, whose autoencoder would take seconds for it.
    """
    if encoders.config.unet.text_width:
        return None
    found = torch.empty(len(warps), *warps[0].shape, dtype=torch.half)
    for k, (warp, latent) in enumerate(zip(warps, guide, strict=True)):
        back = vae.decode(latent[None])[0].float().cpu().permute(2, 0, 1)
        if back.shape != warp.shape:
            return None
        found[k] = warp - back
    return found
