"""The protocol, the table of measures, and what kind of person somebody is."""

from __future__ import annotations

import json

import numpy as np
import pytest


def test_protocol_is_the_committed_one(comfy):
    from diffsfsr.evaluation.metrics import protocol

    pairs = protocol.read_pairs()
    assert pairs == protocol.make_pairs() and len(set(pairs)) == 60
    assert len({s for s, _ in pairs}) == 60 and all(s != b and b.startswith("p") for s, b in pairs)
    assert len(protocol.read_pairs(people=5)) == 5 and len(protocol.read_pairs(limit=3)) == 3
    other = protocol.read_pairs(part="validation")
    assert len(other) == 20 and not {i for pair in other for i in pair} & {i for pair in pairs for i in pair}


def test_settings_are_not_chosen_on_the_page(comfy, tmp_path, capsys):
    """Figures of validation people never come into docs/results.md."""
    from evaluation.__main__ import main

    words = ("evaluate", "--data", tmp_path, "--part", "validation", "--write-docs", "--out", tmp_path)
    assert main([str(word) for word in words]) == 1
    assert "--write-docs" in capsys.readouterr().err


BORDER = ("seam", "ring_psnr", "ring_ssim", "sharpness", "tone_step", "step_forehead", "step_jaw", "rim_gradient")


def evidence(count: int = 4):
    """Measures of a perfect result: everybody looks like the selfie and does what was asked, except one lost face."""
    import torch

    from diffsfsr.evaluation.metrics.measure import Seen
    from diffsfsr.evaluation.metrics.protocol import LABELS
    from diffsfsr.evaluation.metrics.rows import Evidence
    from diffsfsr.modules.labels import prototype

    asked = np.stack([prototype(word, amount) for word, amount in LABELS])
    vectors = np.eye(count, dtype=np.float32)
    own = {f"p{i}": Seen(np.ones(1, bool), vectors[i : i + 1], np.zeros((1, 52)), np.zeros((1, 3))) for i in range(count)}
    pairs, done = [(f"p{i}", f"p{(i + 1) % count}") for i in range(count)], []
    for i in range(count):
        found = np.ones(len(LABELS), bool)
        found[-1] = i > 0
        turned = np.zeros((len(LABELS), 3)) + [2, 0, 359]
        seen = Seen(found, np.repeat(vectors[i : i + 1], len(LABELS), 0), asked, turned)
        border = {name: torch.full((len(LABELS),), 2.0) for name in BORDER}
        border |= {name: torch.eye(count)[i].expand(len(LABELS), -1) for name in ("lite", "mouth")}
        sides = {"results": seen.as_dict() | border, "drafts": seen.as_dict() | border | {"seam": border["seam"] + 1}}
        record = {**sides, "asked": torch.from_numpy(asked)}
        done.append({**record, "outside": torch.zeros(len(LABELS)), "seconds": 0.5})
    look = lambda s: dict.fromkeys(("vector", "lite"), torch.from_numpy(s.vector[0]))  # noqa: E731
    ceiling = {name: {"psnr": 30.0, **look(s)} for name, s in own.items()}
    about = {name: {"years": 30.0, "male": 1.0, "tone": 50.0 - 100 * (name == "p0"), "yaw": 3.0} for name in own}
    return Evidence(pairs, done, own, ceiling, about, vectors)


def test_report_of_known_measures(comfy, tmp_path):
    from diffsfsr.evaluation.metrics import report

    settings = {"id": "abc", "steps": 6, "cfg": 1.5, "scheduler": "karras", "seed": 0}
    result = report.report(evidence(), settings)
    rows = {r["name"]: r for r in result["results"]}
    assert rows["identity: closer to the selfie"]["value"] == pytest.approx(47 / 48)
    assert rows["identity: rank 1 among 4"]["value"] == pytest.approx(47 / 48)
    assert rows["expression: right way, four words"]["met"] and rows["asked against measured: smile"]["value"] == 1
    assert rows["face found again"]["met"] is False
    pose, seam = rows["pose: error to the background"], "seam: gradient added, grey levels a pixel"
    assert pose["value"] == pytest.approx(5**0.5) and pose["met"]
    assert rows["asked against measured: mean of the eight"]["met"] is None and rows[seam]["value"] == 2
    groups = {g["name"]: g for g in result["groups"]}
    assert groups["men"]["people"] == 4 and "women" not in groups
    assert groups["skin: dark"]["people"] == 1 and groups["skin: dark"]["rank1"] == pytest.approx(11 / 12)
    gain = {r["name"]: r["value"] for r in result["gain"]}
    assert gain[seam] == -1
    distances = [name for name in gain if "KID" in name or "mouths" in name]
    assert len(distances) == 3 and all(gain[name] == pytest.approx(0) for name in distances)
    assert all(rows[name]["value"] == pytest.approx(0, abs=1) for name in distances[:2])
    assert rows["pose: yaw error to the background"]["value"] == 2 and rows["pose: roll error to the background"]["value"] == 1
    text = report.write_report(result, tmp_path)
    json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    page = tmp_path / "results.md"
    report.write_docs(text, page)
    page.write_text(page.read_text() + "What is wrong with them.\n")
    report.write_docs("new table\n", page)
    assert "new table" in page.read_text() and "wrong with them" in page.read_text() and "abc" not in page.read_text()


def test_skin_tone_orders_skin(comfy):
    import torch

    from diffsfsr.evaluation.metrics.groups import DARK, LIGHT, skin_tone

    points = torch.zeros(478, 2)
    points[:, 0] = torch.linspace(40, 160, 478)
    points[:, 1] = 100
    tones = [
        skin_tone(torch.tensor(rgb)[:, None, None].expand(3, 200, 200), points)
        for rgb in ((0.93, 0.80, 0.72), (0.75, 0.58, 0.45), (0.35, 0.22, 0.15))
    ]
    assert tones[0] > LIGHT > tones[1] > DARK > tones[2]
