"""Detail of the selfie's own pixels: what is added to a painted crop, where, and when nothing is."""

from dataclasses import replace

import pytest
import torch

from diffsfsr.modules.faces.morphable import retarget
from diffsfsr.modules.labels import BLENDSHAPES
from diffsfsr.modules.types import Face, FineSkin, PasteRegion
from diffsfsr.modules.warp.beard import WIDE, outline_with_beard
from diffsfsr.modules.warp.detail import detail, how_much_coarser, luma, missing, photo_of
from diffsfsr.modules.warp.layers import EDGE, faded
from diffsfsr.modules.warp.masks import blurred, grow
from diffsfsr.modules.warp.mesh import Mesh
from diffsfsr.modules.warp.mouth import MOUTH, Interior, finer, paint_mouth
from diffsfsr.modules.warp.paste import composite, cut
from tests.unit.faces import SKIN, mean_fit

LARGE = 3  # times a crop's pixels that selfie and place have


def textured(size: int, seed: int = 0) -> torch.Tensor:
    """Skin with fine texture [size, size, 3]."""
    noise = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(seed))
    return (SKIN * torch.exp(0.12 * blurred(noise, 1.0)[0, 0, ..., None])).clamp(0, 1)


@pytest.fixture(scope="module")
def selfie():
    return textured(256 * LARGE)


def place(face, selfie, scale: float = LARGE, background=None, **changed) -> PasteRegion:
    """The canonical face in a background, `scale` times the crop's size, its skin from a selfie of the same outline."""
    side = int(256 * scale)
    to_selfie, to_place = (torch.eye(2, 3) / larger for larger in (LARGE, scale))
    crop = torch.nn.functional.interpolate(selfie.permute(2, 0, 1)[None], size=256, mode="bilinear", antialias=True)[0]
    person = Face(crop, face.points, torch.zeros(52), photo=photo_of(selfie, to_selfie, 256))
    fine = FineSkin(person, crop, face.points, face.points, crop, face.topology, 1.0)
    background = torch.full((1, side, side, 3), 0.5) if background is None else background
    mask = face.covered.float()[None]
    return replace(PasteRegion(background, to_place[None], mask, None, 2.0, 256, (fine,)), **changed)


def soft_crop(region: PasteRegion) -> torch.Tensor:
    return region.fine[0].warp.permute(1, 2, 0)[None].clone()


def inner(picture: torch.Tensor) -> torch.Tensor:
    """A cheek of a picture [n, H, W, 3], as luma [h, w]."""
    light = luma(picture[0].permute(2, 0, 1))[0]
    y, x = int(0.58 * len(light)), int(0.40 * len(light))
    return light[y : y + 60, x - 60 : x]


def fine_of(light: torch.Tensor) -> torch.Tensor:
    return light - blurred(light[None, None], 3.0)[0, 0]


def test_the_texture_of_the_selfie_comes_back_and_nothing_outside_the_mask_changes(face, selfie):
    region = place(face, selfie, background=textured(256 * LARGE, 1)[None])
    plain, soft = composite(soft_crop(region), region)
    made, same = composite(soft_crop(region), region, 1.0)
    assert torch.equal(soft, same) and torch.equal(made[soft == 0], region.background[soft == 0])
    own, got, before = (fine_of(inner(x)) for x in (selfie[None], made, plain))
    assert torch.corrcoef(torch.stack([own.flatten(), got.flatten()]))[0, 1] > 0.9
    assert 0.8 < got.std() / own.std() < 1.15 and before.std() / own.std() < 0.5


def test_it_is_none_at_0_half_at_a_half_and_none_without_a_photo(face, selfie):
    region = place(face, selfie, background=textured(256 * LARGE, 1)[None])
    plain, half, whole = (composite(soft_crop(region), region, share)[0] for share in (0.0, 0.5, 1.0))
    assert torch.equal(composite(soft_crop(region), replace(region, fine=None), 1.0)[0], plain)
    change = [fine_of(inner(x) - inner(plain)).std() for x in (half, whole)]
    assert change[0] / change[1] == pytest.approx(0.5, abs=0.05)


def test_a_face_no_larger_than_the_crop_stays_as_it_was(face, selfie):
    for scale in (0.75, 1.0):
        region = place(face, selfie, scale)
        assert torch.equal(composite(soft_crop(region), region, 1.0)[0], composite(soft_crop(region), region)[0])


