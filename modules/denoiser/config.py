"""Configuration of the UNet and its noise schedule, stored as JSON in a bundle."""

from dataclasses import dataclass

from ..bounds import number, one_of, several, whole

PREDICTIONS = ("v", "eps")
SCHEDULES = ("linear", "cosine", "squaredcos_cap_v2", "sqrt_linear", "sqrt")  # names of the host
DEPTHS = several(whole(0, 16), 0, 64)
RULES = {  # what a file may say, see `bundle.py`
    "latent_channels": whole(1, 64), "model_channels": whole(32, 2048), "channel_mult": several(whole(1, 16), 1, 6),
    "num_res_blocks": several(whole(1, 8), 1, 6), "transformer_depth": DEPTHS, "transformer_depth_output": DEPTHS,
    "transformer_depth_middle": whole(0, 16), "num_head_channels": whole(-1, 512), "token_width": whole(1, 4096),
    "beta_schedule": one_of(*SCHEDULES), "linear_start": number(1e-6, 0.5), "linear_end": number(1e-6, 0.5),
    "num_heads": whole(-1, 64), "text_width": whole(0, 8192), "prediction": one_of(*PREDICTIONS),
    "step_window": number(0, 1000),
}  # fmt: skip


@dataclass(frozen=True)
class UNetConfig:
    """`levels` latent resolutions, each half the one before. Lists are given by residual block, in the host's order.

    The values here are the default recipe's. `num_head_channels` -1: `num_heads` heads in every layer, as Stable Diffusion
    1.5 has them. `text_width`: width of the text tokens that the cross-attention reads too, 0 without text. `prediction`: what
    the network says, v (Salimans & Ho 2022) or the noise. `step_window`: noise steps over which the step embedding is
    averaged, see `timestep.py`; 0: it is not.
    """

    latent_channels: int = 16
    model_channels: int = 64
    channel_mult: tuple[int, ...] = (1, 2, 3)
    num_res_blocks: tuple[int, ...] = (2, 2, 2)
    transformer_depth: tuple[int, ...] = (0, 0, 0, 1, 1, 1)
    transformer_depth_output: tuple[int, ...] = (0, 0, 0, 0, 0, 1, 0, 1, 1)
    transformer_depth_middle: int = 1
    num_head_channels: int = 32
    token_width: int = 192
    beta_schedule: str = "linear"  # the host's name for betas that are linear in their square root
    linear_start: float = 0.00085
    linear_end: float = 0.012
    num_heads: int = -1
    text_width: int = 0
    prediction: str = "v"
    step_window: float = 25.0

    def __post_init__(self):
        if self.prediction not in PREDICTIONS:
            raise ValueError(f"prediction is '{self.prediction}', it must be one of {', '.join(PREDICTIONS)}")

    @property
    def extra_channels(self) -> int:
        """Latent of the masked background, mask, latent of the coarse warp: read beside the noisy latent."""
        return 2 * self.latent_channels + 1

    @property
    def in_channels(self) -> int:
        return self.latent_channels + self.extra_channels

    @property
    def layers(self) -> int:
        """Residual blocks on both ways and transformers: never more than a UNet has weights."""
        depths = sum(self.transformer_depth) + self.transformer_depth_middle + sum(self.transformer_depth_output)
        return 2 * sum(self.num_res_blocks) + depths

    def host_arguments(self) -> dict:
        """Arguments of the host's UNetModel."""
        return {
            "image_size": 32,
            "in_channels": self.in_channels,
            "out_channels": self.latent_channels,
            "model_channels": self.model_channels,
            "channel_mult": list(self.channel_mult),
            "num_res_blocks": list(self.num_res_blocks),
            "transformer_depth": list(self.transformer_depth),
            "transformer_depth_output": list(self.transformer_depth_output),
            "transformer_depth_middle": self.transformer_depth_middle,
            "num_heads": self.num_heads,
            "num_head_channels": self.num_head_channels,
            "context_dim": self.text_width or self.token_width,
            "use_spatial_transformer": True,
            "use_linear_in_transformer": False,
            "use_checkpoint": False,
            "legacy": False,
            "adm_in_channels": None,
            "use_temporal_attention": False,
        }

    def arguments(self) -> dict:
        """Arguments of our UNet: the host's, and our own."""
        own = ("token_width", "text_width", "step_window")
        return {**self.host_arguments(), **{name: getattr(self, name) for name in own}}

    @classmethod
    def from_host(cls, found: dict, token_width: int) -> "UNetConfig":
        """That of a Stable Diffusion 1.x UNet; `found`: what the host's `detect_unet_config` says of its weights."""
        return cls(
            latent_channels=found["out_channels"],
            model_channels=found["model_channels"],
            channel_mult=tuple(found["channel_mult"]),
            num_res_blocks=tuple(found["num_res_blocks"]),
            transformer_depth=tuple(found["transformer_depth"]),
            transformer_depth_output=tuple(found["transformer_depth_output"]),
            transformer_depth_middle=found["transformer_depth_middle"],
            num_heads=8,
            num_head_channels=-1,
            token_width=token_width,
            text_width=found["context_dim"],
            prediction="eps",
            step_window=0.0,
        )
