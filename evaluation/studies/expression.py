"""How well an expression is read: known codes are shown, and compared with what Expression From Image makes of them.

Two tests, R2 by coefficient: faces of the morphable model (their points, with their calm face beside them), and people kept out
of training, whose portraits were redrawn with the code, read once with a calm picture of them and once without.
"""

import numpy as np
import torch

from dev.pack import ROOT

from ...modules.labels import BLENDSHAPES
from ...modules.pipeline.encoders import Encoders, face_networks
from ...modules.pipeline.expression import code_of_face
from ...modules.pipeline.face import face_of
from ...modules.types import Face
from ...training.data import load_part
from ...training.portrait import MARGIN, Portrait
from ...training.regressor import determination, model_faces, most_used
from ...training.synth.codes import random_code
from ...training.synth.reenact import moved_points, redraw_person
from ..metrics.report import write_docs
from ..pipeline import Pipeline

MARKS = "<!-- expression:begin -->", "<!-- expression:end -->"
FACES, EACH, SEED = 1000, 5, 20_000  # faces of the model; drawn codes for each person; a seed that training never used
TARGET = 0.9
RARE = 0.5  # share of the second set of faces that shows two coefficients more, any of them
HARD = ("noseSneerLeft", "noseSneerRight", "cheekPuff", "eyeBlinkLeft", "eyeBlinkRight")  # what the network hardly sees
CALM = np.zeros(len(BLENDSHAPES), np.float32)


@torch.inference_mode()
def on_the_model(encoders: Encoders) -> dict[str, torch.Tensor]:
    """R2 [52] on faces of the morphable model: of the code, and of the blendshape network alone."""
    networks, reader, columns = face_networks().ready(), encoders.stack.ready().reader, {}
    for name, rare in (("morphable model", 0.0), ("same, with any coefficient", RARE)):
        seen, code = model_faces(encoders.shape, networks, FACES, SEED, rare)
        columns[name] = determination(reader(seen[:, :52], seen[:, 52:]), code)
        columns.setdefault("same, blendshapes alone", determination(seen[:, :52], code))
    return columns


@torch.inference_mode()
def on_portraits(encoders: Encoders, people: list[Portrait]) -> dict[str, torch.Tensor]:
    """R2 [52] on redrawn portraits, read as any picture is."""
    rng, rows = np.random.default_rng(SEED), []
    for number, person in enumerate(people, 1):
        codes = [CALM, *(random_code(rng, strong=True) for _ in range(EACH))]
        calm, *shown = redrawn(encoders, person, codes)
        for code, crop in zip(codes[1:], shown, strict=True):
            exact, guessed = code_of_face(encoders, crop, calm)[:52], code_of_face(encoders, crop)[:52]
            rows.append((torch.from_numpy(code), exact, guessed, crop.code))
        print(f"  {number} of {len(people)} people", end="\r", flush=True)
    asked, *found = (torch.stack(column) for column in zip(*rows, strict=True))
    names = "portraits, calm picture given", "portraits, calm face guessed", "same, blendshapes alone (portraits)"
    return {name: determination(value, asked) for name, value in zip(names, found, strict=True)}


def redrawn(encoders: Encoders, person: Portrait, codes: list[np.ndarray]) -> list[Face]:
    """The person with each code [52], as aligned crops that were measured again."""
    shape, networks = encoders.shape, face_networks().ready()
    image = torch.from_numpy(person.wide().copy()).permute(2, 0, 1).float() / 255
    points, before = person.points(), torch.from_numpy(person.blendshapes).clone()
    before[0] = 0
    fit = shape.fit(points[None], before[None])
    crops = []
    for code in codes:
        geometry = shape.geometry_of_code(torch.from_numpy(code)[None])[0]
        drawn, _ = redraw_person(image, points, moved_points(shape, fit, points, geometry), networks.topology)
        crops.append(face_of(encoders, drawn[:, MARGIN:-MARGIN, MARGIN:-MARGIN]))
    return crops


def figure(value: torch.Tensor) -> str:
    return "not shown" if value.isnan() else f"{value:.2f}"


def table(columns: dict[str, torch.Tensor], settings: str) -> str:
    """Markdown: the most used coefficients, their mean, and those that are hard to see."""
    used, hard = most_used(), [BLENDSHAPES.index(name) for name in HARD]
    lines = [settings, "", f"| coefficient | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    row = lambda name, pick: f"| {name} | {' | '.join(figure(pick(v)) for v in columns.values())} |"  # noqa: E731
    lines.append(row(f"**mean of the {len(used)} most used**", lambda v: v[used].mean()))
    lines.append(row("median of them", lambda v: v[used].median()))
    lines += [row(BLENDSHAPES[k], lambda v, k=k: v[k]) for k in [*used, *(k for k in hard if k not in used)]]
    return "\n".join([*lines, ""])


def expression(args) -> int:
    """The command."""
    encoders = Pipeline(bundle=args.bundle).encoders
    people = load_part(args.data, "evaluation")[: args.people]
    columns = {**on_the_model(encoders), **on_portraits(encoders, people)}
    settings = (
        f"Bundle `{encoders.id}`: R2 of what is read against what was shown; 1 is perfect, 0 no better than always saying the "
        f"mean. {FACES} faces of the morphable model that training never saw; {len(people)} people kept out of training, "
        f"{EACH} expressions each."
    )
    text = table(columns, settings)
    mean = columns["morphable model"][most_used()].mean()
    text += f"\nMean on the morphable model {mean:.2f} (target {TARGET}: {'met' if mean >= TARGET else 'not met'}).\n"
    if args.write_docs:
        write_docs(text, ROOT / "docs" / "results.md", MARKS)
    print(text)
    return 0
