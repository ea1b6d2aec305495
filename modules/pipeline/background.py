"""What Background Condition does: a picture, a person and an expression to CONDITIONING, LATENT and a paste region.

Five steps: `locate` the face, `mask` what is repainted, `drawn` the person there, `encode` the pictures, `tell` the model.
"""

from dataclasses import dataclass, replace

import torch

from ..affine import FRAME
from ..encoders.expression import split
from ..errors import DiffSFSRError, at, check_number
from ..host.conditioning import KEY, seal
from ..host.progress import steps
from ..images import broadcast, cast, checked_image, checked_mask
from ..types import USUAL, Conditioning, Expression, FineSkin, Identity, PasteRegion, Strength, check_bundle
from ..warp.bare import bare_skin
from ..warp.mesh import Mesh
from ..warp.mouth import finer
from ..warp.paste import blanked, latent_mask, mask_in_crop
from ..warp.rim import SKIN_TONE
from .draft import (
    TURNS,
    Person,
    Place,
    area_of,
    behind,
    drawn,
    looks_of,
    mesh_of,
    person_of,
    places_of,
    same_photo,
    skin_of,
    turned_place,
)
from .encoders import Encoders
from .latents import encoded, encoded_once, what_is_lost
from .own_mask import check_front, own_area

LED = 0.3  # skin tone below which neck, ears and forehead are led to the face's tone, and not the face to theirs


@dataclass(frozen=True, eq=False)
class Request:
    """What the node is asked for; pictures as they come over the wires.

    rule, index: which face of the picture. grow, feather: pixels of the 256 px crop. guide: whether the model gets the coarse
    warp. strength: factors on what each condition adds in the cross-attention, and in the coarse warp on how far it goes from
    the background's own face to the person, and from neutral to what was asked. light: 0..1, how far the selfie's light from
    the side goes to that of the background's face. text: CONDITIONING of prompt and negative prompt, for a bundle that reads
    text. wrinkles: 0..1.5, how much of the light of an expression its folds have. skin_tone: 0..1, how far the selfie's skin
    tone goes to that of the background's face. in_front: what stays before the face; find_in_front: and what is found there.
    turn: how far it is turned beyond the picture's own.
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

    @property
    def total(self) -> int:
        """Number of results: one of the pictures and expressions may be a batch, or both alike."""
        return max(len(self.image), len(self.expression.codes))

    @property
    def skin(self) -> tuple[float, float]:
        """Wrinkles and skin tone."""
        return self.wrinkles, self.skin_tone

    def geometry(self, i: int) -> torch.Tensor:
        """[K] of result i."""
        rows = split(self.expression.codes)[1]
        return rows[i % len(rows)]


@at("Background Condition")
@torch.inference_mode()
def condition(encoders: Encoders, vae, request: Request):
    """Everything that the node gives: positive, negative, LATENT, PasteRegion, coarse warps [n, S, S, 3]."""
    request, wire = checked(encoders, request), cast(request.image)
    person = person_of(request.identity)
    places = stood_before(encoders, request, person, locate(encoders, request))
    masks, warps, targets, drawn_with = [], [], [], []
    for i in steps(range(request.total)):
        with at(f"image {i}"):
            place = places[i % len(places)]
            mesh, area = mask(encoders, request, person, place, i)
            looks = looks_of(encoders, person, place, mesh, request.geometry(i), request.strength, *request.skin)
            warps.append(drawn(encoders, person, place, mesh, area, looks, request.strength.identity, request.light))
            masks.append(area)
            targets.append(mesh.points)
            drawn_with.append(looks)
    masks, warps = torch.stack(masks), torch.stack(warps)
    background, guide, start = encode(encoders, vae, request, places, masks, warps)
    positive, negative = tell(encoders, request, background, latent_mask(masks), guide)
    # no noise_mask: the background is explicit conditioning, and re-noising it at each step would leave the ODE
    if wire.shape[-1] == 1:
        wire = wire.expand(-1, -1, -1, 3)  # a painted face has colour
    matrices = torch.stack([places[i % len(places)].matrix for i in range(request.total)])
    feather = float(request.feather) * encoders.size / FRAME
    fine = fine_skins(encoders, request, person, places, targets, drawn_with, warps)
    drafts = torch.stack([places[i % len(places)].background.covering(warp) for i, warp in enumerate(warps)])
    lost = what_is_lost(encoders, vae, warps, guide) if request.guide else None
    region = PasteRegion(
        wire, matrices, masks, limit(request), feather, encoders.size, fine,
        in_front=found(places, request.total), warps=drafts, codes=coefficients(request), lost=lost,
    )  # fmt: skip
    return positive, negative, {"samples": start}, region, drafts.permute(0, 2, 3, 1)


# --- before anything is done ----------------------------------------------------------------------


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


def coefficients(request: Request) -> torch.Tensor:
    """What the faces do, as far as they were asked to: [n, 52] 0..1."""
    asked = split(request.expression.codes)[0] * request.strength.expression
    return asked.clamp(0, 1).expand(request.total, -1)


# --- the five steps -------------------------------------------------------------------------------


def locate(encoders: Encoders, request: Request) -> list[Place]:
    """The chosen face of each picture, the same person in all of them."""
    encoders.memo.make_room(request.total)
    places = places_of(encoders, request.image, request.rule, request.index)
    return [turned_place(place, request.turn) for place in places]


def stood_before(encoders: Encoders, request: Request, person: Person, places: list[Place]) -> list[Place]:
    """The places with what stands before their faces: the artist's own, and what is found."""
    own = [None] * len(places)
    if request.in_front is not None:
        masks = (request.in_front[i % len(request.in_front)] for i in range(len(places)))
        own = [mask_in_crop(mask, place.matrix, encoders.size) for mask, place in zip(masks, places, strict=True)]
    return [behind(encoders, person, place, mask, request.find_in_front) for place, mask in zip(places, own, strict=True)]


