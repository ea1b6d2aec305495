"""What Face Draft does: coarse warps alone, at once."""

import torch

from ..encoders.expression import split
from ..errors import DiffSFSRError, at, check_number
from ..host.progress import steps
from ..images import broadcast, checked_image
from ..types import Expression, Identity, check_bundle
from .area import coarse_warp_of
from .draft import behind
from .encoders import Encoders
from .faceless import PASS_ON, Faceless, passes_on
from .place import Person, Place, own_place, person_of, places_of


@at("Face Draft")
@torch.inference_mode()
def face_drafts(
    encoders: Encoders,
    identity: Identity,
    expression: Expression,
    image: torch.Tensor | None,
    rule: str,
    index: int,
    wrinkles: float = 1.0,
    without: str = "error",
    landmarks: dict | None = None,
) -> tuple[torch.Tensor, bool]:
    """Coarse warps [n, S, S, 3] of the expressions on the selfie itself, or in the pictures [B, H, W, 3]; and whether a face
    was drawn at all.

    without: what to do with a picture that has no face; PASS_ON gives its middle. landmarks: FACE_LANDMARKS of the host, in
    place of our own search.
    """
    check_number("wrinkles", wrinkles, 1.5, 1)
    pass_on = passes_on(without, PASS_ON)
    for wire in (identity, expression):
        check_bundle(wire.bundle, encoders.id)
    person = person_of(identity)
    if image is None and landmarks is not None:
        raise DiffSFSRError("There is no picture that they could be of", "Connect image, too", "face landmarks")
    if image is None:
        places = [own_place(encoders, person)]
    else:
        with at("image"):
            image = checked_image(image)
        places = places_of(encoders, image, rule, index, pass_on, landmarks)
    places = [_behind(encoders, person, place, image is not None) for place in places]
    total = max(len(places), len(expression.codes))
    broadcast(len(places), total, "pictures")
    broadcast(len(expression.codes), total, "expressions")
    geometry, results = split(expression.codes)[1], []
    for i in steps(range(total)):
        place = places[i % len(places)]
        results.append(_draft(encoders, person, place, geometry[i % len(geometry)], wrinkles))
    return torch.stack(results).permute(0, 2, 3, 1), any(isinstance(place, Place) for place in places)


def _behind(encoders: Encoders, person: Person, place: Place | Faceless, find: bool) -> Place | Faceless:
    return place if isinstance(place, Faceless) else behind(encoders, person, place, None, find)


def _draft(
    encoders: Encoders, person: Person, place: Place | Faceless, geometry: torch.Tensor, wrinkles: float
) -> torch.Tensor:
    """[3, S, S]"""
    if isinstance(place, Faceless):
        return place.image
    return place.background.covering(coarse_warp_of(encoders, person, place, geometry, wrinkles))
