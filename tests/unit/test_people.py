"""Made people for the identity network: nobody held out is in them, views keep the person, wear keeps the picture's form."""

import numpy as np
import pytest
import torch

from diffsfsr.modules.affine import to_frame
from diffsfsr.modules.faces.morphable import FaceShape
from diffsfsr.training.identity import Material, fitted, joined, loss_of, separation
from diffsfsr.training.synth import degrade
from diffsfsr.training.synth.identities import held_out


def rng(seed=0):
    return np.random.default_rng(seed)


def picture(size=128):
    return torch.rand(3, size, size, generator=torch.Generator().manual_seed(0))


# --- who is held out -------------------------------------------------------------------------------------------------


def test_150_people_are_held_out_and_none_twice():
    parts = held_out()
    everyone = [i for part in parts.values() for i in part]
    assert len(everyone) == len(set(everyone)) == 150
    assert (len(parts["evaluation"]), len(parts["validation"]), len(parts["further"])) == (64, 20, 66)


# --- wear ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_worn_pictures_are_pictures(seed):
    worn = degrade.worn(picture(), rng(seed), picture().flip(2))
    assert worn.shape == (3, 128, 128) and torch.isfinite(worn).all()
    assert worn.min() >= -1e-3 and worn.max() <= 1 + 1e-3


@pytest.mark.parametrize("kind", degrade.COVERS)
def test_covers_hide_a_part_and_leave_the_rest(kind):
    image = picture()
    changed = (degrade.covered(image, rng(1), kind=kind) != image).any(0)
    assert 0.01 < changed.float().mean() < 0.8
    where = degrade.cover(kind, 128, rng(1))
    assert not (changed & ~where).any()


def test_small_pictures_lose_detail():
    image, detail = picture(), lambda x: (x[:, 1:] - x[:, :-1]).abs().mean()
    assert detail(degrade.small(image, 24)) < 0.3 * detail(image)
    assert torch.equal(degrade.small(image, 128), image), "a face larger than the picture has is left alone"


def test_blur_keeps_the_mean_and_shape():
    for along in (None, 0.7):
        soft = degrade.soft(torch.full((3, 64, 64), 0.4), 1.5, along)
        assert soft.shape == (3, 64, 64) and torch.allclose(soft, torch.full_like(soft, 0.4), atol=1e-5)


def test_askew_stays_near_and_is_the_same_for_the_same_seed():
    images = torch.stack([picture()] * 4)
    first, again = (degrade.askew(images, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again) and not torch.equal(first[0], first[1])
    still = degrade.askew(images, torch.Generator().manual_seed(3), strength=0.0)
    assert all(torch.allclose(x, picture(), atol=1e-4) or torch.allclose(x, picture().flip(2), atol=1e-4) for x in still)


# --- drawing ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn():
    """Two made-up faces on the canonical mesh, and a face model with random modes."""
    from diffsfsr.modules.bundle import load_bundle
    from tests.host.graphs import BUILT_IN

    state = load_bundle(BUILT_IN).parts["shape"]
    shape = FaceShape.like(state)
    shape.load_state_dict({k: v.float() for k, v in state.items()})
    shape = shape.double()
    people = []
    for k in range(2):
        flat = shape.mean.float() * torch.tensor([1.0, -1.0, 1.0]) * (9.0 + k)
        points = flat + torch.tensor([128.0, 140.0, 0.0])
        matrix = to_frame(points[None])
        points = torch.cat([points[:, :2] @ matrix[0, :, :2].T + matrix[0, :, 2], points[:, 2:]], 1)
        image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(k))
        image = torch.nn.functional.interpolate(image[None], size=256, mode="bilinear")[0]
        people.append(shape.face(image, points, torch.zeros(52)))
    return people, shape