def found(places: list[Place], total: int) -> torch.Tensor | None:
    """What was found before each face [n, S, S] 0..1."""
    each = [torch.zeros_like(place.face.image[0]) if place.found is None else place.found for place in places]
    return torch.stack([each[i % len(each)] for i in range(total)]) if any(mask.any() for mask in each) else None


def limit(request: Request) -> torch.Tensor | None:
    """Where the artist lets the picture be repainted [B or 1, H, W]."""
    if request.in_front is None:
        return request.mask
    return (1 - request.in_front) * (1 if request.mask is None else request.mask)


def mask(encoders: Encoders, request: Request, person: Person, place: Place, i: int) -> tuple[Mesh, torch.Tensor]:
    """Result i: where the face will be, and the part to repaint [S, S], 0 or 1.

    Behind what stands before it the face is painted, too: so nothing has an edge but what stays.
    """
    mesh, area = repainted(encoders, request, person, place, i)
    if place.given is not None:
        check_front(place.given, area)
    return mesh, area


def repainted(encoders: Encoders, request: Request, person: Person, place: Place, i: int) -> tuple[Mesh, torch.Tensor]:
    """`mask`, whatever stands before the face."""
    mesh = mesh_of(encoders, person, place, request.geometry(i), request.strength)
    if request.mask is None:
        area = area_of(encoders, person, place, mesh, request.grow, request.strength)
        if not area.any():
            raise DiffSFSRError("Nothing is left to repaint", "Shrink the mask less", "mask grow")
        return mesh, torch.maximum(area, led_along(encoders, person, place)) if request.skin_tone < LED else area
    face = area_of(encoders, person, place, mesh, 0.0, request.strength)
    return mesh, own_area(request.mask[i % len(request.mask)], face, place.matrix)


def led_along(encoders: Encoders, person: Person, place: Place) -> torch.Tensor:
    """The skin of the picture's person that takes the tone of the new face [S, S], 0 or 1; none in the person's own photo."""
    if same_photo(person, place):
        return torch.zeros_like(place.face.image[0])
    make = lambda: place.limited(bare_skin(place.face.image, place.background.mesh))  # noqa: E731
    return encoders.memo.get("bare skin", place.key, make)


def fine_skins(
    encoders: Encoders, request: Request, person: Person, places: list[Place], targets: list, looks: list, warps: torch.Tensor
) -> tuple[FineSkin, ...] | None:
    """What each coarse warp was drawn with, from the face points `targets` [478, 3] and the `looks` of `looks_of`; None of a
    face without its photo.
    """
    if person.face.photo is None:
        return None
    share, found = min(request.strength.identity, 1.0), []
    for i, (target, look, warp) in enumerate(zip(targets, looks, warps, strict=True)):
        place = places[i % len(places)]
        skin, topology = skin_of(encoders, person, place).image, place.background.mesh.topology
        gone = None if look["shade"] is None else look["shade"].gone
        mouth = None if look["interior"] is None else finer(target, look["interior"], encoders.size)
        found.append(FineSkin(person.face, skin, target, place.face.points, warp, topology, share, gone, mouth))
    return tuple(found)


def encode(
    encoders: Encoders, vae, request: Request, places: list[Place], masks: torch.Tensor, warps: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latents [n, C, h, w] of the pictures with the part to repaint in grey, of the coarse warps or zeros without guide, and of
    what sampling starts from below full denoising: the coarse warp, or without guide the picture as it is.

    The mask is the same for all usual words, so a background is encoded once for them.
    """
    images = [places[i % len(places)].face.image for i in range(request.total)]
    grey = (blanked(image, mask) for image, mask in zip(images, masks, strict=True))
    background = encoded_once(encoders, vae, "grey latent", steps(grey, request.total))
    if request.guide:
        guide = encoded(encoders, vae, steps(warps))
        return background, guide, guide
    return background, torch.zeros_like(background), encoded_once(encoders, vae, "latent", steps(images))


def tell(
    encoders: Encoders, request: Request, background: torch.Tensor, mask: torch.Tensor, guide: torch.Tensor
) -> tuple[list, list]:
    """CONDITIONING pair. Ours travels in the extras of every entry of the text, or of one empty entry where no text is read.

    Latents [n, C, h, w] of the masked background and of the coarse warp, mask [n, 1, h, w]. Both sides of the guidance get the
    same strengths: a group of strength 0 is then left out altogether, and the host can run both sides as one batch.
    """
    identity, tokens, device = request.identity, encoders.stack.ready().tokens, encoders.stack.device
    vectors = identity.vector[None].expand(len(identity.selfies), -1)
    who = tokens.identity_tokens(vectors.to(device), identity.selfies.to(device)).mean(0, keepdim=True)
    expression = tokens.expression_tokens(request.expression.codes.to(device))
    # the same background as the host's own inpainting models want it told; others do not look at it
    inpainting = {"concat_latent_image": background, "concat_mask": mask}

    def side(who: torch.Tensor, expression: torch.Tensor, entries: list | None) -> list:
        groups = (value.expand(len(mask), -1, -1).cpu() for value in (who, expression))
        ours = Conditioning(background, mask, guide, *groups, request.strength, encoders.id)
        given = inpainting if entries else {}
        return [[tensor, {**given, **extras, KEY: ours}] for tensor, extras in entries or [[seal(ours), {}]]]

    return side(who, expression, request.text[0]), side(*tokens.null(len(mask)), request.text[1])
