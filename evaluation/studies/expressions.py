"""How near a word comes to the true picture of the same person with that feeling; one person of `expressions` left out in turn.

The selfie is the person's neutral picture, the word that of `training.movement.WORDS`, and what is drawn the coarse warp: the
model paints what that shows. Movement and light are learnt from the other people alone. The page gets the tables of
`likeness.py` and `nearness.py` too.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from dev.pack import ROOT

from ...modules.affine import apply, invert, sample, similarity
from ...modules.bundle import Bundle, load_bundle
from ...modules.encoders.expression import COEFFICIENTS, encode_label, split
from ...modules.faces.morphable import TEETH, FaceShape
from ...modules.host.folders import bundle_path
from ...modules.labels import index
from ...modules.pipeline.encoders import Encoders, build_encoders, face_networks
from ...modules.pipeline.face_draft import face_drafts
from ...modules.pipeline.identity import encode_identity
from ...modules.types import Expression, Face, Identity
from ...modules.warp.aperture import Aperture
from ...modules.warp.eyes import EYES
from ...modules.warp.mesh import Mesh
from ...modules.warp.mouth import MOUTH, SKULL
from ...nodes.unet_loader import UNetLoader
from ...training.movement import NEUTRAL, WORDS, Shown, cell, cells, displacements, distance, learn, read_faces, strip, typical
from ..metrics.figures import cosines
from ..metrics.measure import Observer
from ..metrics.perceptual import Stlpips
from ..metrics.report import write_docs
from ..pipeline import defaults
from . import likeness, nearness

MARKS = "<!-- expressions:begin -->", "<!-- expressions:end -->"
BEFORE, MOVED, LIT, WHOLE, TRUE = "before: rig calibration", "movement alone", "with light", "with mouths", "true picture"
DRAWN = (BEFORE, MOVED, LIT, WHOLE)
AS_IT_IS = "the smiling picture itself"
OUTSIDE = 0.5  # grey round the faces that are compared
# parts that are compared alone, and how much round them, in shares of their width
PARTS = {"mouth": ((MOUTH,), 0.3), "eyes": (tuple(eye for eye, _ in EYES), 0.12)}
SHORTEST = 128  # pixels of the shorter side of such a part as it is compared


@dataclass(frozen=True, eq=False)
class Way:
    """One way to draw words on a selfie."""

    encoders: Encoders
    selfie: Identity
    wrinkles: float

    def code(self, word: str, intensity: float = 1.0) -> Expression:
        return encode_label(self.encoders.shape, self.encoders.id, word, intensity, 0)

    def displacement(self, word: str) -> torch.Tensor:
        """What the word moves [478, 3]."""
        return self.encoders.shape.moved(split(self.code(word).codes)[1])[0]

    def drawn(self, word: str, intensity: float = 1.0) -> torch.Tensor:
        """The coarse warp of the selfie [1, S, S, 3]."""
        return face_drafts(self.encoders, self.selfie, self.code(word, intensity), None, "largest", 0, self.wrinkles)[0]


def before_and_after(bundle: Bundle, others: list[Shown]) -> tuple[Encoders, Encoders, Encoders]:
    """Encoders by the rig calibration; by movement and light learnt from these people alone; and with mouths, too."""
    plain = strip(build_encoders(bundle).shape)
    teeth = {name: value for name, value in bundle.parts["shape"].items() if name in TEETH}
    topology = face_networks().ready().topology
    learnt = {name: value.float() for name, value in learn(others, plain, topology, teeth).items()}
    before = {name: value.float() for name, value in plain.state_dict().items()}
    plainly = {name: value for name, value in learnt.items() if not name.startswith("mouth_")}
    return tuple(build_encoders(_with(bundle, state)) for state in (before, {**before, **plainly}, {**before, **learnt}))


def ways(old: Encoders, new: Encoders, whole: Encoders, selfie: torch.Tensor) -> dict[str, Way]:
    """By name, for a selfie [H, W, 3]."""
    whose = [encode_identity(encoders, selfie[None], "largest", 0, "error")[0] for encoders in (old, new, whole)]
    return {BEFORE: Way(old, whose[0], 0.0), MOVED: Way(new, whose[1], 0.0), LIT: Way(new, whose[1], 1.0),
            WHOLE: Way(whole, whose[2], 1.0)}  # fmt: skip


def _with(bundle: Bundle, shape: dict[str, torch.Tensor]) -> Bundle:
    """With another face model. The tokens, which no coarse warp asks, then read no more of a code than it gives."""
    tokens, first = bundle.config.tokens, "expression.0.weight"
    width = min(tokens.code_width, COEFFICIENTS + len(FaceShape.like(shape).basis))
    config = replace(bundle.config, tokens=replace(tokens, code_width=width))
    read = {**bundle.parts["tokens"], first: bundle.parts["tokens"][first][:, :width]}
    return replace(bundle, config=config, parts={**bundle.parts, "shape": shape, "tokens": read})


def seen_alike(truth: Face, calm: Face) -> Face:
    """The true picture, its head where the photo's is: crops are aligned by eyes and mouth, which a wide mouth shifts."""
    where = [face.points[None, list(SKULL), :2] for face in (calm, truth)]
    back = similarity(*where)
    image = sample(truth.image[None], back, calm.size)[0]
    return replace(truth, image=image, points=apply(invert(back), truth.points[None])[0])


