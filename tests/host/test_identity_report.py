"""The report on the identity network: figures of made-up vectors that can be counted by hand, and its table."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F


@pytest.fixture(scope="module")
def report(comfy):
    from diffsfsr.evaluation.studies import identity

    return identity


def vectors(report, people=30, noise=0.02, width=256):
    """[P, 1 + conditions * VIEWS, D]: portraits, and pictures near to them; in the last condition near to the next person."""
    g = torch.Generator().manual_seed(0)
    portraits = F.normalize(torch.randn(people, 1, width, generator=g), dim=2)
    count = len(report.WEAR) * report.VIEWS
    rows = portraits.repeat(1, 1 + count, 1)
    rows[:, -report.VIEWS :] = portraits.roll(-1, 0)
    return F.normalize(rows + noise * torch.randn(rows.shape, generator=g), dim=2)


def test_figures_of_clear_and_of_mixed_up_pictures(report):
    rows = report.measured(vectors(report))
    assert [r["condition"] for r in rows] == list(report.WEAR)
    assert rows[0]["rank1"] == 1 and rows[0]["auc"] == pytest.approx(1) and rows[0]["ratio"] > 3
    assert rows[0]["rank1_low"] == rows[0]["rank1_high"] == 1
    assert rows[0]["same"] > 0.8 > 0.2 > abs(rows[0]["other"])
    assert rows[-1]["rank1"] == 0 and rows[-1]["same"] < 0.2


def test_strangers_among_clear_pictures_are_found(report):
    clear = vectors(report)[:, : -report.VIEWS]
    found = report.strangers(clear)
    assert set(found.values()) == {0.0, 1.0}
    assert found["a stranger among five is left out"] == 1 and found["a right photo is left out beside a stranger"] == 0


def test_the_table_has_every_network_and_condition(report):
    rows = {name: report.measured(vectors(report)) for name in report.NAMES}
    text = report.markdown({"id": "abc", "people": 30, "rows": rows, "milliseconds": 5.0, "pooling": {"kept": 1.0}})
    for name in (*report.WEAR, *report.NAMES.values()):
        assert f"| {name} |" in text
    assert "target 0.97: yes" in text and "5.0 ms" in text and "| kept | 1.000 |" in text


@torch.inference_mode()
def test_pictures_are_witnessed_as_the_nodes_see_them(report, comfy, monkeypatch):
    """One picture of a face off its place: found anew and aligned before anybody judges it."""
    from diffsfsr.modules import affine
    from diffsfsr.modules.faces.landmarker import find_faces
    from diffsfsr.modules.pipeline.encoders import face_networks
    from diffsfsr.modules.warp.paste import cut
    from tests.host.graphs import astronaut

    class NoTeachers:
        def __init__(self, data):
            pass

        def faceres(self, image, points):
            return points[:, :2].flatten(1)

        mobileface = faceres

    monkeypatch.setattr(report, "Teachers", NoTeachers)
    picture = astronaut()[0]
    face = find_faces(face_networks().ready(), picture)[0]
    crop, matrix = cut(picture, face.points, 256)
    points = affine.apply(matrix[None], face.points[None])[0]
    witness = report.Witness(Path("nowhere"))
    right = witness.look(crop)
    moved = witness.look(torch.roll(crop, (4, -3), (1, 2)))
    assert right["crop"].shape == (3, 128, 128) and right["crop"].dtype == torch.uint8
    inner = (slice(None), slice(40, 100), slice(30, 98))
    apart = (right["crop"][inner].float() - moved["crop"][inner].float()).abs().mean()
    assert apart < 8, "moved back to its place"
    assert (right["faceres"] - points[:2, :2].flatten()).abs().max() < 6
