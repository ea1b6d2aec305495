"""Two expressions mixed, and the way from one to the other. Codes are continuous, so a mix is a straight line between them."""

import torch

from ..errors import DiffSFSRError
from ..images import broadcast
from . import opposites
from .wires import Expression, check_bundle

WHERE = "Expression Mix"
CURVES = ("even", "slow at both ends")
MAX_STEPS = 256


def mix(first: Expression, second: Expression, t: float, steps: int = 1, curve: str = CURVES[0]) -> Expression:
    """steps 1: the mix at t (0: first, 1: second). steps n > 1: n codes on the way from the first to the mix at t.

    Each may hold one code or a batch; travelling needs one of each. Returns [n or E, 52 + K].
    """
    check_bundle(second.bundle, first.bundle, WHERE)
    if not 0 <= t <= 1:
        raise DiffSFSRError(f"{t} is outside 0 to 1", f"{WHERE}, t", "Set 0 for the first expression, 1 for the second")
    if not 1 <= steps <= MAX_STEPS:
        raise DiffSFSRError(f"{steps} is outside 1 to {MAX_STEPS}", f"{WHERE}, steps", "Set how many faces you want")
    if curve not in CURVES:
        raise DiffSFSRError(f"'{curve}' is no curve", f"{WHERE}, curve", f"Choose one of: {', '.join(CURVES)}")
    count = max(len(first.codes), len(second.codes))
    if steps > 1 and count > 1:
        what = f"Travelling needs one expression at each end, these are {len(first.codes)} and {len(second.codes)}"
        raise DiffSFSRError(what, f"{WHERE}, steps", "Set steps to 1, or connect single expressions")
    for side in (first, second):
        broadcast(len(side.codes), count, "expressions", WHERE)
    if steps == 1:
        shares = torch.full((count, 1), float(t))
    else:
        shares = torch.linspace(0, 1, steps)[:, None]
        shares = (shares if curve == CURVES[0] else shares * shares * (3 - 2 * shares)) * t
    codes = torch.lerp(first.codes.expand(count, -1), second.codes.expand(count, -1), shares)
    if steps == 1:  # on a way from one to the other everything may be passed through
        opposites.warn(codes, WHERE)
    names = tuple(f"{_name(first, k)} > {_name(second, k)} {s:.2f}" for k, s in enumerate(shares[:, 0].tolist()))
    return Expression(codes, names, first.bundle)


def _name(expression: Expression, number: int) -> str:
    return expression.names[number] if number < len(expression.names) else expression.names[0]