def compared(calm: Face, truth: Face, picture: torch.Tensor, distance_of: Stlpips) -> float:
    """STLPIPS of a drawn picture [3, S, S] of a calm face to the true one, where both have skin."""
    topology = face_networks().ready().topology
    seen = [Mesh.of(face.points, topology, face.size).covered for face in (calm, truth)]
    inside = (seen[0] & seen[1]).float()
    grey = lambda image: (image * inside + OUTSIDE * (1 - inside))[None]  # noqa: E731
    return float(distance_of(grey(picture), grey(truth.image)))


def part_compared(
    openings: tuple[Aperture, ...], reach: float, truth: Face, picture: torch.Tensor, distance_of: Stlpips
) -> float:
    """STLPIPS of a drawn picture [3, S, S] to the true one, in the box round openings of the true face, enlarged."""
    points = torch.cat([truth.points[list(o.upper + o.lower + o.corners), :2] for o in openings])
    low, high = points.amin(0), points.amax(0)
    margin = reach * (high - low)[0]
    (left, top), (right, bottom) = ((low - margin).clamp_min(0).int().tolist(), (high + margin).ceil().int().tolist())
    cut = [image[None, :, top:bottom, left:right] for image in (picture, truth.image)]
    scale = max(1.0, SHORTEST / min(cut[0].shape[-2:]))
    return float(distance_of(*(F.interpolate(c, scale_factor=scale, mode="bicubic").clamp(0, 1) for c in cut)))


def measured(person: str, own: dict, faces: list[Shown], both: tuple, look: Observer, near: Stlpips) -> list[dict]:
    """A row for each label and way, the true picture as one of them. own: the person's pictures [H, W, 3] by label."""
    drawn_by, others = ways(*both, own[NEUTRAL]), [f for f in faces if f.person != person]
    encoders, calm = drawn_by[WHOLE].encoders, drawn_by[WHOLE].selfie.face
    real = displacements([f for f in faces if f.person == person], encoders.shape)
    usual, mirror = displacements(others, encoders.shape), face_networks().ready().topology.mirror
    who, rows = look.look(own[NEUTRAL][None]).vector[0], []
    alike = lambda pictures: float(cosines(look.look(pictures).vector[0], who))  # noqa: E731
    for label, word in WORDS.items():
        if label not in own:
            continue
        moved, median = real[person, label], typical(usual, label, mirror)
        row = {"label": label, "person": person, "way": TRUE, "identity": alike(own[label][None])}
        rows.append({**row, "error": distance(median - moved) / distance(moved)})
        truth = seen_alike(encode_identity(encoders, own[label][None], "largest", 0, "error")[0].face, calm)
        for name, way in drawn_by.items():
            picture = way.drawn(word)
            found = {"way": name, "size": distance(way.displacement(word)) / distance(median), "identity": alike(picture)}
            found["error"] = distance(way.displacement(word) - moved) / distance(moved)
            planes = picture[0].permute(2, 0, 1)
            found["stlpips"] = compared(calm, truth, planes, near)
            found |= {part: part_compared(*where, truth, planes, near) for part, where in PARTS.items()}
            rows.append({**row, **found})
    return rows


def calmed(person: str, own: dict, both: tuple, look: Observer, near: Stlpips) -> list[dict]:
    """A row for each way to take a smile away, and for the smiling picture as it is: beside the person's own neutral one."""
    drawn_by = ways(*both, own["Happy"])
    smiling = drawn_by[WHOLE].selfie.face
    truth = encode_identity(drawn_by[WHOLE].encoders, own[NEUTRAL][None], "largest", 0, "error")[0].face
    truth = seen_alike(truth, smiling)
    who = look.look(own[NEUTRAL][None]).vector[0]
    pictures = {name: way.drawn("happiness", 0.0)[0].permute(2, 0, 1) for name, way in drawn_by.items()}
    rows = []
    for name, picture in {AS_IT_IS: smiling.image, **pictures}.items():
        seen = look.look(picture.permute(1, 2, 0)[None])
        smile = float(seen.code[0, [index("mouthSmileLeft"), index("mouthSmileRight")]].mean())
        found = {"stlpips": compared(smiling, truth, picture, near), "identity": float(cosines(seen.vector[0], who))}
        rows.append({"person": person, "way": name, "smile": smile, **found})
    return rows


def true_pictures(folder: Path, person: str) -> dict[str, torch.Tensor]:
    """By label, without those that have a hand before the face."""
    return {row["label"]: cell(folder, row) for row in cells(folder) if row["person"] == person}


