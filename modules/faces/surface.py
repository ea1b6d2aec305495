"""The face model's points on the surface of the face.

The table that joins the morphable model to the 478 points has some of them on layers inside the head: up to six centimetres
deep, which is not seen from the front, and tears cheeks, jaw and nose of turned faces.
"""

import torch

# Depth of the mean face there, of both sides alike, where the model is off by .85 and more: from the landmark networks' own
# mesh (`FaceNetworks.vertices`), fitted to the other points (affine, and squares of x and y), with what that leaves of the six
# nearest of them
DEPTH = {
    4: 3.40, 44: 2.92, 45: 3.09, 50: -0.39, 58: -5.15, 79: 2.08, 93: -5.97, 123: -2.04, 127: -6.02, 134: 2.61, 136: -2.96,
    137: -3.87, 138: -2.84, 147: -2.17, 150: -1.81, 162: -5.29, 172: -4.09, 177: -3.86, 187: -1.03, 213: -2.37, 215: -3.60,
    220: 2.64, 227: -4.09, 234: -6.16, 239: 2.26, 274: 2.92, 275: 3.09, 280: -0.39, 288: -5.15, 309: 2.08, 323: -5.97,
    352: -2.04, 356: -6.02, 363: 2.61, 365: -2.96, 366: -3.87, 367: -2.84, 376: -2.17, 379: -1.81, 389: -5.29, 397: -4.09,
    401: -3.86, 411: -1.03, 433: -2.37, 435: -3.60, 440: 2.64, 447: -4.09, 454: -6.16, 459: 2.26,
}  # fmt: skip
INSIDE = 0.5  # units of the face model from its depth above, from which on a point is inside
NEAREST = 6  # points on the surface whose movement one inside takes over


def surfaced(mean: torch.Tensor, modes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean [478, 3] and modes [M, 478, 3] with the points that are inside brought to the surface, where they move as the
    points around them do. A face model without such points stays as it is.
    """
    points, depth = list(DEPTH), mean.new_tensor(list(DEPTH.values()))
    inside = torch.zeros(len(mean), dtype=torch.bool)
    inside[points] = (mean[points, 2] - depth).abs() > INSIDE
    if not inside.any() or not mean.any():
        return mean, modes
    mean, modes, outside = mean.clone(), modes.clone(), (~inside).nonzero()[:, 0]
    mean[points, 2] = torch.where(inside[points], depth, mean[points, 2])
    far, nearest = torch.cdist(mean[inside], mean[outside]).topk(NEAREST, largest=False)
    share = 1 / far.clamp_min(0.1)
    share = share / share.sum(1, keepdim=True)
    modes[:, inside] = torch.einsum("pn,mpnc->mpc", share, modes[:, outside[nearest]])
    return mean, modes
