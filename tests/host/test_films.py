"""Films: batches of pictures with two people, with pictures of nobody, and what is kept from one queue to the next."""

import gc

import pytest
import torch

from diffsfsr.modules.affine import apply
from diffsfsr.modules.images import checked_image, read_picture
from diffsfsr.modules.warp.mesh import Mesh
from tests.conftest import ROOT
from tests.fuzz.memory import Peak
from tests.host import graphs
from tests.host.graphs import COMPOSITE, CONDITION, IDENTITY, LOADER, astronaut, portrait, run, scaled


@pytest.fixture(scope="module")
def encoders(studio):
    return run(studio, graphs.shown(portrait(astronaut(), astronaut()).only(IDENTITY), IDENTITY, 1)).value(LOADER, 2)


@pytest.fixture(scope="module")
def film(studio):
    from diffsfsr.modules.pipeline import film  # imports the host

    return film


@pytest.fixture(scope="module")
def places_of(studio):
    from diffsfsr.modules.pipeline.place import places_of

    return places_of


@pytest.fixture(scope="module")
def people():
    """Three people who do not exist, 400 pixels high each."""
    files = [ROOT / ".people" / name / "studio_portrait.jpg" for name in ("P001", "P004", "P008")]
    return [scaled(read_picture(file), 400, 400) for file in files]


def frame(left, right):
    """Two portraits side by side, the second smaller or larger, on grey: [1, 400, 800, 3]."""
    picture = torch.full((1, 400, 800, 3), 0.4)
    for image, column in ((left, 0), (right, 800 - right.shape[2])):
        picture[:, : image.shape[1], column : column + image.shape[2]] = image
    return picture


def small(image):
    return scaled(image, 300, 300)


def sides(places):
    """left or right, where the face of each place is in its picture."""
    return ["left" if float(torch.linalg.solve(p.matrix[:, :2], 128 - p.matrix[:, 2])[0]) < 400 else "right" for p in places]


def test_the_same_person_through_a_batch(encoders, places_of, people):
    """The larger face is now the one, now the other; who is none of the first picture's people is chosen by the rule. Whose
    expression is read is decided in the same way.
    """
    from diffsfsr.modules.pipeline.expression import expressions_of

    a, b, c = people
    film_of_two = torch.cat([frame(a, small(b)), frame(small(a), b), frame(small(b), a)])
    assert sides(places_of(encoders, film_of_two, "largest", 0)) == ["left", "left", "right"]
    assert sides(places_of(encoders, film_of_two[1:2], "largest", 0)) == ["right"]
    read = expressions_of(encoders, film_of_two, None, "largest", 0, 1.0)[1]
    places = places_of(encoders, film_of_two, "largest", 0)
    assert all(torch.equal(crop, place.face.image.permute(1, 2, 0)) for crop, place in zip(read, places, strict=True))
    strangers = torch.cat([frame(a, a[:, :1, :1]), frame(small(b), c)])
    assert sides(places_of(encoders, strangers, "largest", 0)) == ["left", "right"]


def test_pictures_without_a_face_are_all_named(studio):
    blank = torch.full_like(astronaut(), 0.4)
    batch = torch.cat([astronaut(), blank, astronaut(), blank])
    message = graphs.refusal(studio, portrait(astronaut(), batch), CONDITION)
    assert "image 1: No face" in message and "image 3" in message and "image 2" not in message


def test_the_face_beside_is_not_painted_over(studio, encoders, places_of, film):
    a = astronaut()
    pair = torch.cat([a[:, :300, 60:268], a[:, :300, 176:400]], 2)
    (place,) = places_of(encoders, pair, "largest", 0)
    (other,) = film.find_all(encoders, pair, "largest", 0)[0].others
    there = Mesh.of(apply(place.matrix[None], other.points[None])[0], place.background.mesh.topology, 256)
    theirs = there.covered & ~place.background.mesh.covered
    result = run(studio, portrait(graphs.somebody_else(), pair))
    region = result.value(CONDITION, 3)
    assert theirs.any() and not region.mask[0][theirs].any() and region.mask[0].any()
    assert (result.value(COMPOSITE)[0] != pair[0]).any()


