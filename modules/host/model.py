"""The host's MODEL and VAE objects around our weights: real ModelPatcher, real VAE, so that everything of the host works."""

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.model_sampling
import comfy.sd
import comfy.supported_models_base
import torch
from comfy.model_base import ModelType
from comfy.taesd.taesd import TAESD

from ..bundle import REMEDY, Bundle, check_fit, check_layers, fill_module
from ..denoiser.timestep import step_of
from ..errors import DiffSFSRError
from ..weights import misfits
from .conditioning import KEY, check_seal, to_conds
from .noise_mask import watch
from .precision import unet_dtypes, vae_dtype
from .unet import DiffSFSRUNet, build_unet


class Between:
    """The host's discrete noise schedule, with steps between the steps.

    The host gives the network the nearest of 1000 steps, so its answer jumps along the way from noise to picture. Our
    network's embedding of the step is continuous, and training uses steps in between as well: so it gets the true one.
    """

    def timestep(self, sigma: torch.Tensor) -> torch.Tensor:
        """Noise sigma / alpha, of any shape -> fractional step 0..999, the reverse of `sigma`."""
        return step_of(sigma.to(self.sigmas), self.sigmas).to(sigma.device)


class VSampling(Between, comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.V_PREDICTION):
    pass


class EpsSampling(Between, comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS):
    pass


DECODERS = ("taesd_decoder.1.weight", "decoder.conv_in.weight")  # the first weight of the tiny layout, of Stable Diffusion's
PREDICTIONS = {"v": (ModelType.V_PREDICTION, VSampling), "eps": (ModelType.EPS, EpsSampling)}


class Latent(comfy.latent_formats.LatentFormat):
    """The autoencoder's latent: any number of channels, about unit size after `scale`; factors to RGB for previews."""

    def __init__(self, channels: int, rgb: tuple[tuple[float, ...], ...], scale: float = 1.0):
        self.latent_channels = channels
        self.scale_factor = scale
        if rgb:
            self.latent_rgb_factors = [list(row) for row in rgb[:-1]]
            self.latent_rgb_factors_bias = list(rgb[-1])


class ModelConfig(comfy.supported_models_base.BASE):
    """The host's description of a model; the base class would set other attention heads on top."""

    unet_extra_config: dict = {}


class DiffSFSRModel(comfy.model_base.BaseModel):
    """Takes our conditioning from the extras of CONDITIONING, and refuses any other."""

    def __init__(self, model_config, device, bundle_id: str, prediction: str):
        kind, sampling = PREDICTIONS[prediction]
        super().__init__(model_config, kind, device, unet_model=DiffSFSRUNet)
        self.model_sampling = sampling(model_config)
        self.bundle_id = bundle_id

    def extra_conds(self, **kwargs):
        conditioning = kwargs.get(KEY)
        if conditioning is None:
            what = "The conditioning was not made for DiffSFSR: it has no identity and no expression"
            remedy = "Connect positive and negative of a Background Condition node"
            raise DiffSFSRError(what, remedy, "DiffSFSR MODEL, conditioning")
        if not self.reads_text:
            check_seal(kwargs.get("cross_attn"), conditioning)
        latents, conds = to_conds(self, conditioning, self.bundle_id, **kwargs)
        text = {name: cond for name, cond in super().extra_conds(**kwargs).items() if name != "c_concat"}
        return {**(text if self.reads_text else {}), **conds, "c_concat": latents}

    @property
    def reads_text(self) -> bool:
        return self.model_config.unet_config["text_width"] > 0


def build_model(bundle: Bundle, dtype: torch.dtype | None) -> comfy.model_patcher.ModelPatcher:
    """The MODEL. `dtype` None: what the host finds best for its device."""
    unet = bundle.config.unet
    check_layers(unet, bundle.parts["unet"])
    check_fit(lambda: build_unet(unet, device="meta"), bundle.parts["unet"], "unet")
    config = ModelConfig(unet.arguments())
    config.latent_format = Latent(unet.latent_channels, bundle.config.latent_rgb, bundle.config.latent_scale)
    config.sampling_settings = {
        "beta_schedule": unet.beta_schedule,
        "linear_start": unet.linear_start,
        "linear_end": unet.linear_end,
    }
    device = comfy.model_management.get_torch_device()
    parameters = sum(t.numel() for t in bundle.parts["unet"].values())
    config.set_inference_dtype(*unet_dtypes(dtype, parameters, config.supported_inference_dtypes, device))
    offload = comfy.model_management.unet_offload_device()
    model = DiffSFSRModel(config, offload, bundle.config.id, unet.prediction)
    fill_module(model.diffusion_model, bundle.parts["unet"], "unet")
    # newer hosts rebind this name for dynamic memory, so it is looked up at call time
    patcher = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    built = patcher(model, load_device=device, offload_device=offload)
    watch(built)
    return built


class PicturewiseVAE(comfy.sd.VAE):
    """The host's VAE, which finds the layout by its keys; on a CPU it decodes picture by picture.

    The host decodes as many at once as memory allows: they leave a CPU's cache, and each takes 8 % longer.
    """

    def decode(self, samples_in, vae_options={}):  # noqa: B006 (the host's signature)
        """Latents [B, C, h, w] -> pictures [B, H, W, 3], 0..1."""
        if len(samples_in) == 1 or not comfy.model_management.is_device_cpu(self.device):
            return super().decode(samples_in, vae_options)
        pictures = None
        for k, latent in enumerate(samples_in.split(1)):
            one = super().decode(latent, vae_options)
            pictures = one.new_empty(len(samples_in), *one.shape[1:]) if pictures is None else pictures
            pictures[k] = one[0]
        return pictures

    def get_sd(self) -> dict[str, torch.Tensor]:
        """As safetensors can write it: the host's Save VAE, too, wants each tensor in one piece."""
        return {name: tensor.contiguous() for name, tensor in super().get_sd().items()}


def build_vae(bundle: Bundle) -> comfy.sd.VAE:
    """The VAE. The host builds whatever the names of the weights suggest, and only logs what is missing: both are checked."""
    check_layout(bundle)
    try:
        vae = PicturewiseVAE(sd=dict(bundle.vae), dtype=vae_dtype())
    except (RuntimeError, KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        what = f"The autoencoder does not fit the host's layout ({str(error).splitlines()[-1].strip()})"
        raise DiffSFSRError(what, REMEDY) from error
    own = vae.first_stage_model.state_dict()
    lost = sorted(name for name in misfits(own, bundle.vae) if name in own)
    if lost:
        raise DiffSFSRError(f"The autoencoder lacks {len(lost)} weights, first: {lost[0]}", REMEDY)
    vae.first_stage_model.to(memory_format=torch.channels_last)  # a fifth faster on CPUs, the same picture to rounding
    return vae


def check_layout(bundle: Bundle) -> None:
    """Whether the weights are of one of the two layouts that a bundle may have, with the UNet's number of latent channels."""
    channels, first = bundle.config.unet.latent_channels, {name: bundle.vae.get(name) for name in DECODERS}
    for name, weight in first.items():
        if weight is not None and (weight.ndim != 4 or weight.shape[1] != channels):
            what = f"The autoencoder's weight {name} is {list(weight.shape)}, the UNet has {channels} latent channels"
            raise DiffSFSRError(what, REMEDY)
    if all(weight is None for weight in first.values()):
        raise DiffSFSRError(f"The autoencoder lacks its first weight: {' or '.join(DECODERS)}", REMEDY)
    if first[DECODERS[0]] is not None:
        check_fit(lambda: TAESD(latent_channels=channels), bundle.vae, "autoencoder")
