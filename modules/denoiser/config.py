"""Configuration of the UNet and its noise schedule, stored as JSON in a bundle."""

from dataclasses import dataclass

PREDICTIONS = ("v", "eps")


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