def test_it_takes_the_colour_and_light_of_the_painted_face(face, selfie):
    """A selfie half as bright gives the same detail, and a darker face gets as much less of it."""
    background = textured(256 * LARGE, 1)[None]
    region, dark = place(face, selfie, background=background), place(face, selfie * 0.5, background=background)
    crop = soft_crop(region)
    made, other = (inner(composite(crop, r, 1.0)[0]) for r in (region, dark))
    assert (made - other).abs().mean() < 0.1 * fine_of(made).std()
    darker = inner(composite(crop * 0.5, region, 1.0)[0])
    assert fine_of(darker).std() / fine_of(made).std() == pytest.approx(0.5, abs=0.1)
    tint = torch.tensor([0.5, 1.0, 0.7])
    tinted = composite(crop * tint, region, 1.0)[0]
    one, other = tinted[0, 450, 280], crop[0, 150, 93] * tint
    assert torch.allclose(one / one[1], other / other[1], atol=0.03)


def test_a_crop_that_has_the_detail_already_gets_none_and_one_that_has_half_the_rest(face, selfie):
    region = place(face, selfie, background=textured(256 * LARGE, 1)[None])
    for crop in (selfie[None], textured(256 * LARGE, 2)[None]):  # the very same, and as much of another model's own
        plain, made = (inner(composite(crop, region, share)[0]) for share in (0.0, 1.0))
        assert fine_of(made - plain).std() < 0.35 * fine_of(plain).std()
        assert fine_of(made).std() / fine_of(plain).std() < 1.15
    low = torch.nn.functional.interpolate(soft_crop(region).permute(0, 3, 1, 2), size=256 * LARGE, mode="bilinear")
    half = (0.5 * low.permute(0, 2, 3, 1) + 0.5 * selfie[None]).clamp(0, 1)
    made = inner(composite(half, region, 1.0)[0])
    assert fine_of(made).std() / fine_of(inner(selfie[None])).std() == pytest.approx(1.0, abs=0.15)


def test_a_background_out_of_focus_gets_no_more_than_it_has(face, selfie):
    sharp = textured(256 * LARGE, 1)
    blur = blurred(sharp.permute(2, 0, 1)[None], 3.0)[0].permute(1, 2, 0)
    stds = []
    for background in (sharp, blur):
        region = place(face, selfie, background=background[None])
        stds.append(fine_of(inner(composite(soft_crop(region), region, 1.0)[0])).std())
    assert stds[1] < 0.5 * stds[0]


def test_it_fades_where_the_painted_face_is_another(face, selfie):
    region = place(face, selfie, background=textured(256 * LARGE, 1)[None])
    crop = soft_crop(region)
    crop[0, ::6, 70:110] *= 0.5  # stripes over a cheek that the coarse warp does not have
    window = region.to_frame[:1]
    big = torch.nn.functional.interpolate(crop.permute(0, 3, 1, 2), size=256 * LARGE, mode="bilinear")[0]
    light = luma(region.background[0].permute(2, 0, 1))
    found = detail(luma(big), 256, light, region.fine[0], region.mask[0], window)[0]
    striped, smooth = found[435:495, 225:315], found[435:495, 480:560]
    assert striped.std() < 0.5 * smooth.std()


def test_a_painted_mouth_gets_none(face, selfie):
    opened = face.points.clone()
    below = opened[:, 1] > opened[14, 1] + 1e-3
    below[[95, 88, 178, 87, 14, 317, 402, 318, 324]] = True
    opened[below, 1] += 25
    region = place(face, selfie, background=textured(256 * LARGE, 1)[None], mask=torch.ones(1, 256, 256))
    fine = replace(region.fine[0], target=opened)
    light = luma(region.background[0].permute(2, 0, 1))
    found = detail(light, 256, light, fine, region.mask[0], region.to_frame[:1])[0]
    y, x = (int(LARGE * v) for v in (opened[14, 1] - 10, opened[14, 0]))
    assert found[y - 12 : y + 12, x - 12 : x + 12].abs().max() < 1e-3
    assert found[y - 120 : y - 90, x - 12 : x + 12].abs().max() > 0.01


def test_of_a_beard_that_is_gone_no_hair_comes_back(face, selfie):
    """Below the chin the place's own fine structure is that of its beard."""
    mask, chin = grow(face.covered.float()[None, None], 40)[0], (face.points[152, :2] * LARGE).long()
    region = place(face, selfie, background=textured(256 * LARGE, 1)[None], mask=mask)
    outline, hair = outline_with_beard(face.points, WIDE, WIDE), grow(face.covered.float()[None, None], 20)[0, 0]
    region = replace(region, fine=(replace(region.fine[0], outline=outline, hair=hair),))
    plain, made = (composite(soft_crop(region), region, share)[0] for share in (0.0, 1.0))
    added = (made - plain)[0, chin[1] + 6 : chin[1] + 15, chin[0] - 30 : chin[0] + 30]
    assert added.abs().mean() < 1e-3 and (made - plain).abs().max() > 0.05


