"""A face is drawn on the head that is there: at the ears as wide as that, elsewhere as its own."""

import pytest
import torch

from diffsfsr.modules.faces.morphable import retarget
from diffsfsr.modules.faces.pose import turned
from diffsfsr.modules.labels import BLENDSHAPES
from diffsfsr.modules.types import USUAL
from diffsfsr.modules.warp.coarse import points_of
from diffsfsr.modules.warp.head import NEAR, SHARE, as_found

EARS, NARROW = (127, 234, 93, 356, 454, 323), [1, 33, 61, 152, 263, 291]
NOTHING = torch.zeros(52)


def fit(shape, wide, yaw=0.0, **doing):
    """A face that many times as wide as the mean one, turned by so many degrees, in a 256 px crop."""
    code = torch.tensor([doing.get(name, 0.0) for name in BLENDSHAPES])
    mesh = shape.mesh(torch.zeros(1, len(shape.identity)), code[None])[0]
    points = mesh * torch.tensor([wide, 1.0, 1.0]) @ turned(torch.eye(3)[None], (yaw, 0.0, 0.0))[0].T
    points = points * torch.tensor([9.0, -9.0, 9.0]) + torch.tensor([128.0, 128.0, 0.0])
    return points, shape.fit(points[None], code[None])


@pytest.mark.parametrize("yaw", [0.0, 15.0])
@pytest.mark.parametrize(("wide", "doing"), [(1.2, {}), (0.8, {}), (1.1, {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.7})])
def test_at_the_ears_a_face_is_as_wide_as_the_head_that_was_there(shape, wide, doing, yaw):
    there, background = fit(shape, wide, yaw, **doing)
    _, who = fit(shape, 1.0)
    asked = shape.geometry_of_code(NOTHING[None])[0]
    plain, made = retarget(shape, who, background, asked[None])[0], points_of(shape, who, background, asked, USUAL)
    for ear in EARS if yaw == 0 else EARS[:3]:  # of a turned head one outline is hidden
        gap, before = (abs(float((one - there)[ear, 0])) for one in (made, plain))
        assert gap < NEAR + 1 + (1 - SHARE) * before
    assert max(abs(float((plain - there)[ear, 0])) for ear in EARS) > NEAR + 2, "there was a gap"
    assert torch.allclose(made[NARROW], plain[NARROW], atol=1e-4)


def test_a_face_in_its_own_photo_stays(shape):
    there, own = fit(shape, 1.1)
    asked = shape.geometry_of_code(NOTHING[None])[0]
    assert torch.equal(points_of(shape, own, own, asked, USUAL), retarget(shape, own, own, asked[None])[0])
    torch.testing.assert_close(as_found(shape, own)[0, :, :2], there[:, :2], atol=1e-2, rtol=0)
