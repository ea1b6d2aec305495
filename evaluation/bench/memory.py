"""Peak memory of the shipped graph beside a plain text-to-image graph of ComfyUI with the same UNet, in fresh processes."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import torch

from dev.pack import ROOT

SCRIPT = """
from dev.pack import load_pack
load_pack()
from dev.bootstrap import bootstrap_comfy
bootstrap_comfy()
from diffsfsr.evaluation.bench import memory
memory.{kind}({given})
"""
LARGE = 1024  # pixels a side of a background in which the face is larger than the crop


def peaks() -> dict[str, dict[str, float]]:
    """Of "plain" and "ours", and of ours with a large background "soft" and with *detail* ("sharp"): megabytes of the process
    before the graph ("idle") and at most ("peak").
    """
    large = {name: _of("ours", f"{LARGE}, {share}") for name, share in (("soft", 0.0), ("sharp", 1.0))}
    return {kind: _of(kind) for kind in ("plain", "ours")} | large


def _of(kind: str, given: str = "") -> dict[str, float]:
    command = [sys.executable, "-c", SCRIPT.format(kind=kind, given=given)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def ours(side: int | None = None, detail: float = 1.0) -> None:
    """Runs the shipped graph on two pairs of pictures, the background of `side` pixels, and prints the megabytes."""
    from .queues import Desk

    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), {})
        desk.graph.set("composite", "detail", detail)
        if side:
            desk.enlarge(side)

        def queue(number: int):
            desk.new_pictures(number)
            return desk.queue().result

        _print(queue)


def plain() -> None:
    """Latent, KSampler, VAE Decode and Save Image of the host, its own UNet at our size, our autoencoder, as many calls."""
    from dev.host import Host

    host = Host().load()
    with tempfile.TemporaryDirectory() as folder:
        host.folder_paths.set_output_directory(folder)
        host.nodes.NODE_CLASS_MAPPINGS["PlainParts"] = PlainParts
        link = lambda node, slot=0: [node, slot]  # noqa: E731
        prompt = {
            "parts": {"class_type": "PlainParts", "inputs": {}},
            "empty": {"class_type": "EmptyLatentImage", "inputs": {"width": 256, "height": 256, "batch_size": 1}},
            "sample": {"class_type": "KSampler", "inputs": {
                "model": link("parts"), "positive": link("parts", 1), "negative": link("parts", 1), "seed": 0, "steps": 7,
                "latent_image": link("empty"), "cfg": 1.0, "sampler_name": "euler", "scheduler": "karras", "denoise": 1.0}},
            "decode": {"class_type": "VAEDecode", "inputs": {"samples": link("sample"), "vae": link("parts", 2)}},
            "save": {"class_type": "SaveImage", "inputs": {"images": link("decode"), "filename_prefix": "plain"}},
        }  # fmt: skip

        def queue(number: int):
            prompt["sample"]["inputs"]["seed"] = number
            return host.run(prompt)

        _print(queue)


class PlainParts:
    """MODEL, CONDITIONING and VAE of a plain graph: the host's own UNet with the bundle's widths, random weights."""

    RETURN_TYPES, FUNCTION = ("MODEL", "CONDITIONING", "VAE"), "give"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def give(self):
        import comfy.model_base
        import comfy.model_management
        import comfy.model_patcher

        from ...modules.bundle import load_bundle
        from ...modules.host import folders
        from ...modules.host.model import Latent, ModelConfig, build_vae
        from ...modules.host.precision import unet_dtypes

        bundle = load_bundle(folders.BUILT_IN)
        unet = bundle.config.unet
        config = ModelConfig({**unet.host_arguments(), "in_channels": unet.latent_channels})
        config.latent_format = Latent(unet.latent_channels, bundle.config.latent_rgb)
        device = comfy.model_management.get_torch_device()
        parameters = sum(t.numel() for t in bundle.parts["unet"].values())
        config.set_inference_dtype(*unet_dtypes(None, parameters, config.supported_inference_dtypes, device))
        model = comfy.model_base.BaseModel(config, comfy.model_base.ModelType.V_PREDICTION, device)
        for weight in model.diffusion_model.parameters():
            torch.nn.init.normal_(weight.requires_grad_(False), std=0.02)
        patcher = comfy.model_patcher.ModelPatcher(model, load_device=device, offload_device=device)
        return patcher, [[torch.zeros(1, 20, unet.token_width), {}]], build_vae(bundle)


def _print(queue) -> None:
    idle = psutil.Process().memory_info().rss / 2**20
    for number in range(2):
        result = queue(number)
        if not result.success:
            raise SystemExit(str(result.errors))
    print(json.dumps({"idle": idle, "peak": highest()}))


def highest() -> float:
    """The most megabytes that this process held; `getrusage` would count those of the parent too, from before the start."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024
