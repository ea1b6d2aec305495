"""Retrieval of a word's pictures by their codes, from an index as large as the paper's kind of database could be."""

import time
import tracemalloc

import numpy as np
import pytest
import torch

from diffsfsr.modules.encoders import library
from diffsfsr.modules.encoders.library import Picture
from diffsfsr.modules.encoders.nearest import GEOMETRY_SCALE
from tests.unit.test_library import WIDTH, codes


def nearest(codes, wanted, place=0):
    return library.placed(library.gaps(codes, wanted), place)


def by_distance(codes, wanted):
    scale = torch.ones(len(wanted), dtype=torch.float64)
    scale[52:] = GEOMETRY_SCALE
    return ((codes.double() - wanted) * scale).norm(dim=1).argsort()


def test_retrieval_is_the_order_of_distances():
    matrix, wanted = codes(50), codes(1)[0]
    stored = library.unpacked([library.packed(code) for code in matrix])
    assert torch.equal(stored, matrix.half())
    assert [nearest(stored, wanted, place) for place in range(50)] == by_distance(stored, wanted).tolist()
    assert nearest(stored, matrix[17]) == 17


def test_both_blocks_of_a_code_count():
    wanted = torch.zeros(WIDTH)
    matrix = torch.zeros(2, WIDTH)
    matrix[0, 3], matrix[1, 55] = 0.5, 0.5 / GEOMETRY_SCALE * 0.9
    assert nearest(matrix, wanted) == 1
    matrix[1, 55] *= 1.3
    assert nearest(matrix, wanted) == 0


@pytest.fixture(scope="module")
def million(tmp_path_factory):
    """An index of a million pictures, as large as the paper's kind of database could be; one word has 100,000 of them."""
    folder, count = tmp_path_factory.mktemp("million"), 1_000_000
    words = [word for word in library.SORTED for _ in range(100_000 if word == "joy" else 6716)]
    matrix = np.random.default_rng(1).random((count, 92), np.float32).astype(np.float16)
    pictures = (Picture(word, f"{k:07d}.png", 1, 1) for k, word in enumerate(words[:count]))
    library.save(folder, "me", ((picture, matrix[k].tobytes()) for k, picture in enumerate(pictures)))
    return folder


def best(call, times=7):
    seconds = []
    for _ in range(times):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return min(seconds)


def test_of_a_million_pictures_only_those_of_the_word_are_read(million):
    """Opening, reading and searching together; all of them take seconds. The machine may be busy with other tests."""
    wanted = torch.rand(92, generator=torch.Generator().manual_seed(2))
    for word, count, limit in (("rage", 6716, 0.15), ("joy", 100_000, 1.5)):
        pictures = library.load(million, (word,)).pictures
        stored = library.unpacked(pictures.values())
        assert len(pictures) == count and nearest(stored, wanted) == int(by_distance(stored, wanted)[0])
        ask = lambda word=word: nearest(library.unpacked(library.load(million, (word,)).pictures.values()), wanted)  # noqa: E731
        assert best(ask) < limit, word
    tracemalloc.start()
    library.load(million, ("rage",))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6, "6,716 codes are 1.2 MB, the whole file is 247 MB"


def test_a_change_of_one_word_leaves_the_others(million):
    new = Picture("woe", "woe/new.png", 1, 1)
    before, last = library.load(million, ("woe",)).pictures, library.load(million, (library.SORTED[-1],))
    change = best(lambda: library.save(million, "me", [(new, bytes(184))], gone=list(before)[:5]), times=1)
    assert library.load(million, ("woe",)).pictures.keys() == {*list(before)[5:], new}
    assert library.load(million, (library.SORTED[-1],)) == last and change < 2, "no rewriting of 247 MB"
