"""What Background Condition does: a picture, a person and an expression to CONDITIONING, LATENT and a paste region.

Five steps: `locate` the face, `mask` what is repainted, `drawn` the person there, `encode` the pictures, `tell` the model.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import repeat

import torch

from ..affine import FRAME
from ..errors import DiffSFSRError, at, here
from ..host.conditioning import KEY, seal
from ..host.progress import steps
from ..images import cast
from ..types import Conditioning, FineSkin, Identity, PasteRegion
from ..warp.bare import bare_skin
from ..warp.mesh import Mesh
from ..warp.mouth import finer
from ..warp.palette import Exposure
from ..warp.paste import blanked, latent_mask, mask_in_crop
from .area import area_of
from .draft import behind, drawn, looks_of, mesh_of, plain_face, skin_of
from .encoders import Encoders
from .faceless import Faceless
from .latents import encoded, encoded_once, what_is_lost
from .own_mask import check_front, own_area
from .place import Person, Place, Spot, person_of, same_photo, spots_of, topology, turned_place
from .request import Request, checked

BURNT = 0.2  # how far a face is burnt out (`palette.Exposure`), from which on it is said: bare ones have 0
LED = 0.3  # skin tone below which neck, ears and forehead are led to the face's tone, and not the face to theirs
LONG_BEARD = (
    "the beard in the picture goes on below the face's crop, and stays under the new chin; a picture with a shorter one helps"
)
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Result:
    """One picture of the batch with the person drawn in it, or as it is where it has no face."""

    crop: torch.Tensor  # [3, S, S] of the picture
    matrix: torch.Tensor  # [2, 3] from the picture's pixels to the crop's
    mask: torch.Tensor  # [S, S], 0 or 1, what is repainted
    warp: torch.Tensor  # [3, S, S]
    draft: torch.Tensor  # [3, S, S] the warp behind what stands in front
    fine: FineSkin | None = None
    found: torch.Tensor | None = None  # [S, S] 0..1 of what stands in front, what was found

    def laid(self, draft: torch.Tensor, mask: torch.Tensor) -> "Result":
        """The same with draft [3, S, S] and mask [S, S] in the memory given, which is that of all results in one piece: its own
        is free for the next one, and a coarse warp with nothing before it is there once.
        """
        draft.copy_(self.draft)
        mask.copy_(self.mask)
        if self.draft is not self.warp:
            return replace(self, draft=draft, mask=mask)
        fine = None if self.fine is None else replace(self.fine, warp=draft)
        return replace(self, draft=draft, mask=mask, warp=draft, fine=fine)


@at("Background Condition")
@torch.inference_mode()
def condition(encoders: Encoders, vae, request: Request):
    """Everything that the node gives: positive, negative, LATENT, PasteRegion, coarse warps [n, S, S, 3]."""
    request, wire = checked(encoders, request), cast(request.image)
    person = person_of(request.identity)
    spots = locate(encoders, request)
    warn_of_burnt(spots)
    results, masks, drafts = results_of(encoders, request, person, spots)
    warps = [one.warp for one in results]
    background, guide, start = encode(encoders, vae, request, [one.crop for one in results], masks, warps)
    positive, negative = tell(encoders, request, background, latent_mask(masks), guide)
    # no noise_mask: the background is explicit conditioning, and re-noising it at each step would leave the ODE
    if wire.shape[-1] == 1:
        wire = wire.expand(-1, -1, -1, 3)  # a painted face has colour
    lost = what_is_lost(encoders, vae, warps, guide) if request.guide else None
    region = region_of(request, wire, results, masks, drafts, lost, encoders.size)
    return positive, negative, {"samples": start}, region, region.warps.permute(0, 2, 3, 1)


def results_of(
    encoders: Encoders, request: Request, person: Person, spots: list[Spot | Faceless]
) -> tuple[list[Result], torch.Tensor, torch.Tensor]:
    """All results, their masks [n, S, S] and drafts [n, 3, S, S]. A place has its meshes only while a face is drawn there."""
    results, size, bearded = [], encoders.size, set()
    masks, drafts = torch.empty(request.total, size, size), torch.empty(request.total, 3, size, size)
    places = places_before(encoders, request, person, spots)
    for i, place in zip(steps(range(request.total)), places, strict=True):
        with at(f"image {i}"):
            results.append(result_of(encoders, request, person, place, i).laid(drafts[i], masks[i]))
        if isinstance(place, Place) and place.background.beard is not None and place.background.beard.stays:
            bearded.add(i if len(spots) > 1 else 0)
    warn_of_places(sorted(bearded), LONG_BEARD)
    return results, masks, drafts


def region_of(
    request: Request,
    wire: torch.Tensor,
    results: list[Result],
    masks: torch.Tensor,
    drafts: torch.Tensor,
    lost: torch.Tensor | None,
    size: int,
) -> PasteRegion:
    """Where the crops of `size` pixels belong; wire: the pictures as they came, lost: see `PasteRegion`."""
    matrices = torch.stack([one.matrix for one in results])
    fine = None if request.identity.face.photo is None else tuple(one.fine for one in results)
    codes = request.coefficients() * masks.flatten(1).any(1, keepdim=True)
    feather = float(request.feather) * size / FRAME
    return PasteRegion(
        wire, matrices, masks, request.limit, feather, size, fine,
        in_front=found(results), warps=drafts, codes=codes, lost=lost,
    )  # fmt: skip


# --- the five steps -------------------------------------------------------------------------------


def locate(encoders: Encoders, request: Request) -> list[Spot | Faceless]:
    """The chosen face of each picture, the same person in all of them."""
    encoders.memo.make_room(request.total)
    return spots_of(encoders, request.image, request.rule, request.index, request.pass_on, request.landmarks)


def places_before(
    encoders: Encoders, request: Request, person: Person, spots: list[Spot | Faceless]
) -> Iterator[Place | Faceless]:
    """The place of each result, one after the other, see `stood_before`; one for all results of one picture."""
    each = (stood_before(encoders, request, person, spot, i) for i, spot in enumerate(spots))
    return repeat(next(each), request.total) if len(spots) == 1 else each


def stood_before(
    encoders: Encoders, request: Request, person: Person, spot: Spot | Faceless, i: int
) -> Place | Faceless:
    """The place in picture i, its face turned as asked, with what stands before it: the artist's own, and what is found."""
    if isinstance(spot, Faceless):
        return spot
    place, own = turned_place(spot.place, request.turn), None
    if request.in_front is not None:
        own = mask_in_crop(request.in_front[i % len(request.in_front)], place.matrix, encoders.size)
    return behind(encoders, person, place, own, request.find_in_front)