def test_nothing_is_searched_twice(encoders, places_of, film, people, monkeypatch):
    batch = torch.cat(people)
    first = places_of(encoders, batch, "largest", 0)
    for k in range(600):  # other pictures in between
        encoders.memo.get("faces", k, list, film.REMEMBERED)
        encoders.memo.get("place", k, list)
    monkeypatch.setattr(film, "find_faces", lambda *_: pytest.fail("searched again"))
    again = places_of(encoders, batch, "largest", 0)
    assert [p.key for p in again] == [p.key for p in first]


def test_a_film_that_is_in_range_is_not_copied():
    images = astronaut()
    assert checked_image(images).data_ptr() == images.data_ptr()
    assert checked_image(images * 1.5 - 0.1).aminmax() == (0, 1)


def held(value, seen):
    """Bytes of the tensors that a value leads to, those in `seen` left out; they are added to it."""
    if isinstance(value, torch.Tensor):
        memory = value.untyped_storage()
        new = memory.data_ptr() not in seen
        seen.add(memory.data_ptr())
        return memory.nbytes() * new
    if isinstance(value, dict | list | tuple):
        parts = value.values() if isinstance(value, dict) else value
    else:
        parts = vars(value).values() if hasattr(value, "__dict__") else ()
    return sum(held(part, seen) for part in parts)


def test_what_is_kept_of_a_frame(comfy, monkeypatch):
    """Of each more frame less than 5 MB, with the paste region and all that is remembered. Meshes of one place are there at a
    time, and what is the same for all places is looked at once.
    """
    from diffsfsr.evaluation.bench.film import Camera, frames
    from diffsfsr.modules.pipeline import background, draft, place

    camera, kept, alive, looked, read = Camera(steps=1), {}, [], [], []
    usual, soft, seen_of = background.result_of, draft.SoftFace.of, place.Seen.of

    def places() -> dict[int, place.Place]:
        gc.collect()
        return {id(one): one for one in gc.get_objects() if type(one) is place.Place}

    before = places()  # of other tests, whose encoders remember their people's own

    def counted(*given):
        alive.append(len(places().keys() - before.keys()))
        return usual(*given)

    monkeypatch.setattr(background, "result_of", counted)
    monkeypatch.setattr(draft.SoftFace, "of", lambda *given: looked.append(1) or soft(*given))
    monkeypatch.setattr(place.Seen, "of", lambda *given: read.append(1) or seen_of(*given))
    for count in (2, 5):
        film, looked[:], read[:] = frames(count), [], []
        result = camera.condition(film)[0]
        seen = set()
        held(film, seen)
        kept[count] = held([result, list(camera.pipeline.encoders.memo.kinds.values())], seen)
        assert len(looked) == 1, "the light on the selfie"
        assert len(read) <= count + 2, "colours of each place, and the selfie's with and without hard light"
    assert (kept[5] - kept[2]) / 3 < 5e6
    assert max(alive) <= 4, "the place that is drawn, the one before, and the selfie's own"


def test_memory_of_a_film_is_bounded_by_its_frames(comfy):
    """Above the frames that go in and come out, a few MB of each (docs/results.md: 10 of 100)."""
    from diffsfsr.evaluation.bench.film import Camera, frames

    camera, peaks = Camera(steps=1), {}
    for count in (2, 2, 8):  # the first loads
        film = frames(count)
        with Peak() as peak:
            made = camera.finish(camera.condition(film)[0])
        peaks[count] = peak.gigabytes * 1e9 - made.nbytes
        del made
    assert (peaks[8] - peaks[2]) / 6 < 40e6, "what was freed before is used first: 22 have been seen; 73 with gradients kept"
