"""What a case wants a value to be: exactly one, more or less than, between, or a list.

    matcher = make_matcher(world, entity, "brightness", ">50")
    matcher.matches(60)                  # True

Lists are compared without order and as a whole; keys a wanted record leaves out are free.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from qingyu.act.state import changeable, checked, same
from qingyu.act.values import Misfit, thawed
from qingyu.act.world import Entity, Record, Scalar, Value, World, plain
from qingyu.errors import WorldError
from qingyu.text import pick

_NUMBER = r"-?\d+(?:\.\d+)?"
_FORMS = re.compile(
    rf"(?:(?P<sign>[<>])(?P<bound>{_NUMBER})|(?P<low>{_NUMBER})\.\.(?P<high>{_NUMBER}))"
)


@dataclass(frozen=True)
class Exactly:
    value: Value

    def matches(self, value: Value | None) -> bool:
        if isinstance(self.value, str) and isinstance(value, str):
            return plain(self.value) == plain(value)
        return same(self.value, value)

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class Between:
    """low and high are within; `inside` leaves them out."""

    low: float
    high: float
    inside: bool = False

    def matches(self, value: Value | None) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.inside:
            return self.low < value < self.high
        return self.low <= value <= self.high

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f">{self.low:g}"
        return f"<{self.high:g}" if math.isinf(self.low) else f"{self.low:g}..{self.high:g}"


@dataclass(frozen=True)
class Entries:
    entries: tuple[str | Record, ...]

    def matches(self, value: Value | None) -> bool:
        """Whether every wanted entry has one of its own, and none is left over."""
        return isinstance(value, tuple) and len(value) == len(self.entries) and self._pair(value)

    def _pair(self, there: tuple[str | Record, ...]) -> bool:
        taken: dict[int, int] = {}

        def find(wanted: int, tried: set[int]) -> bool:
            for place, one in enumerate(there):
                if place in tried or not _fits(self.entries[wanted], one):
                    continue
                tried.add(place)
                if place not in taken or find(taken[place], tried):
                    taken[place] = wanted
                    return True
            return False

        return all(find(wanted, set()) for wanted in range(len(self.entries)))

    def __str__(self) -> str:
        return str(thawed(self.entries))


Matcher = Exactly | Between | Entries


def _fits(wanted: str | Record, one: str | Record) -> bool:
    if isinstance(wanted, Mapping) and isinstance(one, Mapping):
        return all(_same_text(one.get(key), value) for key, value in wanted.items())
    return isinstance(wanted, str) and isinstance(one, str) and plain(wanted) == plain(one)


def _same_text(one: Scalar | None, other: Scalar) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return plain(one) == plain(other)
    return same(one, other)


def make_matcher(world: World, entity: Entity, key: str, wanted: object) -> Matcher:
    """A matcher for "state" or an attribute, checked against what the device can be.

    Raises WorldError naming the device, the key and what it may be.
    """
    attribute = entity.attribute(key)
    found = _FORMS.fullmatch(wanted) if isinstance(wanted, str) else None
    if attribute is None or not changeable(entity, key) or not (found and attribute.numeric):
        value = checked(world, entity, key, wanted)
        return Entries(value) if isinstance(value, tuple) else Exactly(value)
    low, high = entity.range_of(key, attribute)
    least = -math.inf if low is None else low
    most = math.inf if high is None else high
    if found["sign"]:
        bound = float(found["bound"])
        over = found["sign"] == ">"
        matcher = Between(bound, math.inf, True) if over else Between(-math.inf, bound, True)
        possible = bound < most if over else bound > least
    else:
        matcher = Between(float(found["low"]), float(found["high"]))
        possible = matcher.low <= matcher.high and least <= matcher.low and matcher.high <= most
    if not possible:
        misfit = Misfit(reason="range", low=low, high=high, unit=attribute.unit).text()
        raise WorldError(
            pick(
                f"{entity.id}.{key} can never be {wanted}; {misfit}",
                f"{entity.id}.{key} 不可能为 {wanted}；{misfit}",
            )
        )
    return matcher
