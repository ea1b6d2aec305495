"""What Background Condition is asked for, and what of that cannot be done."""

from dataclasses import dataclass, replace

import torch

from ..encoders.expression import split
from ..errors import DiffSFSRError, at, check_number
from ..images import broadcast, checked_image, checked_mask
from ..types import USUAL, Expression, Identity, Strength, check_bundle
from ..warp.rim import SKIN_TONE
from .encoders import Encoders
from .faceless import PASS_ON, passes_on
from .place import TURNS


@dataclass(frozen=True, eq=False)
class Request:
    """What the node is asked for; pictures as they come over the wires.

    rule, index: which face of the picture. grow, feather: pixels of the 256 px crop. guide: whether the model gets the coarse
    warp. strength: factors on what each condition adds in the cross-attention, and in the coarse warp on how far it goes from
    the background's own face to the person, and from neutral to what was asked. light: 0..1, how far the selfie's light from
    the side goes to that of the background's face. text: CONDITIONING of prompt and negative prompt, for a bundle that reads
    text. wrinkles: 0..1.5, how much of the light of an expression its folds have. skin_tone: 0..1, how far the selfie's skin
    tone goes to that of the background's face. in_front: what stays before the face; find_in_front: and what is found there.
    turn: how far it is turned beyond the picture's own. without_face: "error", or PASS_ON
    for a picture without one to stay as it is. landmarks: FACE_LANDMARKS of the host, in place of our own search.
    """

    image: torch.Tensor  # [B, H, W, C]
    identity: Identity
    expression: Expression
    mask: torch.Tensor | None = None  # [B or 1, H, W] the artist's own, in place of the one that is found
    rule: str = "largest"
    index: int = 0
    grow: float = 9.0
    feather: float = 8.0
    guide: bool = True
    strength: Strength = USUAL
    light: float = 0.0
    text: tuple[list | None, list | None] = (None, None)
    wrinkles: float = 1.0
    skin_tone: float = SKIN_TONE
    in_front: torch.Tensor | None = None  # [B or 1, H, W]
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)  # yaw, pitch, roll in degrees
    find_in_front: bool = True
    without_face: str = "error"
    landmarks: dict | None = None

    @property
    def total(self) -> int:
        """Number of results: one of the pictures and expressions may be a batch, or both alike."""
        return max(len(self.image), len(self.expression.codes))

    @property
    def pass_on(self) -> bool:
        """Whether a picture without a face stays as it is, and is no error."""
        return passes_on(self.without_face, PASS_ON)

    @property
    def skin(self) -> tuple[float, float]:
        """Wrinkles and skin tone."""
        return self.wrinkles, self.skin_tone

    @property
    def limit(self) -> torch.Tensor | None:
        """Where the artist lets the picture be repainted [B or 1, H, W]."""
        if self.in_front is None:
            return self.mask
        return (1 - self.in_front) * (1 if self.mask is None else self.mask)

    def geometry(self, i: int) -> torch.Tensor:
        """[K] of result i."""
        rows = split(self.expression.codes)[1]
        return rows[i % len(rows)]

    def coefficients(self) -> torch.Tensor:
        """What the faces do, as far as they were asked to: [n, 52] 0..1."""
        asked = split(self.expression.codes)[0] * self.strength.expression
        return asked.clamp(0, 1).expand(self.total, -1)


def checked(encoders: Encoders, request: Request) -> Request:
    """The same request with picture and mask as `images` gives them; what cannot be done is refused."""
    check_number("identity strength", request.strength.identity, 2.0, 1)
    check_number("expression strength", request.strength.expression, 2.0, 1)
    check_number("mask grow", request.grow, 64, 9, -32)
    check_number("mask feather", request.feather, 64, 8)
    check_number("match light", request.light, 1.0, 0)
    check_number("wrinkles", request.wrinkles, 1.5, 1)
    check_number("skin tone", request.skin_tone, 1.0, SKIN_TONE)
    for (name, most), degrees in zip(TURNS.items(), request.turn, strict=True):
        check_number(f"head {name}", degrees, most, 0, -most)
    check_text(encoders, request.text)
    for wire in (request.identity, request.expression):
        check_bundle(wire.bundle, encoders.id)
    with at("image"):
        image = checked_image(request.image)
    with at("mask"):
        own = checked_mask(request.mask, len(image), *image.shape[1:3])
    with at("in front"):
        before = checked_mask(request.in_front, len(image), *image.shape[1:3])
    request = replace(request, image=image, mask=own, in_front=before)
    broadcast(len(image), request.total, "background pictures")
    broadcast(len(request.expression.codes), request.total, "expressions")
    return request


def check_text(encoders: Encoders, text: tuple[list | None, list | None]) -> None:
    """A bundle that reads text needs both prompts, one that reads none must not be given any: it would not be heard."""
    reads = encoders.config.unet.text_width > 0
    for name, entries in zip(("text_positive", "text_negative"), text, strict=True):
        if reads and not entries:
            what, remedy = "This bundle reads a prompt too, and there is none", "Connect CLIP Text Encode (it may be empty)"
            raise DiffSFSRError(what, remedy, name)
        if entries and not reads:
            what = "This bundle reads no text: the prompt would not be heard"
            raise DiffSFSRError(what, "Leave it unconnected, or load a bundle for Stable Diffusion", name)
