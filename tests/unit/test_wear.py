"""Worn guides: each fault hides what it says, stays inside the mask, and comes out the same for the same seed."""

import numpy as np
import pytest
import torch

from diffsfsr.modules.warp.coarse import BackgroundFace, face_mask
from diffsfsr.training import wear
from tests.unit.faces import photo, skin_picture


@pytest.fixture(scope="module")
def guide(face):
    """A face with structure everywhere, and another picture to borrow from."""
    noise = torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(0))
    image = (skin_picture() + 0.2 * (noise - 0.5)).clamp(0, 1)
    mask = face_mask(BackgroundFace.of(photo(image, face.points), face.topology), face, 9.0)
    return wear.Guide(image, face, mask, 1 - image)


# the face points round which a fault must change the picture, and those round which it must not
WHERE = {
    wear.no_mouth: ((13, 14), (9, 33, 263)),
    wear.no_eyes: ((), (13, 199)),
    wear.one_half: ((), ()),
    wear.tone_border: ((50, 280, 9), ()),
    wear.wrong_light: ((50, 280), ()),
    wear.blots: ((), ()),
    wear.blur: ((50, 13, 33), ()),
    wear.fringe: ((10,), (13, 199)),
    wear.other_rim: ((), (13, 4)),
}


@pytest.mark.parametrize("fault", wear.FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_fault_changes_what_it_names_inside_the_mask(guide, fault, seed):
    made, again = (fault(guide, np.random.default_rng(seed)) for _ in range(2))
    change, (there, elsewhere) = (made - guide.image).abs().amax(0), WHERE[fault]
    assert torch.equal(made, again) and torch.isfinite(made).all()
    assert change[guide.mask > 0].max() > 0.03 and change[guide.mask == 0].max() < 1e-6
    near = lambda point: change[tuple(slice(int(v) - 2, int(v) + 3) for v in guide.mesh.points[point, [1, 0]])]  # noqa: E731
    assert all(near(point).max() > 0.02 for point in there)
    assert all(near(point).max() < 1e-3 for point in elsewhere)


def test_worn_guides_differ_by_seed_and_keep_what_is_around(guide):
    made = [wear.worn(guide, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])
    for picture in made:
        assert picture.min() >= 0 and picture.max() <= 1
        assert torch.equal(picture[:, guide.mask == 0], guide.image[:, guide.mask == 0])
