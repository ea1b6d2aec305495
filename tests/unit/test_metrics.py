"""The figures of the evaluation on small numbers that can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest


def code(**values) -> np.ndarray:
    from diffsfsr.modules.labels import BLENDSHAPES

    return np.array([values.get(name, 0.0) for name in BLENDSHAPES])


def test_shifts_take_the_groups_of_the_word():
    from diffsfsr.evaluation.metrics.figures import shifts

    neutral = code(browInnerUp=0.2, jawOpen=0.1)[None]
    assert shifts("amazement", code(jawOpen=0.6)[None], neutral)[0] == pytest.approx(0.3)
    assert shifts("sorrow", code(mouthFrownLeft=0.2)[None], neutral)[0] == pytest.approx(0.2)  # either group will do
    assert shifts("sorrow", code(browInnerUp=0.1)[None], neutral)[0] == pytest.approx(0.0)
    assert shifts("rage", code(browDownLeft=0.1, browDownRight=0.2)[None], neutral)[0] == pytest.approx(0.3)


def test_ranks_and_cosines():
    from diffsfsr.evaluation.metrics.figures import cosines, ranks

    gallery = np.eye(3)
    vectors = np.array([[1, 0, 0], [0.8, 0.6, 0]])
    assert ranks(vectors, gallery, np.array([0, 1])).tolist() == [1, 2]
    assert cosines(vectors, gallery[[0, 1]]).tolist() == [1, 0.6]


def test_interval_draws_whole_people():
    from diffsfsr.evaluation.metrics.figures import interval

    assert interval([1, 1, 1, 1], ["a", "a", "b", "b"]) == (1, 1, 1)
    mean, low, high = interval([0, 0, 1, 1], ["a", "a", "b", "b"])
    assert (mean, low, high) == (0.5, 0, 1)  # two people who agree with themselves: anything is possible
    assert interval([0, 1], ["a", "b"]) == interval([0, 1], ["a", "b"])
    assert math.isnan(interval([], [])[0])


def test_kernel_distance_tells_sets_apart_and_not_people():
    from diffsfsr.evaluation.metrics.figures import kernel_blocks, kernel_distance

    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)  # noqa: E731
    rng = np.random.default_rng(0)
    real = unit(rng.normal(size=(30, 8)))
    people = np.repeat(np.arange(30), 2)
    same = kernel_blocks(real[people], people, real)
    assert kernel_distance(same)[0] == pytest.approx(0, abs=1e-9)  # everybody looks like himself: no distance
    shifted = unit(real[people] + np.eye(8)[0])
    mean, low, high = kernel_distance(kernel_blocks(shifted, people, real))
    assert 0 < low < mean < high


def test_border_measures_see_a_seam_and_only_in_the_ring():
    import torch

    from diffsfsr.evaluation.metrics.realism import border_measures

    background = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(0)) * 0.1 + 0.4
    mask = torch.zeros(1, 64, 64)
    mask[:, 16:48, 16:48] = 0.5
    mask[:, 20:44, 20:44] = 1
    same = border_measures(background, background, mask)
    assert same["seam"] == 0 and same["ring_psnr"] > 100 and same["ring_ssim"] == pytest.approx(1, abs=1e-4)
    inner = background.clone()
    inner[:, 24:40, 24:40] = 1.0  # nothing of it is in the ring
    assert border_measures(inner, background, mask)["ring_psnr"] > 100
    pasted = background + 0.4 * (mask[..., None] > 0)
    found = border_measures(pasted, background, mask)
    assert found["seam"] > 5 and found["ring_psnr"] == pytest.approx(-20 * math.log10(0.4), abs=0.1)
    assert found["ring_ssim"] < same["ring_ssim"]


def test_correlation_families_and_psnr():
    from diffsfsr.evaluation.metrics import figures

    steps = np.arange(5.0)
    assert figures.correlation(steps, 2 * steps + 1) == pytest.approx(1)
    assert math.isnan(figures.correlation(steps, np.ones(5)))
    names, means = figures.centroids()
    assert figures.nearest_family(0.3 * means).tolist() == list(range(6)) and len(names) == 6
    assert figures.psnr(np.zeros(4), np.full(4, 0.1)) == pytest.approx(20)