def warn_of_burnt(spots: list[Spot | Faceless]) -> None:
    """Says which pictures have a face that is white over a large part: in such light no other face can be drawn."""
    faces = {i: Exposure.of(spot.face.image) for i, spot in enumerate(spots) if isinstance(spot, Spot)}
    burnt = [i for i, exposure in faces.items() if exposure.burnt > BURNT]
    what = "the face in the picture is burnt out, and a face drawn there has other colours; a better exposed picture helps"
    warn_of_places(burnt, what)


def warn_of_places(images: list[int], what: str) -> None:
    """What is said of some pictures, if there are any, in one line."""
    if images:
        names = ", ".join(str(i) for i in images[:10]) + (" and more" if len(images) > 10 else "")
        log.warning("%s: %s", here(f"image {names}"), what)


def found(results: list[Result]) -> torch.Tensor | None:
    """What was found before each face [n, S, S] 0..1."""
    each = [torch.zeros_like(one.mask) if one.found is None else one.found for one in results]
    return torch.stack(each) if any(mask.any() for mask in each) else None


def result_of(encoders: Encoders, request: Request, person: Person, place: Place | Faceless, i: int) -> Result:
    """Result i: the person in that place, or the picture alone."""
    if isinstance(place, Faceless):
        return untouched(person, place)
    mesh, area = mask(encoders, request, person, place, i)
    looks = looks_of(encoders, person, place, mesh, request.geometry(i), request.strength, *request.skin)
    warp = drawn(encoders, person, place, mesh, area, looks, request.strength.identity, request.light)
    fine = None if person.face.photo is None else fine_skin(encoders, request, person, place, mesh, looks, warp)
    return Result(place.face.image, place.matrix, area, warp, place.background.covering(warp), fine, place.found)


def untouched(person: Person, place: Faceless) -> Result:
    """Nothing of it is repainted, and no one is drawn: `fine` has no share of anybody's skin."""
    face, image = person.face, place.image
    fine = FineSkin(face, face.image, face.points, face.points, image, topology(), 0.0)
    return Result(image, place.matrix, torch.zeros_like(image[0]), image, image, fine)


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


def fine_skin(
    encoders: Encoders, request: Request, person: Person, place: Place, mesh: Mesh, looks: dict, warp: torch.Tensor
) -> FineSkin:
    """What a coarse warp was drawn with, from the face's `mesh` and the `looks` of `looks_of`."""
    share, target, size = min(request.strength.identity, 1.0), mesh.points, encoders.size
    skin, hung = skin_of(encoders, person, place).image, place.background.mesh.topology
    face = person.face if same_photo(person, place) else plain_face(encoders, person)
    shade = looks["shade"]
    gone = None if shade is None or shade.gone is None else shade.gone.half()
    mouth = None if looks["interior"] is None else finer(target, looks["interior"], size)
    beard, bare = place.background.beard, looks["foreheads"]
    outline, hair = (None, None) if beard is None else (beard.points, beard.hair)
    return FineSkin(face, skin, target, place.face.points, warp, hung, share, gone, mouth, bare, outline, hair)


def encode(
    encoders: Encoders, vae, request: Request, images: list[torch.Tensor], masks: torch.Tensor, warps: list[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latents [n, C, h, w] of the crops with the part to repaint in grey, of the coarse warps or zeros without guide, and of
    what sampling starts from below full denoising: the coarse warp, or without guide the picture as it is.

    The mask is the same for all usual words, so a background is encoded once for them.
    """
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
    said, nothing = tokens_of(encoders, request.identity, request.expression.codes)
    # the same background as the host's own inpainting models want it told; others do not look at it
    inpainting = {"concat_latent_image": background, "concat_mask": mask}

    def side(who: torch.Tensor, expression: torch.Tensor, entries: list | None) -> list:
        groups = (value.expand(len(mask), -1, -1).cpu() for value in (who, expression))
        ours = Conditioning(background, mask, guide, *groups, request.strength, encoders.id)
        given = inpainting if entries else {}
        return [[tensor, {**given, **extras, KEY: ours}] for tensor, extras in entries or [[seal(ours), {}]]]

    return side(*said, request.text[0]), side(*nothing, request.text[1])


def tokens_of(
    encoders: Encoders, identity: Identity, codes: torch.Tensor
) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """Tokens of a person [1, N, D] and of expressions [n, N, D], and those that say nothing [1, N, D]."""
    tokens, device = encoders.stack.ready().tokens, encoders.stack.device
    vectors = identity.vector[None].expand(len(identity.selfies), -1)
    who = tokens.identity_tokens(vectors.to(device), identity.selfies.to(device)).mean(0, keepdim=True)
    return (who, tokens.expression_tokens(codes.to(device))), tokens.null(1)
