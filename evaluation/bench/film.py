"""A film through the nodes: what Background Condition costs a frame beside a single picture, and the most memory; and what the
search for a face costs in a large picture.
"""

import json
import math
import statistics
import time
from pathlib import Path

import numpy as np
import psutil
import torch
import torch.nn.functional as F
from PIL import Image

from dev.pack import ROOT
from dev.people import person

from ...modules.faces.landmarker import find_faces
from ...modules.pipeline.encoders import face_networks
from ...modules.pipeline.memo import Memo
from ...nodes.background_condition import BackgroundCondition
from ..metrics.report import write_docs
from ..pictures import painted
from ..pipeline import Pipeline, call
from .bench import Target, processor
from .memory import highest

MARKS = "<!-- film:begin -->", "<!-- film:end -->"
WIDTH, HEIGHT, SIDE = 1280, 720, 1400  # of the film, and of the portrait that it goes over: the top of the forehead is cut
SELFIE, PLACE, WORD = "P001", "P004", "amazement"
SINGLES = 5
MEGABYTE = 2**20
SMALL, USUAL = (4000, 6000, 60), (1024, 1024, 400)  # pixels of a picture, and of the face in it
ELSEWHERE = 0.7, 0.65  # of its height and width, where that face is


def frames(count: int, who: str = PLACE) -> torch.Tensor:
    """A painted portrait over which the camera swings: [count, HEIGHT, WIDTH, 3] 0..1."""
    with Image.open(person(who, "portrait")) as file:
        whole = np.asarray(file.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS))
    film = torch.empty(count, HEIGHT, WIDTH, 3)
    for k in range(count):
        left, top = round(60 + 60 * math.sin(k / 15)), round(345 + 50 * math.sin(k / 23))
        film[k] = torch.from_numpy(whole[top : top + HEIGHT, left : left + WIDTH].copy()).float() / 255
    return film


class Camera:
    """Selfie and word known, pictures to come. Seconds are those of the processor: other work on the machine counts little."""

    def __init__(self, **settings):
        self.pipeline = Pipeline(**settings)
        self.who = self.pipeline.identity(painted(SELFIE, "selfie"))[0]
        self.word = self.pipeline.expression([(WORD, 1.0)])

    def condition(self, images: torch.Tensor) -> tuple:
        """Outputs of Background Condition, and its seconds; nothing is remembered from before."""
        encoders = self.pipeline.encoders
        encoders.memo, start = Memo(), time.process_time()
        given = {"encoders": encoders, "vae": self.pipeline.vae, "image": images}
        result = call(BackgroundCondition, **given, identity=self.who, expression=self.word)
        return result, time.process_time() - start

    def finish(self, result: tuple) -> torch.Tensor:
        """What the nodes behind it make of its outputs: the film [n, H, W, 3]."""
        positive, negative, latent, place, _ = result
        crops = self.pipeline.decoded(self.pipeline.paint(positive, negative, latent))
        return self.pipeline.pasted(crops, place)[0]


def measure(camera: Camera, count: int) -> dict[str, float]:
    """Seconds of the autoencoder's three passes, of the first picture, which loads, of a single one later and of a frame, and
    megabytes of `count` frames.
    """
    film = frames(count)
    result, first = camera.condition(film[:1])
    camera.finish(result)
    singles = [camera.condition(film[k : k + 1])[1] for k in range(0, count, max(1, count // SINGLES))]
    before = psutil.Process().memory_info().rss
    result, took = camera.condition(film)
    made = camera.finish(result)
    bytes_of = film.nbytes + made.nbytes
    above = highest() * MEGABYTE - before - made.nbytes  # the frames that go in are there before
    return {"first": first, "single": statistics.median(singles), "frame": took / count, "passes": passes(camera, film[:1]),
            "above": above / MEGABYTE, "frames": bytes_of / MEGABYTE, "before": before / MEGABYTE}  # fmt: skip


@torch.no_grad()
def passes(camera: Camera, picture: torch.Tensor) -> float:
    """Seconds in which the autoencoder alone reads two crops and draws one, as it does for each frame."""
    vae, crop, start = camera.pipeline.vae, picture[:, :256, :256], time.process_time()
    for _ in range(2):
        latent = vae.encode(crop)
    vae.decode(latent)
    return time.process_time() - start


def search(height: int, width: int, size: int) -> float:
    """Seconds of the search in a grainy grey picture with a face of `size` pixels."""
    networks, grain = face_networks().ready(), torch.Generator().manual_seed(0)
    portrait = painted(PLACE, "portrait")
    size = round(size * portrait.shape[1] / max(face.size for face in find_faces(networks, portrait[0])))
    face = F.interpolate(portrait.permute(0, 3, 1, 2), (size, size), mode="bilinear", antialias=True)[0].permute(1, 2, 0)
    picture = (0.45 + 0.02 * torch.randn(height, width, 1, generator=grain)).expand(-1, -1, 3).clone()
    top, left = (round(share * (length - size)) for share, length in zip(ELSEWHERE, (height, width), strict=True))
    picture[top : top + size, left : left + size] = face
    took = []
    for _ in range(3):
        start = time.process_time()
        if not find_faces(networks, picture):
            raise AssertionError(f"no face was found in {width} x {height}")
        took.append(time.process_time() - start)
    return statistics.median(took)


def table(found: dict[str, float], about: dict) -> str:
    rows = [
        Target("Background Condition: a frame / a single picture", found["frame"] / found["single"], 0.5),
        Target("lowest that this can be: two readings and one drawing by the autoencoder / a single picture",
               found["passes"] / found["single"]),
        Target("whole graph: gigabytes at most, above those before and the frames that come out", found["above"] / 1024, 1.0),
        Target("search for a face of 60 pixels in 24 megapixels / for one of 400 in 1,024 x 1,024",
               found["small"] / found["usual"]),
    ]  # fmt: skip
    each, seconds = found["frames"] / 2, [found[name] for name in ("frame", "single", "first", "passes")]
    return "\n".join([
        f"Bundle `{about['id']}`, {about['frames']} frames of {WIDTH} x {HEIGHT}, {about['device']}, {about['threads']} "
        f"thread, {about['processor']}; seconds of the processor.", "",
        "| figure | measured | at most | met |", "|---|---|---|---|", *(row.row() for row in rows), "",
        "A frame {:.2f} s, a single picture {:.2f} s, the first of a process {:.2f} s, the autoencoder alone {:.2f} s. ".format(
            *seconds)
        + f"Megabytes: {found['before']:.0f} before, of which {each:.0f} are the film; {found['above']:.0f} above that and the "
        f"{each:.0f} that come out. A search takes {found['small']:.2f} s in the large picture, {found['usual']:.3f} s in the "
        "other.", "",
    ])  # fmt: skip


def film(args) -> int:
    """The command."""
    camera = Camera(bundle=args.bundle)
    found = measure(camera, args.frames) | {"small": search(*SMALL), "usual": search(*USUAL)}
    about = {"id": camera.pipeline.encoders.id, "frames": args.frames, "device": args.device,
             "threads": torch.get_num_threads(), "processor": processor()}  # fmt: skip
    text = table(found, about)
    args.out.mkdir(parents=True, exist_ok=True)
    Path(args.out / "film.json").write_text(json.dumps(found | about, indent=1))
    if args.write_docs:
        write_docs(text, ROOT / "docs" / "results.md", MARKS)
    print(text)
    return 0
