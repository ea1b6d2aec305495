"""Who it is: the compact network's contract, the compound vector, and what several photos of a person become."""

import pytest
import torch
import torch.nn.functional as F

from diffsfsr.modules.encoders.identity import (
    ARCFACE,
    CHIP,
    CHIP_POINTS,
    CHIP_TEMPLATE,
    COMPACT,
    INPUT,
    LEFT,
    SIDE,
    STRANGER,
    TOP,
    WIDTH,
    IdentityNetwork,
    agreement,
    chip,
    joined,
    pool,
    renewed,
    width_of,
)

BOTH = (COMPACT, ARCFACE)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def photos(*people, noise=0.5, seed=1):
    """Unit vectors [N, 256] of photos of the given people: 0, 0, 1 is two of one person and one of another."""
    rows = torch.stack([random(256, seed=100 + p) for p in people])
    return F.normalize(rows + noise * random(len(people), 256, seed=seed), dim=1)


def pooled(vectors, members=(COMPACT,)):
    return pool(vectors, members)


# --- the network -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def net():
    return IdentityNetwork().eval()


@torch.inference_mode()
def test_the_network_gives_unit_vectors_one_by_one(net):
    images = torch.rand(3, 3, INPUT, INPUT)
    vectors = net(images)
    assert vectors.shape == (3, WIDTH) and torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-5)
    assert torch.allclose(net(images[1:2]), vectors[1:2], atol=1e-5)


@torch.inference_mode()
def test_the_network_reads_the_face_and_not_what_is_around_it(net):
    image, around = torch.rand(1, 3, INPUT, INPUT), torch.rand(1, 3, INPUT, INPUT)
    inner = (slice(None), slice(None), slice(TOP, TOP + SIDE), slice(LEFT, LEFT + SIDE))
    around[inner] = image[inner]
    assert torch.equal(net(image), net(around))
    around[0, :, TOP + 5, LEFT + 5] += 5
    assert not torch.equal(net(image), net(around))


@torch.inference_mode()
def test_a_mirror_image_is_the_same_person(net):
    image = torch.rand(2, 3, INPUT, INPUT)
    assert torch.allclose(net(image), net(image.flip(-1)), atol=1e-5)
    assert not torch.allclose(net(image)[0], net(image)[1], atol=1e-3)


def test_the_network_is_small(net):
    """A few megabytes in half precision, as it lies in a bundle."""
    assert sum(v.numel() for v in net.state_dict().values()) * 2 < 4 * 2**20


# --- the compound ----------------------------------------------------------------------------------------------------


def test_joined_vectors_weigh_every_member_the_same():
    a, b = random(2, 256), random(2, 512, seed=2) * 40
    vectors = joined([a, b])
    assert vectors.shape == (2, width_of(BOTH)) == (2, 768)
    mean = (F.cosine_similarity(a[:1], a[1:]) + F.cosine_similarity(b[:1], b[1:])) / 2
    assert agreement(vectors, BOTH)[0, 1].item() == pytest.approx(mean.item(), abs=1e-5)


def test_renewed_parts_have_unit_length():
    mean = joined([random(4, 256), random(4, 512, seed=2)]).mean(0, keepdim=True)
    whole = renewed(mean, BOTH)
    assert whole[:, :256].norm().item() == pytest.approx(1, abs=1e-5)
    assert whole[:, 256:].norm().item() == pytest.approx(1, abs=1e-5)


def test_chip_brings_the_five_points_to_the_template():
    """A picture whose brightness tells the place: red is x, green is y."""
    axis = (torch.arange(200) + 0.5) / 200
    image = torch.stack([axis[None].expand(200, -1), axis[:, None].expand(-1, 200), torch.zeros(200, 200)])
    points = torch.zeros(1, 478, 3)
    template = torch.tensor(CHIP_TEMPLATE)
    points[0, list(CHIP_POINTS), :2] = template * 1.25 + torch.tensor([20.0, 30.0])
    square = chip(image[None], points)[0]
    assert square.shape == (3, CHIP, CHIP)
    for x, y in CHIP_TEMPLATE:
        found = square[:2, int(y), int(x)] * 200
        wanted = torch.tensor([int(x) + 0.5, int(y) + 0.5]) * 1.25 + torch.tensor([20.0, 30.0])
        assert torch.allclose(found, wanted, atol=0.3)


# --- several photos --------------------------------------------------------------------------------------------------


def test_one_photo_is_the_vector():
    vectors = photos(0)
    found = pooled(vectors)
    assert torch.allclose(found.vector, vectors[0], atol=1e-6) and found.kept == [0]
    assert not found.strangers and not found.torn


@pytest.mark.parametrize("place", range(5))
def test_a_stranger_among_five_is_left_out(place):
    who = [0] * 5
    who[place] = 1
    found = pooled(photos(*who))
    assert found.strangers == [place] and len(found.kept) == 4 and not found.torn
    alone = pooled(photos(*who)[[i for i in range(5) if i != place]])
    assert torch.allclose(found.vector, alone.vector, atol=1e-6), "the stranger leaves no trace"


def test_two_strangers_of_different_people_are_left_out():
    assert pooled(photos(0, 1, 0, 2, 0)).strangers == [1, 3]


def test_two_that_disagree_cannot_be_decided():
    found = pooled(photos(0, 1))
    assert found.torn and found.kept == [0, 1] and not found.strangers


@pytest.mark.parametrize("who", [(0, 1, 2), (0, 0, 1, 1), (0, 0, 1, 2)])
def test_without_a_majority_all_are_kept(who):
    found = pooled(photos(*who))
    assert found.torn and found.kept == list(range(len(who))) and not found.strangers


def test_the_threshold_decides():
    """Two vectors a little more, and a little less alike than the threshold."""
    first = F.normalize(random(256), dim=0)
    away = F.normalize(random(256, seed=5) - (random(256, seed=5) @ first) * first, dim=0)
    for shift, torn in ((0.02, False), (-0.02, True)):
        cosine = STRANGER + shift
        second = cosine * first + (1 - cosine**2) ** 0.5 * away
        assert pooled(torch.stack([first, second])).torn == torn


def test_the_order_of_photos_does_not_matter():
    vectors, order = photos(0, 1, 0, 0), [3, 1, 0, 2]
    assert torch.allclose(pooled(vectors).vector, pooled(vectors[order]).vector, atol=1e-5)
    assert pooled(vectors[order]).strangers == [1]


def test_a_compound_of_two_networks_finds_the_stranger():
    parts = [photos(0, 0, 0, 1), torch.cat([photos(0, 0, 0, 1), photos(0, 0, 0, 1, seed=3)], 1)]
    found = pooled(joined(parts), members=BOTH)
    assert found.strangers == [3] and found.vector.shape == (768,)