@torch.inference_mode()
def test_views_are_aligned_and_new_people_are_between(comfy, drawn, topology):
    from diffsfsr.training.synth import people

    (first, second), shape = drawn
    image, points = people.view(first, 128, shape, topology, rng(0))
    assert image.shape == (3, 128, 128) and torch.isfinite(image).all()
    assert torch.allclose(to_frame(points[None], 128)[0], torch.eye(2, 3), atol=1e-3), "eyes and mouth where they belong"
    new = people.new_person(first, [second], shape, topology, rng(3))
    assert new.image.shape == (3, 256, 256) and 0 <= new.image.min() and new.image.max() <= 1
    assert torch.allclose(to_frame(new.points[None])[0], torch.eye(2, 3), atol=1e-3)
    assert (new.points - first.points).abs().max() > 0.5 and (new.image - first.image).abs().mean() > 0.01


# --- what is learned -------------------------------------------------------------------------------------------------


def told(count=40, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(count, 1024, generator=g) + 3, torch.randn(count, 256, generator=g) - 2


def test_one_vector_for_both_teachers_has_the_mean_of_their_cosines():
    first, second = told()
    target = fitted(first, second, 0.65)
    both = joined(first, second, 0.65, target)
    cosine = torch.nn.functional.cosine_similarity
    a = cosine(first[0] - target["faceres_mean"], first[1] - target["faceres_mean"], dim=0)
    b = cosine(second[0] - target["mobileface_mean"], second[1] - target["mobileface_mean"], dim=0)
    assert torch.allclose(both[0] @ both[1], 0.65 * a + 0.35 * b, atol=1e-4)
    reduced = both @ target["basis"]
    assert torch.allclose(reduced @ reduced.T, both @ both.T, atol=1e-3), "40 people lie in fewer than 256 dimensions"


def test_the_loss_is_least_at_what_is_wanted():
    wanted = torch.nn.functional.normalize(torch.randn(20, 256, generator=torch.Generator().manual_seed(0)), dim=1)
    person = torch.tensor([3, 7])
    right = loss_of(wanted[person], person, wanted, 16.0)
    assert right.item() == pytest.approx(0, abs=1e-5)
    assert loss_of(wanted[torch.tensor([3, 8])], person, wanted, 16.0) > 0.5


def test_separation_of_clear_and_of_mixed_up_people():
    g = torch.Generator().manual_seed(0)
    gallery = torch.nn.functional.normalize(torch.randn(10, 64, generator=g), dim=1)
    near = torch.nn.functional.normalize(gallery[:, None] + 0.05 * torch.randn(10, 3, 64, generator=g), dim=2)
    clear = separation(gallery, near)
    assert clear["rank1"] == 1 and clear["auc"] == pytest.approx(1, abs=1e-6) and clear["ratio"] > 3
    mixed = separation(gallery, near.roll(1, 0))
    assert mixed["rank1"] == 0 and mixed["auc"] < 0.6 and mixed["ratio"] < 1


def test_ratio_is_that_of_the_variances():
    """People spread with variance 4, their pictures with variance 1, in each of 200 dimensions."""
    g = torch.Generator().manual_seed(0)
    people = 2 * torch.randn(400, 1, 200, generator=g)
    pictures = people + torch.randn(400, 4, 200, generator=g)
    assert separation(pictures[:, 0], pictures[:, 1:])["ratio"] == pytest.approx(4, rel=0.05)


def test_material_takes_in_new_shards_and_repeats_itself(tmp_path):
    def shard(name, count, seed):
        first, second = told(count, seed)
        crops = torch.randint(0, 255, (count, 3, 3, 128, 128), dtype=torch.uint8)
        rows = {"clean": crops[:, 0], "views": crops[:, 1:], "faceres": first.half(), "mobileface": second.half()}
        torch.save(rows, tmp_path / name)

    shard("plain_0000.pt", 6, 0)
    material = Material(tmp_path, tmp_path / "target.safetensors", 0.65)
    material.refresh()
    assert material.wanted.shape == (6, 256)
    (images, person), (again, _) = material.batch(8, [0, 5]), material.batch(8, [0, 5])
    assert images.shape == (8, 3, 128, 128) and torch.equal(images, again) and person.max() < 6
    before = material.wanted.clone()
    shard("new_0_00000.pt", 4, 1)
    material.refresh()
    assert material.wanted.shape == (10, 256) and torch.equal(material.wanted[:6], before)
    assert material.batch(64, [0, 6])[1].max() >= 6
