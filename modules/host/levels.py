"""The host's discrete noise schedule, with steps between the steps.

The host tells the network the nearest of 1000 steps, so its answer jumps along the way from noise to picture. Our network's
embedding of the step is continuous, and training asks it in between as well: so it is told where the noise really is.
"""

import comfy.model_sampling
import torch

from ..sampling.levels import step_of


class Between:
    def timestep(self, sigma: torch.Tensor) -> torch.Tensor:
        """Noise sigma / alpha, of any shape -> fractional step 0..999, the reverse of `sigma`."""
        return step_of(sigma.to(self.sigmas), self.sigmas).to(sigma.device)


class VSampling(Between, comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.V_PREDICTION):
    pass


class EpsSampling(Between, comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS):
    pass
