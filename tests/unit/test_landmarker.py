"""Face networks and the search for faces, on a public-domain picture (NASA) and against an independent interpreter."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from diffsfsr.modules.errors import DiffSFSRError
from diffsfsr.modules.faces import selection
from diffsfsr.modules.faces.detector import detect, search_windows
from diffsfsr.modules.faces.landmarker import BLENDSHAPE_POINTS, find_faces, landmarks_in_crop
from diffsfsr.modules.faces.morphable import retarget
from diffsfsr.modules.faces.networks import FaceNetworks
from diffsfsr.modules.faces.picture import Picture
from diffsfsr.modules.labels import BLENDSHAPES

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "weights" / "face_landmarker.safetensors"
GOLDEN = json.loads((ROOT / "tests" / "data" / "landmarker_golden.json").read_text())
GREY = (0.4, 0.4, 0.4)


@pytest.fixture(scope="module")
def networks():
    return FaceNetworks.load(MODEL)


@pytest.fixture(scope="module")
def astronaut():
    """[512,512,3] float 0..1: one face, about 95 pixels."""
    from skimage import data

    return torch.from_numpy(data.astronaut()).float() / 255


@pytest.fixture(scope="module")
def face(networks, astronaut):
    return find_faces(networks, astronaut)[0]


def resized(image, height, width):
    x = F.interpolate(image.permute(2, 0, 1)[None], (height, width), mode="bilinear", antialias=True)
    return x[0].permute(1, 2, 0).contiguous()


def canvas(height, width, *pastes):
    """A grey picture with (image, top, left) pasted in."""
    out = torch.tensor(GREY).expand(height, width, 3).clone()
    for image, top, left in pastes:
        out[top : top + image.shape[0], left : left + image.shape[1]] = image
    return out


def turned(image, degrees):
    """The picture turned about its centre, same size, edge repeated."""
    angle = np.deg2rad(degrees)
    size = image.shape[0]
    return Picture(image, "cpu").sample(size / 2, size / 2, size, angle, size).permute(1, 2, 0)


def point_error(face, expected):
    """Median distance of the points, in % of the expected face's width."""
    width = float(np.ptp(expected[:468, 0].numpy()))
    return float((face.points - expected)[:, :2].norm(dim=1).median()) / width * 100


def aligned_crop(image, face, size=256):
    """The picture in our aligned frame, by least squares on eyes and mouth, and the 3x2 map to picture pixels."""
    means = [face.points[list(pair), :2].mean(0) for pair in ((33, 133), (362, 263), (61, 291))]
    source = torch.stack(means).double()
    target = torch.tensor([[96, 121], [160, 121], [128, 192]]).double() * size / 256
    x, y = target.T
    one, zero = torch.ones(3).double(), torch.zeros(3).double()
    rows = torch.cat([torch.stack([x, -y, one, zero], 1), torch.stack([y, x, zero, one], 1)])
    a, b, tx, ty = torch.linalg.lstsq(rows, source.T.reshape(-1, 1)).solution[:, 0].tolist()
    centre = torch.tensor([a * size / 2 - b * size / 2 + tx, b * size / 2 + a * size / 2 + ty])
    side, angle = size * (a * a + b * b) ** 0.5, np.arctan2(b, a)
    crop = Picture(image, "cpu").sample(float(centre[0]), float(centre[1]), side, angle, size)
    return crop, torch.tensor([[a, b], [-b, a], [tx, ty]])


def test_golden_figures_of_an_independent_interpreter(networks, astronaut):
    """The face is large enough there for the first window, so the stages are exactly the original's."""
    (top, bottom), (left, right) = GOLDEN["rows"], GOLDEN["columns"]
    (face,) = find_faces(networks, astronaut[top:bottom, left:right])
    allowed = GOLDEN["tolerance"]
    assert np.abs(np.array(face.box) - GOLDEN["box"]).max() < allowed["box"]
    assert abs(face.score - GOLDEN["score"]) < 0.002 and face.presence > 0.99
    for index, expected in GOLDEN["points"].items():
        away = np.array([1, 1, -1])  # the interpreter gives the network's own z
        assert np.abs(face.points[int(index)].numpy() * away - expected).max() < allowed["points"], index
    for name, expected in GOLDEN["blendshapes"].items():
        assert abs(float(face.blendshapes[BLENDSHAPES.index(name)]) - expected) < allowed["blendshapes"], name


def test_shapes_and_units(face):
    assert face.points.shape == (478, 3) and face.points.dtype == torch.float32
    assert face.blendshapes.shape == (52,) and 0 <= face.blendshapes.min() and face.blendshapes.max() <= 1
    assert len(BLENDSHAPES) == 52 and len(set(BLENDSHAPE_POINTS)) == 146
    assert face.points[33, 0] < face.points[263, 0]  # outer corners of the eyes, the picture's left and right
    assert face.points[1, 2] > 0 > face.points[234, 2]  # towards the viewer: the tip of the nose is nearer than an ear


