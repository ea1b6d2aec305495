"""Makes and measures the results of the protocol, pair by pair; what is there already is not made again."""

import json
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ...modules.errors import DiffSFSRError
from ...modules.host.saving import MARKED_JPEG
from ...modules.pipeline.face import measured
from ...modules.types import Expression, Identity, PasteRegion
from ..pictures import load, to_pil
from ..pipeline import Pipeline, Rendered
from .drawn import crops_of, rims
from .figures import psnr
from .groups import describe
from .lite import FILE, Lite0, looks, real_mouths
from .measure import Observer, Seen, box_around, whereabouts
from .protocol import LABELS, picture_file, portraits, read_pairs
from .realism import border_measures
from .report import report, write_docs, write_report
from .rows import Evidence
from .sharpness import sharpness
from .sheet import write_sheet
from .tone import rim_measures

MEASURES = 5  # raised when something else is measured, so that nothing is read that lacks it


def evaluate(args) -> int:
    """The command: everything, then the table on the screen and in runs/evaluation."""
    check_page(args)
    painting = {name: getattr(args, name) for name in ("steps", "seed", "cfg", "scheduler", "denoise")}
    pipeline = Pipeline(bundle=args.bundle, **painting)
    pairs = read_pairs(args.people, args.limit, args.part)
    study = Study.of(pipeline, args.data, args.part, args.out)
    result = report(study.evidence(pairs), study.settings)
    text = write_report(result, args.out)
    write_sheet(pairs, study.files, args.out)
    if args.write_docs:
        write_docs(text)
    print(text)
    return 0


def check_page(args) -> None:
    """Settings are chosen on validation people, so their figures are no results."""
    if args.write_docs and args.part != "evaluation":
        raise DiffSFSRError("Only the evaluation part belongs into the page", "Leave out one of the two words", "--write-docs")


