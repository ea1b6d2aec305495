"""The light of an expression on the skin where a face stands: its folds, beyond those that the photo shows already."""

from typing import NamedTuple

import torch

from ..affine import FRAME
from ..faces.morphable import FaceShape
from ..labels import BLENDSHAPES
from ..types import Face
from .light import GAMMA, LUMINANCE, gained
from .masks import blurred, grow
from .mesh import POINTS, Mesh, sampled

# What calm faces measure, of the coefficients that networks read well.
CALM = {
    "browDownLeft": 0.1, "browDownRight": 0.1, "browInnerUp": 0.0, "browOuterUpLeft": 0.0, "browOuterUpRight": 0.0,
    "eyeSquintLeft": 0.3, "eyeSquintRight": 0.3, "jawOpen": 0.0, "mouthPucker": 0.0, "mouthSmileLeft": 0.0,
    "mouthSmileRight": 0.0, "mouthUpperUpLeft": 0.0, "mouthUpperUpRight": 0.0,
}  # fmt: skip
SURE = 0.15  # beyond what calm faces measure, from which on it is an expression
GONE, SOFT = 0.6, 3.0  # share of the photo's own light that is taken away, and over how many pixels of the 256 px frame
ASIDE = 5.0  # the same: how far from where they were learnt a photo's folds may be
FOLD = 0.05  # how dark light must be learnt for the photo to have folds there
WIDTH, DEEPEST = 4.0, 0.6  # pixels of the 256 px crop that a fold is narrower than, and how dark it is: hair is darker


class Shade(NamedTuple):
    """On a face where it stands: `light` [S, S], log of a gain of linear light; `gone` [S, S] 0..1, where folds go."""

    light: torch.Tensor
    gone: torch.Tensor | None = None

    def on(self, image: torch.Tensor) -> torch.Tensor:
        """A picture [3, S, S] in this light."""
        gain = folded(image, torch.exp(self.light))
        if self.gone is not None:
            bright = torch.log(image.clamp_min(0).pow(GAMMA) + 0.01)  # of each channel: folds are redder, too
            fold = (bright - blurred(bright[None], WIDTH * len(self.light) / FRAME)[0]).clamp(-DEEPEST, 0)
            gain = gain * torch.exp(-self.gone * fold)
        return gained(image, gain)


def folded(image: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    """A gain [S, S] of linear light as skin in a picture [3, S, S] takes it, [3, S, S] of the same luminance: what is darker is
    redder, too, for in a fold light goes from skin to skin (interreflection after Jimenez et al. 2016, one albedo a channel).
    """
    linear = image.clamp(0, 1) ** GAMMA
    dark = gain.clamp(max=1)
    warm = dark / (1 - linear * (1 - dark))
    luminance = lambda x: torch.einsum("chw,c->hw", x, x.new_tensor(LUMINANCE)).clamp_min(1e-6)  # noqa: E731
    return warm * gain * luminance(linear) / luminance(linear * warm)


def own_light(shape: FaceShape, face: Face) -> torch.Tensor | None:
    """The light of the expression that a photo shows, in the frontal frame [U, U]; None of a calm face, or without maps."""
    if shape.light_maps is None or not expressed(face.code).any():
        return None
    own = shape.light(shape.own_geometry(face.fit)[0])
    return blurred(own[None, None], SOFT * len(own) / FRAME)[0, 0]  # where exactly the photo's folds are is not known


def shade_of(shape: FaceShape, own: torch.Tensor | None, mesh: Mesh, geometry: torch.Tensor, wrinkles: float) -> Shade | None:
    """The light of a face doing geometry [K], on the mesh where it stands, times `wrinkles`; None if there is nothing to add.

    own: `own_light` of its photo. What the photo shows already is not added again: a smile that goes takes its folds with it.
    """
    if shape.light_maps is None or wrinkles == 0:
        return None
    light = shape.light(geometry)
    frame = shape.frame(len(light))
    if own is None:
        return Shade(wrinkles * shade_on(light[None], frame, mesh)[0])
    less = ((light - own) / -own.clamp_max(-FOLD)).clamp(0, 1) * (-own / FOLD).clamp(0, 1)
    less = blurred(grow(less[None, None], ASIDE * len(own) / FRAME), SOFT * len(own) / FRAME)[0, 0]
    light, gone = shade_on(torch.stack([light - GONE * own, less]), frame, mesh)
    return Shade(wrinkles * light, gone)


def expressed(code: torch.Tensor) -> torch.Tensor:
    """What of measured coefficients [52] is an expression for sure [52]; of most faces, that are nearly calm, nothing."""
    found = torch.zeros_like(code)
    for name, calm in CALM.items():
        k = BLENDSHAPES.index(name)
        found[k] = code[k] if code[k] > calm + SURE else 0.0
    return found


def shade_on(light: torch.Tensor, frame: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """What is kept in a frontal frame [C, U, U], whose face points are frame [478, >= 2], on a face where
    it stands: [C, S, S]."""
    return sampled(light, mesh.interpolate(frame[:POINTS, :2])) * mesh.covered
