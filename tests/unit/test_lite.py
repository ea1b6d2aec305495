"""EfficientNet-Lite0 with few channels and random weights; and the distance of results to a set of other people's pictures."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from diffsfsr.evaluation.metrics.figures import kernel_blocks_of_set, kernel_distance
from diffsfsr.evaluation.metrics.lite import FILE, MOUTH, STAGES, Lite0, looks

KERNELS, WIDTHS = (3, 3, 5, 3, 5, 5, 3), (4, 4, 6, 8, 8, 10, 12)


@pytest.fixture(scope="module")
def lite(tmp_path_factory):
    torch.manual_seed(0)
    state, before, block = {"_conv_stem.weight": torch.randn(4, 3, 3, 3) / 5, **norm("_bn0", 4)}, 4, 0
    for (repeats, _, expansion), kernel, width in zip(STAGES, KERNELS, WIDTHS, strict=True):
        for _ in range(repeats):
            name, inner = f"_blocks.{block}", before * expansion
            expand = [("_expand_conv", "_bn0", inner, (before, 1, 1))] if expansion > 1 else []
            deeper = ("_depthwise_conv", "_bn1", inner, (1, kernel, kernel)), ("_project_conv", "_bn2", width, (inner, 1, 1))
            for layer, after, out, size in (*expand, *deeper):
                state[f"{name}.{layer}.weight"] = torch.randn(out, *size) / torch.tensor(size).prod().sqrt()
                state |= norm(f"{name}.{after}", out)
            before, block = width, block + 1
    folder = tmp_path_factory.mktemp("data")
    (folder / FILE).parent.mkdir()
    save_file(state, folder / FILE)
    return Lite0(folder)


def norm(name: str, width: int) -> dict[str, torch.Tensor]:
    values = {"running_mean": torch.zeros, "running_var": torch.ones, "weight": torch.ones, "bias": torch.zeros}
    return {f"{name}.{part}": make(width) for part, make in values.items()}


def test_each_stage_has_its_size_and_vectors_are_of_unit_length(lite):
    pictures = torch.rand(3, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert [tuple(m.shape[1:]) for m in lite.maps(pictures[:1])] == [
            (4, 112, 112), (4, 56, 56), (6, 28, 28), (8, 14, 14), (8, 14, 14), (10, 7, 7), (12, 7, 7),
        ]  # fmt: skip
    found = lite(pictures)
    assert torch.allclose(found.norm(dim=1), torch.ones(3), atol=1e-5)
    assert torch.allclose(found[1:2], lite(pictures[1:2]), atol=1e-5) and not torch.allclose(found[0], found[1], atol=1e-3)


def test_the_mouth_is_looked_at_alone(lite):
    crops = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    changed = crops.clone()
    changed[..., : round(MOUTH[0] * 256), :] = 0.5  # all above the mouth
    one, two = (looks(lite, x) for x in (crops, changed))
    assert torch.equal(one["mouth"], two["mouth"]) and not torch.allclose(one["lite"], two["lite"], atol=1e-3)
    assert looks(None, crops) == {}


def test_results_like_the_real_ones_are_at_no_distance_to_them():
    rng = np.random.default_rng(0)
    unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)  # noqa: E731
    people, real = np.repeat(np.arange(20), 3), unit(rng.normal(0, 1, (80, 16)) + 2)
    same, other = (unit(rng.normal(0, 1, (60, 16)) + at) for at in (2, [2] * 8 + [-2] * 8))
    near, far = (kernel_distance(kernel_blocks_of_set(made, people, real), rounds=200) for made in (same, other))
    assert near[1] < 0.05 < far[1] and abs(near[0]) < 0.1 < far[0]