class Study:
    """Results are kept under `out`: measures in pairs/*.pt, pictures in pictures/. A change of settings makes them anew."""

    def __init__(self, pipeline: Pipeline, observer: Observer, files: dict[str, Path], out: Path, key: dict, labels=LABELS):
        self.pipeline, self.observer, self.files, self.out, self.labels = pipeline, observer, files, out, labels
        self.settings, self.key = key, json.dumps({**key, "measures": MEASURES}, sort_keys=True)
        self.known, self.last = {}, (None, None)
        self.data, self.lite = None, None

    def judged_in(self, data: Path) -> "Study":
        """The same with the networks of the data folder that judge how real a picture looks, if it has them."""
        self.data, self.lite = data, Lite0(data) if (data / FILE).exists() else None
        return self

    @classmethod
    def of(cls, pipeline: Pipeline, data: Path, part: str, out: Path, labels=LABELS) -> "Study":
        """On a part of the data folder. What the pipeline is set to is the key under which results are kept.

        labels: (word, intensity) of each picture, the neutral face first.
        """
        files = {i: picture_file(p) for i, p in portraits(data, part).items()}
        key = {**pipeline.settings, "id": pipeline.encoders.id, "labels": labels}
        for folder in ("pairs", "pictures"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        return cls(pipeline, Observer(data, pipeline.encoders.shape), files, out, key, labels).judged_in(data)

    def evidence(self, pairs: list[tuple[str, str]]) -> Evidence:
        """Everything that is measured of the pairs, made where it is not there yet."""
        s = self.settings
        print(f"evaluate: bundle {s['id']}, {len(pairs)} pairs, {s['steps']} steps, cfg {s['cfg']}", flush=True)
        done = self.records(pairs)
        selfies, ids = list(dict.fromkeys(selfie for selfie, _ in pairs)), sorted({i for pair in pairs for i in pair})
        about = {i: self.about(i) for i in selfies}
        people, words = {i: self.person(i) for i in ids}, tuple(word for word, _ in self.labels[1:])
        return Evidence(pairs, done, people, self.ceiling(selfies), about, self.mouths(), words)

    def mouths(self) -> np.ndarray | None:
        """Real mouths that are open, see `lite.py`."""
        if self.lite is None:
            return None
        return self.stored("mouths", lambda: {"mouth": real_mouths(self.lite, self.data)})["mouth"].numpy()

    def records(self, pairs: list[tuple[str, str]], every: int = 5) -> list[dict]:
        """One of each pair, with a word on the screen after so many of them."""
        done, start = [], time.perf_counter()
        for count, pair in enumerate(pairs, 1):
            done.append(self.pair(*pair))
            if count % every == 0 or count == len(pairs):
                print(f"  {count} of {len(pairs)} pairs, {time.perf_counter() - start:.0f} s", flush=True)
        return done

    def stored(self, name: str, make) -> dict:
        """The dictionary under pairs/`name`.pt, made and written if it is missing or of other settings."""
        path = self.out / "pairs" / f"{name}.pt"
        if path.exists():
            found = torch.load(path, weights_only=True)
            if found["key"] == self.key:
                return found
        made = {**make(), "key": self.key}
        torch.save(made, path)
        return made

    def kept_table(self, name: str, make) -> list[dict]:
        """Rows of a table, kept in the same way."""
        return json.loads(self.stored(name, lambda: {"rows": json.dumps(make())})["rows"])

    def picture(self, person: str) -> torch.Tensor:
        return load(self.files[person], person)

    def person(self, person: str) -> Seen:
        """The observer's measurements of a person's own picture [1, ...]."""
        if person not in self.known:
            stored = self.stored(f"own_{person}", lambda: self.observer.look(self.picture(person)).as_dict())
            self.known[person] = Seen.of_dict({k: v for k, v in stored.items() if k != "key"})
        return self.known[person]

    def about(self, person: str) -> dict[str, float]:
        """The groups of a person, for the figures by group."""
        stored = self.stored(f"about_{person}", lambda: describe(self.observer, self.picture(person)))
        return {name: value for name, value in stored.items() if name != "key"}

    def identity(self, person: str):
        if self.last[0] != person:
            self.last = person, self.pipeline.identity(self.picture(person))[0]
        return self.last[1]

    def given(self, selfie: str, background: str) -> tuple[Identity, torch.Tensor, Expression]:
        """What the pipeline gets for a pair."""
        return self.identity(selfie), self.picture(background), self.pipeline.expression(list(self.labels))

    def pair(self, selfie: str, background: str) -> dict:
        return self.stored(f"{selfie}_{background}", lambda: self._make(selfie, background))

    def _make(self, selfie: str, background: str) -> dict:
        who, scene, expression = self.given(selfie, background)
        start = time.perf_counter()
        made = self.pipeline.render(who, scene, expression)
        seconds = (time.perf_counter() - start) / len(self.labels)
        drafts, soft = self.pipeline.pasted(made.drafts, made.place)
        covered, own = rims(self.pipeline.encoders, who, scene, expression)
        self._save(f"{selfie}_{background}", made, drafts)
        return {
            "results": self._measured(made.images, made.mask, scene, made.place, own, covered),
            "drafts": self._measured(drafts, soft, scene, made.place, own, covered),
            "asked": expression.codes, "outside": changed_outside(made, scene), "seconds": seconds, "parts": made.seconds,
        }  # fmt: skip

    def _measured(
        self, pictures: torch.Tensor, mask: torch.Tensor, scene: torch.Tensor, place: PasteRegion, own, covered
    ) -> dict[str, torch.Tensor]:
        seen, crops = self.observer.look(pictures, whereabouts(place)), crops_of(pictures, place)
        found = {**seen.as_dict(), **border_measures(pictures, scene, mask), **sharpness(pictures, place)}
        return {**found, **rim_measures(crops, own, covered), **looks(self.lite, crops)}

    def _save(self, name: str, made: Rendered, drafts: torch.Tensor) -> None:
        box, folder = box_around(made.place), self.out / "pictures"
        to_pil(made.place.background[0]).crop(box).save(folder / f"{name}_background.jpg", quality=92)
        for k, (word, _) in enumerate(self.labels):
            to_pil(drafts[k]).crop(box).save(folder / f"{name}_{k}_{word}_draft.jpg", quality=92, **MARKED_JPEG)
            picture: Image.Image = to_pil(made.images[k])
            picture.save(folder / f"{name}_{k}_{word}.jpg", quality=92, **MARKED_JPEG)
            picture.crop(box).save(folder / f"{name}_{k}_{word}_head.jpg", quality=92, **MARKED_JPEG)

    def ceiling(self, people: list[str]) -> dict[str, dict]:
        """The people's own crops through the autoencoder and back: an upper bound for the results."""
        return {p: self.stored(f"round_{p}", lambda p=p: self._round_trip(p)) for p in dict.fromkeys(people)}

    @torch.inference_mode()
    def _round_trip(self, person: str) -> dict:
        _, crop = self.pipeline.identity(self.picture(person))
        back = self.pipeline.vae.decode(self.pipeline.vae.encode(crop)).float().clamp(0, 1)
        planes = back[0].permute(2, 0, 1)
        points, code = measured(planes)
        vector = self.observer.teachers.faceres(planes[None], points[None, :, :2])[0]
        real = {name: value[0] for name, value in looks(self.lite, crop.permute(0, 3, 1, 2)).items()}
        return {"psnr": psnr(np.asarray(crop), np.asarray(back)), "vector": vector, "code": code, **real}


def changed_outside(made: Rendered, scene: torch.Tensor) -> torch.Tensor:
    """The largest difference of each picture to the scene [1, H, W, C] where nothing was repainted [E]."""
    return ((made.images - scene).abs().amax(-1) * (made.mask == 0)).flatten(1).amax(1)
