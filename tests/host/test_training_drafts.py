"""Training sees the coarse warps that the nodes draw: forehead, rim, folds and mouth, and no beard of the place."""

import pytest
import torch

from dev.people import head


@pytest.fixture(scope="module")
def drawn(host):
    """P002 in the place of P001, by the nodes' code and by that of training, in the mask of the nodes; and both masks."""
    import numpy as np

    from diffsfsr.evaluation.pipeline import Pipeline
    from diffsfsr.modules.labels import BLENDSHAPES
    from diffsfsr.modules.pipeline import area, draft, place
    from diffsfsr.modules.types import USUAL
    from diffsfsr.training import drafts

    pipeline = Pipeline()
    encoders = pipeline.encoders
    who, where = (torch.from_numpy(np.array(head(name, "portrait")))[None].float() / 255 for name in ("P002", "P001"))
    person = place.person_of(pipeline.identity(who)[0])
    there = draft.behind(encoders, person, place.place_of(encoders, where[0], "largest", 0), None, False)
    code = torch.zeros(1, len(BLENDSHAPES))
    code[0, BLENDSHAPES.index("jawOpen")] = 0.4
    geometry = encoders.shape.geometry_of_code(code).float()[0]
    mesh = draft.mesh_of(encoders, person, there, geometry, USUAL)
    mask = area.area_of(encoders, person, there, mesh, area.GROW)
    looks = draft.looks_of(encoders, person, there, mesh, geometry, USUAL, 1.0)
    nodes = draft.drawn(encoders, person, there, mesh, mask, looks, 1.0, 0.0)
    plain = drafts.shaven(person.face, place.place_of(encoders, where[0], "largest", 0).background)
    own = drafts.drawn(encoders.shape, person.face, plain, mesh, mask, geometry, border=4.0)
    return nodes, own, mask, drafts.mask_of(plain, mesh, area.GROW)


def test_both_draw_alike(drawn):
    nodes, own, mask, _ = drawn
    apart = (nodes - own).abs().amax(0)[mask > 0]
    assert apart.mean() < 0.004 and apart.quantile(0.99) < 0.05


def test_both_repaint_the_forehead(drawn):
    """The nodes leave room for any word, so that theirs is larger."""
    _, _, mask, own = drawn
    assert (own * mask).sum() > 0.97 * own.sum() and own.sum() > 0.85 * mask.sum()
