"""A network of ours in the host's memory management, as the host treats its own."""

from itertools import chain

import comfy.model_management
import comfy.model_patcher
import torch


class Managed:
    """A module that the host moves to its device when it is needed and off it when memory is short."""

    def __init__(self, module: torch.nn.Module):
        self.patcher = comfy.model_patcher.ModelPatcher(
            module.requires_grad_(False).eval(),
            load_device=comfy.model_management.text_encoder_device(),
            offload_device=comfy.model_management.text_encoder_offload_device(),
        )

    def ready(self) -> torch.nn.Module:
        comfy.model_management.load_model_gpu(self.patcher)
        return self.patcher.model

    @property
    def device(self) -> torch.device:
        """Where its weights are now: after `ready`, but for a host that was told to leave them where they were."""
        module = self.patcher.model
        return next(chain(module.parameters(), module.buffers())).device
