"""What the Identity Encoder does: photos of one person to an Identity."""

import logging
from dataclasses import replace

import torch
import torch.nn.functional as F

from ..encoders.identity import INPUT, Pooled, pool
from ..errors import DiffSFSRError, at, here
from ..faces.morphable import FaceShape
from ..faces.pose import angles
from ..host.progress import steps
from ..images import checked_image
from ..types import Face, Identity
from ..warp.covers import in_front
from ..warp.detail import photo_of
from ..warp.palette import Exposure
from ..warp.unseen import inside, missing
from .encoders import Encoders
from .face import check_choice, face_of, find_face
from .landmarks import faces_of
from .place import Person, cover_share, own_place, person_of, seen_in

BRIDGE, COVERED = 6, 0.05  # the point between the eyes; share of the face below it: of 25 bare ones 24 have 0, one .011
TURNED = 25.0  # degrees to a side, from which on half a face is a mirror image
WITHOUT_FACE = ("error", "skip this image", "treat as an aligned crop")
log = logging.getLogger(__name__)


@at("Identity Encoder")
@torch.inference_mode()
def encode_identity(
    encoders: Encoders, images: torch.Tensor, rule: str, index: int, without: str, landmarks: dict | None = None
) -> tuple[Identity, torch.Tensor]:
    """Photos [B, H, W, 3] of one person -> Identity and the aligned crops [P, 256, 256, 3]; a stranger's is not among them.

    landmarks: FACE_LANDMARKS of the host, in place of our own search.
    """
    images = checked(images, rule, without)
    given = faces_of(landmarks, len(images), tuple(images.shape[1:3])) or [None] * len(images)
    found = [_face(encoders, image, (rule, index, given[i]), without, i) for i, image in enumerate(steps(images))]
    numbers = [i for i, each in enumerate(found) if each is not None]
    if not numbers:
        raise DiffSFSRError("None of the pictures shows a usable face", "Connect a clear photo of the person")
    faces = [found[i][0] for i in numbers]
    pictures = torch.stack([face.image for face in faces])
    selfies = F.interpolate(pictures, size=INPUT, mode="area")
    vectors = encoders.recognise(selfies, pictures, torch.stack([face.points for face in faces]))
    who = pool(vectors, encoders.config.identity)
    _warn(who, numbers)
    _warn_of_light(pictures, numbers)
    k = max(who.kept, key=lambda k: float(vectors[k] @ who.vector))  # most like all of them: drawn from
    _warn_unseen(encoders.shape, faces[k], found[numbers[k]][1], images[numbers[k]], numbers[k])
    best = replace(faces[k], photo=photo_of(images[numbers[k]], found[numbers[k]][1], encoders.size))
    identity = Identity(who.vector, selfies[who.kept], best, encoders.id)
    _warn_covered(encoders, person_of(identity), numbers[k])
    return identity, pictures[who.kept].permute(0, 2, 3, 1)


def checked(images: torch.Tensor, rule: str, without: str) -> torch.Tensor:
    """The photos as `checked_image` gives them; also what would be asked in vain of every single one."""
    with at("image"):
        images = checked_image(images)
    if without not in WITHOUT_FACE:
        remedy = f"Choose one of: {', '.join(WITHOUT_FACE)}"
        raise DiffSFSRError(f"'{without}' is no way to treat a picture without a face", remedy)
    check_choice(rule)
    return images


def _warn(who: Pooled, numbers: list[int]) -> None:
    """Says which photos were left out, and when the photos do not agree. `numbers`: the place of each in the batch."""
    for k in who.strangers:
        log.warning("%s: this photo looks like another person, left out", here(f"image {numbers[k]}"))
    if who.torn:
        names = ", ".join(str(n) for n in numbers)
        what = "they look like different people and none is in the majority; all are kept"
        log.warning("%s: %s", here(f"images {names}"), what)


def _warn_unseen(shape: FaceShape, face: Face, matrix: torch.Tensor, image: torch.Tensor, number: int) -> None:
    """Says once what the photo that is drawn from does not show of the face."""
    where, said = here(f"image {number}"), "what no side shows is the background's own face; a whole face helps"
    parts = missing(face.points, inside(matrix, face.size, tuple(image.shape[:2])))
    if parts:
        lie = "lies" if len(parts) == 1 else "lie"
        log.warning("%s: the selfie's %s %s outside the picture: %s", where, " and ".join(parts), lie, said)
    turn = abs(float(angles(face.fit.rotation)[0, 0]))
    if turn > TURNED:
        what = "its far side is drawn from the near one's mirror image; a photo from the front helps"
        log.warning("%s: the selfie is turned by %.0f degrees: %s", where, turn, what)


def _warn_covered(encoders: Encoders, person: Person, number: int) -> None:
    """Says that a mask, a hand or the like hides much of the photo's face below the eyes."""
    own, face = own_place(encoders, person), person.face
    mesh = own.background.mesh
    low = mesh.covered & (torch.arange(face.size)[:, None] > face.points[BRIDGE, 1])
    found = in_front(seen_in(encoders, own), mesh, cover_share(encoders, person))
    share = float(found[low].mean()) if low.any() else 0.0
    if share > COVERED:
        what = "%.0f %% of the selfie's face below the eyes is covered, and what is hidden is guessed from the rest"
        log.warning(f"%s: {what}; a photo without it helps", here(f"image {number}"), 100 * share)


def _warn_of_light(pictures: torch.Tensor, numbers: list[int]) -> None:
    """Says in which crops [P, 3, S, S] hardly anything of the person can be seen."""
    for picture, number in zip(pictures, numbers, strict=True):
        exposure = Exposure.of(picture)
        how = "dark" if exposure.dark > 0.5 else "burnt out" if exposure.burnt > 0.5 else ""
        if how:
            what = "the face is %s, and little of the person can be seen; it is led to the light of the picture it goes into"
            log.warning(f"%s: {what}; a better exposed photo helps", here(f"image {number}"), how)


def _face(
    encoders: Encoders, image: torch.Tensor, which: tuple, without: str, number: int
) -> tuple[Face, torch.Tensor] | None:
    """The face of one photo and the matrix [2, 3] from its pixels to the crop; without a face what `without` says: the error,
    None, or the whole picture as the crop. which: the last arguments of `find_face`.
    """
    try:
        with at(f"image {number}"):
            return find_face(encoders, image, *which)
    except DiffSFSRError as error:
        if without == "error":
            raise
        log.warning("%s (%s)", error, without)
    if without == "skip this image":
        return None
    size = (encoders.size, encoders.size)
    crop = F.interpolate(image.permute(2, 0, 1)[None], size=size, mode="bilinear", antialias=True)[0]
    height, width = image.shape[:2]
    return face_of(encoders, crop), torch.tensor([[size[1] / width, 0.0, 0.0], [0.0, size[0] / height, 0.0]])