def test_networks_treat_each_picture_of_a_batch_alone(networks):
    generator = torch.Generator().manual_seed(0)
    small, large = torch.rand(3, 3, 128, 128, generator=generator), torch.rand(3, 3, 256, 256, generator=generator)
    points = torch.rand(3, 146, 2, generator=generator) * 100
    for run, x, tolerance in (
        (networks.detector, small * 2 - 1, 2e-4),
        (networks.mesh, large, 1e-3),
        (lambda x: (networks.blendshapes(x),), points, 1e-5),
    ):
        for together, alone in zip(run(x), run(x[1:2]), strict=True):
            assert together.shape[0] == 3
            torch.testing.assert_close(together[1:2], alone, atol=tolerance, rtol=1e-4)


def test_blendshapes_ignore_shift_and_scale(networks, face):
    points = face.points[None, BLENDSHAPE_POINTS, :2]
    torch.testing.assert_close(networks.blendshapes(points * 3 + 50), networks.blendshapes(points), atol=1e-4, rtol=0)


def test_networks_are_float32_buffers_without_parameters(networks):
    assert not list(networks.parameters())
    x = torch.rand(1, 3, 256, 256)
    with torch.autocast("cpu", torch.bfloat16):
        assert networks.mesh(x)[0].dtype == torch.float32
    assert {b.dtype for b in networks.buffers()} == {torch.float32, torch.int64}
    assert networks.triangles.shape == (898, 3) and networks.vertices.shape == (468, 3)


def test_two_faces_of_different_size_largest_first(networks, astronaut, face):
    picture = canvas(512, 820, (resized(astronaut, 300, 300), 100, 0), (astronaut, 0, 308))
    faces = find_faces(networks, picture)
    assert len(faces) == 2 and faces[0].size > faces[1].size
    shift, half = torch.tensor([308, 0, 0]), torch.tensor([0, 100, 0])
    assert point_error(faces[0], face.points + shift) < 1.5
    assert point_error(faces[1], face.points * (300 / 512) + half) < 2.5
    assert len(find_faces(networks, picture, max_faces=1)) == 1


def test_order_does_not_depend_on_place_or_turn(networks, astronaut):
    small = resized(astronaut, 300, 300)
    for degrees in (-20, 0, 20):
        for left, right in ((small, astronaut), (astronaut, small)):
            picture = canvas(840, 840, (left, 164, 4), (right, 164, 10 + left.shape[1]))
            sizes = [found.size for found in find_faces(networks, turned(picture, degrees))]
            assert len(sizes) == 2, degrees
            assert sizes[0] / sizes[1] == pytest.approx(512 / 300, rel=0.15)


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_pictures_lying_on_their_side(networks, astronaut, face, quarter):
    faces = find_faces(networks, torch.rot90(astronaut, -quarter).contiguous())
    assert len(faces) == 1
    turn = np.array([[0, 1], [-1, 0]])  # (x, y) of a picture turned by a quarter clockwise, from its centre
    expected = (face.points[:, :2].numpy() - 256) @ np.linalg.matrix_power(turn, quarter) + 256
    expected = torch.cat([torch.from_numpy(expected).float(), face.points[:, 2:]], 1)
    assert point_error(faces[0], expected) < 3


@pytest.mark.parametrize("margin", [0.3, 0.0, -0.1, -0.15])
def test_tight_crops(networks, astronaut, face, margin):
    x0, y0, x1, y1 = (int(v) for v in face.box)
    extra = int(margin * (x1 - x0))
    top, left = y0 - extra, x0 - extra
    crop = astronaut[top : y1 + extra, left : x1 + extra].contiguous()
    faces = find_faces(networks, crop)
    assert len(faces) == 1
    assert point_error(faces[0], face.points - torch.tensor([left, top, 0])) < 5


def test_tiny_face_in_a_large_picture(networks, astronaut, face):
    """40 pixels of 1024: far below what the detector sees in one look."""
    picture = canvas(1024, 1024, (resized(astronaut, 215, 215), 700, 80))
    faces = find_faces(networks, picture)
    assert len(faces) == 1
    assert point_error(faces[0], face.points * (215 / 512) + torch.tensor([80, 700, 0])) < 4


@pytest.fixture(scope="module")
def cells():
    """[660,550,3]: cells under a microscope; the detector and the mesh network take some for faces."""
    from skimage import data

    return torch.from_numpy(data.cell()).float()[..., None].expand(-1, -1, 3) / 255


@pytest.mark.parametrize("quarter", [0, 2])
def test_what_only_looks_like_a_face_is_none(networks, cells, quarter):
    picture = torch.rot90(cells, quarter).contiguous()
    found = [detect(networks, Picture(picture, "cpu"), windows) for windows in search_windows(*picture.shape[:2])]
    assert np.concatenate(found)[:, 0].max() > 0.7, "the picture no longer tempts the detector"
    assert find_faces(networks, picture) == []


