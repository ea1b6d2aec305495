"""From what was measured on a face to the coefficients of the expression code.

The blendshape network hardly sees some movements (a wrinkled nose, puffed cheeks, a half-closed lid). The points do, once pose
and identity are taken out of them. This small network reads both together. Trained in `training/regressor.py` on drawn faces
whose coefficients are known.
"""

import torch
from torch import nn


class CoefficientRegressor(nn.Module):
    """Measured coefficients [B, 52] 0..1 and geometry [B, K] -> coefficients [B, 52] 0..1; position 0 stays 0."""

    def __init__(self, directions: int, coefficients: int = 52, width: int = 256):
        super().__init__()
        self.hidden = nn.Sequential(
            nn.Linear(coefficients + directions, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.answer = nn.Linear(width, coefficients)
        nn.init.zeros_(self.answer.weight)  # untrained it believes the measurement
        nn.init.zeros_(self.answer.bias)

    def forward(self, measured: torch.Tensor, geometry: torch.Tensor) -> torch.Tensor:
        read = self.unclamped(measured, geometry)
        return torch.cat([torch.zeros_like(read[:, :1]), read[:, 1:]], 1).clamp(0, 1)

    def unclamped(self, measured: torch.Tensor, geometry: torch.Tensor) -> torch.Tensor:
        """The same before it is kept in 0..1: [B, 52], what training looks at. Reads the leading directions of geometry."""
        read = torch.cat([measured * 2, geometry[:, : self.hidden[0].in_features - measured.shape[1]]], 1)
        return measured + self.answer(self.hidden(read))
