"""One person's face in another person's head: the look of the first, drawn where the head's own face was drawn."""

import torch
from kornia.filters import gaussian_blur2d

from ...modules.warp.mesh import at_pixels, interpolated, sampled
from ...modules.warp.skin import FOREHEAD
from .reenact import Drawn, flat

BROW_TO_HAIR = 1.0, 0.5, 0.0  # share of the look in the three rows of FOREHEAD: a hard edge or a foreign fringe would show


def put_on(
    image: torch.Tensor,
    other: torch.Tensor,
    points: torch.Tensor,
    drawn: Drawn,
    triangles: torch.Tensor,
    look: torch.Tensor,
    tone: float | torch.Tensor,
    gain: torch.Tensor | None = None,
    seen: torch.Tensor | None = None,
) -> torch.Tensor:
    """The look of the picture `other` [*, 3, H, W], whose face points are `points` [*, 478, >= 2], put on the face of `image`
    [*, 3, S, S] as it is `drawn`.

    look: how much of it at each point [*, 468], 0..1. tone: share of the way that its colours go to those of `image`, a number
    or [*]. gain: of light at each point [*, 468, 1], see `light.change_of_light`. seen: the triangles that the other picture
    shows [*, T] bool; elsewhere the face stays the head's own.
    """
    theirs = sampled(other, interpolated(points[..., :468, :2], triangles, *drawn)).clamp(0, 1)
    if gain is not None:
        theirs = theirs * interpolated(gain, triangles, *drawn).movedim(-1, -3) ** (1 / 2.2)
    theirs = tinted(theirs, image, drawn.covered, tone)
    where = drawn.covered if seen is None else drawn.covered & at_pixels(seen, drawn.index)
    share = soft_edge(where) * drawn.over(look[..., None], triangles)[..., 0]
    return torch.lerp(image, theirs, share.unsqueeze(-3))


def soft_edge(covered: torch.Tensor, sigma: float = 4.0) -> torch.Tensor:
    """[*, S, S] bool -> 0..1, falling to 0 at the border over about 2 sigma inwards."""
    size = 2 * round(1.5 * sigma) + 1
    soft = gaussian_blur2d(flat(covered, 2)[:, None].float(), (size, size), (sigma, sigma))
    return ((soft - 0.5) * 2).clamp(0, 1).view(covered.shape)


def inner_face(device: torch.device) -> torch.Tensor:
    """A look [468] that ends smoothly on the forehead."""
    look = torch.ones(468, device=device)
    for share, row in zip(BROW_TO_HAIR, (FOREHEAD[22:], FOREHEAD[11:22], FOREHEAD[:11]), strict=True):
        look[list(row)] = share
    return look


def tinted(image: torch.Tensor, like: torch.Tensor, where: torch.Tensor, strength: float | torch.Tensor) -> torch.Tensor:
    """Colours of `image` [*, 3, S, S] moved towards those of `like`, by mean and spread of each channel `where` [*, S, S]."""
    weight = where.to(image.dtype).unsqueeze(-3)
    count = weight.sum((-2, -1), keepdim=True).clamp_min(2)
    mean = lambda x: (x * weight).sum((-2, -1), keepdim=True) / count  # noqa: E731
    middle, theirs = mean(image), mean(like)
    spread = lambda x, m: (((x - m) ** 2 * weight).sum((-2, -1), keepdim=True) / (count - 1)).sqrt()  # noqa: E731
    gain = (spread(like, theirs) / spread(image, middle).clamp_min(1e-3)).clamp(0.6, 1.6)
    share = torch.as_tensor(strength, dtype=image.dtype, device=image.device)[..., None, None, None]
    return torch.lerp(image, (image - middle) * gain + theirs, share).clamp(0, 1)
