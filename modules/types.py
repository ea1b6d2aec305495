"""The things that travel: between the rooms of this house, and on ComfyUI's wires.

Letters: B batch, n results, E expressions, S side of a crop in pixels, h w latent, N tokens, D width, K geometry directions.
"""

from dataclasses import dataclass, replace

import torch

from .errors import DiffSFSRError


def check_bundle(made_for: str, used_with: str) -> None:
    """Vectors and codes mean something only to the weights that they were made with."""
    if made_for != used_with:
        what = f"This was made with bundle {made_for}, but is used with bundle {used_with}"
        raise DiffSFSRError(what, "Take MODEL, VAE and ENCODERS from the same DiffSFSR UNet Loader")


@dataclass(frozen=True, eq=False)
class Topology:
    """How the 478 face points hang together: `triangles` [T, 3], and `mirror` [478], each point's like on the other side."""

    triangles: torch.Tensor
    mirror: torch.Tensor

    def to(self, device: torch.device | str) -> "Topology":
        return Topology(self.triangles.to(device), self.mirror.to(device))


@dataclass(frozen=True, eq=False)
class Fit:
    """A face explained by the morphable model, batched over B. Picture coordinates have y down."""

    identity: torch.Tensor  # [B, M] coefficients, about standard normal
    expression: torch.Tensor  # [B, 52] 0..1
    rotation: torch.Tensor  # [B, 3, 3]
    scale: torch.Tensor  # [B] pixels per unit
    shift: torch.Tensor  # [B, 2] pixels, y up
    residual: torch.Tensor  # [B, 478, 2] what the model does not explain, pixels, y up
    neutral_offset: torch.Tensor  # [B, K] geometry from the estimated neutral face to the true one, where that is known; else 0

    def rows(self, pick) -> "Fit":
        """Some rows of the batch, by a slice, places or a mask."""
        return Fit(**{name: value[pick] for name, value in vars(self).items()})

    def expanded(self, count: int) -> "Fit":
        """A fit of one picture for a batch of `count`."""
        return Fit(**{name: value.expand(count, *value.shape[1:]) for name, value in vars(self).items()})


@dataclass(frozen=True, eq=False)
class Photo:
    """The part of a photo around a face in its own pixels, as its luma; at most 1,536 of them to a side of the crop."""

    light: torch.Tensor  # [1, h, w] luma 0..1
    matrix: torch.Tensor  # [2, 3] its pixels -> those of the crop


@dataclass(frozen=True, eq=False)
class Face:
    """A face in the canonical frame, as it was photographed."""

    image: torch.Tensor  # [3, S, S] 0..1
    points: torch.Tensor  # [478, 3] x, y in pixels of `image`, z in the same unit, towards the viewer
    code: torch.Tensor  # [52] coefficients as measured
    fit: Fit | None = None  # of one row
    photo: Photo | None = None  # what the crop was cut from; kept of the face that is drawn
    shown: torch.Tensor | None = None  # [S, S] bool, what of `image` is known, in a picture that cuts the face; None: all

    @property
    def size(self) -> int:
        """S."""
        return self.image.shape[-1]


@dataclass(frozen=True, eq=False)
class Identity:
    """DIFFSFSR_IDENTITY: one person. `face` is that of the best photo, which the coarse warp is drawn from."""

    vector: torch.Tensor  # [256] unit length, pooled over the photos
    selfies: torch.Tensor  # [P, 3, 128, 128] 0..1, one for each photo
    face: Face
    bundle: str


@dataclass(frozen=True, eq=False)
class Expression:
    """DIFFSFSR_EXPRESSION: one or several expression codes."""

    codes: torch.Tensor  # [E, 52 + K], see `encoders/expression.py`
    names: tuple[str, ...]  # for people: "amazement 1.0"
    bundle: str


