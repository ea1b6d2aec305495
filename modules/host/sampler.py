"""Our sampler and our guider on the host's sampling machinery: its noise, progress, preview, patches and interruption."""

import math
from numbers import Integral

import comfy.model_management
import comfy.sample
import comfy.samplers
import latent_preview
import torch

from ..denoiser.midpoint import sample_midpoint
from ..errors import DiffSFSRError, at, check_count, check_number
from ..images import cast, check_held
from ..types import check_bundle
from .adapter import adapted_for
from .conditioning import KEY, identity_only
from .model import DiffSFSRModel

MOST_STEPS, MOST_CFG = 200, 20.0  # as the widgets have them
FINEST = 20_000  # steps of the schedule whose lower end is taken
PATCHES = ("disable_cfg1_optimization", "sampler_cfg_function", "sampler_post_cfg_function", "sampler_pre_cfg_function")


class IdentityExpressionGuider(comfy.samplers.CFGGuider):
    """Guidance with a weight for each condition; linear, so it holds for noise, velocity and clean estimates alike.

        e = n + w_id (i - n) + w_ex (p - i)

    n: no condition (negative), i: the identity alone, p: identity and expression (positive). The form is InstructPix2Pix's
    (Brooks et al. 2023, image and text there) and of the host's DualCFGGuider. With equal weights i drops out, and this is the
    host's guider of p against n, to the bit and at its cost. Else it is the host's guider on estimates made in one batch, with
    this formula in place of its own, so that guidance patches keep their meaning:
    - functions before and after guidance get the estimates of positive and negative;
    - a function in place of guidance gets an equivalent pair: c with n + s (c - n) = e, and the scale s, the larger weight.
    """

    def __init__(self, model, positive, negative, identity: float, expression: float):
        super().__init__(model)
        self.identity, self.expression = identity, expression
        self.set_cfg(max(identity, expression))
        self.set_conds(positive, negative)
        if not math.isclose(identity, expression):
            self.inner_set_conds({"identity": identity_only(positive, negative)})

    def predict_noise(self, x, timestep, model_options={}, seed=None):  # noqa: B006 (the host's signature)
        """x [B, C, h, w] -> guided clean estimate [B, C, h, w]."""
        if "identity" not in self.conds:
            return super().predict_noise(x, timestep, model_options, seed)
        every = any(model_options.get(name) for name in PATCHES)  # else what has the factor 0 is left out, and is 0
        positive = self.conds["positive"] if every or self.expression != 0 else None
        negative = self.conds["negative"] if every or not math.isclose(self.identity, 1.0) else None
        *pair, i = comfy.samplers.calc_cond_batch(
            self.inner_model, [positive, negative, self.conds["identity"]], x, timestep, model_options
        )
        patch = model_options.get("sampler_cfg_function")

        def formula(args):
            n, p = args["uncond_denoised"], args["cond_denoised"]
            if patch is None:
                return x - combine(n, i, p, self.identity, self.expression)
            c = combine(n, i, p, self.identity / self.cfg, self.expression / self.cfg)
            return patch({**args, "cond": x - c, "cond_denoised": c})

        ours = {"sampler_calc_cond_batch_function": lambda _: pair, "sampler_cfg_function": formula}
        return super().predict_noise(x, timestep, {**model_options, **ours}, seed)


def combine(n: torch.Tensor, i: torch.Tensor, p: torch.Tensor, identity: float, expression: float) -> torch.Tensor:
    """Estimates [B, C, h, w] each, as `IdentityExpressionGuider` names them, and weights 0 or more -> [B, C, h, w]."""
    return n + identity * (i - n) + expression * (p - i)


def midpoint_sampler(reuse: bool, churn: float = 0.0, churn_noise: float = 1.0) -> comfy.samplers.KSAMPLER:
    """The SAMPLER object. The host's model wrapper checks for interruption in each of its calls, and gives the seed."""
    with at("Midpoint Sampler (SAMPLER)"):
        check_number("churn", churn, 100.0, 0)
        check_number("churn noise", churn_noise, 2.0, 1)
    return comfy.samplers.KSAMPLER(sampled, extra_options={"reuse": reuse, "s_churn": churn, "s_noise": churn_noise})


