"""Which precision the UNet and the autoencoder are kept and computed in."""

import comfy.model_management
import torch
from comfy.cli_args import args

WEIGHT_DTYPES = {"auto": None, "fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
FORCED = ("force_fp32", "force_fp16")
FLAGS = {  # of the host's command line: whoever sets one has decided; hosts may lack some
    "unet": (*FORCED, *(f"{kind}_unet" for kind in ("fp64", "fp32", "fp16", "bf16", "fp8_e4m3fn", "fp8_e5m2", "fp8_e8m0fnu"))),
    "vae": (*FORCED, "fp32_vae", "fp16_vae", "bf16_vae"),
}
UNITS = {"AMX": "amx_tile", "AVX512-BF16": "avx512_bf16"}  # of a CPU, and torch's names for them


def unet_dtypes(
    asked: torch.dtype | None, parameters: int, supported: list[torch.dtype], device: torch.device
) -> tuple[torch.dtype, torch.dtype | None]:
    """Of the weights, and what they are cast to for computing (None: they are not). asked None: what is best for the device.

    That is for the host to say, but on a CPU it always computes in fp32, for many are slow in anything else: see `fast_bf16`.
    """
    if asked in (None, torch.bfloat16) and fast_bf16("unet", device):
        return torch.bfloat16, None
    weights = asked or comfy.model_management.unet_dtype(device=device, model_params=parameters, supported_dtypes=supported)
    return weights, comfy.model_management.unet_manual_cast(weights, device)


def vae_dtype() -> torch.dtype | None:
    """bfloat16 where that is fast; None: the host's choice, which is fp32 on every CPU."""
    return torch.bfloat16 if fast_bf16("vae", comfy.model_management.vae_device()) else None


def fast_bf16(part: str, device: torch.device) -> bool:
    """Whether the device is a CPU that multiplies bfloat16 at once: a quarter to two thirds of the time, the picture within
    rounding. False where the host was started with a precision for this part, "unet" or "vae".
    """
    decided = any(getattr(args, flag, False) for flag in FLAGS[part])
    return comfy.model_management.is_device_cpu(device) and bool(bf16_unit()) and not decided


def bf16_unit() -> str:
    """What of this CPU multiplies bfloat16 at once: "AMX", "AVX512-BF16", or "" where nothing does and it would be slow."""
    return next((unit for unit, name in UNITS.items() if cpu_has(name)), "")


def cpu_has(name: str) -> bool:
    """torch's word about the CPU. Only newer torch has a public question for it, older ones private questions of the same
    name; without either the answer is no, and the CPU computes in 32 bits: slower, the same picture within rounding.
    """
    if hasattr(torch.cpu, "get_capabilities"):
        return bool(torch.cpu.get_capabilities().get(name))
    return getattr(torch.cpu, f"_is_{name}_supported", lambda: False)()
