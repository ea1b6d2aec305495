"""A bundle: every weight of one system in one safetensors file, its configuration as JSON in the file's metadata.

Parts by key: `unet.*`, `tokens.*`, `identity.*`, `shape.*`, `reader.*`, and the autoencoder under the names that the host's
VAE class knows (the tiny layout, `taesd_encoder.*` and so on, or Stable Diffusion's, `encoder.*` and so on). An adapter bundle
has `adapter.*` (see `denoiser/adapter.py`) in place of a UNet and an autoencoder. Nothing is guessed from a file's name.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from .bounds import check_values, figure, named, number, one_of, several, text, whole
from .denoiser import config as unet_config
from .denoiser.config import UNetConfig
from .encoders import tokens as token_config
from .encoders.expression import COEFFICIENTS
from .encoders.identity import COMPACT, OWN, WIDTHS, width_of
from .encoders.tokens import TokenConfig
from .errors import DiffSFSRError, at
from .weights import CHECKSUM, check_whole, checksum, misfits, read_weights

FORMAT, VERSION = "diffsfsr-bundle", 2  # 2: codes have a geometry block
ENCODER_PARTS = ("tokens", "identity", "shape", "reader")
PARTS = {"full": ("unet", *ENCODER_PARTS), "adapter": ("adapter", *ENCODER_PARTS)}  # by kind
VAE_PREFIXES = (
    "taesd_encoder.", "taesd_decoder.", "vae_scale", "vae_shift", "encoder.", "decoder.", "quant_conv.", "post_quant_conv.",
)  # fmt: skip
REMEDY = "Take a bundle of this pack from models/diffsfsr, or make one with `python -m training export`"
COLOUR = several(number(-100, 100), 3, 3)
RULES = {  # of what else the configuration says; the networks' own are with them
    "resolution": whole(64, 2048), "identity": several(text(100), 0, 8), "latent_rgb": several(COLOUR, 0, 65),
    "runs": several(text(1000), 0, 100), "metrics": named(named(figure(), 1000), 100), "licence": text(10_000),
    "id": text(64), "kind": one_of(*PARTS), "latent_scale": number(1e-4, 1e4),
}  # fmt: skip


@dataclass(frozen=True)
class BundleConfig:
    """What a bundle says of itself. `id` is a hash over its weights: conditioning and MODEL must have the same.

    kind: "full", or "adapter" for any UNet of the shape that `unet` says. latent_scale: the factor from the autoencoder's
    latent to the UNet's (Stable Diffusion 1.5: .18215).
    """

    unet: UNetConfig
    tokens: TokenConfig
    resolution: int = 256
    identity: tuple[str, ...] = (COMPACT,)  # members of the compound identity, see `encoders/identity.py`
    latent_rgb: tuple[tuple[float, ...], ...] = ()
    runs: tuple[str, ...] = ()
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)  # by run: the last row of its curve
    licence: str = ""
    id: str = ""
    kind: str = "full"
    latent_scale: float = 1.0


@dataclass
class Bundle:
    config: BundleConfig
    parts: dict[str, dict[str, torch.Tensor]]  # by part, keys without the part's prefix
    vae: dict[str, torch.Tensor]


def fingerprint(tensors: dict[str, torch.Tensor]) -> str:
    """Twelve hexadecimal digits over names and values."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]


def identity_of(tensors: dict[str, torch.Tensor], config: BundleConfig) -> str:
    """Twelve hexadecimal digits over all that says what a network answers: its weights, and how the UNet uses them."""
    known = json.dumps([fingerprint(tensors), asdict(config.unet)], sort_keys=True)
    return hashlib.sha256(known.encode()).hexdigest()[:12]


def save_bundle(path: Path, config: BundleConfig, tensors: dict[str, torch.Tensor]) -> BundleConfig:
    """Writes tensors (with prefixes) in half precision; returns the configuration with its id."""
    half = {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in tensors.items()}
    config = replace(config, id=identity_of(half, config))
    metadata = {"format": FORMAT, "format_version": str(VERSION), "config": json.dumps(asdict(config))}
    metadata[CHECKSUM] = checksum(half, metadata)
    save_file(half, path, metadata)
    return config


def load_bundle(path: Path) -> Bundle:
    """Reads and checks a bundle; every problem is a DiffSFSRError that names the file."""
    with at(str(path)):
        try:
            metadata, tensors = read_weights(path, "This is not a whole safetensors file", REMEDY)
        except FileNotFoundError as error:
            raise DiffSFSRError("There is no such bundle", REMEDY) from error
        config = read_config(metadata)
        check_members(config)
        bundle = split_parts(config, tensors)
        check_whole(path, metadata, tensors, REMEDY)
        return bundle


def split_parts(config: BundleConfig, tensors: dict[str, torch.Tensor]) -> Bundle:
    """The tensors by part; a part that is missing altogether is refused."""
    parts = {p: {k[len(p) + 1 :]: v for k, v in tensors.items() if k.startswith(p + ".")} for p in PARTS[config.kind]}
    vae = {k: v for k, v in tensors.items() if k.startswith(VAE_PREFIXES)}
    wanted = parts if config.kind == "adapter" else {**parts, "autoencoder": vae}
    empty = [name for name, part in wanted.items() if not part]
    if empty:
        raise DiffSFSRError(f"The bundle lacks its part {', '.join(empty)}", REMEDY)
    return Bundle(config, parts, vae)


