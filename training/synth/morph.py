"""New people for the identity network: two training portraits blended in shape and texture."""

import numpy as np
import torch

from ...modules.conditioning.guide import match_colour
from ...modules.faces.warp import redraw


def morph(
    first: tuple[torch.Tensor, torch.Tensor],
    second: tuple[torch.Tensor, torch.Tensor],
    triangles: torch.Tensor,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(picture [3, 256, 256], points [478, 3]) of two people -> the same of somebody between them.

    Shape and texture have their own mixing weights. Outside the face the first picture stays.
    """
    (image_a, points_a), (image_b, points_b) = first, second
    shape, texture = rng.uniform(0.15, 0.85, 2)
    points = (1 - shape) * points_a + shape * points_b
    drawn_a, covered, _ = redraw(image_a, points_a[:, :2], points[:468], triangles, image_a.shape[-1])
    drawn_b, also, _ = redraw(image_b, points_b[:, :2], points[:468], triangles, image_a.shape[-1])
    drawn_b = match_colour(drawn_b, also, drawn_a, covered, rng.uniform(0, 1))
    both = covered * also
    face = drawn_a * (1 - texture) + drawn_b * texture
    return image_a * (1 - both) + face * both, points
