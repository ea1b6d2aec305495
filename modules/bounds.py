"""What the values of a configuration may be. They are checked before anything is built from them."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

SHOWN = 60  # characters of a wrong value


class Rule(NamedTuple):
    """`said`: what a value must be, in words; `holds`: whether it is."""

    said: str
    holds: Callable[[Any], bool]


def whole(least: int, most: int) -> Rule:
    """A whole number; True and False are none."""
    return Rule(f"a whole number from {least} to {most}", lambda v: type(v) is int and least <= v <= most)


def number(least: float, most: float) -> Rule:
    """Any finite number in that range: NaN and infinity fail the comparison."""
    return Rule(f"a number from {least:g} to {most:g}", lambda v: type(v) in (int, float) and least <= v <= most)


def figure() -> Rule:
    """Any number, also one that is none: of what is only shown."""
    return Rule("a number", lambda v: type(v) in (int, float))


def text(most: int) -> Rule:
    return Rule(f"a text of at most {most} characters", lambda v: isinstance(v, str) and len(v) <= most)


def one_of(*choices: str) -> Rule:
    return Rule(f"one of {', '.join(choices)}", lambda v: isinstance(v, str) and v in choices)


def several(rule: Rule, least: int, most: int) -> Rule:
    """A list; JSON's lists are tuples by then."""
    fits = lambda v: isinstance(v, tuple | list) and least <= len(v) <= most and all(map(rule.holds, v))  # noqa: E731
    return Rule(f"a list of {least} to {most}, each {rule.said}", fits)


def named(rule: Rule, most: int) -> Rule:
    """A dictionary by names."""
    fits = lambda v: isinstance(v, dict) and len(v) <= most and all(map(rule.holds, v.values()))  # noqa: E731
    return Rule(f"at most {most} named values, each {rule.said}", fits)


def check_values(values: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    """Raises ValueError that names the first value which breaks its rule."""
    for name, rule in rules.items():
        if not rule.holds(values[name]):
            shown = repr(values[name])
            shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
            raise ValueError(f"{name} is {shown}, it must be {rule.said}")