def read_config(metadata: dict[str, str]) -> BundleConfig:
    if metadata.get("format") != FORMAT:
        raise DiffSFSRError("This safetensors file is not a DiffSFSR bundle", REMEDY)
    if metadata.get("format_version") != str(VERSION):
        what = f"The bundle has format {metadata.get('format_version')}, this version reads {VERSION}"
        raise DiffSFSRError(what, "Update the pack, or use another bundle")
    try:
        raw = json.loads(metadata["config"])
        freeze = lambda d: {k: tuple(v) if isinstance(v, list) else v for k, v in d.items()}  # noqa: E731
        raw["unet"] = {"step_window": 0.0, **raw["unet"]}  # bundles from before there was one
        raw["unet"], raw["tokens"] = UNetConfig(**freeze(raw["unet"])), TokenConfig(**freeze(raw["tokens"]))
        config = BundleConfig(**freeze(raw))
        check_config(config)
        return config
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DiffSFSRError(f"The bundle's configuration cannot be read ({error})", REMEDY) from error


def check_config(config: BundleConfig) -> None:
    """Raises ValueError for a value of a wrong type or out of bounds, and for values that contradict each other."""
    unet, tokens = config.unet, config.tokens
    for part, rules in ((config, RULES), (unet, unet_config.RULES), (tokens, token_config.RULES)):
        check_values(vars(part), rules)
    if len(unet.channel_mult) != len(unet.num_res_blocks):
        raise ValueError(f"channel_mult has {len(unet.channel_mult)} levels, num_res_blocks {len(unet.num_res_blocks)}")
    if unet.linear_start > unet.linear_end:
        raise ValueError(f"linear_start is {unet.linear_start}, above linear_end, which is {unet.linear_end}")
    if unet.token_width != tokens.width:
        raise ValueError(f"token_width of the UNet is {unet.token_width}, the width of the tokens {tokens.width}")
    if tokens.tokens - tokens.recognition != (seen := (tokens.selfie // 32) ** 2):
        raise ValueError(f"of {tokens.tokens} tokens {tokens.recognition} are for recognition: {seen} must be left")
    if config.latent_rgb and len(config.latent_rgb) != unet.latent_channels + 1:
        raise ValueError(f"latent_rgb has {len(config.latent_rgb)} rows, it must have {unet.latent_channels + 1}")
    if config.resolution % (smallest := 8 << (len(unet.channel_mult) - 1)):
        raise ValueError(f"resolution is {config.resolution}, it must be a multiple of {smallest}")


def check_members(config: BundleConfig) -> None:
    """The compound identity: known networks, the bundle's own first, and as many values as the tokens are made from."""
    missing = [n for n in config.identity if n not in WIDTHS]
    if missing:
        what = f"The bundle asks for identity networks that this version does not have: {', '.join(missing)}"
        raise DiffSFSRError(what, "Update the pack, or use another bundle")
    own = [n in OWN for n in config.identity]
    if not own or not own[0] or any(own[1:]) or len(set(config.identity)) != len(own):
        what = f"The bundle's identity networks are ({', '.join(config.identity)}); its own must be the first, and none twice"
        raise DiffSFSRError(what, REMEDY)
    if width_of(config.identity) != config.tokens.identity_width:
        what = f"The identity networks give {width_of(config.identity)} values, the tokens read {config.tokens.identity_width}"
        raise DiffSFSRError(what, REMEDY)


def check_fit(make: Callable[[], torch.nn.Module], state: dict[str, torch.Tensor], part: str) -> None:
    """Compares a part with the module that its configuration asks for, which takes no memory yet: it is made without values."""
    try:
        with torch.device("meta"):
            wanted = make().state_dict()
    except Exception as error:  # whatever the host or torch say of a network that cannot be
        what = f"The configuration of the part '{part}' makes no network ({type(error).__name__}: {error})"
        raise DiffSFSRError(what, REMEDY) from error
    if wrong := misfits(wanted, state):
        what = f"The part '{part}' does not fit its configuration ({len(wrong)} weights, first: {wrong[0]})"
        raise DiffSFSRError(what, REMEDY)


def check_reach(config: BundleConfig, directions: int) -> None:
    """Codes are as long as the face model makes them: the tokens cannot read more."""
    if config.tokens.code_width > (length := COEFFICIENTS + directions):
        what = f"The tokens read {config.tokens.code_width} values of an expression code, the face model gives {length}"
        raise DiffSFSRError(what, REMEDY)


def check_layers(config: UNetConfig, state: dict[str, torch.Tensor]) -> None:
    """A configuration that asks for more layers than the file has weights is refused before they are made one by one."""
    if config.layers > len(state):
        what = f"The configuration asks for {config.layers} layers of the UNet, the file has {len(state)} weights for it"
        raise DiffSFSRError(what, REMEDY)


def fill_module(module: torch.nn.Module, state: dict[str, torch.Tensor], part: str) -> None:
    """Loads a part into its module; missing, unknown or wrongly shaped weights are one clear error."""
    check_fit(lambda: module, state, part)
    module.load_state_dict(state)