def sampled(model, x, sigmas, **options) -> torch.Tensor:
    """`sample_midpoint` on the host's wrapper of a model, whose noise schedule says where it ends."""
    check_sigmas(sigmas)
    return sample_midpoint(model, x, sigmas, least=float(model.inner_model.inner_model.model_sampling.sigma_min), **options)


def guider(model, positive, negative, identity: float, expression: float) -> IdentityExpressionGuider:
    """The GUIDER object for the two weights, after the wires were checked."""
    check_number("identity cfg", identity, MOST_CFG, 1)
    check_number("expression cfg", expression, MOST_CFG, 1)
    check(model, positive, negative)
    return IdentityExpressionGuider(model, positive, negative, identity, expression)


@at("Midpoint Sampler")
def sample(model, positive, negative, latent, seed, steps, weights, scheduler, denoise, reuse, same_noise=False) -> dict:
    """LATENT in, LATENT out; arguments as the host's KSampler has them, `weights` the cfg of identity and of expression,
    `reuse` whether evaluations are used again, `same_noise` whether all rows get the noise of the first.
    """
    check_numbers(steps, weights, denoise)
    if not isinstance(seed, Integral):
        raise DiffSFSRError(f"{seed} is no whole number", "Give a whole number; any will do", "seed")
    if scheduler not in comfy.samplers.SCHEDULER_NAMES:
        known = ", ".join(comfy.samplers.SCHEDULER_NAMES)
        raise DiffSFSRError(f"'{scheduler}' is no scheduler", f"Choose one of: {known}")
    guide, (samples, mask) = guider(model, positive, negative, *weights), checked_latent(latent)
    if denoise == 0:
        return latent.copy()
    samples = comfy.sample.fix_empty_latent_channels(model, samples)
    noise = noise_for(samples, seed, latent.get("batch_index"), same_noise)
    sigmas = schedule(model, scheduler, steps, denoise)
    try:
        result = guide.sample(
            noise,
            samples,
            midpoint_sampler(reuse),
            sigmas,
            denoise_mask=mask,
            callback=latent_preview.prepare_callback(model, steps),
            disable_pbar=True,
            seed=seed,
        )
    except ValueError as error:
        if isinstance(error, DiffSFSRError) or "not finite" not in str(error):
            raise
        raise DiffSFSRError(str(error), "Lower cfg, or set the loader's precision to fp32") from error
    return {**latent, "samples": result.to(comfy.model_management.intermediate_device())}


def schedule(model, scheduler: str, steps: int, denoise: float) -> torch.Tensor:
    """Sigmas [steps + 1] down to 0, as the host's KSampler chooses them: below a denoise of 1 the lower end of more steps.

    Of at most FINEST: a denoise next to 0 would ask for more than there is memory.
    """
    count = steps if denoise > 0.9999 else int(min(steps / denoise, FINEST))
    return comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), scheduler, count)[-(steps + 1) :]


def noise_for(samples: torch.Tensor, seed: int, batch_index: list[int] | None, same: bool = False) -> torch.Tensor:
    """Noise by index: picture k of a batch gets the noise of seed + k, so that it can be made again alone; or all the `same`
    as the first, so that a film does not flicker.

    The host draws one stream for a whole batch, which is the same for its first picture only.
    """
    index = batch_index if batch_index is not None else range(len(samples))
    if same:
        index = [index[0]] * len(samples)
    return torch.cat([comfy.sample.prepare_noise(samples[:1], (seed + int(k)) % 2**64) for k in index])


def check_numbers(steps, weights, denoise) -> None:
    """What the widgets refuse, but a wire may bring."""
    check_count("steps", steps, MOST_STEPS, 6)
    check_number("cfg", weights[0], MOST_CFG, 1)
    check_number("expression cfg", weights[1], MOST_CFG, 0)
    check_number("denoise", denoise, 1.0, 0.3)


