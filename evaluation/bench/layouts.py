"""Other ways to hold the same weights (channels-last, half precision, compiled), each timed in turn with the plain one."""

import copy
import statistics
import time

import torch

from ...modules.host.precision import WEIGHT_DTYPES, bf16_unit

LAST = torch.channels_last
FORMS = {  # precision, memory layout
    "channels-last": ("fp32", LAST), "bf16": ("bf16", torch.contiguous_format), "bf16, channels-last": ("bf16", LAST),
}  # fmt: skip


def ratios(pipeline, compiled: bool = False, rounds: int = 5) -> dict[str, dict[str, float]]:
    """Part -> form -> seconds over those of the plain form (median over rounds). `compiled` takes one or two minutes more."""
    calls = {"UNet, 1 row": _unet(pipeline, 1), "UNet, 8 rows": _unet(pipeline, 8), **_autoencoder(pipeline)}
    found = {}
    for part, (module, call) in calls.items():
        ways = {"plain": lambda m=module, c=call: c(m, torch.float32, torch.contiguous_format)}
        for form, (precision, layout) in FORMS.items():
            dtype = WEIGHT_DTYPES[precision]
            if dtype is torch.bfloat16 and not bf16_unit():
                continue  # minutes a call
            moved = copy.deepcopy(module).to(dtype=dtype, memory_format=layout)
            ways[form] = lambda m=moved, c=call, d=dtype, f=layout: c(m, d, f)
        if compiled and part == "UNet, 1 row":
            made = torch.compile(module)
            ways["torch.compile"] = lambda m=made, c=call: c(m, torch.float32, torch.contiguous_format)
        found[part] = _against_plain(ways, rounds)
    return found


def _against_plain(ways: dict, rounds: int) -> dict[str, float]:
    times = {form: [] for form in ways}
    with torch.inference_mode():
        for k in range(rounds + 2):
            for form, call in ways.items():
                start = time.perf_counter()
                call()
                if k > 1:
                    times[form].append(time.perf_counter() - start)
    plain = times.pop("plain")
    return {form: statistics.median(a / b for a, b in zip(took, plain, strict=True)) for form, took in times.items()}


def _unet(pipeline, rows: int):
    unet, config = pipeline.model.model.diffusion_model, pipeline.encoders.config
    side = config.resolution // 8
    x, times = torch.zeros(rows, config.unet.in_channels, side, side), torch.full((rows,), 500.0)
    tokens = torch.zeros(rows, 20, config.tokens.width)

    def call(module, dtype, layout):
        told = {f"{name}_tokens": tokens.to(dtype) for name in ("identity", "expression")}
        return module(x.to(dtype=dtype, memory_format=layout), times, **told)

    return copy.deepcopy(unet).float(), call


def _autoencoder(pipeline) -> dict:
    network, config = pipeline.vae.first_stage_model, pipeline.encoders.config
    picture = torch.zeros(1, 3, config.resolution, config.resolution)
    latent = torch.zeros(1, config.unet.latent_channels, config.resolution // 8, config.resolution // 8)
    plain = copy.deepcopy(network).to(dtype=torch.float32, memory_format=torch.contiguous_format)  # the node's is not
    return {
        "encode": (plain, lambda m, dtype, layout: m.encode(picture.to(dtype=dtype, memory_format=layout))),
        "decode": (plain, lambda m, dtype, layout: m.decode(latent.to(dtype=dtype, memory_format=layout))),
    }
