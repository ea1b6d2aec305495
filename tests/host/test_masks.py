"""Masks of the artist: what may change, and what stands in front of the face."""

import torch

from tests.host.graphs import COMPOSITE, CONDITION, portrait, run


def test_own_mask_limits_what_changes(studio, pictures):
    """Only the mouth is painted: everything outside the artist's mask stays, bit for bit."""
    mask = torch.zeros(1, 512, 512)
    mask[:, 118:175, 250:330] = 1
    graph = portrait(*pictures).give(CONDITION, "mask", "MASK", mask).set(CONDITION, feather=4)
    result = run(studio, graph)
    changed = (result.value(COMPOSITE) != pictures[1]).any(-1)
    assert changed.any() and not changed[mask == 0].any()
    assert (result.value(COMPOSITE, 1)[mask == 0] == 0).all()


def test_what_stands_in_front_stays(studio, pictures):
    """A hand over one cheek: to the bit where the mask is whole, and the rest of the face is another's."""
    hand = torch.zeros(1, 512, 512)
    hand[:, 60:175, 230:290] = 1
    result = run(studio, portrait(*pictures).give(CONDITION, "in_front", "MASK", hand))
    changed = (result.value(COMPOSITE) != pictures[1]).any(-1)
    assert changed.any() and not changed[hand == 1].any()
    plain = (run(studio, portrait(*pictures)).value(COMPOSITE) != pictures[1]).any(-1)
    assert plain[hand == 1].any()
    whole = portrait(*pictures).give(CONDITION, "in_front", "MASK", torch.ones(1, 512, 512))
    assert "covers all of the face" in studio.run(whole).errors[0]


def test_what_stands_in_front_counts_whatever_was_drawn_before(studio, pictures):
    """Its colours are not the face's: neither in a new graph nor where the place is remembered without it."""
    hand = torch.zeros(1, 512, 512)
    hand[:, 60:175, 230:290] = 1

    def draft(**masks):
        graph = portrait(*pictures)
        for name, mask in masks.items():
            graph.give(CONDITION, name, "MASK", mask)
        return run(studio, graph).value(CONDITION, 4)

    studio.reset()
    fresh = draft(in_front=hand)
    studio.reset()
    assert not torch.equal(draft(), fresh) and torch.equal(draft(in_front=hand), fresh)
