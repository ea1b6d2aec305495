"""Other layouts of Stable Diffusion 1.5 -> one safetensors checkpoint to train on, or a bundle of what is in it.

    python -m training convert --source FOLDER|FILE --out sd15.safetensors [--kind checkpoint|adapter|full]

Sources: a diffusers folder (unet/, vae/, text_encoder/), a checkpoint in the original ("LDM") layout as safetensors, or an old
.ckpt or .bin file. The last two are pickles: they are read here and nowhere else, by a reader that only knows tensors.
"""

import json
import pickle
from pathlib import Path

import comfy.diffusers_convert
import comfy.utils
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..modules.denoiser.adapter import FIRST, OWN
from ..modules.errors import DiffSFSRError
from .base import UNET, Base, base_of
from .export import ship

VAE, TEXT = "first_stage_model.", "cond_stage_model.transformer."
KEPT = (UNET, "first_stage_model.", "cond_stage_model.", "tokens.")
PICKLES = (".ckpt", ".bin", ".pt", ".pth")
WEIGHTS = ("diffusion_pytorch_model.safetensors", "model.safetensors", "diffusion_pytorch_model.bin", "pytorch_model.bin")


def convert(source: Path, out: Path, kind: str = "checkpoint", start: Path | None = None, resolution: int = 512) -> None:
    """Writes `out`. kind "adapter" or "full": a bundle; layers of ours that are not in the source are as before training.

    start: the bundle that the encoders are taken from (the built-in one by default).
    """
    if out.suffix != ".safetensors":
        raise DiffSFSRError(f"{out.suffix or 'a name without an ending'} is not written", "Name a .safetensors file", str(out))
    state = from_folder(source) if source.is_dir() else {k: v for k, v in read(source).items() if k.startswith(KEPT)}
    base = base_of(source, {name: value.contiguous() for name, value in state.items()})
    out.parent.mkdir(parents=True, exist_ok=True)
    if kind == "checkpoint":
        save_file(base.state, out)
        print(f"{out}: {len(base.state)} tensors, {out.stat().st_size / 2**20:.0f} MiB")
        return
    learned = ours_in(base)
    runs = (f"converted from {source.name}",) if learned else ()
    ship(base, learned, out, kind, start, resolution, runs, {})
    if not learned:
        print("There is nothing of DiffSFSR in the source: this bundle is as before training. Its loader says so.")


def ours_in(base: Base) -> dict[str, torch.Tensor]:
    """What of our layers a checkpoint has, by the names that a denoiser gives them."""
    unet = base.unet
    found = {f"unet.{name}": value for name, value in unet.items() if any(part in name for part in OWN)}
    if found:
        found[f"unet.{FIRST}"] = unet[FIRST]
    return found | {name: value for name, value in base.state.items() if name.startswith("tokens.")}


# --- reading -----------------------------------------------------------------------------------------------------------


def read(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file; nothing in it is run."""
    where = str(path)
    if not path.exists():
        raise DiffSFSRError("There is no such file", "Name a diffusers folder, or a .safetensors or .ckpt file", where)
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise DiffSFSRError(f"This is not a whole safetensors file ({error})", "Get the file again", where) from error
    if path.suffix not in PICKLES:
        raise DiffSFSRError(f"{path.suffix} is not read", "Name a diffusers folder, or a .safetensors or .ckpt file", where)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        what = "This file holds more than tensors, and reading it could run code"
        raise DiffSFSRError(what, "Get the model as safetensors from where it comes from", where) from error
    found = found.get("state_dict", found) if isinstance(found, dict) else {}
    return {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}


def from_folder(folder: Path) -> dict[str, torch.Tensor]:
    """A diffusers folder in the original layout, by the host's own tables."""
    unet, told = read(weights_of(folder / "unet")), json_of(folder / "unet" / "config.json")
    names = names_in_original(told)
    state = {UNET + original(name, names): value for name, value in unet.items()}
    vae = comfy.diffusers_convert.convert_vae_state_dict(read(weights_of(folder / "vae")))
    state |= {VAE + name: value for name, value in vae.items()}
    return state | {TEXT + name: value for name, value in read(weights_of(folder / "text_encoder")).items()}


def weights_of(folder: Path) -> Path:
    found = [folder / name for name in WEIGHTS if (folder / name).exists()]
    if not found:
        what = f"There are no weights, looked for {', '.join(WEIGHTS)}"
        raise DiffSFSRError(what, "Name a whole diffusers folder of Stable Diffusion 1.5", str(folder))
    return found[0]


def json_of(file: Path) -> dict:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError) as error:
        what = f"The configuration cannot be read ({error})"
        raise DiffSFSRError(what, "Name a whole diffusers folder", str(file)) from error


def names_in_original(told: dict) -> dict[str, str]:
    """Original name of every weight of a diffusers UNet with this configuration."""
    channels, each = told["block_out_channels"], told["layers_per_block"]
    deep = [int("CrossAttn" in kind) for kind in told["down_block_types"]]
    config = {
        "num_res_blocks": [each] * len(channels),
        "channel_mult": [width // channels[0] for width in channels],
        "transformer_depth": [depth for depth in deep for _ in range(each)],
        "transformer_depth_output": [depth for depth in deep for _ in range(each + 1)],
        "transformer_depth_middle": 1,
    }
    return comfy.utils.unet_to_diffusers(config)


def original(name: str, names: dict[str, str]) -> str:
    """The original name of one weight; our layers stand beside the text's, whose names are known."""
    if name in names:
        return names[name]
    block, _, own = name.partition(".attn2.")
    beside = names.get(f"{block}.attn2.to_q.weight", "")
    return beside.replace("to_q.weight", own) if beside and any(part in name for part in OWN) else name
