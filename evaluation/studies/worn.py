"""What tokens do where the coarse warp does not show it: guides without mouth, eyes, one half, or of 40 to 130 pixels.

    python -m evaluation ablation --worn --data DATA
"""

from dataclasses import replace

import numpy as np
import torch

from ...modules.encoders.expression import split
from ...modules.host.conditioning import KEY
from ...modules.pipeline.background import tokens_of
from ...modules.pipeline.draft import mesh_of
from ...modules.pipeline.encoders import face_networks
from ...modules.pipeline.face import measured
from ...modules.pipeline.place import person_of, place_of
from ...modules.types import USUAL, Identity
from ...modules.warp.mesh import Mesh
from ...nodes.background_condition import BackgroundCondition
from ...training.wear import Guide, blur, no_eyes, no_mouth, one_half
from ..metrics.evaluate import Study
from ..metrics.figures import interval
from ..metrics.measure import Observer
from ..metrics.protocol import LABELS, picture_file, portraits, read_pairs
from ..metrics.report import figure
from ..metrics.rows import Evidence, following_row, identity_rows, row
from ..pipeline import Pipeline, call
from .ablation import Ablation, Variant, painted

FAULTS = no_mouth, no_eyes, one_half, blur  # in turn, by word
VARIANTS = (
    Variant("both"),
    Variant("without the person", null=("identity",)),
    Variant("without the word", null=("expression",)),
    Variant("neither", null=("identity", "expression")),
    Variant("another person's tokens", another=True),
)


class Worn(Ablation):
    """The ablation on worn guides, at the sampler's defaults."""

    variants, guides = VARIANTS, {"guide": True}

    def _make(self, selfie: str, background: str) -> dict:
        p, who, scene = self.pipeline, self.identity(selfie), self.picture(background)
        expression = p.expression(list(LABELS))
        given = {"encoders": p.encoders, "vae": p.vae, "image": scene, "identity": who, "expression": expression}
        positive, negative, latent, _, drafts, *_ = call(BackgroundCondition, **given)
        points = self._points(who, scene, expression)
        worn = self._worn(drafts, positive[0][1][KEY].mask, points)
        latent = {"samples": worn, "batch_index": [0] * len(LABELS)}
        for side in (positive, negative):
            side[0][1][KEY] = replace(side[0][1][KEY], warp=worn)
        other, known, seen = tokens_of(p.encoders, p.identity(scene)[0], expression.codes)[0][0], [], {}
        for variant in self.variants:
            made = painted(p, positive, negative, latent, variant, True, other)
            seen[variant.name] = self._look(made["samples"], known)
        seen["the worn guide itself"] = self._look(worn, known)
        return {"seen": seen, "asked": expression.codes[:, :52], "points": points}

    @torch.inference_mode()
    def _look(self, samples: torch.Tensor, known: list) -> dict[str, torch.Tensor]:
        """With the face points [n, 478, 2] found in each crop."""
        points = [measured(self.pipeline.vae.decode(s[None])[0].float().permute(2, 0, 1))[0][:, :2] for s in samples]
        return {**super()._look(samples, known), "points": torch.stack(points)}

    def _points(self, who: Identity, scene: torch.Tensor, expression) -> torch.Tensor:
        """Where the points of each word should be [n, 478, 3]."""
        encoders = self.pipeline.encoders
        person, place = person_of(who), place_of(encoders, scene[0], "largest", 0)
        return torch.stack([mesh_of(encoders, person, place, g, USUAL).points for g in split(expression.codes)[1]])

    @torch.inference_mode()
    def _worn(self, drafts: torch.Tensor, masks: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        """Latents of the coarse warps [n, S, S, 3] with a fault each."""
        topology, rows = face_networks().ready().topology.to("cpu"), []
        for k, (draft, mask, at) in enumerate(zip(drafts, masks, points, strict=True)):
            picture, size = draft.permute(2, 0, 1), len(draft)
            area = (torch.nn.functional.interpolate(mask[None], size=size)[0, 0] > 0.5).float()
            guide = Guide(picture, Mesh.of(at, topology, size), area, picture)
            changed = FAULTS[k % len(FAULTS)](guide, np.random.default_rng(k)).clamp(0, 1)
            rows.append(self.pipeline.vae.encode(changed.permute(1, 2, 0)[None]).float())
        return torch.cat(rows)


def displacement_errors(records: list[dict], name: str) -> np.ndarray:
    """Mean distance of the points found from those asked, over the mean way from the neutral face's: [pairs, words]."""
    rows = []
    for record in records:
        asked, found = record["points"][..., :2], record["seen"][name]["points"]
        way = (asked[1:] - asked[:1]).norm(dim=-1).mean(1).clamp_min(1.0)
        rows.append(((found[1:] - asked[1:]).norm(dim=-1).mean(1) / way).numpy())
    return np.stack(rows)


def table(pairs: list, records: list[dict], people: dict, settings: dict) -> str:
    """Markdown: a row for each variant; differences to the first by pairs of pictures."""
    lines = [
        f"Bundle `{settings['id']}`, {settings['steps']} midpoint steps, cfg {settings['cfg']:g}, denoise "
        f"{settings['denoise']:g}: {len(pairs)} pairs. Guides without mouth, eyes, one half, or blurred, in turn by word. "
        "Displacement error: of the face points in the result, over the word's movement. Brackets: 95 % bootstrap interval "
        "over people.", "",
        "| told | cosine to selfie | minus both | asked against measured | displacement error | over both |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    who = np.repeat([selfie for selfie, _ in pairs], len(LABELS) - 1)
    cosines, errors = {}, {}
    for name in records[0]["seen"]:
        e = Evidence(pairs, [{"results": r["seen"][name], "asked": r["asked"]} for r in records], people, {})
        vectors, own = e.stack("results", "vector")[:, 1:], e.own(0, "vector")[:, None]
        cosines[name], errors[name] = (vectors * own).sum(-1).ravel(), displacement_errors(records, name).ravel()
        first = next(iter(cosines))
        less, over = cosines[name] - cosines[first], interval(errors[name] / errors[first].mean(), who)
        cells = [figure(identity_rows(e, "results")[0]), figure(row("", less, who, unit="cosine"))]
        cells += [figure(following_row(e)), figure(row("", errors[name], who))]
        cells += ["{:.2f} ({:.2f} to {:.2f})".format(*over)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def ablation_worn(args) -> int:
    """`ablation --worn`."""
    pairs, files = read_pairs(part=args.part)[: args.pairs], portraits(args.data, args.part)
    pipeline = Pipeline(bundle=args.bundle, seed=args.seed)
    key = {**pipeline.settings, "id": pipeline.encoders.id, "labels": LABELS, "variants": [str(v) for v in VARIANTS]}
    (args.out / "pairs").mkdir(parents=True, exist_ok=True)
    study = Worn(pipeline, Observer(args.data, pipeline.encoders.shape), _files(files), args.out, key)
    records = Study.records(study, pairs, every=1)
    people = {i: study.person(i) for pair in pairs for i in pair}
    text = table(pairs, records, people, key)
    (args.out / "worn.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def _files(people: dict) -> dict:
    return {name: picture_file(person) for name, person in people.items()}
