"""How far the rig must be moved for a coefficient to be seen.

The coefficients of a code say what a face should measure as; the rig's shapes say how points move. They differ: a drawn brow
lowered by the rig's 1 measures as .4, and raised inner brows hide lowered ones. This small network goes from the one to the
other. Trained in `training/drive.py` on drawn and measured faces.
"""

import torch
from torch import nn

LOW, HIGH = -0.4, 1.8  # of the rig's coefficients; beyond that skin would tear


class Drive(nn.Module):
    """Coefficients asked [B, 52], 0..1 -> coefficients of the rig [B, 52], -.4..1.8. Zeros give exactly zeros."""

    def __init__(self, coefficients: int = 52, width: int = 64):
        super().__init__()
        self.hidden, self.answer = nn.Linear(coefficients, width), nn.Linear(width, coefficients, bias=False)
        nn.init.zeros_(self.answer.weight)  # untrained it changes nothing

    def forward(self, asked: torch.Tensor) -> torch.Tensor:
        hidden = nn.functional.silu
        change = hidden(self.hidden(asked)) - hidden(self.hidden.bias)
        return (asked + self.answer(change)).clamp(LOW, HIGH)