def table(rows: list[dict], bundle: str) -> str:
    """Markdown: a row for each label."""
    found = lambda name, where: [r[name] for r in rows if where.items() <= r.items()]  # noqa: E731
    mean = lambda name, **where: np.mean(found(name, where))  # noqa: E731
    people = len({row["person"] for row in rows})
    lines = [
        f"Bundle `{bundle}`; {people} people of `expressions`, each drawn by what the other {people - 1} taught. Size: mean "
        "displacement over that of the others' median. Error: mean displacement from the word's face to the person's own, over "
        "the person's own displacement; *others*: the same of the others' median. STLPIPS to the true picture, where both have "
        "skin. Identity: cosine to the neutral selfie by faceres.",
        "",
        "| label, word | size before | size now | error before | error now | error, others | STLPIPS before | now |"
        " identity before | now | true picture |",
        f"|---|{'---|' * 10}",
    ]
    for label in (*WORDS, None):
        at = {"label": label} if label else {}
        name = f"{label}, {WORDS[label]}" if label else "**mean**"
        figures = [mean("size", way=BEFORE, **at), mean("size", way=WHOLE, **at), mean("error", way=BEFORE, **at)]
        figures += [mean("error", way=WHOLE, **at), mean("error", way=TRUE, **at)]
        looks = [mean("stlpips", way=way, **at) for way in (BEFORE, WHOLE)]
        alike = [mean("identity", way=way, **at) for way in (BEFORE, WHOLE, TRUE)]
        told = [f"{v:.2f}" for v in figures] + [f"{v:.3f}" for v in looks] + [f"{v:.2f}" for v in alike]
        lines.append(f"| {name} | {' | '.join(told)} |")
    return "\n".join([*lines, ""])


def ways_table(rows: list[dict]) -> str:
    """Markdown: each way to draw a word, means over people and labels."""
    lines = [
        "",
        "The same by what is drawn, means over people and labels. Mouth, eyes: STLPIPS in the boxes round those of the true "
        "picture. Eyes are today's in every row; only *with mouths* has more than the plain mouth of older bundles.",
        "",
        "| drawn | size | error | STLPIPS, face | mouth | eyes | identity |",
        "|---|---|---|---|---|---|---|",
    ]
    names = {"size": 2, "error": 2, "stlpips": 3, "mouth": 3, "eyes": 3, "identity": 2}
    for way in DRAWN:
        of = [row for row in rows if row["way"] == way]
        lines.append(f"| {way} | {' | '.join(f'{np.mean([r[n] for r in of]):.{digits}f}' for n, digits in names.items())} |")
    true = [row for row in rows if row["way"] == TRUE]
    error, identity = (np.mean([row[name] for row in true]) for name in ("error", "identity"))
    lines.append(f"| {TRUE} (error: of the others' median) | 1 | {error:.2f} | 0 | 0 | 0 | {identity:.2f} |")
    return "\n".join([*lines, ""])


def calm_table(rows: list[dict]) -> str:
    """Markdown: means over people."""
    lines = ["", "A smiling selfie (Happy) at intensity 0, beside the same person's neutral picture:", ""]
    lines += ["| picture | STLPIPS to the neutral one | identity: cosine to it | smile measured |", "|---|---|---|---|"]
    for way in (AS_IT_IS, *DRAWN):
        mean = lambda name, way=way: np.mean([row[name] for row in rows if row["way"] == way])  # noqa: E731
        lines.append(f"| {way} | {mean('stlpips'):.3f} | {mean('identity'):.2f} | {mean('smile'):.2f} |")
    return "\n".join([*lines, ""])


def expressions(args) -> int:
    """The command."""
    folder = args.data / "expressions"
    bundle = load_bundle(bundle_path(args.bundle or defaults(UNetLoader)["bundle"]))
    encoders = build_encoders(bundle)
    plain = strip(encoders.shape)
    faces = read_faces(folder, plain, face_networks().ready())
    look, near, rows, calm = Observer(args.data, plain), Stlpips(args.data), [], []
    for person in sorted({f.person for f in faces}):
        own, both = true_pictures(folder, person), before_and_after(bundle, [f for f in faces if f.person != person])
        rows += measured(person, own, faces, both, look, near)
        calm += calmed(person, own, both, look, near)
        print(f"  {person} measured", flush=True)
    calm_pictures = [cell(folder, row)[None] for row in cells(folder) if row["label"] == NEUTRAL]
    selfies = [encode_identity(encoders, picture, "largest", 0, "error")[0] for picture in calm_pictures]
    text = table(rows, encoders.id) + ways_table(rows) + calm_table(calm)
    text += likeness.table(likeness.rows_of(likeness.draw(encoders, args.data, look, args.people)))
    text += nearness.table(*nearness.nearest(encoders, selfies), len(selfies))
    if args.write_docs:
        write_docs(text, ROOT / "docs" / "results.md", MARKS)
    print(text)
    return 0
