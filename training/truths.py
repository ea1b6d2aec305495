"""Pairs of true expressions: one picture of a person is the selfie, another one, with another feeling, the target.

    python -m training truths --data DATA      # from DATA/expressions; people of HELD_OUT are left out

Nothing in the target is drawn: mouths, teeth, folds and eyes are those that this person has with this feeling.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..modules.affine import FRAME, mirrored
from ..modules.faces.landmarker import find_faces, landmarks_in_crop
from ..modules.faces.morphable import FaceShape
from ..modules.faces.networks import FaceNetworks
from ..modules.labels import MIRROR
from ..modules.types import Face
from ..modules.warp.paste import cut
from .movement import NEUTRAL, Shown, cell, cells
from .pairs import PairMaker, Rendering, degraded
from .portrait import MARGIN
from .samples import FIRST

HELD_OUT = "P005", "P008"  # draft and result are compared on them
KNOWN = 0.5  # share of selfies whose neutral face is known, as from a neutral photo of the same person


class TruthMaker(PairMaker):
    """Pairs of people who show several feelings; `faces`: their pictures, a neutral one of each person among them."""

    def __init__(self, faces: list[Shown], networks: FaceNetworks, shape: FaceShape):
        super().__init__([_Points(f.face) for f in faces], networks, shape)
        self.shown = faces
        self.calm = {f.person: f.face for f in faces if f.label == NEUTRAL}

    def pairs(self, flip: bool, share: float, seed: int) -> list[dict[str, torch.Tensor]]:
        """Each picture as the selfie for each other one of the same person, both ways; `share` of the pairs of two feelings,
        all of those with a neutral side.
        """
        made = []
        for number, (one, other) in enumerate(self.couples()):
            rng = np.random.default_rng([seed, number])
            if NEUTRAL in (one.label, other.label) or rng.random() < share:
                made.append(self.truth(one, other, flip, rng))
        return made

    def couples(self) -> list[tuple[Shown, Shown]]:
        same = [(one, other) for one in self.shown for other in self.shown if one.person == other.person]
        return [(one, other) for one, other in same if one.label != other.label]

    def truth(self, one: Shown, other: Shown, flip: bool, rng) -> dict[str, torch.Tensor]:
        """The pair from a person's picture `one` to the other."""
        selfie, target = (self.turned(x.face, flip) for x in (one, other))
        calm = self.turned(self.calm[one.person], flip)
        neutral = self.shape.upright(calm.fit)
        selfie = self.seen(selfie, neutral if rng.random() < KNOWN else None, rng)
        geometry = self.shape.geometry_between(calm.fit, target.fit)[0].float()
        aim = Rendering(target, torch.cat([target.code, geometry]), torch.zeros_like(target.image[0]))
        background = self.background(target)
        mask = self.mask(background, background.mesh, rng)
        guides = self.guides(selfie, background, background.mesh, mask, geometry, rng, {"border": rng.uniform(3, 9)})
        shown = Rendering(selfie, torch.cat([selfie.code, self.shape.own_geometry(selfie.fit)[0].float()]), aim.mouth)
        number = FIRST + sorted(self.calm).index(one.person)
        return self.row({"target": target.image, **guides, "doubtful": aim.mouth}, mask, aim.code, selfie, shown, number, False)

    def turned(self, face: Face, flip: bool) -> Face:
        if not flip:
            return face
        image, points = mirrored(face.image, face.points, self.mirror)
        return self.shape.face(image, points, face.code[list(MIRROR)])

    def seen(self, face: Face, neutral: torch.Tensor | None, rng) -> Face:
        """A selfie as people have them; neutral [1, 478, 3]: the true neutral face, where it is known."""
        face = replace(face, image=degraded(face.image, rng))
        if neutral is None:
            return face
        offset = self.shape.geometry_of(neutral - self.shape.neutral(face.fit))
        return replace(face, fit=replace(face.fit, neutral_offset=offset))


@dataclass(frozen=True, eq=False)
class _Points:
    """A face as `PairMaker.mask` looks at people: points in the wide frame."""

    face: Face

    def points(self) -> torch.Tensor:
        return self.face.points + torch.tensor([MARGIN, MARGIN, 0.0])


@torch.inference_mode()
def read_pictures(folder: Path, shape: FaceShape, networks: FaceNetworks, people: set[str] | None = None) -> list[Shown]:
    """The pictures of people who are not held out (or of `people`), without a hand before the face, in frames of 256 px."""
    found = []
    for row in cells(folder):
        if (row["person"] in people) if people else (row["person"] not in HELD_OUT):
            picture = cell(folder, row)
            crop, _ = cut(picture, find_faces(networks, picture)[0].points, FRAME)
            points, _, code = landmarks_in_crop(networks, crop[None])
            code = code[0].clone()
            code[0] = 0
            found.append(Shown(row["person"], row["label"], shape.face(crop, points[0], code)))
    return found


@torch.inference_mode()
def main(folder: Path, out: Path, networks: FaceNetworks, shape: FaceShape, seed: int, share: float) -> None:
    """Writes pairs_truth<seed>.pt; odd seeds are mirrored."""
    file = out / f"pairs_truth{seed}.pt"
    if file.exists():
        return
    rows = TruthMaker(read_pictures(folder, shape, networks), networks, shape).pairs(bool(seed % 2), share, seed)
    out.mkdir(parents=True, exist_ok=True)
    torch.save({k: torch.stack([r[k] for r in rows]) for k in rows[0]}, file)
    print(f"{file.name}: {len(rows)} pairs", flush=True)