def test_a_selfie_without_detail_gives_none_and_is_told(face):
    coarse = torch.nn.functional.interpolate(textured(256).permute(2, 0, 1)[None], scale_factor=LARGE, mode="bicubic")
    region = place(face, coarse[0].permute(1, 2, 0), background=textured(256 * LARGE, 1)[None])
    made = inner(composite(soft_crop(region), region, 1.0)[0])
    assert fine_of(made).std() < 0.6 * fine_of(inner(region.background)).std()
    assert fine_of(made).std() < 1.2 * fine_of(inner(coarse.permute(0, 2, 3, 1))).std()
    assert how_much_coarser(region) == pytest.approx(1.0)
    small = replace(region.fine[0].face, photo=photo_of(textured(256), torch.eye(2, 3), 256))
    region = replace(region, fine=(replace(region.fine[0], face=small),))
    assert how_much_coarser(region) == pytest.approx(LARGE)
    assert how_much_coarser(place(face, textured(256 * LARGE), 0.5)) == 0


def test_a_batch_and_its_rows_agree(face, selfie):
    region = place(face, selfie, background=textured(256 * LARGE, 1)[None])
    crop = soft_crop(region)
    fine = region.fine[0], replace(region.fine[0], share=0.5)
    both = replace(region, to_frame=region.to_frame.repeat(2, 1, 1), mask=region.mask.repeat(2, 1, 1), fine=fine)
    made = composite(crop.repeat(2, 1, 1, 1), both, 1.0)[0]
    for i in range(2):
        assert torch.equal(made[i], composite(crop, replace(region, fine=fine[i : i + 1]), 1.0)[0][0])
    assert not torch.equal(made[0], made[1])


def test_a_place_larger_than_what_is_drawn_is_drawn_smaller_and_enlarged(face, selfie, monkeypatch):
    region = place(face, selfie, background=textured(256 * LARGE, 1)[None])
    crop = soft_crop(region)
    plain, whole = (composite(crop, region, share)[0] for share in (0.0, 1.0))
    monkeypatch.setattr("diffsfsr.modules.warp.detail.LARGEST", 512)
    less = composite(crop, region, 1.0)[0]
    added = torch.stack([fine_of(inner(x - plain)).flatten() for x in (whole, less)])
    assert torch.corrcoef(added)[0, 1] > 0.7 and 0.3 < added[1].std() / added[0].std() < 0.9


def test_sharpness_counts_the_selfies_own_detail_alone(face, selfie):
    """Grain and a sharper copy of what is not the selfie's gain nothing; the selfie itself is as sharp as the lesser, 1."""
    from diffsfsr.evaluation.metrics.sharpness import sharpness

    region = place(face, selfie, background=1.2 * textured(256 * LARGE, 1)[None])
    measure = lambda picture: float(sharpness(picture, region)["sharpness"][0])  # noqa: E731
    assert measure(selfie[None]) == pytest.approx(1.0, abs=0.02)
    assert measure(textured(256 * LARGE, 2)[None]) < 0.15
    soft, made = (measure(composite(soft_crop(region), region, share)[0]) for share in (0.0, 1.0))
    assert soft < 0.3 and 0.8 < made < 1.15
    grain = torch.randn(1, 256 * LARGE, 256 * LARGE, 1, generator=torch.Generator().manual_seed(3))
    grainy = measure((composite(soft_crop(region), region)[0] + 0.02 * grain).clamp(0, 1))
    assert grainy < soft + 0.1
    assert torch.isnan(sharpness(selfie[None], replace(region, fine=None))["sharpness"]).all()


def test_bands_of_energy():
    """Uncorrelated detail of half the energy: what is added makes the sum as strong as the drawing."""
    noise = [blurred(torch.randn(1, 1, 240, 240, generator=torch.Generator().manual_seed(k)), 0.7)[0] for k in range(3)]
    where, w = torch.ones(1, 240, 240), noise[0]
    painted = noise[1] * 0.5**0.5
    added = missing(w * 0.1, painted * 0.1, noise[2], where, 4.0, 1.0, 8.0)
    total = (painted * 0.1 + added)[0, 40:-40, 40:-40]
    assert total.std() / (0.1 * w).std() == pytest.approx(1.0, abs=0.1)
    none = missing(w * 0.1, w * 0.1, noise[2], where, 4.0, 1.0, 8.0)
    assert none.abs().max() < 0.01


