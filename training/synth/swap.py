"""One person's face in another person's head: the look of the first, drawn where the head's own face was drawn."""

import torch
from kornia.filters import gaussian_blur2d

from ...modules.warp.light import gained
from ...modules.warp.mesh import POINTS, Mesh, sampled, shown
from ...modules.warp.skin import FOREHEAD
from .reenact import flat

BROW_TO_HAIR = 1.0, 0.5, 0.0  # share of the look in the three rows of FOREHEAD: a hard edge or a foreign fringe would show


def blended(
    image: torch.Tensor,
    mesh: Mesh,
    other: torch.Tensor,
    points: torch.Tensor,
    look: torch.Tensor,
    tone: float | torch.Tensor,
    gain: torch.Tensor | None = None,
    smear: float | None = None,
) -> torch.Tensor:
    """The look of the picture `other` [*, 3, H, W], whose face points are `points` [*, 478, >= 2], blended into the face of
    `image` [*, 3, S, S] that `mesh` says.

    look: how much of it at each point [*, 468], 0..1. tone: share of the way that its colours go to those of `image`, a number
    or [*]. gain: of light at each point [*, 468, 1], see `light.change_of_light`. smear: what the other picture would show
    stretched to more than so many times its area stays the head's own; None: nothing.
    """
    theirs = sampled(other, mesh.interpolate(points[..., :POINTS, :2])).clamp(0, 1)
    if gain is not None:
        theirs = gained(theirs, mesh.interpolate(gain).movedim(-1, -3))
    theirs = tinted(theirs, image, mesh.covered, tone)
    where = mesh.covered
    if smear is not None:
        where = where & mesh.at_pixels(shown(points, mesh.points, mesh.topology, smear))
    share = soft_edge(where) * mesh.interpolate(look[..., None])[..., 0]
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
