"""Who is drawn, and in the place of which face of a picture: what is found is remembered."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch

from ..affine import apply
from ..errors import at
from ..faces.pose import turned
from ..types import Face, Identity, Topology
from ..warp.coarse import BackgroundFace
from ..warp.covers import answer
from ..warp.forehead import Seen
from ..warp.long_beard import below_crop
from ..warp.mesh import Mesh
from .encoders import Encoders, cover_network, face_networks
from .face import aligned
from .faceless import Faceless
from .film import Found, find_all
from .landmarks import faces_of
from .memo import content

# degrees that a face may be turned further than the head around it: by more hair comes in beside it
TURNS = {"yaw": 6.0, "pitch": 10.0, "roll": 7.0}
SAME = 0.03  # mean difference of two aligned crops below which they are one photo: a JPEG of quality 40 is .024 off, others .1


@dataclass(frozen=True, eq=False)
class Person:
    """Who is drawn; `key` is the content that it is known by in the memo."""

    face: Face
    key: str


@dataclass(frozen=True, eq=False)
class Spot:
    """A face in a picture, as it is remembered: what is drawn of its place takes as much memory again and little time."""

    face: Face
    matrix: torch.Tensor  # [2, 3] from the picture's pixels to the crop
    key: str
    others: tuple[torch.Tensor, ...] = ()  # points [478, 3] of the other clear faces, in the picture's pixels
    below: torch.Tensor | None = None  # [3, h, S] of the picture below the crop

    @property
    def place(self) -> "Place":
        own = BackgroundFace.of(self.face, topology(), self.below)
        return Place(own, self.matrix, self.key, beside(own.mesh, self.matrix, self.others))


@dataclass(frozen=True, eq=False)
class Place:
    """A face in a picture whose place the person takes, and the matrix [2, 3] from the picture's pixels to the crop."""

    background: BackgroundFace
    matrix: torch.Tensor
    key: str
    free: torch.Tensor | None = None  # [S, S] where no other person's face is, 0 or 1
    found: torch.Tensor | None = None  # [S, S] 0..1 of what stands before it, what was found
    given: torch.Tensor | None = None  # [S, S], 0 or 1, and what the artist says

    def limited(self, area: torch.Tensor) -> torch.Tensor:
        """An area [S, S] without the faces of others."""
        return area if self.free is None else area * self.free

    @property
    def face(self) -> Face:
        return self.background.face


def topology() -> Topology:
    """Of the face mesh, on the CPU: everything is drawn there."""
    return face_networks().ready().topology.to("cpu")


def person_of(identity: Identity) -> Person:
    face = identity.face
    return Person(face, content(face.image, face.points, face.fit.neutral_offset))


def place_of(encoders: Encoders, image: torch.Tensor, rule: str, index: int) -> Place:
    """The chosen face of a picture [H, W, 3]; remembered."""
    return places_of(encoders, image[None], rule, index)[0]


def places_of(*given) -> list[Place | Faceless]:
    """The places of `spots_of`."""
    return [spot.place if isinstance(spot, Spot) else spot for spot in spots_of(*given)]


def spots_of(
    encoders: Encoders,
    images: torch.Tensor,
    rule: str,
    index: int,
    pass_on: bool = False,
    landmarks: dict | None = None,
) -> list[Spot | Faceless]:
    """The face that is meant in each picture [B, H, W, 3], see `film.find_all`; remembered. pass_on: where there is none, the
    picture stays as it is; landmarks: FACE_LANDMARKS of the host.
    """
    given = faces_of(landmarks, len(images), tuple(images.shape[1:3]))
    spots = []
    for i, one in enumerate(find_all(encoders, images, rule, index, "the picture stays as it is" if pass_on else "", given)):
        if one is None:
            spots.append(Faceless.of(images[i], encoders.size))
            continue
        with at(f"image {i}"):
            spots.append(encoders.memo.get("spot", (one.key, one.which), lambda: _spot(encoders, images[i], one)))  # noqa: B023
    return spots


def _spot(encoders: Encoders, image: torch.Tensor, found: Found) -> Spot:
    face, matrix = aligned(encoders, image, found.face)
    others = tuple(other.points for other in found.others)
    return Spot(face, matrix, f"{found.key} {found.which}", others, below_crop(image, matrix, face.size))


def beside(own: Mesh, matrix: torch.Tensor, others: Iterable[torch.Tensor]) -> torch.Tensor | None:
    """Where a face's crop shows no other face [S, S], 0 or 1; None where there is none.

    own: the face in its crop, which is before the others; matrix [2, 3] from the pixels of their points [478, 3] to the crop.
    """
    size, free = own.index.shape[-1], torch.ones(own.index.shape)
    for points in (apply(matrix[None], points[None])[0] for points in others):
        low, high = points[:, :2].amin(0), points[:, :2].amax(0)
        if (low < size).all() and (high > 0).all():
            free *= 1 - (Mesh.of(points, own.topology, size).covered & ~own.covered).float()
    return None if free.all() else free


def turned_place(place: Place, degrees: tuple[float, float, float]) -> Place:
    """The same place, for a face that is turned further than the picture's own by yaw, pitch, roll; its middle stays."""
    if not any(degrees):
        return place
    fit = place.face.fit
    face = replace(place.face, fit=replace(fit, rotation=turned(fit.rotation, degrees)))
    return replace(place, background=replace(place.background, face=face), key=f"{place.key} {degrees}")


def own_place(encoders: Encoders, person: Person) -> Place:
    """The person's own photo as the place; remembered."""
    make = lambda: Place(BackgroundFace.of(person.face, topology()), torch.eye(2, 3), person.key)  # noqa: E731
    return encoders.memo.get("own place", person.key, make)


def seen_in(encoders: Encoders, place: Place) -> Seen:
    """What is seen on and around the face of a place; remembered for the two that are at work."""
    make = lambda: Seen.of(place.face.image, place.background.mesh)  # noqa: E731
    return encoders.memo.get("seen", place.key, make, most=2)


def cover_share(encoders: Encoders, person: Person) -> torch.Tensor:
    """How sure the network is [S, S] 0..1 that something stands before the person's face; remembered."""
    return encoders.memo.get("cover share", person.key, lambda: cover_answer(own_place(encoders, person)))


def cover_answer(place: Place) -> torch.Tensor:
    """How sure the network is [S, S] 0..1 that something stands before the face of a place."""
    return answer(cover_network().ready(), place.face.image, place.background.mesh)


def same_photo(person: Person, place: Place) -> bool:
    """Whether the background is the person's own photo, whatever file format or scaling both came through."""
    return bool((person.face.image - place.face.image).abs().mean() < SAME)