def test_a_photo_is_cut_at_its_own_size_and_bounded(face):
    picture = torch.rand(300, 400, 3, generator=torch.Generator().manual_seed(0))
    points = face.points * 0.5 + torch.tensor([150.0, 80.0, 0.0])
    _, matrix = cut(picture, points, 256)
    photo = photo_of(picture, matrix, 256)
    rows, columns = where_cut(photo, matrix)
    assert max(photo.light.shape) < 256 and torch.equal(photo.light, luma(picture.permute(2, 0, 1))[:, rows, columns])
    large = photo_of(torch.rand(2000, 2000, 3), torch.eye(2, 3) * 256 / 2000, 256)
    assert large.light.shape == (1, 1536, 1536)
    assert torch.allclose(large.matrix, torch.eye(2, 3) / 6, atol=1e-5)


def where_cut(photo, matrix):
    """Where the photo's part lies in its picture, from the shift between the two matrices."""
    left, top = torch.linalg.solve(matrix[:, :2], photo.matrix[:, 2] - matrix[:, 2]).round().int().tolist()
    return slice(top, top + photo.light.shape[1]), slice(left, left + photo.light.shape[2])


@pytest.mark.parametrize("share, whose", [(0.0, 1), (1.0, 0)])
def test_below_full_identity_the_skin_of_the_face_that_was_there_counts(face, selfie, share, whose):
    background = textured(256 * LARGE, 1)
    region, pictures = place(face, selfie, background=background[None]), (selfie, background)
    whole = pictures[whose].permute(2, 0, 1)[None]
    shown = torch.nn.functional.interpolate(whole, size=256, mode="bilinear", antialias=True)[0]
    region = replace(region, fine=(replace(region.fine[0], share=share, warp=shown),))
    made = fine_of(inner(composite(soft_crop(region), region, 1.0)[0])).flatten()
    alike = [torch.corrcoef(torch.stack([made, fine_of(inner(x[None])).flatten()]))[0, 1] for x in pictures]
    assert alike[whose] > 0.85 and alike[1 - whose] < 0.3


def test_what_is_drawn_between_the_lips_is_finer_than_the_crop(shape, topology):
    """Teeth of an opened mouth have bands beyond the crop's, which lie where the crop has the teeth."""
    asked = torch.tensor([[0.7 * (n == "jawOpen") + 0.6 * n.startswith("mouthSmile") for n in BLENDSHAPES]])
    fit, geometry = mean_fit(shape), shape.geometry_of_rig(asked)
    rest, opened = (retarget(shape, fit, fit, share * geometry)[0] for share in (0, 1))
    interior = Interior.of(shape, rest, rest, geometry[0])
    mesh, skin = Mesh.of(opened, topology, 256), SKIN[:, None, None].expand(3, 256, 256)
    crop, mouth = paint_mouth(skin.clone(), mesh, skin, rest, interior), finer(opened, interior, 256)
    assert finer(rest, interior, 256) is None
    person = Face(skin, rest, torch.zeros(52), photo=photo_of(skin.permute(1, 2, 0), torch.eye(2, 3), 256))
    fine = FineSkin(person, skin, opened, opened, crop, topology, 1.0, mouth=mouth)
    noise = torch.randn(1, 1024, 1024, 1, generator=torch.Generator().manual_seed(0))
    background = (0.5 + 0.1 * noise).expand(-1, -1, -1, 3).clamp(0, 1)
    region = PasteRegion(background, torch.eye(2, 3)[None] / 4, mesh.covered.float()[None], None, 2.0, 256, (fine,))
    made, without = (
        composite(crop.permute(1, 2, 0)[None], r, 1.0)[0] for r in (region, replace(region, fine=(replace(fine, mouth=None),)))
    )
    inside = torch.nn.functional.interpolate(MOUTH.inside(mesh)[None, None], scale_factor=4)[0, 0] > 0
    change = (made - without).abs().amax((0, -1))
    assert change[inside].max() > 0.012 > change[~inside].max()
    small = lambda x: torch.nn.functional.avg_pool2d(x.movedim(-1, 1), 8)  # noqa: E731
    assert (small(made) - small(without)).abs().max() < 0.1  # no tooth is moved


def test_a_photos_structure_fades_towards_where_it_is_not_drawn(face, selfie):
    """An edge there would be drawn as a line."""
    own = torch.ones(256, 256, dtype=torch.bool)
    assert torch.equal(faded(own), own.float())
    own[100:140, 100:140] = False
    found, reach = faded(own), int(2 * EDGE)
    assert found[100:140, 100:140].max() < 0.1
    assert found[:, : 100 - reach].min() > 0.99 and found.diff(dim=1).abs().max() < 0.35
