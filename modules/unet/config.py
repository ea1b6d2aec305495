"""Configuration of the UNet and its noise schedule, stored as JSON in a bundle."""

from dataclasses import dataclass


@dataclass(frozen=True)
class UNetConfig:
    """`levels` latent resolutions, each half the one before. Lists are given by residual block, in the host's order."""

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

    @property
    def in_channels(self) -> int:
        """Noisy latent, latent of the masked background, mask, latent of the guide."""
        return 3 * self.latent_channels + 1

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
            "num_head_channels": self.num_head_channels,
            "context_dim": self.token_width,
            "use_spatial_transformer": True,
            "use_linear_in_transformer": False,
            "use_checkpoint": False,
            "legacy": False,
            "adm_in_channels": None,
            "use_temporal_attention": False,
        }
