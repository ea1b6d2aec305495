"""The canonical face frame: a similarity from eye and mouth centres, and sampling through it.

Coordinates are continuous pixels: the first pixel's centre is (.5, .5).
"""

import torch
import torch.nn.functional as F

FRAME = 256  # side of the canonical frame in pixels
# image-left eye, image-right eye, mouth: each the mean of two of the 478 points, and where it belongs in the frame
ANCHOR_POINTS = ((33, 133), (362, 263), (61, 291))
ANCHOR_TARGETS = ((96.0, 121.0), (160.0, 121.0), (128.0, 192.0))


def similarity(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Least-squares similarity taking points [B, N, 2] to points [B, N, 2]: matrices [B, 2, 3] (Umeyama 1991, 2-D)."""
    ms, mt = source.mean(1, keepdim=True), target.mean(1, keepdim=True)
    s, t = source - ms, target - mt
    norm = (s**2).sum((1, 2)).clamp_min(1e-9)
    a = (s * t).sum((1, 2)) / norm
    b = (s[..., 0] * t[..., 1] - s[..., 1] * t[..., 0]).sum(1) / norm
    linear = torch.stack([torch.stack([a, -b], 1), torch.stack([b, a], 1)], 1)
    return torch.cat([linear, mt.transpose(1, 2) - linear @ ms.transpose(1, 2)], 2)


def to_frame(points: torch.Tensor, size: int = FRAME) -> torch.Tensor:
    """Matrices [B, 2, 3] that take picture pixels to the canonical frame of `size` pixels. points: [B, 478, >= 2]."""
    source = torch.stack([points[:, list(pair), :2].mean(1) for pair in ANCHOR_POINTS], 1)
    target = torch.tensor(ANCHOR_TARGETS, dtype=points.dtype, device=points.device) * (size / FRAME)
    return similarity(source, target.expand(len(points), 3, 2))


def invert(matrix: torch.Tensor) -> torch.Tensor:
    """The inverse of affine matrices [B, 2, 3]."""
    linear = torch.linalg.inv(matrix[:, :, :2])
    return torch.cat([linear, -linear @ matrix[:, :, 2:]], 2)


def chain(second: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
    """The affine maps that apply `first`, then `second`: [B, 2, 3] each."""
    linear = second[:, :, :2] @ first[:, :, :2]
    return torch.cat([linear, second[:, :, :2] @ first[:, :, 2:] + second[:, :, 2:]], 2)


def shifted(matrix: torch.Tensor, left: float, top: float) -> torch.Tensor:
    """Affine matrices [B, 2, 3] for the pixels of a window that begins at (left, top)."""
    return chain(matrix, matrix.new_tensor([[[1.0, 0.0, left], [0.0, 1.0, top]]]).expand_as(matrix))


def side(matrix: torch.Tensor, size: int) -> float:
    """Side in a picture's own pixels of the frame of `size` pixels that a matrix [2, 3] leads to."""
    return size / float(torch.linalg.det(matrix[:, :2]).abs().sqrt())


def extent(matrix: torch.Tensor, size: int, picture: tuple[int, int]) -> tuple[int, int, int, int]:
    """Rows and columns of a picture [H, W] that the frame touches to which matrix [1, 2, 3] leads: top, bottom, left, right."""
    corners = torch.tensor([[[0.0, 0.0], [size, 0.0], [0.0, size], [size, size]]])
    found = apply(invert(matrix), corners)[0]
    low, high = found.amin(0).floor().int().tolist(), found.amax(0).ceil().int().tolist()
    (height, width), (left, top), (right, bottom) = picture, [max(v, 0) for v in low], high
    return top, max(top, min(bottom, height)), left, max(left, min(right, width))


def apply(matrix: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Affine matrices [B, 2, 3] on points [B, N, >= 2]; a third coordinate is scaled with the similarity's scale."""
    xy = points[..., :2] @ matrix[:, :, :2].transpose(1, 2) + matrix[:, :, 2][:, None]
    if points.shape[-1] == 2:
        return xy
    scale = torch.linalg.det(matrix[:, :, :2]).abs().sqrt()[:, None, None]
    return torch.cat([xy, points[..., 2:] * scale], -1)


def sample(
    image: torch.Tensor,
    to_source: torch.Tensor,
    size: tuple[int, int] | int,
    padding: str = "border",
    mode: str = "bilinear",
) -> torch.Tensor:
    """Pictures [B, C, H, W] sampled at `to_source` [B, 2, 3] @ (x, y, 1) for each pixel of the new size (h, w).

    Where one new pixel covers more than one old pixel the picture is reduced first, so that nothing aliases.
    """
    height, width = (size, size) if isinstance(size, int) else size
    step = torch.linalg.det(to_source[:, :, :2]).abs().sqrt().max().item()
    if step > 1.5:
        small = [max(1, round(n / step)) for n in image.shape[-2:]]
        shrink = torch.tensor([small[1] / image.shape[-1], small[0] / image.shape[-2]]).to(to_source)
        image = F.interpolate(image, size=small, mode="bilinear", antialias=True)
        to_source = to_source * shrink[None, :, None]
    h, w = image.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, dtype=image.dtype, device=image.device) + 0.5,
        torch.arange(width, dtype=image.dtype, device=image.device) + 0.5,
        indexing="ij",
    )
    grid = torch.stack([x, y, torch.ones_like(x)], -1).view(1, -1, 3) @ to_source.to(image).transpose(1, 2)
    grid = grid * torch.tensor([2 / w, 2 / h], dtype=image.dtype, device=image.device) - 1
    return F.grid_sample(image, grid.view(len(to_source), height, width, 2), mode, padding, align_corners=False)


def mirrored(image: torch.Tensor, points: torch.Tensor, mirror: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture [3, H, W] and its face points [478, >= 2] as a mirror shows them; mirror: see `FaceNetworks`."""
    points = points[mirror].clone()
    points[:, 0] = image.shape[-1] - points[:, 0]
    return image.flip(-1), points
