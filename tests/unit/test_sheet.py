"""Many pictures on one: where each stands, its name, and what is refused."""

import time

import pytest
import torch

from diffsfsr.modules.errors import DiffSFSRError
from diffsfsr.modules.pipeline.sheet import LINE, contact_sheet


def plain(*greys, height=64, width=64):
    return torch.stack([torch.full((height, width, 3), grey) for grey in greys])


def test_pictures_stand_row_by_row_and_names_below():
    sheet = contact_sheet([plain(0.2, 0.4), plain(0.6, height=36)], ["joy", "woe", "an expression with a long name"], 2, 64)[0]
    assert sheet.shape == (2 * (64 + LINE), 128, 3)
    middles = ((32, 32), (32, 96), (LINE + 96, 32), (LINE + 96, 96))
    assert [round(float(sheet[y, x, 0]), 1) for y, x in middles] == [0.2, 0.4, 0.6, 1]
    assert all((sheet[64:84, x : x + 64] < 0.5).any() for x in (0, 64)), "names are drawn"
    assert contact_sheet([plain(*[0.5] * 9)], None, 0, 48).shape == (1, 144, 144, 3)


def test_a_name_without_end_is_cut_at_once():
    start = time.process_time()
    contact_sheet([plain(0.5)], ["joy, " * 20_000], 0, 64)
    assert time.process_time() - start < 5, "it is not shortened letter by letter"


@pytest.mark.parametrize(
    ("count", "names", "columns", "side", "fault"),
    [(2, ["one"], 0, 64, "1 names for 2 pictures"), (401, None, 0, 48, "more than 400"), (40, None, 40, 1024, "40960 x 1024")],
)
def test_what_makes_no_sheet(count, names, columns, side, fault):
    with pytest.raises(DiffSFSRError, match=f"Expression Sheet, (names|images|size): .*{fault}"):
        contact_sheet([plain(*[0.5] * count, height=32, width=32)], names, columns, side)
