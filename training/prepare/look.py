"""One picture: is it a portrait to learn from, and what is known of it then."""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from kornia.color import rgb_to_grayscale
from kornia.filters import laplacian

from ...modules.affine import invert, sample, to_frame
from ...modules.bundle import load_bundle
from ...modules.encoders.identity import INPUT, IdentityNetwork
from ...modules.errors import DiffSFSRError
from ...modules.faces.landmarker import find_faces, landmarks_in_crop
from ...modules.faces.morphable import FaceShape
from ...modules.faces.networks import FaceNetworks
from ...modules.faces.pose import angles
from ...modules.images import TooLarge, read_picture
from ..portrait import FRAME, MARGIN, margin
from ..teachers import Teachers


@dataclass(frozen=True)
class Limits:
    """What a picture must have. Lengths in pixels of the picture as it came, angles in degrees.

    sharp: see `sharpness`, of the crop at 256 px. adult: years that the network must guess
    at least; it is off by five to ten, so this is above eighteen. several: whether pictures with more faces are used (the
    largest is).
    """

    size: int = 512
    face: float = 160.0
    sharp: float = 0.03
    yaw: float = 35.0
    pitch: float = 30.0
    adult: float = 25.0
    several: bool = True


@dataclass(frozen=True)
class Kept:
    """A picture that is used. Points [478, 3] in the wide frame of 352 px, as `Portrait` has them."""

    wide: torch.Tensor  # [3, W, W] 0..1
    landmarks: torch.Tensor
    blendshapes: torch.Tensor  # [52]
    vector: torch.Tensor  # [256] unit length
    yaw: float
    pitch: float
    age: float
    hash: int  # of its looks, 64 bits


class Looker:
    """`teachers`: the folder with faceres.ts.pt, which guesses ages; None: whoever calls promises that all are adults."""

    def __init__(self, limits: Limits, face_model: Path, bundle: Path, teachers: Path | None):
        parts = load_bundle(bundle).parts
        float32 = lambda part: {k: v.float() if v.is_floating_point() else v for k, v in parts[part].items()}  # noqa: E731
        shape = float32("shape")
        self.shape = FaceShape.like(shape)
        self.shape.load_state_dict(shape)
        self.identity = IdentityNetwork()
        self.identity.load_state_dict(float32("identity"))
        self.identity.eval()
        self.networks, self.limits = FaceNetworks.load(face_model), limits
        self.teachers = None if teachers is None else Teachers(teachers)

    @torch.inference_mode()
    def look(self, file) -> Kept | str:
        """What is known of the picture, or why it is not used."""
        try:
            picture = read_picture(file)[0]
        except TooLarge:
            return "too many pixels"
        except DiffSFSRError:
            return "unreadable"
        faces = find_faces(self.networks, picture)
        if not faces:
            return "no face"
        if len(faces) > 1 and not self.limits.several:
            return "several faces"
        points = faces[0].points
        extent = float((points[:468, :2].amax(0) - points[:468, :2].amin(0)).amax())
        return "face too small" if extent < self.limits.face else self._aligned(picture, points)

    def _aligned(self, picture: torch.Tensor, points: torch.Tensor) -> Kept | str:
        size, around = self.limits.size, margin(self.limits.size)
        inverse = invert(to_frame(points[None].float(), size))
        inverse[:, :, 2] -= inverse[:, :, :2].sum(2) * around  # the wide frame begins that much to the left and above
        wide = sample(picture.permute(2, 0, 1)[None], inverse, size + 2 * around)[0].clamp(0, 1)
        inner = wide[:, around : around + size, around : around + size]
        small = F.interpolate(inner[None], size=FRAME, mode="area")
        if sharpness(small) < self.limits.sharp:
            return "blurred"
        marks, _, code = landmarks_in_crop(self.networks, inner[None])
        code[0, 0] = 0
        turned = angles(self.shape.fit(marks, code).rotation[0])
        if abs(turned[0]) > self.limits.yaw or abs(turned[1]) > self.limits.pitch:
            return "turned away"
        age = float("nan") if self.teachers is None else float(self.teachers.age_and_sex(inner[None], marks[..., :2])[0])
        if age < self.limits.adult:
            return "may be a minor"
        vector = self.identity(F.interpolate(inner[None], size=INPUT, mode="area"))[0]
        away = torch.tensor([1.0, 1.0, -1.0])  # files keep the sign of z that the data folder has
        landmarks = marks[0] * away * (FRAME / size) + torch.tensor([MARGIN, MARGIN, 0.0])
        return Kept(wide, landmarks, code[0], vector, float(turned[0]), float(turned[1]), age, looks(small))


def sharpness(picture: torch.Tensor) -> float:
    """Variance of the Laplacian (Pech-Pacheco et al. 2000) of a picture [1, 3, H, W], as a share of the picture's own variance.

    So a dark picture is not taken for a blurred one.
    """
    grey = rgb_to_grayscale(picture)
    return float(laplacian(grey, 3, normalized=False).var() / grey.var().clamp_min(1e-6))


def looks(picture: torch.Tensor) -> int:
    """64 bits of which neighbour is brighter, on 8 x 9 cells ("difference hash"): nearly the same in other sizes."""
    grey = F.interpolate(rgb_to_grayscale(picture), size=(8, 9), mode="area")[0, 0]
    bits = (grey[:, 1:] > grey[:, :-1]).flatten().tolist()
    return sum(1 << k for k, bit in enumerate(bits) if bit)


