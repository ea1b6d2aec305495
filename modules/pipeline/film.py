"""Which face of each picture of a batch is meant: one decision for all, so that a film does not flip between two people."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..encoders.identity import INPUT
from ..errors import DiffSFSRError, at
from ..faces.landmarker import DetectedFace, find_faces
from ..faces.selection import choose_face
from ..host.progress import steps
from ..warp.paste import cut
from .encoders import Encoders, face_networks
from .face import check_choice, check_size, warn_of_others
from .faceless import stop, tell
from .memo import content

# Cosine of identity vectors from which on two faces may be one person's: of strangers (70 portraits) 6 % are above, selfie and
# studio portrait of one person have .45 to .66, pictures of one film more.
ALIKE = 0.5
REMEMBERED = 4096  # pictures whose faces are remembered: about 10 kB each


@dataclass(frozen=True, eq=False)
class Found:
    """The faces of a picture, which of them is meant, and the picture's content as the memo knows it."""

    key: str
    faces: list[DetectedFace]
    which: int

    @property
    def face(self) -> DetectedFace:
        return self.faces[self.which]

    @property
    def others(self) -> list[DetectedFace]:
        """The clear faces beside it."""
        return [face for i, face in enumerate(self.faces) if i != self.which and face.clear]


def find_all(
    encoders: Encoders,
    images: torch.Tensor,
    rule: str,
    index: int,
    instead: str = "",
    given: list[list[DetectedFace]] | None = None,
) -> list[Found | None]:
    """The face that is meant in each picture [B, H, W, 3]: in the first by the rule, in the others the same person where they
    show that person beside somebody else, and else by the rule. All pictures without one are named in one error, or if it is
    said what is done `instead`, in one warning; they are None. given: faces of each that were found elsewhere.
    """
    check_choice(rule)
    encoders.memo.make_room(len(images))
    found, faults = [], {}
    for i, image in enumerate(steps(images)):
        try:
            with at(f"image {i}"):
                found.append(found_in(encoders, image, rule, index, None if given is None else given[i]))
        except DiffSFSRError as error:
            found.append(None)
            faults[i] = error
    if faults and not instead:
        stop(faults)
    if faults:
        tell(faults, instead)
    numbers = [i for i in range(len(found)) if i not in faults]
    if numbers:
        chosen = same_person(encoders, images, [found[i] for i in numbers], numbers, rule)
        found = [dict(zip(numbers, chosen, strict=True)).get(i) for i in range(len(found))]
    return found


def found_in(
    encoders: Encoders, image: torch.Tensor, rule: str, index: int, given: list[DetectedFace] | None = None
) -> Found:
    """That of one picture [H, W, 3], by the rule."""
    key, faces = content(image), given
    if faces is None:
        faces = encoders.memo.get("faces", key, lambda: find_faces(face_networks().ready(), image), REMEMBERED)
    face = choose_face(faces, rule, index, tuple(image.shape[:2]))
    check_size(face.points)
    if given is not None:
        key = f"{key} {content(*(one.points for one in faces))}"
    return Found(key, faces, next(i for i, one in enumerate(faces) if one is face))


def same_person(
    encoders: Encoders, images: torch.Tensor, found: list[Found], numbers: list[int], rule: str
) -> list[Found]:
    """The choices, with the first one's person wherever several faces are clear and one of them is that person's.

    numbers: the picture of each among `images`.
    """
    several = [k for k, each in enumerate(found) if each.others or not each.face.clear]
    for k in several[:1]:
        with at(f"image {numbers[k]}"):
            warn_of_others(found[k].faces, found[k].face, rule)
    if not any(each.others for each in found[1:]):
        return found
    (who,) = vectors(encoders, images[numbers[0]], [found[0].face])
    return [found[0], *(_like(encoders, images[i], each, who) for i, each in zip(numbers[1:], found[1:], strict=True))]


def _like(encoders: Encoders, image: torch.Tensor, found: Found, who: torch.Tensor) -> Found:
    if not found.others:
        return found
    clear = [i for i, face in enumerate(found.faces) if face.clear or i == found.which]
    alike = vectors(encoders, image, [found.faces[i] for i in clear]) @ who
    best = clear[int(alike.argmax())]
    return Found(found.key, found.faces, best) if alike.max() > ALIKE else found


def vectors(encoders: Encoders, image: torch.Tensor, faces: list[DetectedFace]) -> torch.Tensor:
    """Identity vectors [N, D] of faces of a picture [H, W, 3]."""
    crops, matrices = zip(*(cut(image, face.points, encoders.size) for face in faces), strict=True)
    pictures = torch.stack(crops)
    points = torch.stack([face.points[:, :2] @ m[:, :2].T + m[:, 2] for face, m in zip(faces, matrices, strict=True)])
    found = encoders.recognise(F.interpolate(pictures, size=INPUT, mode="area"), pictures, points)
    return F.normalize(found, dim=-1)