def test_real_faces_are_found_whatever_their_score(networks, astronaut, cells):
    """Small and dark: the first look gives no more than false faces get, .5 to .8."""
    small = canvas(660, 900, (cells, 0, 0), (resized(astronaut, 240, 240) * 0.3, 300, 600))
    (face,) = find_faces(networks, small)
    assert face.score < 0.85 and face.clear and face.centre[0] > 600


def test_faces_of_60_pixels_in_24_megapixels(networks, astronaut, face):
    picture = canvas(4000, 6000, (resized(astronaut, 295, 295), 1713, 3321))
    (found,) = find_faces(networks, picture)
    assert found.size == pytest.approx(60, abs=6)
    assert point_error(found, face.points * (295 / 512) + torch.tensor([3321, 1713, 0])) < 4


@pytest.mark.parametrize(("height", "width", "least"), [(1024, 1024, 41), (3000, 4000, 41), (4000, 6000, 56), (6000, 6000, 68)])
def test_search_is_bounded_and_says_how_small_a_face_may_be(height, width, least):
    rounds = list(search_windows(height, width))
    assert sum(map(len, rounds)) < 800
    assert selection.smallest(height, width) <= least
    assert 0.15 * min(windows.side for windows in rounds) <= 1.2 * selection.smallest(height, width)


def test_points_scale_with_the_picture(networks, astronaut, face):
    """Also through the reduced copy that pictures of 2048 pixels and more get."""
    faces = find_faces(networks, resized(astronaut, 2560, 2560))
    assert len(faces) == 1 and point_error(faces[0], face.points * 5) < 1
    assert float((faces[0].blendshapes - face.blendshapes).abs().mean()) < 0.01


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (8, 8), (64, 64), (300, 200), (40, 1200)])
def test_pictures_without_a_face_give_nothing(networks, size):
    assert find_faces(networks, canvas(*size)) == []
    assert find_faces(networks, torch.zeros(*size, 3)) == []


def test_noise_and_texture_give_nothing(networks):
    from skimage import data

    noise = torch.rand(200, 300, 3, generator=torch.Generator().manual_seed(1))
    assert find_faces(networks, noise) == []
    assert find_faces(networks, torch.from_numpy(data.coffee()).float() / 255) == []


def test_half_precision_alpha_and_strides_do_not_matter(networks, astronaut, face):
    with_alpha = torch.cat([astronaut, torch.ones(512, 512, 1)], -1).half()
    assert point_error(find_faces(networks, with_alpha)[0], face.points) < 0.3
    strided = astronaut.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    assert point_error(find_faces(networks, strided)[0], face.points) < 0.01


@pytest.mark.parametrize("size", [256, 512])
def test_aligned_crops_agree_with_the_full_chain(networks, astronaut, face, size):
    crop, back = aligned_crop(astronaut, face, size)
    points, presence, blendshapes = landmarks_in_crop(networks, torch.stack([crop, crop]))
    assert points.shape == (2, 478, 3) and presence.shape == (2,) and blendshapes.shape == (2, 52)
    plane = points[1, :, :2] @ back[:2].float() + back[2].float()
    width = float(np.ptp(face.points[:468, 0].numpy()))
    assert float((plane - face.points[:, :2]).norm(dim=1).median()) / width < 0.02
    assert float((blendshapes[1] - face.blendshapes).abs().mean()) < 0.04 and float(presence.min()) > 0.9


def test_gradient_reaches_the_pixels(networks, astronaut, face):
    crop, _ = aligned_crop(astronaut, face)
    crop = crop[None].requires_grad_()
    points, _, blendshapes = landmarks_in_crop(networks, crop)
    smile = blendshapes[0, BLENDSHAPES.index("mouthSmileLeft")]
    for value in (points[0, 61, 0], smile):
        (gradient,) = torch.autograd.grad(value, crop, retain_graph=True)
        assert gradient.isfinite().all() and gradient[0, :, 100:220, 60:200].abs().mean() > 0


def test_missing_and_broken_models_say_what_to_do(tmp_path):
    from safetensors.torch import save_file

    other, broken = tmp_path / "other.safetensors", tmp_path / "broken.safetensors"
    save_file({"a": torch.zeros(1)}, other)
    broken.write_bytes(b"half a file")
    for path in (tmp_path / "absent.safetensors", other, broken):
        with pytest.raises(DiffSFSRError, match=r"weights/face_landmarker\.safetensors") as error:
            FaceNetworks.load(path)
        assert path.name in str(error.value)


def test_depth_is_that_of_the_face_model(networks, shape, astronaut, face):
    """Towards the viewer in both: else, of a turned face, what is hidden is drawn over what is seen."""
    for points, code in ((face.points, face.blendshapes), landmarks_of(networks, aligned_crop(astronaut, face)[0])):
        fit = shape.fit(points[None], code[None])
        model = retarget(shape, fit, fit, shape.own_geometry(fit))[0]
        assert np.corrcoef(points[:468, 2], model[:468, 2])[0, 1] > 0.7


def landmarks_of(networks, crop):
    points, _, code = landmarks_in_crop(networks, crop[None])
    return points[0], code[0]
