"""Where to look for faces, from the cheapest guess to the most patient one."""

import math

# The detector is made for faces that fill a good part of its 128 pixels. A face below this share of its window makes us
# look closer, because others of its size may have been missed.
SMALL = 0.25


class Windows(tuple):
    """Windows (cx, cy, side, angle) of one round; `side` is theirs, `only_if_none` marks rounds of last resort."""

    def __new__(cls, items, only_if_none=False):
        self = super().__new__(cls, items)
        self.side, self.only_if_none = self[0][2], only_if_none
        return self


def search_windows(height, width):
    """Rounds of windows over a picture of height x width pixels:

    1. the whole picture;
    2. the picture with half its side around it, for tight crops and huge faces;
    3. 2 x 2 and 3 x 3 overlapping tiles, 4 x 4 from 640 pixels on and 6 x 6 from 1024, for small and distant faces;
    4. the whole picture turned by quarters, for photos that lie on their side.
    """
    longer, middle = max(height, width), (width / 2, height / 2)
    yield Windows([(*middle, longer, 0.0)])
    yield Windows([(*middle, longer * 2.0, 0.0)], only_if_none=True)
    for count, share, least in ((2, 0.65, 0), (3, 0.45, 0), (4, 0.34, 640), (6, 0.23, 1024)):
        if longer >= least:
            yield Windows(_tiles(height, width, count, longer * share))
    yield Windows([(*middle, longer, k * math.pi / 2) for k in (1, 3, 2)], only_if_none=True)


def _tiles(height, width, count, side):
    """Tiles of one side, spread evenly; an axis shorter than a tile gets one centred tile."""
    xs, ys = ([size / 2] if size <= side else _spread(size, side, count) for size in (width, height))
    return [(x, y, side, 0.0) for y in ys for x in xs]


def _spread(size, side, count):
    """`count` tile centres from edge to edge."""
    return [side / 2 + (size - side) * i / (count - 1) for i in range(count)]