@dataclass(frozen=True, eq=False)
class FineSkin:
    """What a coarse warp was drawn with: it is drawn again, from the pictures' own pixels, when the crop is pasted."""

    face: Face  # the selfie's
    skin: torch.Tensor  # [3, S, S] its picture as it was drawn, perhaps without what hides it
    target: torch.Tensor  # [478, 3] where its points are in the coarse warp
    old: torch.Tensor  # [478, 3] where those of the background's face are
    warp: torch.Tensor  # [3, S, S] the coarse warp
    topology: Topology
    share: float  # 0..1 of the selfie's skin in it
    gone: torch.Tensor | None = None  # [S, S] 0..1 in half precision, where folds of the selfie were taken away
    mouth: Photo | None = None  # what was drawn between the lips, finer than the crop
    foreheads: tuple[torch.Tensor, torch.Tensor] | None = None  # [S, S] of selfie, 0..1, and background, bool: where bare
    outline: torch.Tensor | None = None  # [478, 3] points that the background gives way to a face by; None: `old`
    hair: torch.Tensor | None = None  # [S, S] 0..1 of a beard that was there and is gone


@dataclass(frozen=True, eq=False)
class PasteRegion:
    """DIFFSFSR_PLACE: where the generated crops belong. n crops of `size` pixels for the background batch."""

    background: torch.Tensor  # [n or 1, H, W, C] as it came in, untouched
    to_frame: torch.Tensor  # [n, 2, 3] picture pixels -> crop pixels
    mask: torch.Tensor  # [n, S, S] in the crop, 0 or 1, what was repainted
    limit: torch.Tensor | None  # [n or 1, H, W] the artist's own mask
    feather: float  # pixels of the crop
    size: int
    fine: tuple[FineSkin, ...] | None = None  # n; None: nothing finer than the crops is known
    in_front: torch.Tensor | None = None  # [n, S, S] 0..1 in the crop, what was found before the face and stays
    warps: torch.Tensor | None = None  # [n, 3, S, S] the coarse warps; None: nobody was drawn
    codes: torch.Tensor | None = None  # [n, 52] coefficients 0..1 of what the faces do
    lost: torch.Tensor | None = None  # [n, 3, S, S] what the autoencoder takes from the coarse warps

    def repeated(self, times: int) -> "PasteRegion":
        """For so many times as many crops, the places one after the other each time."""
        again, shared = lambda x: x.repeat(times, *[1] * (x.ndim - 1)), ("background", "limit")
        tensors = {name: x for name, x in vars(self).items() if isinstance(x, torch.Tensor)}
        each = {name: again(x) for name, x in tensors.items() if name not in shared or len(x) > 1}
        return replace(self, **each, fine=None if self.fine is None else self.fine * times)


def check_place(region: PasteRegion) -> None:
    """Refuses a region whose parts are of different batches: a node that changed one of them would mix up the faces."""
    count = len(region.to_frame)
    for part in (region.mask, region.fine, region.in_front, region.warps, region.codes, region.lost):
        if part is not None and len(part) != count:
            what = f"The place has {count} crops, but {len(part)} of what belongs to them"
            raise DiffSFSRError(what, "Connect PLACE of Background Condition or Face Crop directly", "place")


@dataclass(frozen=True)
class Strength:
    """Factors 0..2 on what each condition adds, 1 as usual.

    identity: 0 the face that the background has, above 1 a caricature. expression: 0 neutral, above 1 exaggerated.
    """

    identity: float = 1.0
    expression: float = 1.0


USUAL = Strength()


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What the model is told, under "diffsfsr" in the extras of CONDITIONING."""

    background: torch.Tensor  # [n, C, h, w] latent of the picture with the masked part in grey
    mask: torch.Tensor  # [n, 1, h, w] 0..1, the share of each cell that is repainted
    warp: torch.Tensor  # [n, C, h, w] latent of the coarse warp, or zeros
    identity: torch.Tensor  # [n, N, D] tokens
    expression: torch.Tensor  # [n, N, D] tokens
    strength: Strength
    bundle: str

    def rows(self, pick) -> "Conditioning":
        """That of some results, by a slice or places."""
        some = {name: value[pick] for name, value in vars(self).items() if isinstance(value, torch.Tensor)}
        return replace(self, **some)
