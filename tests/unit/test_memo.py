"""What is remembered from one queue item to the next: by content, one store for each kind, room for the largest batch."""

import gc
import weakref
from types import SimpleNamespace

import pytest
import torch

from diffsfsr.modules.faces.landmarker import DetectedFace
from diffsfsr.modules.pipeline.memo import LEAST, MOST, Memo, content
from tests.unit.faces import photo, skin_picture


class Counter:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return self.calls


@pytest.fixture
def store():
    return Memo(), Counter()


def queued(memo, make, keys):
    """The results of one queue item, in the order of its keys."""
    return [memo.get("place", key, make) for key in keys]


# --- what a picture is known by -------------------------------------------------------------------


CHANGES = {
    "mirrored": lambda x: x.flip(2),
    "upside down": lambda x: x.flip(1),
    "painted into": lambda x: x.index_put((torch.tensor(0), torch.tensor(2), torch.tensor(3)), torch.tensor(0.25)),
    "one bit": lambda x: torch.nextafter(x, torch.ones(())).where(x == x.max(), x),
    "two pixels exchanged": lambda x: torch.cat([x[:, [1, 0]], x[:, 2:]], 1),
}


def picture():
    return torch.rand(1, 8, 8, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_in_place_is_noticed(store, change):
    """Three of these leave the sum of all values as it was."""
    memo, make = store
    with torch.inference_mode():  # as the host runs nodes: such tensors do not count their own changes
        image = picture()
        assert memo.get("place", content(image), make) == memo.get("place", content(image), make) == 1
        image.copy_(CHANGES[change](image.clone()))
        assert memo.get("place", content(image), make) == 2


def test_the_same_values_are_the_same_content_however_they_lie_in_memory():
    image = picture()
    apart = image.permute(3, 0, 1, 2).contiguous().permute(1, 2, 3, 0)
    assert not apart.is_contiguous() and torch.equal(apart, image)
    assert content(image) == content(image.clone()) == content(apart) == content(image.clone().requires_grad_())


def test_shape_type_and_order_are_part_of_the_content():
    zeros = torch.zeros(4, 6)
    others = [zeros.T, zeros.view(24), zeros[None], zeros.int(), zeros.double(), zeros[:3], torch.zeros(0), zeros.bfloat16()]
    assert len({content(zeros), *map(content, others)}) == len(others) + 1
    one, two = torch.ones(3), torch.zeros(3)
    pairs = [content(one, two), content(two, one), content(torch.cat([one, two])), content(one), content()]
    assert len(set(pairs)) == len(pairs)
    assert content(torch.tensor(1.0)) == content(torch.tensor(1.0)) != content(torch.tensor(2.0)), "a single number too"


# --- the store ------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [("place", ("b", "largest")), ("place", ("a", "first")), ("skin", ("a", "largest"))])
def test_kind_and_key_must_be_the_same(store, other):
    memo, make = store
    assert [memo.get("place", ("a", "largest"), make) for _ in range(3)] == [1, 1, 1]
    assert memo.get(*other, make) == 2
    assert memo.get("place", ("a", "largest"), make) == 1


@pytest.mark.parametrize("count", [1, LEAST, LEAST + 1, 40, MOST])
def test_a_batch_that_is_queued_twice_is_computed_once(store, count):
    """With 9 pictures and room for 8 all 18 would be computed: each is thrown away just before it is wanted again."""
    memo, make = store
    for _ in range(2):
        memo.make_room(count)
        assert queued(memo, make, range(count)) == list(range(1, count + 1))
    assert make.calls == count


def test_without_more_room_a_batch_of_nine_is_computed_twice(store):
    memo, make = store
    for _ in range(2):
        queued(memo, make, range(LEAST + 1))
    assert make.calls == 2 * (LEAST + 1)


def test_room_is_never_taken_away_and_has_an_end(store):
    memo, make = store
    memo.make_room(12)
    memo.make_room(1)
    queued(memo, make, range(12))
    queued(memo, make, range(12))
    assert make.calls == 12
    memo.make_room(10 * MOST)
    queued(memo, make, range(MOST + 5))
    assert len(memo.kinds["place"]) == MOST


def test_the_oldest_goes_and_what_is_used_again_is_young(store):
    memo, make = store
    queued(memo, make, range(LEAST))
    assert memo.get("place", 0, make) == 1
    memo.get("place", "new", make)
    calls = make.calls
    assert queued(memo, make, [0, *range(2, LEAST), "new"]) == [1, *range(3, LEAST + 1), calls], "all but the oldest"
    assert memo.get("place", 1, make) == calls + 1
    for key in range(LEAST):
        memo.get("skin", key, make)
    assert memo.get("place", 1, make) == calls + 1, "one kind takes no room from another"


def test_no_input_is_kept_alive(store):
    memo, make = store
    image = picture()
    memo.get("place", content(image), make)
    gone = weakref.ref(image)
    del image
    gc.collect()
    assert gone() is None


def test_a_failure_is_not_remembered(store):
    memo, make = store

    def fail():
        raise ValueError

    with pytest.raises(ValueError):
        memo.get("place", "a", fail)
    assert memo.get("place", "a", make) == 1


# --- in use ---------------------------------------------------------------------------------------


def test_nine_backgrounds_queued_twice_are_looked_at_nine_times(comfy, face, monkeypatch):
    from diffsfsr.modules.pipeline import background, film, place

    looked, found = [], DetectedFace((0, 0, 99, 99), 0.9, face.points, 1.0, torch.zeros(52))

    def find_faces(networks, image):
        looked.append(image)
        return [found]

    monkeypatch.setattr(film, "find_faces", find_faces)
    monkeypatch.setattr(film, "face_networks", lambda: SimpleNamespace(ready=lambda: None))
    monkeypatch.setattr(place, "aligned", lambda *_: (photo(skin_picture(), face.points), torch.eye(2, 3)))
    monkeypatch.setattr(place, "topology", lambda: face.topology)
    encoders, expression = SimpleNamespace(memo=Memo()), SimpleNamespace(codes=torch.zeros(1, 84))
    pictures = torch.rand(LEAST + 1, 8, 8, 3)

    def locate(images):
        return background.locate(encoders, background.Request(images, None, expression))

    first, second = locate(pictures), locate(pictures.clone())
    assert len(looked) == LEAST + 1 and all(a is b for a, b in zip(first, second, strict=True))
    pictures[4] = pictures[4].flip(1)
    third = locate(pictures)
    assert len(looked) == LEAST + 2
    assert [a is b for a, b in zip(first, third, strict=True)] == [k != 4 for k in range(LEAST + 1)]


def test_large_results_that_are_soon_made_again_are_few_however_long_a_film_is():
    memo = Memo()
    memo.make_room(100)
    for kind, most, kept in (("large", LEAST, LEAST), ("small", None, 30)):
        for key in range(30):
            memo.get(kind, key, lambda: 0, most=most)
        assert len(memo.kinds[kind]) == kept
