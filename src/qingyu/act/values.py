"""Whether a value is one that a state, an attribute or a parameter can have.

    misfit(world, entity, "brightness", attribute, 130)    # Misfit(reason="range", low=1, ...)

The reader of household files, the guard and the benchmark ask the same question here.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from qingyu.act.terms import Attribute
from qingyu.act.world import Entity, Record, Value, World
from qingyu.text import pick

MOMENT = "%Y-%m-%d %H:%M"
TIME = "%H:%M"


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """Why a value does not fit. low, high, step: of a number. options: what it may be.
    field: which key of a record, else ""."""

    reason: Literal["type", "range", "step", "option", "format"]
    low: float | None = None
    high: float | None = None
    step: float | None = None
    unit: str = ""
    options: tuple[str, ...] = ()
    field: str = ""

    def text(self) -> str:
        """What it may be, for people."""
        if self.reason == "option":
            known = ", ".join(f'"{one}"' for one in self.options) or pick("nothing", "无")
            return pick(f"it may be {known}", f"可取 {known}")
        if self.reason == "format":
            return pick(
                'write a time as "07:30", a date as "2026-11-27 07:30", in quotes',
                '时间请写成 "07:30"，日期写成 "2026-11-27 07:30"，并加引号',
            )
        if self.reason == "type":
            return pick(
                "that is of the wrong type; put texts, times and on/off in quotes, not numbers",
                "类型不对；文字、时间和 on/off 要加引号，数字不加",
            )
        low, high = (("" if one is None else f"{one:g}") for one in (self.low, self.high))
        steps = "" if self.reason == "range" else pick(" in steps of ", "，步长 ")
        steps += "" if self.reason == "range" else f"{self.step:g}"
        return pick(
            f"it may be {low} to {high}{self.unit}{steps}",
            f"可取 {low} 到 {high}{self.unit}{steps}",
        )


def is_number(value: object) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def tidy(value: float) -> float | int:
    """A computed number without the dust of binary fractions; whole ones as int."""
    rounded = round(value, 6)
    return int(rounded) if rounded == int(rounded) else rounded


def is_time(text: object, format: str) -> bool:
    """Whether a text is a time exactly as we write it: zeros in front, nothing around."""
    if not isinstance(text, str):
        return False
    try:
        return datetime.datetime.strptime(text, format).strftime(format) == text
    except ValueError:
        return False


def misfit(
    world: World, entity: Entity, key: str, attribute: Attribute, value: object
) -> Misfit | None:
    """None where the value fits. key: whose range of the device counts ("" for the usual one)."""
    match attribute.kind:
        case "percent" | "number":
            return _number_misfit(entity.range_of(key, attribute), attribute, value)
        case "bool":
            return None if isinstance(value, bool) else Misfit(reason="type")
        case "option":
            options = world.options_of(entity, attribute)
            if isinstance(value, str) and (value in options or (attribute.blank and not value)):
                return None
            return Misfit(reason="option", options=options)
        case "text":
            return None if isinstance(value, str) else Misfit(reason="type")
        case "time" | "moment":
            format = TIME if attribute.kind == "time" else MOMENT
            return None if is_time(value, format) else Misfit(reason="format")
        case "reading":
            fits = is_number(value) or (isinstance(value, str) and value)
            return None if fits else Misfit(reason="type")
        case "texts":
            fits = isinstance(value, list | tuple) and all(
                isinstance(one, str) and one for one in value
            )
            return None if fits else Misfit(reason="type")
        case "records":
            return _records_misfit(world, entity, attribute, value)


def _number_misfit(
    bounds: tuple[float | None, float | None], attribute: Attribute, value: object
) -> Misfit | None:
    if not is_number(value):
        return Misfit(reason="type")
    assert isinstance(value, int | float)
    low, high = bounds
    facts: dict[str, Any] = {
        "low": low,
        "high": high,
        "step": attribute.step,
        "unit": attribute.unit,
    }
    if (low is not None and value < low) or (high is not None and value > high):
        return Misfit(reason="range", **facts)
    if attribute.step:
        steps = value / attribute.step
        if abs(steps - round(steps)) > 1e-6:
            return Misfit(reason="step", **facts)
    return None


def _records_misfit(
    world: World, entity: Entity, attribute: Attribute, value: object
) -> Misfit | None:
    if not isinstance(value, list | tuple):
        return Misfit(reason="type")
    for record in value:
        if not isinstance(record, Mapping):
            return Misfit(reason="type")
        for key, one in record.items():
            if key not in attribute.fields:
                return Misfit(reason="option", options=tuple(attribute.fields), field=str(key))
            found = misfit(world, entity, "", attribute.fields[key], one)
            if found is not None:
                return Misfit(**{**vars(found), "field": str(key)})
    return None


def frozen(value: Any) -> Value:
    """A checked value from YAML or JSON as it is kept: lists are tuples."""
    if isinstance(value, list | tuple):
        return tuple(dict(one) if isinstance(one, Mapping) else str(one) for one in value)
    assert isinstance(value, str | int | float | bool), value
    return value


def thawed(value: Value) -> object:
    """The same for JSON."""
    if isinstance(value, tuple):
        return [_copy(one) for one in value]
    return value


def _copy(one: str | Record) -> object:
    return one if isinstance(one, str) else dict(one)
