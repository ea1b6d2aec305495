"""The mask beside a jaw: wider where two outlines part, so that the old one does not shine through."""

import pytest
import torch

from diffsfsr.modules.warp.coarse import BackgroundFace, face_mask
from diffsfsr.modules.warp.jaw import BROWS, ROOM, parted
from diffsfsr.modules.warp.masks import feather
from tests.unit.faces import moved, photo, skin_picture


def wide(face, share):
    points = face.points.clone()
    points[:, 0] = 128 + share * (points[:, 0] - 128)
    return moved(face, points)


@pytest.mark.parametrize("share", [0.9, 1.1])
def test_nothing_of_the_old_face_shines_through_where_both_outlines_part(face, share):
    new, usual = wide(face, share), 9.0
    old = BackgroundFace.of(photo(skin_picture(), face.points), face.topology)
    room, plain = parted(old.mesh, new, usual), face_mask(old, new, usual)
    mask, row = torch.maximum(room, plain), torch.arange(256)[:, None]
    between = (face.covered ^ new.covered) & (row > face.points[152, 1] - 40) & (row < face.points[152, 1] - 15)
    soft = lambda area: feather(area[None, None], 8.0)[0, 0][between]  # noqa: E731
    assert between.sum() > 100 and soft(mask).min() > 0.95 > 0.85 > soft(plain).min()
    above = row < face.points[BROWS, 1] - usual - ROOM - 2
    assert torch.equal(mask * above, plain * above)


def test_where_both_are_the_same_nothing_more_is_repainted(face):
    assert not parted(face, face, 9.0).any()
