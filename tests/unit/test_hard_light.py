"""The network for hard light: on people it never saw, light that is drawn over them goes, and their own faces stay."""

import numpy as np
import pytest
import torch
from PIL import Image

from dev.people import PEOPLE, PeopleError, person
from diffsfsr.modules.faces.landmarker import find_faces, landmarks_in_crop
from diffsfsr.modules.faces.lights import LightNetwork
from diffsfsr.modules.faces.networks import FaceNetworks
from diffsfsr.modules.warp.hard_light import SoftFace, soft_gain, softened
from diffsfsr.modules.warp.light import GAMMA
from diffsfsr.modules.warp.masks import blurred
from diffsfsr.modules.warp.mesh import Mesh
from diffsfsr.modules.warp.paste import cut
from tests.conftest import ROOT
from tests.unit.faces import MODEL


@pytest.fixture(scope="module")
def light():
    return LightNetwork.load(ROOT / "weights" / LightNetwork.FILE)


@pytest.fixture(scope="module")
def sitters():
    """Crops [3, 256, 256] of studio portraits, and the faces in them."""
    networks, found = FaceNetworks.load(MODEL), {}
    for who in PEOPLE:
        try:
            with Image.open(person(who, "portrait")) as file:
                picture = torch.from_numpy(np.array(file.convert("RGB").resize((512, 512)))).float() / 255
        except PeopleError as error:
            pytest.skip(str(error))
        crop, _ = cut(picture, find_faces(networks, picture)[0].points, 256)
        found[who] = crop, Mesh.of(landmarks_in_crop(networks, crop[None])[0][0], networks.topology, 256)
    return found


def drawn(name: str, mesh: Mesh) -> torch.Tensor:
    """Gains of linear light [3, 256, 256] with edges: half a face in shadow, bars, lamps of two colours."""
    x = torch.arange(256.0)[None] - mesh.points[4, 0]
    y = torch.arange(256.0)[:, None] - mesh.points[4, 1]
    where = {"half": x + 0.3 * y, "bars": 20 * torch.sin((x + y) / 16), "colours": x + 0 * y}[name]
    share = torch.sigmoid(where.expand(256, 256))[None]
    one, two = {"colours": ((0.3, 0.6, 1.2), (1.3, 0.7, 0.3))}.get(name, ((0.2,) * 3, (1.2,) * 3))
    one, two = (torch.tensor(lamp)[:, None, None] for lamp in (one, two))
    return blurred((one * (1 - share) + two * share)[None], 1.0)[0]


def off(image, crop, mesh):
    """Mean distance of log light from that of the person's own portrait, but for exposure and a tint of it all."""
    inside = blurred(mesh.covered.float()[None, None], 4.0)[0, 0] > 0.99
    step = torch.log(image[:, inside] ** GAMMA + 0.01) - torch.log(crop[:, inside] ** GAMMA + 0.01)
    return float((step - step.mean(1, keepdim=True)).abs().mean())


@pytest.mark.parametrize(("kind", "left"), [("half", 0.4), ("bars", 0.65), ("colours", 0.95)])
def test_drawn_light_shrinks(light, sitters, kind, left):
    """A shadow by most of it, narrow bars by a third, and lamps of saturated colours hardly: no more than that is said."""
    before, after = [], []
    for crop, mesh in sitters.values():
        hard = (crop * drawn(kind, mesh) ** (1 / GAMMA)).clamp(0, 1)
        with torch.inference_mode():
            soft = softened(hard, soft_gain(light, hard, mesh), 1.0)
        before.append(off(hard, crop, mesh))
        after.append(off(soft, crop, mesh))
    assert np.mean(after) < left * np.mean(before), np.round([before, after], 2)


def test_faces_in_soft_light_stay(light, sitters):
    """Also their brows, lips, beards and eyes; one of them is lit from a side."""
    with torch.inference_mode():
        gains = [soft_gain(light, crop, mesh)[:, mesh.covered].abs().mean() for crop, mesh in sitters.values()]
    assert max(gains) < 0.25 and np.mean(gains) < 0.1, np.round(gains, 2)


@pytest.mark.parametrize(("kind", "left"), [("half", 0.35), ("bars", 0.5), ("colours", 0.62)])
def test_what_the_network_leaves_goes_too(light, sitters, kind, left):
    """As far as a face in soft light differs; where edges were, the photo's fine structure is not trusted."""
    before, after = [], []
    for crop, mesh in sitters.values():
        hard = (crop * drawn(kind, mesh) ** (1 / GAMMA)).clamp(0, 1)
        with torch.inference_mode():
            made = SoftFace.of(light, hard, mesh)
        before.append(off(hard, crop, mesh))
        after.append(off(made.image, crop, mesh))
        assert made.plain[mesh.covered].float().mean() > 0.3 and not made.plain[mesh.covered].all()
    assert np.mean(after) < left * np.mean(before), np.round([before, after], 2)


def test_a_picture_in_soft_light_is_the_very_same(light, sitters):
    with torch.inference_mode():
        assert all(SoftFace.of(light, crop, mesh).image is crop for crop, mesh in list(sitters.values())[:3])
