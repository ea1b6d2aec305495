"""What is asked of every small network for crops of faces when it learns."""

import torch

from diffsfsr.modules.faces.ladder import folded
from diffsfsr.training.ladder import follow


def learns_and_folds(kind, loss_of, asked, steps: int, off: float) -> None:
    """A few steps on a few samples bring the loss down, and without batch norm the network says the same, but for `off`.

    loss_of(network's answer) -> the loss; asked: what the network is given.
    """
    torch.manual_seed(0)
    network, mean = kind(norm=True), kind(norm=True).eval()
    optimiser, losses = torch.optim.AdamW(network.parameters(), 3e-3), []
    for _ in range(steps):
        loss = loss_of(network(*asked))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        follow(mean, network, 0.0)
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    with torch.inference_mode():
        assert torch.allclose(folded(mean)(*asked), network.eval()(*asked), atol=off)
