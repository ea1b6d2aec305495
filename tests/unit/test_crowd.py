"""Results are pulled to where real pictures are and other results are not; mouths count where they are open."""

import torch

from diffsfsr.modules.labels import BLENDSHAPES
from diffsfsr.training.crowd import LEAST, Crowd, Crowds, opened


def slope_of(crowd: Crowd, rows: torch.Tensor) -> torch.Tensor:
    """The mean gradient [D] on the results [N, 1, D] after the first ones."""
    slopes = []
    for row in rows.requires_grad_():
        slopes.append(torch.autograd.grad(crowd(row).sum(), row)[0][0])
    return torch.stack(slopes[LEAST:]).mean(0)


def test_gradient_leads_from_results_to_real_pictures():
    rng = torch.Generator().manual_seed(0)
    rows = lambda: torch.randn(LEAST + 60, 1, 8, generator=rng) * 0.3  # noqa: E731
    real, aside = rows()[:, 0], torch.tensor([1.0] + [0.0] * 7)
    slope, still = slope_of(Crowd(real), rows() + aside), slope_of(Crowd(real), rows())
    assert slope[0] > 5 * slope[1:].abs().max()
    assert still.norm() < 0.4 * slope.norm()  # results that are as real ones stay


def test_too_few_results_say_nothing():
    crowd = Crowd(torch.randn(30, 4, generator=torch.Generator().manual_seed(1)))
    first = torch.full((1, 4), 3.0, requires_grad=True)
    (slope,) = torch.autograd.grad(crowd(first).sum(), first)
    assert not slope.any()


class Colours:
    """Maps of a picture as the network of STLPIPS gives them: here its colours."""

    def maps(self, pictures):
        return [pictures, pictures**2]


def test_mouths_count_where_they_are_open():
    rng = torch.Generator().manual_seed(2)
    codes = torch.zeros(3, len(BLENDSHAPES))
    codes[1, BLENDSHAPES.index("jawOpen")], codes[2, 44:46] = 0.5, 0.0
    assert opened(codes).tolist() == [False, True, False]
    real = [(torch.rand(3, 64, 64, generator=rng), codes[k % 2]) for k in range(12)]
    crowds = Crowds(Colours(), real)
    assert {name: len(crowd.real) for name, crowd in crowds.crowds.items()} == {"crowd": 12, "mouths": 6}
    for _ in range(LEAST + 1):
        found = crowds(torch.rand(3, 3, 64, 64, generator=rng) * 0.2, codes)
    assert found["mouths"].shape == found["crowd"].shape == (3,)
    assert found["mouths"][1] != 0 and not found["mouths"][[0, 2]].any()
