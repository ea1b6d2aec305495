"""Hard and coloured light on a selfie is led to that of the place; a beard is no shadow; usual light stays."""

import pytest
import torch
from kornia.color import rgb_to_lab

from diffsfsr.modules.warp.harmony import led
from diffsfsr.modules.warp.light import GAMMA
from diffsfsr.modules.warp.mouth import MOUTH
from diffsfsr.modules.warp.skin import Skin
from tests.unit.faces import canonical_face, skin_picture


@pytest.fixture(scope="module")
def face():
    return canonical_face()


def lit(gain):
    """The picture of a face [3, 256, 256] whose linear light has a gain."""
    return (skin_picture() * gain ** (1 / GAMMA)).clamp(0, 1)


def shadow(darker=0.15):
    """Of linear light, on one half of the picture, with an edge: [256]."""
    return torch.where(torch.arange(256) < 120, darker, 1.0)


def unevenness(image, face):
    inner = face.covered.clone()
    inner[:60], inner[:, :60], inner[:, -60:] = False, False, False
    return torch.log(image[:, inner].mean(0) ** GAMMA + 0.01).std()


def to_place(image, face, place=None):
    return led(Skin(image, face.points), face, skin_picture() if place is None else place, face.points)


def test_hard_light_goes_to_that_of_the_place(face):
    hard = lit(shadow())
    assert unevenness(to_place(hard, face).image, face) < 0.5 * unevenness(hard, face)


def test_hard_light_of_the_place_comes_to_the_face(face):
    """As much as it is smooth, and from the side where the place has it."""
    hard = lit(shadow())
    made = to_place(hard, face, hard.flip(-1)).image
    left, right = made[:, 100:150, 70:90].mean(), made[:, 100:150, 166:186].mean()
    assert left > 1.3 * right


def test_light_without_edges_stays_to_the_bit(face):
    soft = lit(torch.linspace(0.7, 1.0, 256))
    skin = Skin(soft, face.points)
    assert led(skin, face, lit(shadow()), face.points, gain=lambda: pytest.fail("asked for in vain")) is skin


def test_hard_light_is_first_taken_off_as_far_as_it_is_hard(face):
    """A gain that knows the shadow leaves no edge of it; one of coloured light is asked for, too."""
    known = -torch.log(shadow()).expand(3, 256, 256)
    hard, edge = Skin(lit(shadow()), face.points), lambda x: float((x[:, 150, 122] - x[:, 150, 117]).abs().mean())
    made = led(hard, face, skin_picture(), face.points, lambda: known).image
    assert edge(made) < 0.3 * edge(led(hard, face, skin_picture(), face.points).image)
    asked, blue = [], skin_picture() * torch.tensor([0.3, 0.6, 1.2])[:, None, None]
    led(Skin(blue, face.points), face, skin_picture(), face.points, lambda: asked.append(1) or 0 * blue)
    assert asked


def test_beard_is_no_shadow(face):
    """Under hard light, too, it stays as dark beside the skin as it was."""
    image, low = skin_picture(), int(face.points[list(MOUTH.corners), 1].mean()) + 12
    image[:, low:] *= 0.3
    image = (image * shadow() ** (1 / GAMMA)).clamp(0, 1)
    lightness = lambda x, row: rgb_to_lab(x[None])[0, 0, row : row + 10, 150:160].mean()  # noqa: E731
    ratio = lambda x: lightness(x, low + 6) / lightness(x, low - 50)  # noqa: E731
    assert ratio(to_place(image, face).image) == pytest.approx(float(ratio(image)), rel=0.25)


def test_blue_light_gives_way_to_the_colours_of_the_place(face):
    blue = skin_picture() * torch.tensor([0.3, 0.6, 1.2])[:, None, None]
    made, place = (x[:, 100:150, 70:186].mean((1, 2)) for x in (to_place(blue, face).image, skin_picture()))
    assert made[0] > made[2] and abs(made[0] / made[2] - place[0] / place[2]) < 0.3 * place[0] / place[2]


def test_what_is_dark_gets_less_of_a_colour(face):
    """Brows under coloured light would be red."""
    blue = skin_picture() * torch.tensor([0.3, 0.6, 1.2])[:, None, None]
    blue[:, 100:110] *= 0.3
    made = rgb_to_lab(to_place(blue, face).image[None])[0, 1:, 98:150, 100:156].norm(dim=0)
    assert made[4:10].mean() < 0.6 * made[25:].mean()