def check_sigmas(sigmas: torch.Tensor) -> None:
    """Noise levels [N + 1], each a number and none above the one before."""
    listed = ", ".join(f"{value:.3g}" for value in sigmas.flatten()[:6].tolist())
    if sigmas.ndim != 1 or not sigmas.isfinite().all() or (sigmas < 0).any():
        what = f"The noise levels are not numbers of 0 or more, one behind the other ({listed} ...)"
        raise DiffSFSRError(what, "Connect SIGMAS of a scheduler node", "Midpoint Sampler, sigmas")
    if (sigmas.diff() > 0).any():
        remedy = "Connect SIGMAS of a scheduler node; FlipSigmas is for samplers that add noise"
        raise DiffSFSRError(f"The noise levels ascend ({listed} ...)", remedy, "Midpoint Sampler, sigmas")


@at("latent")
def checked_latent(latent: dict) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The latents [B, C, h, w] of a LATENT and its noise mask, if it has one."""
    remedy = "Connect LATENT of Background Condition"
    samples = latent.get("samples") if isinstance(latent, dict) else None
    if not isinstance(samples, torch.Tensor) or samples.ndim != 4 or 0 in samples.shape or not samples.is_floating_point():
        said = f"{list(samples.shape)} {samples.dtype}" if isinstance(samples, torch.Tensor) else type(samples).__name__
        raise DiffSFSRError(f"A LATENT is [batch, channels, height, width] of floating-point numbers, this is {said}", remedy)
    check_held(samples)
    samples = samples.float() if samples.element_size() == 1 else samples  # torch cannot ask eight bits for NaN
    mask, index = latent.get("noise_mask"), latent.get("batch_index")
    if mask is not None and not isinstance(mask, torch.Tensor):
        raise DiffSFSRError(f"The noise mask is no MASK but {type(mask).__name__}", "Connect Set Latent Noise Mask, or no mask")
    for name, value in (("latent", samples), ("noise mask", mask)):
        if value is not None and not value.isfinite().all():
            raise DiffSFSRError(f"The {name} has values that are not numbers (NaN or infinite)", remedy)
    if index is not None and len(index) != len(samples):
        raise DiffSFSRError(f"The LATENT has {len(samples)} rows and {len(index)} numbers for their seeds", remedy)
    return samples, None if mask is None else cast(mask)


def check(model, positive, negative) -> None:
    """Our conditioning with our model, both of one bundle; foreign conditioning only with a model that reads text."""
    inner, bundle = model.model, bundle_of(model)
    for name, value in (("positive", positive), ("negative", negative)):
        check_entries(name, value)
        for _, extras in value:
            conditioning = extras.get(KEY)
            if isinstance(inner, DiffSFSRModel) and conditioning is None:
                what = "This conditioning was not made for DiffSFSR: it names no person and no feeling"
                raise DiffSFSRError(what, "Connect the outputs of Background Condition", name)
            if conditioning is not None and bundle is None:
                what = "This is DiffSFSR conditioning, but the MODEL is not a DiffSFSR model"
                raise DiffSFSRError(what, "Connect MODEL of a DiffSFSR UNet Loader", "model")
            if conditioning is not None:
                with at(name):
                    check_bundle(conditioning.bundle, bundle)


def check_entries(name: str, value: list) -> None:
    """CONDITIONING: at least one entry of a tensor and a dictionary."""
    whole = isinstance(value, list | tuple) and all(len(each) == 2 and isinstance(each[1], dict) for each in value)
    if not whole or not value:
        what = "The conditioning is empty" if whole else "This is no conditioning"
        raise DiffSFSRError(what, "Connect the outputs of Background Condition", name)


def bundle_of(model) -> str | None:
    """The id of the bundle that a MODEL is, or whose adapter it has; None for a model of somebody else."""
    return model.model.bundle_id if isinstance(model.model, DiffSFSRModel) else adapted_for(model)
